"""A limit on guessed passwords, for a user from an address and for an address."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["GuessLimit"]

_MOST_REMEMBERED = 10_000


@dataclass
class GuessLimit:
    """Counts wrong passwords and says when to refuse without looking.

    A user from one address may be wrong *most* times in a row, an address five times
    as often over all users; then both pause. Anyone else may still sign in as that
    user from elsewhere, so that nobody is locked out by a stranger.

    Examples
    --------
    >>> limit = GuessLimit(most=2, pause=60)
    >>> limit.wrong("ada", "127.0.0.1"), limit.wrong("ada", "127.0.0.1")
    (None, None)
    >>> limit.wait("ada", "127.0.0.1") > 0, limit.wait("ben", "127.0.0.1") > 0
    (True, False)
    """

    most: int
    pause: float
    clock: Callable[[], float] = time.monotonic
    _wrong: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)

    @property
    def remembered(self) -> int:
        """How many users and addresses are remembered now."""
        return len(self._wrong)

    def wait(self, user: str, address: str) -> float:
        """Return for how many seconds *user* at *address* has to wait; 0: not."""
        return max(
            self._left((user, address), self.most),
            self._left(("", address), 5 * self.most),
        )

    def wrong(self, user: str, address: str) -> None:
        """Count one wrong password."""
        if len(self._wrong) >= _MOST_REMEMBERED:
            self._forget_old()
        for key in ((user, address), ("", address)):
            count, since = self._wrong.get(key, (0, 0.0))
            if self.clock() - since > self.pause:
                count = 0
            self._wrong[key] = (count + 1, self.clock())

    def right(self, user: str, address: str) -> None:
        """Forget the wrong passwords of *user* at *address*."""
        self._wrong.pop((user, address), None)

    def _left(self, key: tuple[str, str], most: int) -> float:
        """Return the seconds left of the pause of *key*."""
        count, since = self._wrong.get(key, (0, 0.0))
        return max(0.0, since + self.pause - self.clock()) if count >= most else 0.0

    def _forget_old(self) -> None:
        """Drop what no longer matters, and the oldest half where all of it does."""
        now = self.clock()
        kept = [item for item in self._wrong.items() if now - item[1][1] < self.pause]
        kept.sort(key=lambda item: item[1][1])
        self._wrong = dict(kept[-_MOST_REMEMBERED // 2 :])
