"""Read the headers of instances again that an older version of Rounds took in.

Until that is done queries find them by fewer keys, and say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import select

from rounds_hub.archive.attributes import SEARCHED, Kept, kept_of
from rounds_hub.archive.layout import open_data_set
from rounds_hub.archive.models import Instance, Series, Study
from rounds_hub.archive.texts import CHARACTER_SET
from rounds_hub.archive.walking import Limits, walk
from rounds_hub.errors import HubError

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session

    from rounds_hub.house import House

__all__ = ["read_again"]

AT_ONCE: Final = 100
UNREADABLE: Final = -1
"""The version of an instance whose bytes cannot be read: it is not tried again."""

log = structlog.get_logger()


def read_again(house: House, closing: threading.Event | None = None) -> int:
    """Fill what queries ask for from the stored bytes; return of how many instances.

    What is filled stays filled: after a crash it goes on. *closing* ends it early.
    """
    done = 0
    while not (closing and closing.is_set()):
        with house.sessions.begin(write=False) as session:
            wanted = select(Instance).where(Instance.keys_version == 0).limit(AT_ONCE)
            some = session.scalars(wanted).all()
        if not some:
            break
        kept = {one.uid: _kept(house, one) for one in some}
        with house.sessions.begin() as session:
            _fill(session, some, kept)
        done += len(some)
    if done:
        log.info("headers read again", instances=done)
    return done


def _kept(house: House, instance: Instance) -> Kept | None:
    """Return what is kept of *instance*, None where its bytes cannot be read."""
    limits = Limits(size=house.settings.max_instance_bytes)
    try:
        return _read(house.store.path(instance.sha256), limits)
    except (HubError, OSError, ValueError):
        log.warning("header cannot be read", instance=instance.uid)
        return None


def _read(path: Path, limits: Limits) -> Kept:
    """Return what is kept of the instance at *path*."""
    with open_data_set(path, limits) as opened:
        wanted = SEARCHED | {CHARACTER_SET}
        found = walk(opened.data, opened.start, opened.encoding, wanted, limits)
        return kept_of(opened.data, found, opened.encoding, limits)


def _fill(
    session: Session, some: Sequence[Instance], kept: Mapping[str, Kept | None]
) -> None:
    """Write what was *kept*; of a series and of a study the first one counts."""
    for one in some:
        # Another worker, or a deletion, may have been faster.
        instance = session.get(Instance, one.uid)
        if instance is None or instance.keys_version != 0:
            continue
        found = kept[one.uid]
        if found is None:
            instance.keys_version = UNREADABLE
            continue
        _set(instance, found.instance)
        series = session.get_one(Series, instance.series_uid)
        if not series.attributes:
            _set(series, found.series)
        study = session.get_one(Study, series.study_uid)
        if not (study.moment or study.name_words or study.attributes):
            _set(study, found.study)


def _set(row: Instance | Series | Study, columns: Mapping[str, object]) -> None:
    """Set the *columns* of a row."""
    for name, value in columns.items():
        setattr(row, name, value)
