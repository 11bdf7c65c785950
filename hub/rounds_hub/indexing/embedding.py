"""The durable workflow ``embed``: all series described by another encoder, in steps.

Each step takes some series in the order of their UIDs and writes down how far it came;
a step that a killed worker was in is repeated, and finds the vectors that it kept.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import structlog
from dbos import DBOS
from sqlalchemy import func, select

from rounds_hub.archive.models import Series
from rounds_hub.cases.models import CaseSeries
from rounds_hub.catalogue.models import OutboxEvent, utc_now
from rounds_hub.errors import HubError
from rounds_hub.indexing import consumer
from rounds_hub.indexing.encoding import shelf
from rounds_hub.indexing.models import PictureEncoder
from rounds_hub.indexing.vectors import looks_of
from rounds_search.errors import SearchError

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from rounds_hub.house import House

__all__ = ["EmbedWork", "register"]

MOST_RECOVERIES: Final = 1000
AT_ONCE: Final = 10
WAIT_SECONDS: Final = 0.2
LONGEST_PROBLEM: Final = 500

log = structlog.get_logger()


def register(house: House, closing: threading.Event) -> None:
    """Register the workflow with DBOS, before it is launched."""
    work = EmbedWork(house, closing)

    @DBOS.step(name="embed.some")
    def some(key: str, turn: int) -> bool:
        del turn  # it tells one step from the next
        return work.some(key)

    @DBOS.step(name="embed.end")
    def end(key: str) -> None:
        work.end(key)

    @DBOS.step(name="embed.fail")
    def fail(key: str, why: str) -> None:
        work.fail(key, why)

    @DBOS.workflow(name="embed", max_recovery_attempts=MOST_RECOVERIES)
    def embed(key: str) -> None:
        try:
            turn = 0
            while some(key, turn):
                turn += 1
            end(key)
        except (HubError, SearchError) as error:
            fail(key, str(error))
        except Exception:
            log.exception("embedding given up", key=key)
            fail(key, "Something went wrong in the worker; its log has the details.")

    del embed  # registered by its name


class EmbedWork:
    """Embeds all series with an encoder; a key is its name and the attempt."""

    def __init__(self, house: House, closing: threading.Event | None = None) -> None:
        """Be ready; nothing is embedded yet."""
        self._house = house
        self._closing = closing or threading.Event()

    def some(self, key: str) -> bool:
        """Embed the next series, some of them; return whether there may be more.

        Raises
        ------
        SearchError
            The encoder cannot be used.
        """
        shelf(self._house)
        with self._house.sessions.begin(write=False) as session:
            row = _row(session, key)
            if row is None:
                return False
            name, last = row.name, row.last
            following = _shown().where(Series.uid > last).limit(AT_ONCE)
            chosen = list(session.scalars(following))
            total = session.scalar(
                select(func.count()).select_from(_shown().subquery())
            )
        if not chosen:
            return False
        skipped = sum(looks_of(self._house, one, name) is None for one in chosen)
        with self._house.sessions.begin() as session:
            row = _row(session, key)
            if row is None:
                return False
            row.series = total or 0
            row.done += len(chosen)
            row.skipped += skipped
            row.last = chosen[-1].uid
            session.add_all(OutboxEvent(kind="series", key=one.uid) for one in chosen)
        return True

    def end(self, key: str) -> None:
        """Let the new encoder answer, once the index has all that it made."""
        while consumer.waiting(self._house) and not self._closing.is_set():
            consumer.run_once(self._house)
            self._closing.wait(WAIT_SECONDS)
        with self._house.sessions.begin() as session:
            row = _row(session, key)
            if row is None:
                return
            before = select(PictureEncoder).where(PictureEncoder.state == "current")
            old = session.scalars(before).all()
            for one in old:
                one.state = "retired"
            row.state, row.finished_at = "current", utc_now()
            if old:  # what they made leaves the index
                uids = [one.uid for one in session.scalars(_shown())]
                session.add_all(OutboxEvent(kind="series", key=uid) for uid in uids)
        log.info("pictures are embedded", key=key)

    def fail(self, key: str, why: str) -> None:
        """Write down that it cannot be done; the encoder before goes on answering."""
        with self._house.sessions.begin() as session:
            row = _row(session, key)
            if row is not None:
                row.state, row.problem = "failed", why[:LONGEST_PROBLEM]
                row.finished_at = utc_now()


def _row(session: Session, key: str) -> PictureEncoder | None:
    """Return the row that *key* is about, None where it is wanted no more."""
    name, _, attempt = key.rpartition(":")
    row = session.get(PictureEncoder, name)
    wanted = row is not None and row.state == "embedding"
    return row if wanted and row and str(row.attempt) == attempt else None


def _shown() -> Select[Series]:
    """Return the question for all series that cases show, in order."""
    of_cases = select(CaseSeries.series_uid)
    return select(Series).where(Series.uid.in_(of_cases)).order_by(Series.uid)
