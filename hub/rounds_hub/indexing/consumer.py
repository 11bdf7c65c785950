"""Bring what changed in the catalogue into the index, in order, surely, soon.

An event says only that something changed; what is written is made from the catalogue as
it stands now, with the number of the newest event as its revision. So an event that
comes twice, late, or after a crash between the two does no harm, and the index never
goes back to an older state.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import delete, func, select, update

from rounds_hub.catalogue.models import OutboxEvent, utc_now
from rounds_hub.indexing.entries import Entries
from rounds_hub.indexing.lease import sole_writer
from rounds_search.errors import IndexUnavailableError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Session

    from rounds_hub.house import House
    from rounds_hub.indexing.entries import Changes

__all__ = ["loop", "newest_event", "rebuild", "run_once", "waiting"]

BATCH: Final = 200
POLL_SECONDS: Final = 0.2
TROUBLE_SECONDS: Final = 2.0
FORGET_SECONDS: Final = 3600.0
KEPT: Final = timedelta(days=7)
LONGEST_ERROR: Final = 500
FIRST_PAUSE: Final = 0.5
REBUILD_WAIT_SECONDS: Final = 60.0

log = structlog.get_logger()


def run_once(house: House) -> int:
    """Apply the events that are due, at most a batch; return how many were done.

    An event that fails is tried again after twice the time each try, its error in its
    row; the others go on. If another worker is at it, nothing is done.
    """
    if not _due(house):
        return 0
    with sole_writer(house) as ours:
        return _apply(house, _due(house)) if ours else 0


def waiting(house: House) -> int:
    """Return how many events are not in the index yet."""
    with house.sessions.begin(write=False) as session:
        undone = select(func.count()).select_from(OutboxEvent)
        return session.scalar(undone.where(OutboxEvent.done_at.is_(None))) or 0


def loop(house: House, stop: threading.Event) -> None:
    """Apply events until *stop* is set; one that comes waits 0.2 s at most."""
    forget_at = utc_now()
    while not stop.is_set():
        try:
            done = run_once(house)
            if utc_now() >= forget_at:
                _forget(house)
                forget_at = utc_now() + timedelta(seconds=FORGET_SECONDS)
        except IndexUnavailableError as error:
            # An hour of it is a line every two seconds, not a traceback.
            log.warning("the index is away", why=str(error))
            stop.wait(TROUBLE_SECONDS)
            continue
        except Exception:  # the log tells whoever runs the house; the next try may work
            log.exception("indexing")
            stop.wait(TROUBLE_SECONDS)
            continue
        if not done:
            stop.wait(POLL_SECONDS)


def rebuild(house: House) -> int:
    """Make the index anew from the catalogue and return how many entries it has.

    Searches go on meanwhile in the old one. Whatever could not be indexed is logged and
    left out, so that one broken series does not keep the house from being searched.

    Raises
    ------
    IndexUnavailableError
        If a worker keeps writing for a minute.
    """
    with sole_writer(house, wait_seconds=REBUILD_WAIT_SECONDS) as ours:
        if not ours:
            msg = "A worker keeps the index busy. Try again later."
            raise IndexUnavailableError(msg)
        with house.sessions.begin(write=False) as session:
            undone = select(OutboxEvent.id).where(OutboxEvent.done_at.is_(None))
            seen = list(session.scalars(undone))
            entries = Entries(house, session, newest_event(session))
            report = house.index.rebuild(entries.everything())
        with house.sessions.begin() as session:
            _mark_done(session, seen)
    return report.written


def newest_event(session: Session) -> int:
    """Return the number of the newest event, which grows with every change."""
    return session.scalar(select(func.max(OutboxEvent.id))) or 0


def _due(house: House) -> list[OutboxEvent]:
    """Return the events to apply now: new ones in their order, then repeated ones."""
    undone = select(OutboxEvent).where(OutboxEvent.done_at.is_(None)).limit(BATCH)
    new = undone.where(OutboxEvent.tries == 0).order_by(OutboxEvent.id)
    failed = undone.where(OutboxEvent.tries > 0)
    failed = failed.order_by(OutboxEvent.tries, OutboxEvent.id)
    with house.sessions.begin(write=False) as session:
        again = [event for event in session.scalars(failed) if _is_due(event)]
        return [*session.scalars(new), *again]


def _is_due(event: OutboxEvent) -> bool:
    """Return whether a failed event has waited as long as it had existed before."""
    pause = timedelta(seconds=FIRST_PAUSE * 2.0 ** min(event.tries, 40))
    return utc_now() >= event.at + pause


def _apply(house: House, events: Sequence[OutboxEvent]) -> int:
    """Write what *events* changed; return how many are done."""
    if not events:
        return 0
    changes, errors = _changes(house, events)
    _write(house, changes, errors)
    done = [e for e in events if (e.kind, e.key) not in errors]
    with house.sessions.begin() as session:
        _mark_done(session, [event.id for event in done])
        for event in events:
            if (event.kind, event.key) in errors:
                _count_failure(session, event, errors[event.kind, event.key])
    return len(done)


def _changes(
    house: House, events: Iterable[OutboxEvent]
) -> tuple[dict[tuple[str, str], Changes], dict[tuple[str, str], str]]:
    """Return what each thing of *events* changes, and for which that failed."""
    changes: dict[tuple[str, str], Changes] = {}
    errors: dict[tuple[str, str], str] = {}
    with house.sessions.begin(write=False) as session:
        entries = Entries(house, session, newest_event(session))
        for thing in dict.fromkeys((event.kind, event.key) for event in events):
            try:
                changes[thing] = entries.changed_by(*thing)
            except Exception as error:  # the event's row and the log tell of it
                log.exception("indexing", kind=thing[0], key=thing[1])
                errors[thing] = _told(error)
    return changes, errors


def _write(
    house: House,
    changes: dict[tuple[str, str], Changes],
    errors: dict[tuple[str, str], str],
) -> None:
    """Write all *changes* at once, or each by itself to find the one that fails."""
    written = {name: entry for one in changes.values() for name, entry in one.items()}
    try:
        Entries.write(house.index, written)
    except IndexUnavailableError:
        raise
    except Exception:  # noqa: BLE001 (found again below, and told there)
        log.warning("indexing one by one", entries=len(written))
    else:
        return
    for thing, change in changes.items():
        try:
            Entries.write(house.index, change)
        except IndexUnavailableError:
            raise
        except Exception as error:  # the event's row and the log tell of it
            log.exception("indexing", kind=thing[0], key=thing[1])
            errors[thing] = _told(error)


def _told(error: Exception) -> str:
    """Return *error* in one bounded line."""
    return f"{type(error).__name__}: {error}"[:LONGEST_ERROR]


def _count_failure(session: Session, event: OutboxEvent, error: str) -> None:
    """Write into the row of *event* that it failed once more, and why."""
    session.execute(
        update(OutboxEvent)
        .where(OutboxEvent.id == event.id)
        .values(tries=OutboxEvent.tries + 1, error=error)
    )


def _mark_done(session: Session, ids: Sequence[int]) -> None:
    """Mark events as done, some at a time."""
    for start in range(0, len(ids), BATCH):
        session.execute(
            update(OutboxEvent)
            .where(OutboxEvent.id.in_(ids[start : start + BATCH]))
            .values(done_at=utc_now(), error="")
        )


def _forget(house: House) -> None:
    """Remove old events that are done; the newest stays, for its number counts on."""
    with house.sessions.begin() as session:
        newest = newest_event(session)
        session.execute(
            delete(OutboxEvent).where(
                OutboxEvent.done_at < utc_now() - KEPT, OutboxEvent.id < newest
            )
        )
