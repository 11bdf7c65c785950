"""Who has an association, and who gives way when an honest sender needs the place.

Each association has a seat. When all are taken, in all, for one address or for one
node, the one that has been idle the longest gives way; when none is idle, one whose
message comes too slowly.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rounds_hub.gateway.wire import Wire

__all__ = ["Budget", "Seat"]

LOOK_SECONDS = 0.1
IDLE = "It was idle and gave way to another sender."
SLOW = "It sent too slowly and gave way to another sender."


@dataclass(eq=False, slots=True)
class Seat:
    """The place of one association; *node* is empty until its node is known."""

    wire: Wire
    address: str
    node: str = ""


class Budget:
    """The seats of the house.

    Parameters
    ----------
    total
        How many associations there may be.
    of_address
        How many of them from one address.
    """

    def __init__(self, total: int, of_address: int) -> None:
        """Begin with nobody."""
        self._total = total
        self._of_address = of_address
        self._seats: list[Seat] = []
        self._changed = threading.Condition()

    def has_room(self, address: str) -> bool:
        """Return whether *address* gets a seat; if not, somebody is asked to leave."""
        with self._changed:
            same = [one for one in self._seats if one.address == address]
            for most, seats in ((self._of_address, same), (self._total, self._seats)):
                if len(seats) >= most:
                    _make_room(seats)
                    return False
        return True

    def enter(self, seat: Seat) -> None:
        """Take *seat*."""
        with self._changed:
            self._seats.append(seat)

    def join(self, seat: Seat, node: str, most: int, seconds: float) -> bool:
        """Make *seat* one of the *most* of *node*, waiting up to *seconds* for room."""
        end = time.monotonic() + seconds
        with self._changed:
            while not seat.wire.leaving and time.monotonic() < end:
                same = [one for one in self._seats if one.node == node]
                if len(same) < most:
                    seat.node = node
                    return True
                _make_room(same)
                self._changed.wait(LOOK_SECONDS)
        return False

    def leave(self, seat: Seat) -> None:
        """Give *seat* back."""
        with self._changed:
            self._seats.remove(seat)
            self._changed.notify_all()

    def close(self, seconds: float) -> None:
        """Let everybody give way, and wait until they have."""
        end = time.monotonic() + seconds
        with self._changed:
            for seat in self._seats:
                seat.wire.give_way("The gateway ends.")
            while self._seats and time.monotonic() < end:
                self._changed.wait(LOOK_SECONDS)

    def __len__(self) -> int:
        """Return how many seats are taken."""
        return len(self._seats)


def _make_room(seats: Sequence[Seat]) -> None:
    """Let one of *seats* give way, unless one already does or all are at work."""
    if any(seat.wire.leaving for seat in seats):
        return
    now = time.monotonic()
    idlest = max(seats, key=lambda seat: seat.wire.idle_seconds(now))
    if idlest.wire.idle_seconds(now) > 0:
        idlest.wire.give_way(IDLE)
        return
    slow = [seat for seat in seats if seat.wire.is_slow(now)]
    if slow:
        slow[0].wire.give_way(SLOW)
