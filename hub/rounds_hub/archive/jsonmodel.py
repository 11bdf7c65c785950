"""Say a data set in the DICOM JSON model (PS3.18, annex F)."""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Any

from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue

from rounds_hub.archive import budget
from rounds_hub.archive.layout import open_data_set
from rounds_hub.archive.unpacking import read_header
from rounds_hub.archive.walking import PIXEL_TAGS, Limits, walk
from rounds_hub.errors import NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom import DataElement, Dataset

    from rounds_hub.archive.layout import Opened

__all__ = ["BULK", "INLINE", "dataset_json", "metadata", "write_bulk"]

BULK = "@bulk/"
"""What an address of bulk data begins with until it is known who asks, and where."""

INLINE = 1024
"""The most bytes of a binary value that stands in the metadata itself."""

DEFER = 2**16
PIECE = 2**20
BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
WHOLE = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "IS"})
REAL = frozenset({"FL", "FD", "DS"})
CHARACTER_SET = 0x00080005
SYNTAXES = "00083002"
"""AvailableTransferSyntaxUID (PS3.18, 10.4.1.1.3), which a viewer decodes by."""

_VR_OF_PIXELS = {0x7FE00008: "OF", 0x7FE00009: "OD", 0x7FE00010: "OW"}


def metadata(path: Path) -> bytes:
    """Return what the instance at *path* says of itself as one line of JSON.

    Large binary values, and the pixels, are named by their place after :data:`BULK`:
    tags and numbers of items, from 0, with slashes between them.

    Raises
    ------
    InvalidError
        If it is no instance.
    """
    limits = Limits()
    budget.allow(path.stat().st_size + 2**28)
    with open_data_set(path, limits) as opened:
        header = read_header(opened, defer=DEFER)
        found = dataset_json(header)
        found |= _pixels(opened, limits)
        if f"{CHARACTER_SET:08X}" in found:
            found[f"{CHARACTER_SET:08X}"]["Value"] = ["ISO_IR 192"]
        found[SYNTAXES] = {"vr": "UI", "Value": [opened.syntax]}
        return json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode()


def write_bulk(path: Path, place: str, target: Path) -> None:
    """Write the value at *place*, as :func:`metadata` names it, to *target*.

    Raises
    ------
    NotFoundError
        If there is no such value.
    """
    size = path.stat().st_size
    budget.allow(2 * size + 2**28)
    *items, last = place.split("/")
    with open_data_set(path, Limits()) as opened, target.open("wb") as out:
        dataset = read_header(opened, defer=DEFER)
        try:
            for name, number in zip(items[::2], items[1::2], strict=True):
                dataset = dataset[int(name, 16)].value[int(number)]
            raw: Any = dataset.get_item(int(last, 16))
            value = _raw_value(raw, opened)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
            kind = "value"
            raise NotFoundError(kind, place) from error
        for start in range(0, len(value), PIECE):
            out.write(value[start : start + PIECE])


def _raw_value(raw: Any, opened: Opened) -> bytes:  # noqa: ANN401 (raw or not)
    """Return the bytes of an element, from the file where they were left there."""
    if isinstance(raw, RawDataElement) and raw.value is None:
        return opened.data[raw.value_tell : raw.value_tell + raw.length]
    if not isinstance(raw.value, bytes):
        msg = "it is no value of bytes"
        raise TypeError(msg)
    return raw.value


def _pixels(opened: Opened, limits: Limits) -> dict[str, Any]:
    """Return the address of the pixel data."""
    found = walk(opened.data, opened.start, opened.encoding, PIXEL_TAGS, limits).pixels
    if found is None:
        return {}
    vr = _VR_OF_PIXELS[found.tag] if found.fragments is None else "OB"
    return {f"{found.tag:08X}": {"vr": vr, "BulkDataURI": f"{BULK}{found.tag:08X}"}}


def dataset_json(dataset: Dataset, place: str = "") -> dict[str, Any]:
    """Return *dataset* as the JSON model has it; *place* leads to it."""
    found: dict[str, Any] = {}
    for tag in sorted(dataset.keys()):
        if tag.element == 0 and tag.group != 0:
            continue  # a length of a group: retired, and wrong by now
        name = f"{tag:08X}"
        raw: Any = dataset.get_item(tag)
        if isinstance(raw, RawDataElement) and raw.value is None and raw.length:
            vr = raw.VR or "UN"
            found[name] = {"vr": vr, "BulkDataURI": f"{BULK}{place}{name}"}
            continue
        found[name] = _element(dataset, tag, f"{place}{name}")
    return found


def _element(dataset: Dataset, tag: Any, place: str) -> dict[str, Any]:  # noqa: ANN401
    """Return one element; a value that cannot be read is left out."""
    try:
        element = dataset[tag]
        said: dict[str, Any] = {"vr": str(element.VR)}
        if element.is_empty:
            return said
        return said | _value(element, place)
    except (ValueError, TypeError, AttributeError, KeyError, NotImplementedError):
        raw = dataset.get_item(tag)
        return {"vr": str(getattr(raw, "VR", None) or "UN")}


def _value(element: DataElement, place: str) -> dict[str, Any]:
    """Return the value of an element that is not empty."""
    if element.VR == "SQ":
        items = enumerate(element.value)
        return {"Value": [dataset_json(one, f"{place}/{at}/") for at, one in items]}
    if element.VR in BINARY:
        return _binary(element.value, place)
    value = element.value
    listed = value if isinstance(value, (MultiValue, list)) else [value]
    if element.VR == "PN":
        return {"Value": [_name(one) for one in listed]}
    if element.VR == "AT":
        return {"Value": [f"{int(one):08X}" for one in listed]}
    return {"Value": [_plain(one, str(element.VR)) for one in listed]}


def _binary(value: Any, place: str) -> dict[str, Any]:  # noqa: ANN401 (no types)
    """Return bytes in base 64, or where they are to be had."""
    if len(value) > INLINE:
        return {"BulkDataURI": f"{BULK}{place}"}
    return {"InlineBinary": base64.b64encode(value).decode("ascii")}


def _plain(value: Any, vr: str) -> Any:  # noqa: ANN401 (JSON)
    """Return one value as JSON has it (PS3.18, F.2.3)."""
    if value is None or value == "":
        return None
    if vr in WHOLE:
        return int(value)
    if vr in REAL:
        number = float(value)
        return number if math.isfinite(number) else None
    return str(value)


def _name(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return a person's name in its up to three groups (PS3.18, F.2.2)."""
    groups = {
        "Alphabetic": value.alphabetic,
        "Ideographic": value.ideographic,
        "Phonetic": value.phonetic,
    }
    return {name: text for name, text in groups.items() if text} or None
