"""The durable workflow ``route``, and the thread that finds complete series.

A workflow does one action on one content of a series; its id is that of the action, so
that the same is one workflow. A step that a killed worker was in is repeated, and finds
done what it did.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog
from dbos import DBOS
from sqlalchemy import select, update

from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import BusyError, HubError
from rounds_hub.routing import acting, completeness, firings
from rounds_hub.routing.models import Firing
from rounds_hub.runs.states import ENDED

if TYPE_CHECKING:
    import threading

    from rounds_hub.house import House

__all__ = ["RouteWork", "loop", "reconcile", "register"]

MOST_RECOVERIES: Final = 1000
LOOK_SECONDS: Final = 0.5
RECONCILE_SECONDS: Final = 15.0
PATIENCE: Final = timedelta(seconds=5)
TRIES: Final = 6
LONGEST_ERROR: Final = 500
_OPEN = ("waiting", "running")

log = structlog.get_logger()


def register(house: House) -> None:
    """Register the workflow with DBOS, before it is launched."""
    work = RouteWork(house)

    @DBOS.step(
        name="route.act", retries_allowed=True, max_attempts=TRIES, interval_seconds=0.5
    )
    def act(key: str) -> str:
        return work.act(key)

    @DBOS.step(name="route.fail")
    def fail(key: str, why: str) -> str:
        return work.end(key, "failed", error=why)

    @DBOS.workflow(name="route", max_recovery_attempts=MOST_RECOVERIES)
    def route(key: str) -> str:
        try:
            return act(key)
        except Exception as error:
            log.exception("route action given up", action=key)
            why = "The worker tried it several times in vain; its log has the details."
            return fail(key, str(error) if isinstance(error, HubError) else why)

    del route  # registered by its name


class RouteWork:
    """Does the actions of routes; a key is that of the action and its attempt."""

    def __init__(self, house: House) -> None:
        """Be ready; nothing is done yet."""
        self._house = house

    def act(self, key: str) -> str:
        """Do one action, if it is still wanted, and write down what came of it.

        Raises
        ------
        BusyError
            If a part that is needed does not answer now: it is tried again.
        """
        firing = self._begin(key)
        if firing is None:
            return "gone"
        try:
            result = acting.act(self._house, firing)
        except BusyError:
            raise
        except HubError as error:
            return self.end(key, "failed", error=str(error))
        except Exception:  # the log has it, and the row of the action says so
            log.exception("route action failed", action=key)
            why = "Something went wrong in the worker; its log has the details."
            return self.end(key, "failed", error=why)
        return self.end(key, "done", result=result)

    def end(self, key: str, state: str, **columns: Any) -> str:  # noqa: ANN401 (columns of the row)
        """Bring an action to its end *state*, once."""
        if "error" in columns:
            columns["error"] = columns["error"][:LONGEST_ERROR]
        with self._house.sessions.begin() as session:
            session.execute(
                update(Firing)
                .where(*_this(key), Firing.state.in_(_OPEN))
                .values(state=state, finished_at=utc_now(), **columns)
                .execution_options(synchronize_session=False)
            )
        log.info("route action ended", action=key, state=state)
        return state

    def _begin(self, key: str) -> Firing | None:
        """Return the action, now running; None where it is done or tried anew."""
        with self._house.sessions.begin() as session:
            wanted = select(Firing).where(*_this(key), Firing.state.in_(_OPEN))
            firing = session.scalars(wanted.with_for_update()).one_or_none()
            if firing is not None:
                firing.state = "running"
            return firing


def loop(house: House, closing: threading.Event) -> None:
    """Find complete series and hand over their actions, until *closing* is set.

    What an earlier worker wrote down and did not hand over goes first.
    """
    asked: set[str] = set()
    reconcile(house, patience=timedelta(0))
    since = 0.0
    while not closing.wait(LOOK_SECONDS):
        firings.enqueue(house, completeness.look(house, asked))
        since += LOOK_SECONDS
        if since >= RECONCILE_SECONDS:
            since = 0.0
            reconcile(house)


def reconcile(house: House, *, patience: timedelta = PATIENCE) -> None:
    """Hand over actions that wait outside the queue; end those that nobody does.

    Those younger than *patience* are on their way into the queue.
    """
    old = Firing.created_at <= utc_now() - patience
    wanted = select(Firing).where(Firing.state.in_(_OPEN), old).limit(1000)
    with house.sessions.begin(write=False) as session:
        found = [f"{one.key}:{one.attempt}" for one in session.scalars(wanted)]
    for key in found:
        state = house.work.state("route", key)
        if state is None:
            firings.enqueue(house, [key])
        elif state in ENDED:
            why = "The work on it ended without a result. Try it again."
            RouteWork(house).end(key, "failed", error=why)


def _this(key: str) -> tuple[Any, ...]:
    """Return the condition for the row of the action and attempt that *key* names."""
    name, _, attempt = key.rpartition(":")
    return (Firing.key == name, Firing.attempt == int(attempt))
