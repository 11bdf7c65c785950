"""The records of other hubs: list, add, change and remove them."""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from sqlalchemy import select

from rounds_hub.access.policy import Action, Resource, require
from rounds_hub.errors import ConflictError, InvalidError, NotFoundError
from rounds_hub.federation.models import Peer
from rounds_hub.federation.signing import own_key, peer_key, public_part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

__all__ = [
    "PeerRecord",
    "add_peer",
    "asked_peers",
    "change_peer",
    "get_peer",
    "list_peers",
    "our_key",
    "peer_names",
    "remove_peer",
]

LONGEST: Final = 200
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True)
class PeerRecord:
    """Another hub; see :class:`rounds_hub.federation.models.Peer` for its fields."""

    name: str
    title: str
    url: str
    public_key: str
    is_asked: bool
    may_ask: bool
    per_minute: int
    most_hits: int
    seconds: float
    enabled: bool
    note: str

    @property
    def called(self) -> str:
        """What people read: its title, or else its name."""
        return self.title or self.name


def list_peers(house: House, principal: Principal) -> list[PeerRecord]:
    """Return every peer by its name, for administrators.

    Raises
    ------
    ForbiddenError
        If *principal* is none.
    """
    with house.sessions.begin(write=False) as session:
        _require(session, principal)
        found = session.scalars(select(Peer).order_by(Peer.name))
        return [_record(one) for one in found]


def get_peer(house: House, principal: Principal, name: str) -> PeerRecord:
    """Return the peer called *name*, for administrators.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    with house.sessions.begin(write=False) as session:
        _require(session, principal)
        return _record(_known(session, name))


def add_peer(
    house: House, principal: Principal, values: Mapping[str, Any]
) -> PeerRecord:
    """Make a record of *values*; what is not said has its default.

    Raises
    ------
    InvalidError
        If a field cannot be so.
    ConflictError
        If another peer has the name or the key.
    """
    lacking = [name for name in ("name", "url", "public_key") if not values.get(name)]
    if lacking:
        msg = f"A peer needs {' and '.join(lacking)}."
        raise InvalidError(msg, dict.fromkeys(lacking, "Every peer has one."))
    kept = _checked(values)
    with house.sessions.begin() as session:
        _require(session, principal)
        if session.get(Peer, kept["name"]) is not None:
            msg = f"There is a peer {kept['name']!r} already."
            raise ConflictError(msg)
        _refuse_taken(session, kept)
        peer = Peer(**kept)
        session.add(peer)
        session.flush()
        return _record(peer)


def change_peer(
    house: House, principal: Principal, name: str, values: Mapping[str, Any]
) -> PeerRecord:
    """Change what *values* say of the peer *name*; its name stays.

    Raises
    ------
    NotFoundError
        If there is none.
    InvalidError
        If a field cannot be so.
    """
    kept = _checked({key: one for key, one in values.items() if key != "name"})
    with house.sessions.begin() as session:
        _require(session, principal)
        peer = _known(session, name)
        _refuse_taken(session, {"name": name, **kept})
        for key, value in kept.items():
            setattr(peer, key, value)
        session.flush()
        return _record(peer)


def remove_peer(house: House, principal: Principal, name: str) -> None:
    """Remove the peer *name*; its messages are not known from then on.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    with house.sessions.begin() as session:
        _require(session, principal)
        session.delete(_known(session, name))


def asked_peers(session: Session) -> list[PeerRecord]:
    """Return the peers to which a search goes."""
    wanted = select(Peer).where(Peer.enabled, Peer.is_asked).order_by(Peer.name)
    return [_record(one) for one in session.scalars(wanted)]


def peer_names(house: House) -> tuple[str, ...]:
    """Return what those hubs are called to which a search can go."""
    with house.sessions.begin(write=False) as session:
        return tuple(one.called for one in asked_peers(session))


