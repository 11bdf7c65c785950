"""DICOM over TLS, with the certificates of nodes."""

from __future__ import annotations

import datetime as dt
import hashlib
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.gateway.speaking import answer, command, dcmtk, know, request

from rounds_hub.errors import SettingsError
from rounds_hub.gateway.listener import Listener
from rounds_hub.gateway.tls import tls_context
from rounds_hub.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rounds_hub.house import House


@dataclass(frozen=True)
class Identity:
    """A key with a certificate that it signed itself."""

    certificate: Path
    key: Path
    fingerprint: str


def identity(folder: Path, name: str) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    der = made.public_bytes(serialization.Encoding.DER)
    return Identity(certificate, private, hashlib.sha256(der).hexdigest())


@pytest.fixture
def ours(tmp_path: Path) -> Identity:
    return identity(tmp_path, "gateway")


@pytest.fixture
def scanner(tmp_path: Path) -> Identity:
    return identity(tmp_path, "scanner")


@pytest.fixture
def listener(house: House, ours: Identity, scanner: Identity) -> Iterator[Listener]:
    """Listen to a node that must call over TLS, and to one that shows a certificate."""
    settings = house.settings
    settings.gateway_port = settings.gateway_tls_port = 0
    settings.gateway_tls_certificate = str(ours.certificate)
    settings.gateway_tls_key = str(ours.key)
    settings.gateway_tls_clients = str(scanner.certificate)
    know(house, "ECHOSCU", tls=True)
    know(house, "SCANNER", certificate=scanner.fingerprint)
    with Listener(house) as opened:
        yield opened


def secure(port: int, ours: Identity, shown: Identity | None) -> socket.socket:
    context = ssl.create_default_context(cafile=str(ours.certificate))
    if shown is not None:
        context.load_cert_chain(shown.certificate, shown.key)
    plain = socket.create_connection(("127.0.0.1", port), 20)
    return context.wrap_socket(plain, server_hostname="localhost")


@pytest.mark.parametrize(("shows", "kind"), [(True, 2), (False, 3)])
def test_a_node_shows_its_certificate(
    listener: Listener, ours: Identity, scanner: Identity, *, shows: bool, kind: int
) -> None:
    shown = scanner if shows else None
    with secure(listener.tls_port, ours, shown) as connection:
        connection.sendall(request(calling="SCANNER"))
        assert answer(connection)[0] == kind
        if shows:
            connection.sendall(command(0x30))
            assert answer(connection)[0] == 4


def test_echoscu_speaks_tls(listener: Listener, ours: Identity) -> None:
    asked = ["+tla", "+cf", str(ours.certificate), "-aec", "ROUNDS", "localhost"]
    done = dcmtk("echoscu", *asked, str(listener.tls_port))
    assert done.returncode == 0, done.stdout


def test_a_node_that_must_call_over_tls_is_refused_without(listener: Listener) -> None:
    done = dcmtk("echoscu", "-aec", "ROUNDS", "127.0.0.1", str(listener.port))
    assert "Calling AE Title Not Recognized" in done.stdout


def test_who_speaks_no_tls_at_that_door_is_hung_up_on(listener: Listener) -> None:
    with socket.create_connection(("127.0.0.1", listener.tls_port), 20) as connection:
        connection.sendall(request(calling="SCANNER"))
        assert answer(connection)[0] not in {2, 3, 4}


def test_a_file_that_is_no_certificate_is_said(tmp_path: Path) -> None:
    wrong = tmp_path / "letter"
    wrong.write_text("a letter")
    settings = load_settings(gateway_tls_certificate=str(wrong))
    with pytest.raises(SettingsError, match="gateway_tls_certificate"):
        tls_context(settings)
