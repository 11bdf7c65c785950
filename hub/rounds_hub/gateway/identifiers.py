"""Read the identifier of a C-FIND request and write those of its responses."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pydicom.charset import python_encoding
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import RawDataElement

from rounds_hub.archive.attributes import Level, tag_of
from rounds_hub.archive.texts import CHARACTER_SET, Texts
from rounds_hub.errors import InvalidError
from rounds_hub.gateway.services import EXPLICIT_BIG, IMPLICIT_LITTLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydicom import Dataset

__all__ = ["Element", "Identifier", "encoded", "read_identifier"]

LEVEL: Final = 0x00080052
TITLE: Final = 0x00080054
AVAILABILITY: Final = 0x00080056
UNICODE: Final = "ISO_IR 192"
LONGEST: Final = 2**20
_OURS: Final = frozenset({CHARACTER_SET, LEVEL, TITLE})
_WHOLE_TEXTS: Final = frozenset({"LT", "ST", "UT"})
_LONG: Final = frozenset({"SQ", "UT", "UC", "UR"})
_IN_SETS: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_BINARY: Final = {"US": "H", "SS": "h", "UL": "L", "SL": "l"}
_END_OF_SEQUENCE: Final = 0xFFFFFFFF

Value = "tuple[str, ...] | list[dict[str, str]]"


@dataclass(frozen=True, slots=True)
class Identifier:
    """What a C-FIND request asks for (PS3.4, C.4.1.1.3).

    *asked* are the tags to return, *keys* the values by the keywords of their place,
    *inner* those keys inside a sequence that are to be returned, *unknown* whether
    something is asked for that PS3.6 does not have.
    """

    level: Level
    charset: str = UNICODE
    asked: frozenset[int] = frozenset()
    keys: Mapping[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    inner: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Element:
    """An element of a response: its values as texts, or the items of a sequence."""

    tag: int
    vr: str
    values: tuple[str, ...] | list[dict[str, str]] = ()


def read_identifier(
    dataset: Dataset, levels: Iterable[Level], order: str
) -> Identifier:
    """Return what the identifier *dataset* asks for.

    Parameters
    ----------
    dataset
        As it came, its values not yet read.
    levels
        Those of the information model.
    order
        ``<`` or ``>``, the byte order of its numbers.

    Raises
    ------
    InvalidError
        If it has no level of the model, or a sequence with more than one item.
    """
    reading = _Reading(order)
    reading.read(dataset)
    said = reading.texts.code(LEVEL)
    known = {level.value: level for level in levels}
    if said not in known:
        some = ", ".join(known)
        msg = f"QueryRetrieveLevel is {said[:16]!r}; of this model are {some}."
        raise InvalidError(msg)
    return Identifier(
        level=known[said],
        charset=reading.texts.code(CHARACTER_SET) or UNICODE,
        asked=frozenset(reading.asked),
        keys=reading.keys,
        inner=reading.inner,
        unknown=reading.unknown,
    )


class _Reading:
    """What is read from one identifier."""

    def __init__(self, order: str) -> None:
        """Begin with nothing."""
        self.order = order
        self.texts = Texts({})
        self.asked: set[int] = set()
        self.keys: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.inner: dict[str, frozenset[str]] = {}
        self.unknown = False

    def read(self, dataset: Dataset) -> None:
        """Read every element of *dataset*."""
        self.texts = self._texts(dataset)
        for tag in map(int, dataset.keys()):
            if tag in _OURS or not tag & 0xFFFF:
                continue
            self.asked.add(tag)
            keyword = keyword_for_tag(tag)
            if not keyword:
                self.unknown = True
            elif dictionary_VR(tag) == "SQ":
                self._sequence(keyword, dataset)
            else:
                self.keys[(keyword,)] = _values(self.texts, tag)

    def _sequence(self, keyword: str, dataset: Dataset) -> None:
        """Read the one item of a sequence (PS3.4, C.2.2.2.6)."""
        items = dataset[keyword].value or []
        if len(items) > 1:
            msg = f"{keyword} has {len(items)} items; a query takes one."
            raise InvalidError(msg)
        self.keys[(keyword,)] = ()
        names = set()
        for item in items:
            texts = self._texts(item, self.texts.values.get(CHARACTER_SET, b""))
            for tag in map(int, item.keys()):
                name = keyword_for_tag(tag) or f"{tag:08X}"
                names.add(name)
                self.keys[(keyword, name)] = _values(texts, tag)
        self.inner[keyword] = frozenset(names)

    def _texts(self, dataset: Dataset, declared: bytes = b"") -> Texts:
        """Return the values of *dataset* as they came."""
        values = {CHARACTER_SET: declared} if declared else {}
        for tag in map(int, dataset.keys()):
            element: object = dataset.get_item(tag)
            if isinstance(element, RawDataElement) and element.value is not None:
                values[tag] = bytes(element.value)
        return Texts(values, self.order)


def _values(texts: Texts, tag: int) -> tuple[str, ...]:
    """Return the values of a key as texts."""
    keyword = keyword_for_tag(tag)
    vr = dictionary_VR(tag) if keyword else "UN"
    if vr in _BINARY:
        number = texts.short(tag)
        return () if number is None else (str(number),)
    whole = texts.text(tag, LONGEST) if vr in _IN_SETS else texts.code(tag)
    if not whole:
        return ()
    return (whole,) if vr in _WHOLE_TEXTS else tuple(whole.split("\\"))


def encoded(elements: Iterable[Element], charset: str, syntax: str) -> bytes:
    """Return the data set of *elements*, in *charset* if that has all its letters.

    Else, and where several character sets would have to be mixed, it is in Unicode.
    """
    every = sorted(elements, key=lambda element: element.tag)
    codec = python_encoding.get(charset, "")
    if not codec or charset.startswith("ISO 2022"):
        charset, codec = UNICODE, "utf-8"
    try:
        return _Writer(codec, syntax).data_set(_with_charset(every, charset))
    except UnicodeEncodeError:
        return _Writer("utf-8", syntax).data_set(_with_charset(every, UNICODE))


def _with_charset(elements: list[Element], charset: str) -> list[Element]:
    """Return *elements* with the one that names their character set before them."""
    return [Element(CHARACTER_SET, "CS", (charset,)), *elements]


class _Writer:
    """Writes data sets in one transfer syntax (PS3.5, 7)."""

    def __init__(self, codec: str, syntax: str) -> None:
        """Write in *syntax*, texts in *codec*."""
        self.codec = codec
        self.explicit = syntax != IMPLICIT_LITTLE
        self.order = ">" if syntax == EXPLICIT_BIG else "<"

    def data_set(self, elements: Iterable[Element]) -> bytes:
        """Return the bytes of *elements*, which are in the order of their tags."""
        return b"".join(map(self._element, elements))

    def _element(self, element: Element) -> bytes:
        """Return one element with its head."""
        if isinstance(element.values, list):
            value = b"".join(map(self._item, element.values))
        else:
            value = self._value(element.vr, element.values)
        return self._head(element.tag, element.vr, len(value)) + value

    def _head(self, tag: int, vr: str, length: int) -> bytes:
        """Return tag, kind of value and length."""
        begin = struct.pack(f"{self.order}HH", tag >> 16, tag & 0xFFFF)
        if not self.explicit:
            return begin + struct.pack("<L", length)
        if vr in _LONG:
            return begin + vr.encode() + struct.pack(f"{self.order}HL", 0, length)
        return begin + vr.encode() + struct.pack(f"{self.order}H", length)

    def _item(self, item: Mapping[str, str]) -> bytes:
        """Return an item of a sequence, with its length."""
        tags = {tag_of(name): value for name, value in item.items()}
        inside = self.data_set(
            Element(tag, dictionary_VR(tag), (tags[tag],)) for tag in sorted(tags)
        )
        head = struct.pack(f"{self.order}HHL", 0xFFFE, 0xE000, len(inside))
        return head + inside

    def _value(self, vr: str, values: tuple[str, ...]) -> bytes:
        """Return the bytes of *values*, padded to even length (PS3.5, 6.2)."""
        if form := _BINARY.get(vr):
            return b"".join(struct.pack(self.order + form, int(one)) for one in values)
        text = "\\".join(values)
        raw = text.encode(self.codec if vr in _IN_SETS else "ascii", "strict")
        return raw + (b"\0" if vr == "UI" else b" ") * (len(raw) % 2)
