"""TLS at the door of the gateway, with client certificates as an option (PS3.15, B)."""

from __future__ import annotations

import hashlib
import ssl
from typing import TYPE_CHECKING

from rounds_hub.errors import SettingsError

if TYPE_CHECKING:
    import socket

    from rounds_hub.settings import Rounds

__all__ = ["fingerprint", "tls_context"]


def tls_context(settings: Rounds) -> ssl.SSLContext | None:
    """Return how TLS is spoken, None where no certificate is set.

    With ``Rounds.gateway_tls_clients`` a peer may show a certificate; a node whose
    record has a fingerprint must. The profile is BCP 195 (PS3.15, B.9): TLS 1.2 or
    newer.

    Raises
    ------
    SettingsError
        If a file is missing or is not what it should be.
    """
    if not settings.gateway_tls_certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        key = settings.gateway_tls_key or None
        context.load_cert_chain(settings.gateway_tls_certificate, key)
        if settings.gateway_tls_clients:
            context.load_verify_locations(settings.gateway_tls_clients)
            context.verify_mode = ssl.CERT_OPTIONAL
    except OSError as error:
        why = error.strerror or "it is not in PEM format"
        msg = (
            f"The gateway cannot speak TLS: {why}. Set Rounds.gateway_tls_certificate, "
            f"gateway_tls_key and gateway_tls_clients to PEM files."
        )
        raise SettingsError(msg) from error
    return context


def fingerprint(connection: socket.socket) -> str:
    """Return the SHA-256 of the certificate that the peer showed, empty if none.

    Hexadecimal digits, as ``openssl x509 -fingerprint -sha256`` says them, in small
    letters and without colons.
    """
    if not isinstance(connection, ssl.SSLSocket):
        return ""
    shown = connection.getpeercert(binary_form=True)
    return hashlib.sha256(shown).hexdigest() if shown else ""
