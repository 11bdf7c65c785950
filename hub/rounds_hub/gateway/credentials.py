"""The certificates with which the house calls remote nodes over TLS."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from rounds_hub.errors import SettingsError

if TYPE_CHECKING:
    from rounds_hub.house import House

__all__ = ["calling_context"]


def calling_context(house: House) -> ssl.SSLContext:
    """Return how nodes are called over TLS.

    A node's certificate is verified against ``Rounds.gateway_tls_ca``, or the
    machine's own authorities where there is none; our own certificate is shown where
    the gateway has one (PS3.15, B.12).

    Raises
    ------
    SettingsError
        If a file of the settings cannot be read.
    """
    settings: Any = house.settings
    try:
        context = ssl.create_default_context(cafile=settings.gateway_tls_ca or None)
        if settings.gateway_tls_certificate:
            key = settings.gateway_tls_key or None
            context.load_cert_chain(settings.gateway_tls_certificate, key)
    except OSError as error:
        msg = (
            "The certificates of the gateway cannot be read: see Rounds.gateway_tls_*."
        )
        raise SettingsError(msg) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
