"""When something that ended may be started again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Restarts"]

_CALM_SECONDS = 60.0
_LONGEST_PAUSE = 60.0


@dataclass
class Restarts:
    """At once the first time; in a crash loop after twice the pause each time.

    Examples
    --------
    >>> restarts = Restarts(clock=lambda: 100.0)
    >>> restarts.due(), restarts.due()
    (True, False)
    """

    clock: Callable[[], float] = time.monotonic
    _pause: float = 0.0
    _last: float = float("-inf")

    def due(self) -> bool:
        """Return whether it may start now; if so, that start is counted."""
        since = self.clock() - self._last
        if since < self._pause:
            return False
        calm = since > max(_CALM_SECONDS, 2 * self._pause)
        self._pause = 1.0 if calm else min(_LONGEST_PAUSE, max(1.0, 2 * self._pause))
        self._last = self.clock()
        return True
