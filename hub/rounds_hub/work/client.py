"""Hand long work to the workers, over the queue's own database."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, TypeAlias

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from rounds_hub.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbos import DBOSClient, EnqueueOptions

__all__ = [
    "QUEUES",
    "Kind",
    "WorkClient",
    "system_url",
    "workflow_id",
]

Kind: TypeAlias = Literal["run", "import", "send", "pull", "route", "embed", "night"]

QUEUES: dict[Kind, str] = {
    "run": "runs",
    "import": "imports",
    "send": "sends",
    "pull": "pulls",
    "route": "routes",
    "embed": "embeddings",
    "night": "embeddings",
}
"""The queue of each kind of work; the workflow has the kind's own name."""

STATES = {
    "ENQUEUED": "waiting",
    "DELAYED": "waiting",
    "PENDING": "running",
    "SUCCESS": "done",
    "ERROR": "failed",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
    "CANCELLED": "cancelled",
}


def system_url(url: str) -> str:
    """Return *url* as DBOS wants it.

    Examples
    --------
    >>> system_url("postgresql://ada@db/rounds")
    'postgresql+psycopg://ada@db/rounds'
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed.render_as_string(hide_password=False)


def workflow_id(kind: Kind, key: str) -> str:
    """Return the workflow's id: the same request is the same workflow.

    Examples
    --------
    >>> workflow_id("run", "c0ffee")
    'run:c0ffee'
    """
    return f"{kind}:{key}"


class WorkClient:
    """The way to the queue at *url*, for processes that do no long work themselves.

    Nothing is connected before it is needed; the tables are made if they are not there.
    """

    def __init__(self, url: str) -> None:
        """Remember *url*."""
        self._url = system_url(url)
        self._lock = threading.Lock()
        self._client: DBOSClient | None = None

    def enqueue(self, kind: Kind, key: str, *, delay: float = 0.0) -> None:
        """Ask for the work *kind* on *key*; asking again for the same changes nothing.

        It begins not before *delay* seconds have passed.

        Raises
        ------
        BusyError
            If the queue's database does not answer.
        """
        options: EnqueueOptions = {
            "workflow_name": kind,
            "queue_name": QUEUES[kind],
            "workflow_id": workflow_id(kind, key),
        }
        if delay > 0:
            options["delay_seconds"] = delay
        with _in_our_words():
            self._connected().enqueue(options, key)

    def cancel(self, kind: Kind, key: str) -> None:
        """Take the work off the queue, or end it before its next step."""
        with _in_our_words():
            self._connected().cancel_workflow(workflow_id(kind, key))

    def state(self, kind: Kind, key: str) -> str | None:
        """Return how far the work is; None where nobody asked for it.

        States: ``waiting``, ``running``, ``done``, ``failed``, ``cancelled``.
        """
        with _in_our_words():
            found = self._connected().list_workflows(
                workflow_ids=[workflow_id(kind, key)],
                load_input=False,
                load_output=False,
            )
        return STATES[found[0].status] if found else None

    def close(self) -> None:
        """Let go of the connections; closing twice changes nothing."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.destroy()

    def _connected(self) -> DBOSClient:
        """Return the client, connected to tables of this version."""
        with self._lock:
            if self._client is None:
                from dbos import DBOS, DBOSClient  # noqa: PLC0415 (takes a while)

                from rounds_hub.work.serializer import JsonSerializer  # noqa: PLC0415

                DBOS.migrate(self._url)
                self._client = DBOSClient(
                    system_database_url=self._url,
                    serializer=JsonSerializer(),
                    retry_connection_errors=False,
                )
            return self._client


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Say trouble with the queue's database as an error of the house."""
    try:
        yield
    except SQLAlchemyError as error:
        msg = "The queue does not answer now. Try again in a moment."
        raise BusyError(msg) from error
