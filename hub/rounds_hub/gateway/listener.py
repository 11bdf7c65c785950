"""The DICOM listener: for now it answers verification (C-ECHO) and nothing else.

Run as ``python -m rounds_hub.gateway.listener``; it ends with the process that started
it. It logs who called and what became of it, never a data set.
"""

from __future__ import annotations

import errno
import logging
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, cast

import structlog
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined] # made at run time
    Verification,
)

from rounds_hub.errors import BusyError, HubError, SettingsError
from rounds_hub.logs import log_lines
from rounds_hub.processes import die_with_parent
from rounds_hub.settings import load_settings

if TYPE_CHECKING:
    from typing import Self

    from pynetdicom.events import Event
    from pynetdicom.transport import ThreadedAssociationServer

    from rounds_hub.settings import Rounds

__all__ = ["Listener", "main"]

ASSOCIATIONS = 10
ASSOCIATE_SECONDS = 5
IDLE_SECONDS = 30
LARGEST_PDU = 2**17
LONGEST_TITLE = 16
RETRY_SECONDS = 5.0
TICK_SECONDS = 0.5
SUCCESS = 0x0000

log = structlog.get_logger()


class Listener:
    """Answers C-ECHO under the house's AE title until it is closed.

    Parameters
    ----------
    settings
        With ``ae_title``, ``gateway_host`` and ``gateway_port``.

    Raises
    ------
    SettingsError
        If the title or the address cannot be.
    BusyError
        If somebody else listens on the port.
    """

    def __init__(self, settings: Rounds) -> None:
        """Listen from now on."""
        entity = AE(ae_title=_checked_title(settings.ae_title))
        entity.add_supported_context(Verification)
        entity.require_called_aet = True
        entity.maximum_associations = ASSOCIATIONS
        entity.maximum_pdu_size = LARGEST_PDU
        entity.acse_timeout = ASSOCIATE_SECONDS
        entity.dimse_timeout = IDLE_SECONDS
        entity.network_timeout = IDLE_SECONDS
        address = (settings.gateway_host, settings.gateway_port)
        handlers: list[Any] = [(evt.EVT_C_ECHO, _echo), (evt.EVT_REJECTED, _rejected)]
        try:
            server = entity.start_server(address, block=False, evt_handlers=handlers)
        except OSError as error:
            raise _said(error, address) from error
        self._server = cast("ThreadedAssociationServer", server)

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening and end what is under way."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def _echo(event: Event) -> int:
    """Answer a verification (PS3.4, annex A)."""
    log.info("echo", peer=event.assoc.requestor.address)
    return SUCCESS


def _rejected(event: Event) -> None:
    """Say in the log that somebody was turned away."""
    log.warning("association rejected", peer=event.assoc.requestor.address)


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


def _open(settings: Rounds, ended: threading.Event) -> Listener | None:
    """Return a listener, waiting for a port that is taken; None when told to end."""
    told = False
    while not ended.is_set():
        try:
            return Listener(settings)
        except BusyError as error:
            if not told:
                log.exception("gateway waits", why=str(error))
                told = True
            ended.wait(RETRY_SECONDS)
    return None


def main() -> None:
    """Listen until told to end, or until the process that started this is gone."""
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    die_with_parent()
    log_lines()
    try:
        listener = _open(load_settings(), ended)
    except SettingsError as error:
        sys.exit(str(error))
    if listener is not None:
        with listener:
            log.info("gateway listens", port=listener.port)
            # A signal just before a wait without an end would not be seen.
            while not ended.wait(TICK_SECONDS):
                continue


if __name__ == "__main__":
    main()
