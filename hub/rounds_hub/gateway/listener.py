"""The gateway's process: DIMSE at the house's AE title, plain and over TLS.

Run as ``python -m rounds_hub.gateway.listener``; it ends with the process that started
it. It logs who called and what became of it, never a data set.
"""

from __future__ import annotations

import contextlib
import errno
import resource
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING

import structlog

from rounds_hub.errors import BusyError, HubError, SettingsError
from rounds_hub.gateway.accepting import BACKLOG, Door, DoorLimits, Front
from rounds_hub.gateway.budget import Budget, Seat
from rounds_hub.gateway.lines import Sparing
from rounds_hub.gateway.reception import Reception
from rounds_hub.gateway.services import load_services
from rounds_hub.gateway.tls import tls_context
from rounds_hub.gateway.wire import WaitLimits, Wire
from rounds_hub.house import House
from rounds_hub.logs import log_lines
from rounds_hub.processes import die_with_parent
from rounds_hub.settings import load_settings

if TYPE_CHECKING:
    from typing import Self

    from rounds_hub.gateway.accepting import Arrival
    from rounds_hub.settings import Rounds

__all__ = ["Listener", "main"]

LONGEST_TITLE = 16
RETRY_SECONDS = 5.0
TICK_SECONDS = 0.5
CLOSING_SECONDS = 10.0
DESCRIPTORS = 4096

log = structlog.get_logger()


class Listener:
    """Serves DIMSE under the house's AE title until it is closed.

    Parameters
    ----------
    house
        The opened house; its settings say where to listen and how much to bear.

    Raises
    ------
    SettingsError
        If the title, the address or a certificate cannot be.
    BusyError
        If somebody else listens on the port.
    """

    def __init__(self, house: House) -> None:
        """Listen from now on."""
        settings = house.settings
        title = _checked_title(settings.ae_title)
        self._budget = Budget(
            settings.gateway_associations, settings.gateway_associations_of_address
        )
        self._limits = WaitLimits(
            settings.gateway_idle_seconds, settings.gateway_bytes_per_second
        )
        lines = Sparing()
        self._reception = Reception(house, self._budget, load_services(), lines)
        doors = _doors(settings)
        self.port = _port(doors[0])
        """The port on which it listens."""
        self.tls_port = _port(doors[1]) if doors[1:] else 0
        """The port on which it listens for TLS, 0 where it does not."""
        limits = DoorLimits(settings.gateway_associate_seconds)
        self._front = Front(doors, title, limits, self._admit, lines=lines)

    def close(self) -> None:
        """Stop listening and end what is under way."""
        self._front.close()
        self._budget.close(CLOSING_SECONDS)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _admit(self, arrival: Arrival) -> bool:
        """Give *arrival* a seat and a thread, or say that there is none now."""
        if not self._budget.has_room(arrival.address):
            return False
        seat = Seat(Wire(arrival.connection, self._limits), arrival.address)
        self._budget.enter(seat)
        threading.Thread(
            target=self._serve, args=(seat, arrival), name="association", daemon=True
        ).start()
        return True

    def _serve(self, seat: Seat, arrival: Arrival) -> None:
        """Serve one association in its thread."""
        try:
            self._reception.serve(seat, arrival)
        except Exception:
            # The peer was aborted, and the log has where it was.
            log.exception("association failed")
        finally:
            self._budget.leave(seat)
            self._front.seat_free()


def _doors(settings: Rounds) -> list[Door]:
    """Return the doors of the house: the plain one, and one for TLS if it is set."""
    tls = tls_context(settings)
    host = settings.gateway_host
    doors = [Door(_listening(host, settings.gateway_port))]
    if tls is not None:
        try:
            doors.append(Door(_listening(host, settings.gateway_tls_port), tls))
        except HubError:
            doors[0].listening.close()
            raise
    return doors


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens."""
    try:
        return socket.create_server((host, port), backlog=BACKLOG)
    except OSError as error:
        raise _said(error, (host, port)) from error


def _port(door: Door) -> int:
    """Return the port of *door*."""
    return int(door.listening.getsockname()[1])


def _checked_title(title: str) -> str:
    """Return *title* if it can be an AE title (PS3.5, 6.2)."""
    wrong = not title.isascii() or not title.isprintable() or "\\" in title
    if wrong or not title.strip() or len(title) > LONGEST_TITLE:
        msg = f"An AE title has 1 to 16 letters of ASCII, got {title!r}."
        raise SettingsError(msg)
    return title


def _said(error: OSError, address: tuple[str, int]) -> HubError:
    """Return why nobody can listen at *address*, in one sentence."""
    host, port = address
    if error.errno == errno.EADDRINUSE:
        return BusyError(f"The gateway's port {port} is taken by another program.")
    return SettingsError(
        f"The gateway cannot listen on {host}:{port}: {error.strerror}. "
        f"Set Rounds.gateway_host and Rounds.gateway_port."
    )


def _open(house: House, ended: threading.Event) -> Listener | None:
    """Return a listener, waiting for a port that is taken; None when told to end."""
    told = False
    while not ended.is_set():
        try:
            return Listener(house)
        except BusyError as error:
            if not told:
                log.exception("gateway waits", why=str(error))
                told = True
            ended.wait(RETRY_SECONDS)
    return None


def _more_descriptors() -> None:
    """Let this process have as many open files as its limits and callers need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> None:
    """Listen until told to end, or until the process that started this is gone."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    die_with_parent()
    log_lines()
    _more_descriptors()
    try:
        house = House.open(load_settings())
        listener = _open(house, ended)
    except SettingsError as error:
        sys.exit(str(error))
    if listener is not None:
        with listener:
            log.info("gateway listens", port=listener.port, tls_port=listener.tls_port)
            house.store.sweep_temporaries()
            # A signal just before a wait without an end would not be seen.
            while not ended.wait(TICK_SECONDS):
                continue
    house.close()


if __name__ == "__main__":
    main()
