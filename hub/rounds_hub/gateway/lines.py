"""Write lines to the log without letting strangers fill the disk with them."""

from __future__ import annotations

import threading
import time
from typing import Any

import structlog

__all__ = ["Sparing"]

log = structlog.get_logger()


class Sparing:
    """Writes so many lines of one kind in a while, and how many it left out.

    Parameters
    ----------
    most
        How many lines of one event.
    seconds
        In which time.
    """

    def __init__(self, most: int = 20, seconds: float = 10.0) -> None:
        """Begin with nothing written."""
        self._most = most
        self._seconds = seconds
        self._began: dict[str, float] = {}
        self._written: dict[str, int] = {}
        self._lock = threading.Lock()

    def warn(self, event: str, **said: Any) -> None:  # noqa: ANN401 (what JSON can say)
        """Write a warning, or count it."""
        now = time.monotonic()
        with self._lock:
            left_out = 0
            if now - self._began.get(event, -self._seconds) >= self._seconds:
                left_out = max(self._written.get(event, 0) - self._most, 0)
                self._began[event], self._written[event] = now, 0
            self._written[event] += 1
            if self._written[event] > self._most:
                return
        more = {"left_out": left_out} if left_out else {}
        log.warning(event, **said, **more)
