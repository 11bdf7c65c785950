"""How much the archive may hold, in all and of each owner."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from rounds_hub.archive.intake import known_hashes
from rounds_hub.archive.models import Instance, Series
from rounds_hub.errors import NoSpaceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rounds_hub.archive.intake import Ready
    from rounds_hub.house import House

__all__ = ["OTHERS", "Quotas"]

OTHERS: Final = "*"
"""The owner who stands for those that have no quota of their own."""
FRESH_SECONDS: Final = 30.0
_MIB: Final = 2**20


class Quotas:
    """The room that is left by ``Rounds.archive_bytes`` and ``Rounds.owner_bytes``.

    What is used is counted every half minute, and what this process takes in between
    is added; several processes together may pass a quota by what they take in that
    time.

    Parameters
    ----------
    house
        The opened house.
    """

    def __init__(self, house: House) -> None:
        """Count nothing yet."""
        self._house = house
        self._lock = threading.Lock()
        self._counted_at = -FRESH_SECONDS
        self._used: dict[str, int] = {}

    def require_room(self, owner: str, batch: Sequence[Ready]) -> None:
        """Take note of what *owner* brings, or refuse it as a whole.

        Raises
        ------
        NoSpaceError
            If the archive, or the series of *owner*, would be larger than they may be.
        """
        settings = self._house.settings
        total, own = settings.archive_bytes, self._limit(owner)
        if not batch or not (total or own):
            return
        size = sum(one.staged.size for one in batch)
        with self._lock:
            self._count()
            if not self._fits(owner, size):
                size -= self._already_there(batch)
                self._refuse(owner, size)
            self._used[owner] = self._used.get(owner, 0) + size

    def used(self) -> dict[str, int]:
        """Return how many bytes the series of each owner have."""
        with self._lock:
            self._count()
            return dict(self._used)

    def _limit(self, owner: str) -> int:
        """Return the quota of *owner*, 0 where there is none."""
        limits = self._house.settings.owner_bytes
        return int(limits.get(owner, limits.get(OTHERS, 0)))

    def _fits(self, owner: str, size: int) -> bool:
        """Return whether *size* more bytes of *owner* have room."""
        total, own = self._house.settings.archive_bytes, self._limit(owner)
        if total and sum(self._used.values()) + size > total:
            return False
        return not own or self._used.get(owner, 0) + size <= own

    def _refuse(self, owner: str, size: int) -> None:
        """Refuse what has no room."""
        if size == 0 or self._fits(owner, size):
            return
        # What failed after it was noted took no room: count again soon.
        self._counted_at = time.monotonic() - FRESH_SECONDS + 1
        own = self._limit(owner)
        if own and self._used.get(owner, 0) + size > own:
            msg = (
                f"The quota of {owner!r} is used up: {own // _MIB} MiB. Delete what is "
                "not needed, or ask an administrator for more."
            )
        else:
            most = self._house.settings.archive_bytes // _MIB
            msg = f"The archive holds all that it may: {most} MiB. Make room first."
        raise NoSpaceError(msg)

    def _already_there(self, batch: Sequence[Ready]) -> int:
        """Return how many bytes of *batch* are in the archive: these take no room."""
        with self._house.sessions.begin(write=False) as session:
            known = known_hashes(session, (one.examined.sop_uid for one in batch))
        return sum(
            one.staged.size
            for one in batch
            if known.get(one.examined.sop_uid) == one.staged.sha256
        )

    def _count(self) -> None:
        """Count what is used, if that was not done lately."""
        if time.monotonic() - self._counted_at < FRESH_SECONDS:
            return
        wanted = (
            select(Series.owner, func.sum(Instance.size))
            .join(Series, Series.uid == Instance.series_uid)
            .group_by(Series.owner)
        )
        with self._house.sessions.begin(write=False) as session:
            self._used = {row[0]: int(row[1]) for row in session.execute(wanted)}
        self._counted_at = time.monotonic()
