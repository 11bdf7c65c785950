"""Turn the raw values of a header into plain Python values, as pydicom would.

What needs judgement raises ``UnusualError``, and pydicom is asked instead.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from pydicom.charset import convert_encodings, python_encoding
from pydicom.datadict import DicomDictionary  # type: ignore[attr-defined] # its table
from pydicom.multival import MultiValue
from pydicom.values import convert_PN, convert_single_string, convert_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydicom.dataset import Dataset

    from rounds_kernels.attributes import Attributes, Value

__all__ = ["NAMES", "UnusualError", "converted", "of_header"]

_CHARACTER_SET: Final = 0x00080005
_SIGN: Final = 0x00280103
_SIGNED: Final = (b"US", b"SS")
_OF_PIXELS: Final = frozenset(
    {0x00280106, 0x00280107, 0x00280108, 0x00280109, 0x00280120, 0x00280121}
)
"""Attributes whose VR is that of a pixel (PS3.5, 8.2): US or SS by their sign."""

_CODES: Final = frozenset({b"AE", b"AS", b"CS", b"DA", b"DT", b"TM", b"UI"})
_TEXTS: Final = frozenset({b"LO", b"SH", b"UC"})
_WHOLE: Final = frozenset({b"LT", b"ST", b"UT"})
_BINARY: Final = {
    b"US": "H",
    b"SS": "h",
    b"UL": "L",
    b"SL": "l",
    b"UV": "Q",
    b"SV": "q",
    b"FL": "f",
    b"FD": "d",
}
_SHOWN: Final = (
    _CODES | _TEXTS | _WHOLE | _BINARY.keys() | {b"DS", b"IS", b"PN", b"UR", b"AT"}
)
_FLOATS: Final = frozenset({"DS", "FL", "FD"})
_INTEGERS: Final = frozenset({"IS", "US", "SS", "UL", "SL", "UV", "SV", "AT"})
_DECIMAL: Final = frozenset("0123456789+-.eE \\\0")
_INTEGER: Final = frozenset("0123456789+- \\\0")
_CACHED_BYTES: Final = 128

NAMES: Final[dict[int, str]] = {
    tag: known[4]
    for tag, known in DicomDictionary.items()
    if known[4] and known[0].encode() in _SHOWN | {b"US or SS"}
}
_KINDS: Final[dict[int, bytes]] = {
    tag: DicomDictionary[tag][0].encode() for tag in NAMES
}


class UnusualError(Exception):
    """Something that is left to pydicom."""


def converted(found: dict[int, tuple[bytes, bytes]], order: str) -> Attributes:
    """Return the values that pydicom would give, by keyword."""
    charset = found.get(_CHARACTER_SET, (b"", b""))[1]
    sign = found.get(_SIGN, (b"", b""))[1]
    _encodings(charset)
    attributes: Attributes = {}
    for tag, (kind, raw) in found.items():
        if not raw:
            continue
        kind = kind or _KINDS[tag]  # noqa: PLW2901 (the dictionary's, in implicit VR)
        if kind == b"US or SS" and tag in _OF_PIXELS and len(sign) == 2:  # noqa: PLR2004
            kind = _SIGNED[sign != b"\0\0"]  # noqa: PLW2901
        read = _cached if len(raw) <= _CACHED_BYTES else _value
        value = read(raw, kind, order, charset)
        if value:
            attributes[NAMES[tag]] = value
    return attributes


def _value(raw: bytes, kind: bytes, order: str, charset: bytes) -> tuple[Value, ...]:
    """Return one attribute's values."""
    if kind in _BINARY:
        return _numbers(raw, _BINARY[kind], order)
    if kind == b"AT":
        pairs = _numbers(raw, "H", order)
        return tuple(
            int(group) << 16 | int(number)
            for group, number in zip(pairs[::2], pairs[1::2], strict=True)
        )
    if kind in {b"DS", b"IS"}:
        return _written(raw.decode("ascii"), kind)
    if kind in _CODES or kind == b"UR":
        text = raw.decode("latin-1")
        if not text.strip(" \0").isprintable():
            raise UnusualError
        return _texts(text, several=kind != b"UR")
    if kind not in _SHOWN:
        raise UnusualError
    if not raw.isascii() or b"\x1b" in raw:
        return _plain(_DECODERS[kind](raw, _encodings(charset)), kind.decode())
    return _texts(raw.decode("ascii"), several=kind not in _WHOLE)


_cached = lru_cache(maxsize=16384)(_value)  # most values are the same in every slice


def _numbers(raw: bytes, code: str, order: str) -> tuple[Value, ...]:
    """Return binary numbers."""
    size = struct.calcsize(f"={code}")
    if len(raw) % size:
        raise UnusualError
    return struct.unpack(f"{order}{len(raw) // size}{code}", raw)


def _written(text: str, kind: bytes) -> tuple[Value, ...]:
    """Return decimal or integer strings as numbers; «1_0» and «nan» are none."""
    parts = [part.strip(" \0") for part in text.split("\\")]
    allowed = _DECIMAL if kind == b"DS" else _INTEGER
    if not allowed.issuperset(text) or "\0" in text.rstrip(" \0"):
        raise UnusualError
    number: Callable[[str], Value] = float if kind == b"DS" else int
    return tuple(number(part) for part in parts if part)


def _texts(text: str, *, several: bool) -> tuple[Value, ...]:
    """Return texts without their padding."""
    parts = text.split("\\") if several else [text]
    texts = tuple(part.strip(" \0") for part in parts)
    return texts if any(texts) else ()


_DECODERS: Final[dict[bytes, Callable[[bytes, list[str]], Any]]] = {
    **dict.fromkeys(_TEXTS, convert_text),
    **dict.fromkeys(_WHOLE, convert_single_string),
    b"PN": convert_PN,
}


@lru_cache(maxsize=64)
def _encodings(charset: bytes) -> list[str]:
    """Return Python's names of the character sets that are declared."""
    names = charset.decode("ascii").strip(" \0").split("\\")
    if not python_encoding.keys() >= {name.strip() for name in names}:
        raise UnusualError
    return list(convert_encodings([name.strip() for name in names]))


def of_header(dataset: Dataset) -> Attributes:
    """Return the attributes of a data set in the form of :class:`HeaderIndex`.

    A value that pydicom cannot give is left out.
    """
    attributes: Attributes = {}
    for tag in dataset.keys():  # noqa: SIM118 (the values are not read yet)
        name = NAMES.get(int(tag))
        if name is None:
            continue
        try:
            element = dataset[tag]
            value = _plain(element.value, element.VR)
        except Exception:  # noqa: BLE001, S112 - pydicom raises anything; documented
            continue
        if value:
            attributes[name] = value
    return attributes


def _plain(value: Any, kind: str) -> tuple[Value, ...]:  # noqa: ANN401 - pydicom types no values
    """Return what pydicom read as plain Python values, without empty ones."""
    if value is None or kind.encode() not in _SHOWN:
        return ()
    multiple = not isinstance(value, (str, bytes)) and hasattr(value, "__iter__")
    listed = list(value) if multiple and kind != "PN" else _names(value, kind)
    if kind in _FLOATS:
        return tuple(float(item) for item in listed if item not in (None, ""))
    if kind in _INTEGERS:
        return tuple(int(item) for item in listed if item not in (None, ""))
    texts = tuple(str(item).strip(" \0") for item in listed)
    return texts if any(texts) else ()


def _names(value: Any, kind: str) -> list[Any]:  # noqa: ANN401 - as above
    """Return the names of an attribute; one name is no list of its letters."""
    return list(value) if kind == "PN" and isinstance(value, MultiValue) else [value]
