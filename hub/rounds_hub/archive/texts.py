"""Decode the values that the catalogue shows, in the character set they came in."""

from __future__ import annotations

import re
import struct
import threading
import unicodedata
import warnings
from typing import TYPE_CHECKING

from pydicom.charset import convert_encodings, decode_bytes, python_encoding
from pydicom.valuerep import PN_DELIMS, TEXT_VR_DELIMS

from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Texts"]

CHARACTER_SET = 0x00080005
# These stand alone: no escape sequence leads in or out of them (PS3.3, C.12.1.1.2).
ALONE = ("ISO_IR 192", "GB18030", "GBK")
LONGEST = 1024
MOST_BYTES = 8 * LONGEST
"""More of a text is not decoded: escape sequences make that slow."""

ESCAPE = b"\x1b"
_ESCAPES = re.compile(r"\x1b[\x20-\x2f]{1,3}[\x30-\x7e]")
"""Escape sequences (ISO/IEC 2022; PS3.5, 6.1.2.5)."""
_QUIET = threading.Lock()


class Texts:
    """The values of one data set's top level, as text and numbers.

    Parameters
    ----------
    values
        Raw values by tag.
    order
        ``<`` or ``>``, the byte order of binary numbers.

    Examples
    --------
    >>> Texts({0x00080005: b"GB18030 ", 0x00081030: bytes.fromhex("cdb7b2bf")}).text(
    ...     0x00081030
    ... )
    '头部'
    """

    def __init__(self, values: Mapping[int, bytes], order: str = "<") -> None:
        """Find the character set of *values*."""
        self.values = values
        self.order = order
        self._encodings = _encodings(values.get(CHARACTER_SET, b""))

    def text(self, tag: int, longest: int = LONGEST) -> str:
        """Return the text of *tag*, empty if there is none."""
        return clean(decoded(self.values.get(tag, b""), self._encodings))[:longest]

    def code(self, tag: int) -> str:
        """Return the text of *tag*, which has ASCII alone (UI, CS, IS, DA)."""
        return clean(self.values.get(tag, b"").decode("ascii", "replace"))

    def integer(self, tag: int, default: int = 0) -> int:
        """Return the number written as text (IS) in *tag*, *default* if there is none.

        Raises
        ------
        InvalidError
            If what is there is no number of 32 bits.
        """
        written = self.code(tag).split("\\")[0]
        if not written:
            return default
        try:
            number = int(float(written))
        except (ValueError, OverflowError):
            number = 2**31
        if not -(2**31) <= number < 2**31:
            msg = f"({tag >> 16:04X},{tag & 0xFFFF:04X}) is no whole number."
            raise InvalidError(msg)
        return number

    def short(self, tag: int) -> int | None:
        """Return the first 16 bit number (US) in *tag*, None if there is none."""
        raw = self.values.get(tag, b"")
        if len(raw) < 2:  # noqa: PLR2004 (16 bits)
            return None
        return int(struct.unpack_from(f"{self.order}H", raw)[0])


def clean(text: str) -> str:
    r"""Return *text* without control characters and the padding at its ends.

    Examples
    --------
    >>> clean("CHEST \x00\n")
    'CHEST'
    """
    text = text.strip(" \x00")
    if text.isprintable():
        return text.strip()
    kept = (
        letter if unicodedata.category(letter)[0] != "C" else " " for letter in text
    )
    return "".join(kept).strip()


def decoded(raw: bytes, encodings: list[str]) -> str:
    """Return the beginning of *raw* as text; what no encoding explains is U+FFFD."""
    raw = raw[:MOST_BYTES]
    if raw.isascii() and ESCAPE not in raw:
        return raw.decode("ascii")
    if len(encodings) == 1 and ESCAPE not in raw:
        return raw.decode(encodings[0], "replace")
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = decode_bytes(raw, encodings, TEXT_VR_DELIMS | PN_DELIMS)
    # pydicom leaves those in that lead to a set of 94 x 94 letters, such as GB 2312.
    return _ESCAPES.sub("", text)


def _encodings(declared: bytes) -> list[str]:
    """Return Python's names for the character sets that are declared."""
    terms = [term.strip() for term in declared.decode("ascii", "replace").split("\\")]
    for alone in ALONE:
        if alone in terms:
            return [python_encoding[alone]]
    known = [term for term in terms if term in python_encoding]
    if not known or known == [""]:
        return ["latin-1"]
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(convert_encodings(known))
