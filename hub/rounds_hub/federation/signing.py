"""Sign what is said to another hub, and know by whom something was said.

A message is signed as a JWT (RFC 7519) with Ed25519 (RFC 8037, RFC 9864). It says from
which key to which key it goes, what it is for, the SHA-256 of the body, when it ends,
and a number that is taken once. So it cannot be changed, sent on to another hub, used
for another purpose, or sent again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from rounds_hub.errors import InvalidError, NotSignedInError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = [
    "LIFE_SECONDS",
    "Message",
    "check",
    "named_key",
    "own_key",
    "peer_key",
    "public_part",
    "sign",
]

LIFE_SECONDS: Final = 60
LEEWAY_SECONDS: Final = 60
"""How far the clocks of two hubs may be apart."""
LONGEST_TOKEN: Final = 2_000
_ALGORITHM: Final = "Ed25519"
_KEY_BYTES: Final = 32
_NUMBER: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True, slots=True)
class Message:
    """What a signature says: from which key, and the number that is taken once."""

    sender: str
    number: str


def own_key(folder: Path) -> OKPKey:
    """Return the key of the hub whose data are in *folder*, made at the first time.

    Several machines of one hub need the same file ``federation.pem``.
    """
    path = folder / "federation.pem"
    if not path.exists():
        made = OKPKey.generate_key("Ed25519").as_pem(private=True)
        temporary = path.with_name(f".{secrets.token_hex(8)}.pem")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
            f.write(made)
            f.flush()
            os.fsync(f.fileno())
        try:
            os.link(temporary, path)  # the first of two that make one wins
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return OKPKey.import_key(path.read_bytes())


def public_part(key: OKPKey) -> str:
    """Return the public key as one gives it to another hub: 43 characters."""
    return str(key.as_dict(private=False)["x"])


def peer_key(public: str) -> OKPKey:
    """Return the key that *public* is.

    Raises
    ------
    InvalidError
        If it is none.

    Examples
    --------
    >>> peer_key("abc")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    rounds_hub.errors.InvalidError: This is no public key of a hub: ...
    """
    try:
        raw = base64.urlsafe_b64decode(public + "=" * (-len(public) % 4))
        if len(raw) == _KEY_BYTES:
            return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": public})
    except (ValueError, JoseError):
        pass  # said below
    msg = (
        "This is no public key of a hub: it has 43 characters, as "
        "'rounds peers key' prints it there."
    )
    raise InvalidError(msg, {"public_key": msg})


def named_key(key: OKPKey) -> str:
    """Return the name by which hubs speak of *key*: its thumbprint (RFC 7638)."""
    return str(key.thumbprint())


def sign(key: OKPKey, receiver: str, purpose: str, body: bytes) -> str:
    """Return the signature of *body*, sent with *key* to the key named *receiver*."""
    now = int(time.time())
    claims = {
        "iss": named_key(key),
        "aud": receiver,
        "sub": purpose,
        "iat": now,
        "exp": now + LIFE_SECONDS,
        "jti": secrets.token_urlsafe(24),
        "sha256": _hash(body),
    }
    header = {"alg": _ALGORITHM, "typ": "JWT", "kid": claims["iss"]}
    return jwt.encode(header, claims, key, algorithms=[_ALGORITHM])


def check(
    token: str, find: Callable[[str], OKPKey], receiver: str, said: tuple[str, bytes]
) -> Message:
    """Return what *token* says, if it is a signature of *said*, purpose and body.

    Parameters
    ----------
    find
        Gives the public key with a name, and raises ``NotSignedInError`` where none
        is known.
    receiver
        The name of our own key.

    Raises
    ------
    NotSignedInError
        If it is no signature of these bytes for us by a key that is known, now.
    """
    purpose, body = said
    sender = _sender(token)
    try:
        claims = jwt.decode(token, find(sender), algorithms=[_ALGORITHM]).claims
        _expected(receiver, sender, purpose).validate(claims)
    except (JoseError, ValueError, TypeError):
        raise _refused() from None
    lasts = claims["exp"] - claims["iat"]
    whole = hmac.compare_digest(str(claims.get("sha256", "")), _hash(body))
    if not (whole and lasts <= LIFE_SECONDS and _NUMBER.fullmatch(str(claims["jti"]))):
        raise _refused()
    return Message(sender, str(claims["jti"]))


def _expected(receiver: str, sender: str, purpose: str) -> jwt.JWTClaimsRegistry:
    """Return what the claims of a message must be."""
    named: Any = {
        "iss": {"essential": True, "value": sender},
        "aud": {"essential": True, "value": receiver},
        "sub": {"essential": True, "value": purpose},
        **{name: {"essential": True} for name in ("iat", "exp", "jti", "sha256")},
    }
    return jwt.JWTClaimsRegistry(leeway=LEEWAY_SECONDS, **named)


def _sender(token: str) -> str:
    """Return who claims to have signed *token*; nothing is believed yet."""
    try:
        if len(token) <= LONGEST_TOKEN:
            header = jws.extract_compact(token.encode()).headers()
            return str(header["kid"])[:100]
    except (JoseError, ValueError, KeyError, TypeError):
        pass  # said below
    raise _refused()


def _refused() -> NotSignedInError:
    """Return the refusal, which is the same whatever is wrong."""
    return NotSignedInError("This is not signed by a hub that is known here.")


def _hash(body: bytes) -> str:
    """Return the SHA-256 of *body* in letters."""
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode().rstrip("=")
