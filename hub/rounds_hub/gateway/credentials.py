"""The certificates with which the house calls remote nodes over TLS."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from rounds_hub.errors import SettingsError

if TYPE_CHECKING:
    from rounds_hub.gateway.nodes import NodeRecord
    from rounds_hub.settings import Rounds

__all__ = ["calling_context"]


def calling_context(settings: Rounds, node: NodeRecord) -> ssl.SSLContext:
    """Return how *node* is called over TLS 1.2 or newer (PS3.15, B.9).

    Where its record names a certificate, that one is expected and no other; whoever
    calls compares the fingerprint. Else its certificate must be for its host and come
    from an authority of ``Rounds.gateway_tls_clients``, or of this machine where none
    is set. Our own is shown where ``Rounds.gateway_tls_certificate`` is set.

    Raises
    ------
    SettingsError
        If a file of the settings cannot be read.
    """
    try:
        trusted = settings.gateway_tls_clients or None
        context = ssl.create_default_context(cafile=trusted)
        if settings.gateway_tls_certificate:
            key = settings.gateway_tls_key or None
            context.load_cert_chain(settings.gateway_tls_certificate, key)
    except OSError as error:
        msg = (
            "The gateway's certificates cannot be read: set "
            "Rounds.gateway_tls_certificate, gateway_tls_key and gateway_tls_clients "
            "to PEM files."
        )
        raise SettingsError(msg) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if node.certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
