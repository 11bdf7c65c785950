"""Choose the form of an answer by what the one who asks accepts (PS3.18, 8.7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from rounds_hub.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

__all__ = ["ANY", "Accepted", "accepted", "first_of", "parse"]

ANY = "*/*"
LONGEST = 4096
MOST = 64
_PART = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_FIELD = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*")+')


@dataclass(frozen=True, slots=True)
class Accepted:
    """One form that is accepted.

    Attributes
    ----------
    kind
        The media type, or of multipart that of its parts; ``*`` stands for anything.
    multipart
        Whether it is to be multipart/related; None: either.
    syntax
        The transfer syntax, ``*`` for any, empty where none is named.
    weight
        How much it is liked, 0 to 1 (RFC 9110, 12.4.2).
    """

    kind: str
    multipart: bool | None = False
    syntax: str = ""
    weight: float = 1.0

    def allows(self, kind: str) -> bool:
        """Return whether *kind* is of that media type."""
        return fnmatchcase(kind, self.kind)


def accepted(request: Request) -> list[Accepted]:
    """Return what *request* accepts, the liked best first.

    The query parameter ``accept`` stands over the header (PS3.18, 8.3.3.1).

    Raises
    ------
    BadRequestError
        If what it says cannot be understood.
    """
    asked = request.query_params.getlist("accept")
    # A plus sign that was not escaped comes as a space.
    said = [one.replace(" json", "+json").replace(" xml", "+xml") for one in asked]
    return parse(",".join(said) or ",".join(request.headers.getlist("accept")) or ANY)


def parse(said: str) -> list[Accepted]:
    """Return the forms in a header Accept (RFC 9110, 12.5.1), the liked best first.

    Raises
    ------
    BadRequestError
        If it is too long, or no list of media types.

    Examples
    --------
    >>> parse('multipart/related; type="image/jls"; q=0.5, application/dicom')[0].kind
    'application/dicom'
    """
    parts = [part.strip() for part in _PART.findall(said) if part.strip()]
    if len(said) > LONGEST or len(parts) > MOST:
        msg = f"Accept has more than {MOST} forms or {LONGEST} letters."
        raise BadRequestError(msg)
    found = [one for one in map(_one, parts) if one.weight > 0]
    return sorted(found, key=lambda one: -one.weight)


def first_of(every: Iterable[Accepted], kinds: Iterable[str]) -> str | None:
    """Return that of *kinds* that is liked best, None where none is accepted.

    The order of *kinds* decides where several are liked the same.
    """
    offered = tuple(kinds)
    for one in every:
        for kind in offered:
            if one.allows(kind) and one.multipart is not True:
                return kind
    return None


def _one(part: str) -> Accepted:
    """Return one form."""
    kind, *fields = [field.strip() for field in _FIELD.findall(part)]
    kind = kind.lower()
    if "/" not in kind:
        msg = f"No media type: {kind[:80]!r}."
        raise BadRequestError(msg)
    given = dict(map(_field, fields))
    syntax = given.get("transfer-syntax", "")
    weight = _weight(given.get("q", "1"))
    if kind == "multipart/related":
        inner = given.get("type", ANY).lower()
        return Accepted(inner, multipart=True, syntax=syntax, weight=weight)
    either = None if kind == ANY else False
    return Accepted(kind, multipart=either, syntax=syntax, weight=weight)


def _field(field: str) -> tuple[str, str]:
    """Return name and value of a parameter, the quotes taken off."""
    name, _, value = field.partition("=")
    return name.strip().lower(), value.strip().strip('"')


def _weight(said: str) -> float:
    """Return a quality value; what is none counts like 1."""
    try:
        return min(1.0, max(0.0, float(said)))
    except ValueError:
        return 1.0