def our_key(house: House, principal: Principal) -> str:
    """Return our public key, which the other hub enters for us."""
    with house.sessions.begin(write=False) as session:
        _require(session, principal)
    return public_part(own_key(house.settings.data))


def _require(session: Session, principal: Principal) -> None:
    """Refuse those who are no administrators."""
    require(session, principal, Action.HOUSE_ADMIN, Resource("peers"))


def _known(session: Session, name: str) -> Peer:
    """Return the row of a peer."""
    found = session.get(Peer, name)
    if found is None:
        kind = "peer"
        raise NotFoundError(kind, name[:40])
    return found


def _refuse_taken(session: Session, kept: Mapping[str, Any]) -> None:
    """Refuse a key that another peer has: one would not know who speaks."""
    if "public_key" not in kept:
        return
    same = select(Peer.name).where(
        Peer.public_key == kept["public_key"], Peer.name != kept["name"]
    )
    if taken := session.scalar(same):
        msg = f"The peer {taken!r} has this key already."
        raise ConflictError(msg)


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return *values*, each checked; what is wrong is named by its field."""
    kept: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, value in values.items():
        if name not in _FIELDS:
            problems[name] = f"a peer has no such field; known: {', '.join(_FIELDS)}."
            continue
        try:
            kept[name] = _FIELDS[name](value)
        except (InvalidError, TypeError, ValueError) as error:
            problems[name] = str(error)
    if problems:
        told = " ".join(f"{name}: {why}" for name, why in problems.items())
        raise InvalidError(told, problems)
    return kept


def _line(value: object) -> str:
    """Return one bounded line."""
    said = " ".join(str(value).split())
    if len(said) > LONGEST or not said.isprintable():
        msg = f"must be one line of at most {LONGEST} characters."
        raise InvalidError(msg)
    return said


def _name(value: object) -> str:
    """Return a name that fits an address."""
    said = str(value)
    if not _NAME.fullmatch(said):
        msg = f"{said[:40]!r} is no name: up to 40 of a-z 0-9 - make one."
        raise InvalidError(msg)
    return said


def _url(value: object) -> str:
    """Return the address of a service, which is HTTPS unless it is on this machine."""
    said = _line(value)
    parts = urlsplit(said)
    host = parts.hostname or ""
    plain = parts.scheme == "http" and _is_here(host)
    bare = not (parts.username or parts.query or parts.fragment)
    if not (host and bare and (plain or parts.scheme == "https")) or "@" in said:
        msg = (
            f"{said[:80]!r} is no address of a hub: 'https://host/services/rounds/' "
            "is one; without TLS only on this machine."
        )
        raise InvalidError(msg)
    _ = parts.port  # ValueError where it is none
    return said.rstrip("/") + "/"


def _is_here(host: str) -> bool:
    """Return whether *host* is an address of this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _number(least: float, most: float) -> Callable[[object], float]:
    """Return a check of a number between *least* and *most*."""

    def check(value: object) -> float:
        number = float(str(value))
        if not (math.isfinite(number) and least <= number <= most):
            msg = f"must be {least:g} to {most:g}."
            raise InvalidError(msg)
        return number

    return check


def _whole(least: int, most: int) -> Callable[[object], int]:
    """Return a check of a whole number."""
    check = _number(least, most)
    return lambda value: int(check(value))


def _key(value: object) -> str:
    """Return a public key."""
    said = _line(value)
    peer_key(said)
    return said


_FIELDS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "name": _name,
    "title": _line,
    "url": _url,
    "public_key": _key,
    "is_asked": bool,
    "may_ask": bool,
    "per_minute": _whole(1, 100_000),
    "most_hits": _whole(1, 100),
    "seconds": _number(0.2, 30),
    "enabled": bool,
    "note": _line,
}


def _record(peer: Peer) -> PeerRecord:
    """Return a row as it is handed out."""
    return PeerRecord(
        **{one.name: getattr(peer, one.name) for one in fields(PeerRecord)}
    )
