"""What the worker does for the archive now and then: purge, and move by rule."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import structlog

from rounds_hub.archive import placing, purging

if TYPE_CHECKING:
    import threading

    from rounds_hub.house import House

__all__ = ["loop", "once"]

EVERY_SECONDS: Final = 60.0
MOVE_EVERY_SECONDS: Final = 3600.0

log = structlog.get_logger()


def loop(house: House, stop: threading.Event) -> None:
    """Look after the archive until *stop* is set: purge each minute, move each hour."""
    move_at = time.monotonic() + EVERY_SECONDS
    while not stop.wait(EVERY_SECONDS):
        moving = time.monotonic() >= move_at
        if moving:
            move_at = time.monotonic() + MOVE_EVERY_SECONDS
        try:
            once(house, moving=moving)
        except Exception:  # the log tells whoever runs the house; the next may work
            log.exception("archive not looked after")


def once(house: House, *, moving: bool) -> None:
    """Purge what is over; where *moving*, bring objects where the rules want them."""
    purging.once(house)
    if moving:
        moved = placing.move(house)
        if moved.moved or moved.failed:
            log.info("objects moved", moved=moved.moved, failed=len(moved.failed))
