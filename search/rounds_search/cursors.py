"""The place in a list of hits to go on from, as a string that clients hand back."""

from __future__ import annotations

import base64
import binascii
import json
from typing import NamedTuple

from rounds_search.errors import CursorError

__all__ = ["Cursor", "read_cursor", "write_cursor"]

PARTS = 3


class Cursor(NamedTuple):
    """The sort, the last hit's sort key, and its id."""

    sort: str
    key: float | str
    id: str


def write_cursor(cursor: Cursor) -> str:
    """Return *cursor* as URL-safe text.

    Examples
    --------
    >>> read_cursor(write_cursor(Cursor("relevance", 1.5, "c1")), "relevance").id
    'c1'
    """
    plain = json.dumps(cursor, ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(plain).decode().rstrip("=")


def read_cursor(text: str, sort: str) -> Cursor:
    """Return the cursor that *text* holds for a list sorted by *sort*.

    Raises
    ------
    CursorError
        *text* is no cursor, or one of a list in another order.
    """
    padded = text + "=" * (-len(text) % 4)
    try:
        parts = json.loads(base64.b64decode(padded, altchars="-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise CursorError from None
    kind = str if sort == "title" else float
    if not isinstance(parts, list) or len(parts) != PARTS:
        raise CursorError
    given, key, name = parts
    if given != sort or type(key) is not kind or not isinstance(name, str):
        raise CursorError
    return Cursor(given, key, name)
