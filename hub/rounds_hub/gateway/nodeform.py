"""Decide whether the fields of a node can be, and say for each that cannot why."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any

from rounds_hub.access.audience import checked
from rounds_hub.access.principal import Role
from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["EYES", "FIELDS", "checked_fields", "checked_title"]

EYES = (Role.STUDENT, Role.DOCTOR, Role.RESEARCHER, Role.TEACHER, Role.ADMIN)
"""The roles with whose eyes a node may look."""

LONGEST_NOTE = 500
LONGEST_TITLE = 16
MOST_ASSOCIATIONS = 64
MOST_AUDIENCES = 50
LARGEST_PORT = 65535
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_TAKEN = {"new"}  # the page that makes one
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_LONGEST_HOST = 253
_DIGEST = re.compile(r"[0-9a-f]{64}")


def checked_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return *values* of a node as its row has them.

    Parameters
    ----------
    values
        Fields of :class:`~rounds_hub.gateway.models.Node` by name, some or all.

    Raises
    ------
    InvalidError
        If a field is unknown or cannot be; its problems name each by its field.

    Examples
    --------
    >>> checked_fields({"name": "ct-1", "ae_title": " CT1 ", "port": 104})
    {'name': 'ct-1', 'ae_title': 'CT1', 'port': 104}
    """
    problems: dict[str, str] = {}
    found: dict[str, Any] = {}
    for name, value in values.items():
        try:
            found[name] = FIELDS[name](value)
        except KeyError:
            known = ", ".join(sorted(FIELDS))
            problems[str(name)[:40]] = f"A node has no such field. Known: {known}."
        except (ValueError, TypeError, InvalidError) as error:
            problems[name] = str(error)
    if problems:
        named = " ".join(why for _, why in sorted(problems.items()))
        msg = f"The node cannot be so. {named}"
        raise InvalidError(msg, problems)
    return found


def checked_title(value: object) -> str:
    """Return *value* if it can be an AE title (PS3.5, 6.2).

    Raises
    ------
    ValueError
        If it cannot.
    """
    title = str(value).strip()
    wrong = not title.isascii() or not title.isprintable() or "\\" in title
    if wrong or not title or len(title) > LONGEST_TITLE:
        msg = (
            f"An AE title has 1 to {LONGEST_TITLE} letters of ASCII and no backslash, "
            f"got {title[:40]!r}."
        )
        raise ValueError(msg)
    return title


def _name(value: object) -> str:
    """Return the name by which the house calls a node."""
    name = str(value).strip()
    if not _NAME.fullmatch(name) or name in _TAKEN:
        msg = (
            "A name has 1 to 32 small letters, digits and hyphens, such as 'ct-1', "
            f"got {name[:40]!r}."
        )
        raise ValueError(msg)
    return name


def _host(value: object) -> str:
    """Return the name or address of a machine, or nothing."""
    host = str(value).strip()
    if not host or _is_address(host):
        return host
    labels = host.rstrip(".").split(".")
    if len(host) > _LONGEST_HOST or not all(map(_LABEL.fullmatch, labels)):
        msg = (
            "A host is a name such as 'pacs.example' or an address such as "
            f"'192.0.2.7', got {host[:60]!r}."
        )
        raise ValueError(msg)
    return host


def _is_address(host: str) -> bool:
    """Return whether *host* is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _number(what: str, most: int) -> Callable[[object], int]:
    """Return a check for whole numbers from 1 to *most*."""

    def check(value: object) -> int:
        text = str(value).strip()
        number = int(text) if text.isascii() and text.isdigit() else 0
        if isinstance(value, bool) or not 1 <= number <= most:
            msg = f"{what} is a number from 1 to {most}, got {text[:20]!r}."
            raise ValueError(msg)
        return number

    return check


def _truth(value: object) -> bool:
    """Return a yes or no."""
    if not isinstance(value, bool):
        msg = f"It is true or false, got {str(value)[:20]!r}."
        raise TypeError(msg)
    return value


def _words(value: object) -> list[str]:
    """Return a list of words."""
    if not isinstance(value, list | tuple):
        msg = "It is a list of words."
        raise TypeError(msg)
    return [str(one) for one in value]


def _roles(value: object) -> list[str]:
    """Return roles with whose eyes a node may look."""
    known = {role.value for role in EYES}
    roles = _words(value)
    strange = sorted(set(roles) - known)
    if strange:
        msg = f"No role {strange[0][:40]!r}. Known: {', '.join(sorted(known))}."
        raise ValueError(msg)
    return sorted(set(roles))


def _audience(value: object) -> list[str]:
    """Return audience strings."""
    said = [one.strip() for one in _words(value) if one.strip()]
    if len(said) > MOST_AUDIENCES:
        msg = f"An audience has at most {MOST_AUDIENCES} entries, got {len(said)}."
        raise ValueError(msg)
    return checked(said)


def _certificate(value: object) -> str:
    """Return the SHA-256 of a certificate in hexadecimal digits, or nothing."""
    digest = str(value).replace(":", "").strip().lower()
    if digest and not _DIGEST.fullmatch(digest):
        msg = (
            "A certificate is named by its SHA-256: 64 hexadecimal digits, as "
            "'openssl x509 -noout -fingerprint -sha256' prints it."
        )
        raise ValueError(msg)
    return digest


def _note(value: object) -> str:
    """Return what the administrator wants to remember."""
    note = str(value).strip()
    if len(note) > LONGEST_NOTE:
        msg = f"A note has at most {LONGEST_NOTE} letters, got {len(note)}."
        raise ValueError(msg)
    return note


FIELDS: dict[str, Callable[[object], object]] = {
    "name": _name,
    "ae_title": checked_title,
    "host": _host,
    "port": _number("A port", LARGEST_PORT),
    "may_store": _truth,
    "may_query": _truth,
    "may_move": _truth,
    "may_receive": _truth,
    "private_classes": _truth,
    "tls": _truth,
    "certificate": _certificate,
    "associations": _number("The number of associations", MOST_ASSOCIATIONS),
    "roles": _roles,
    "audience": _audience,
    "note": _note,
    "enabled": _truth,
}
"""What can be set of a node, and the check of each."""
