"""Check an instance against the tables of PS3.3: what every one of its kind has.

The tables of modules and attributes come with highdicom, made from the standard itself.
What is conditional (types 1C and 2C, modules that are not mandatory) is left to the
verifier; what is checked here is wrong in any case.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword
from pydicom.uid import UID
from pydicom.valuerep import validate_value

from rounds_hub.archive.conformance_findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

__all__ = ["RULES", "known_classes", "look"]

RULES = "rounds 1"
"""The name and version of these checks."""

MOST_ITEMS = 2000
MOST_ELEMENTS = 5000
RAISE = 2
CHECKED = frozenset(b"AE AS CS DA DS DT IS LO LT PN SH ST TM UI UR".decode().split())
META = ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID")


class Wanted(NamedTuple):
    """An attribute that must be there, in which module, below which sequences."""

    keyword: str
    type: str
    module: str
    path: tuple[str, ...]


@lru_cache(maxsize=1)
def _tables() -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
    """Return the kinds of SOP classes, their modules, and the modules' attributes."""
    # Looked for, not imported: the package loads much that is not needed here.
    found = find_spec("highdicom")
    roots = (found.submodule_search_locations if found else None) or []
    folder = Path(next(iter(roots))) / "_standard"
    names = ("sop_class_iod_map", "iod_module_map", "module_attribute_map")
    read = [
        json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        for name in names
    ]
    return read[0], read[1], read[2]


def known_classes() -> frozenset[str]:
    """Return the SOP classes whose tables are known."""
    return frozenset(_tables()[0])


@lru_cache(maxsize=64)
def wanted(sop_class: str) -> tuple[Wanted, ...]:
    """Return what an instance of *sop_class* must have, whatever it shows.

    Examples
    --------
    >>> any(one.keyword == "Modality" for one in wanted("1.2.840.10008.5.1.4.1.1.2"))
    True
    """
    kinds, modules, attributes = _tables()
    mandatory = [
        module["key"]
        for module in modules.get(kinds.get(sop_class, ""), ())
        if module["usage"] == "M"
    ]
    found = {
        (*one["path"], one["keyword"]): Wanted(
            one["keyword"], one["type"], module, tuple(one["path"])
        )
        for module in mandatory
        for one in attributes.get(module, ())
        if one["type"] in {"1", "2"}
    }
    return tuple(found.values())


def look(dataset: Dataset) -> Iterator[Finding]:
    """Give what is wrong with *dataset*, read without its pixels.

    Pixel data themselves were compared with what describes them when they came.
    """
    yield from _meta(dataset)
    sop_class = str(dataset.get("SOPClassUID", ""))
    if sop_class not in known_classes():
        named = "a private" if UID(sop_class).is_private else "a retired or unknown"
        yield _said("warning", "other", f"Its SOP class is {named} one: not checked")
    for one in wanted(sop_class):
        yield from _attribute(dataset, one)
    yield from _values(dataset)


def _said(level: str, kind: str, text: str) -> Finding:
    """Return a finding of ours."""
    return Finding(level, "rounds", kind, text)


def _meta(dataset: Dataset) -> Iterator[Finding]:
    """Give what is missing in the file meta information (PS3.10, 7.1)."""
    meta = getattr(dataset, "file_meta", None) or {}
    for keyword in META:
        if not meta.get(keyword):
            text = f"Missing attribute Type 1 {keyword} of file meta information"
            yield _said("error", "missing", text)


def _attribute(dataset: Dataset, wanted: Wanted) -> Iterator[Finding]:
    """Give what is wrong with one attribute, in each item that must have it."""
    if wanted.keyword == "PixelData" or wanted.path[:1] == ("PixelData",):
        return
    where = " of ".join((*reversed(wanted.path), f"module {wanted.module}"))
    for item in _items(dataset, wanted.path):
        if wanted.keyword not in item:
            text = f"Missing attribute Type {wanted.type} {wanted.keyword} of {where}"
            yield _said("error", "missing", text)
        elif wanted.type == "1" and _is_empty(item, wanted.keyword):
            text = f"Empty attribute Type 1 {wanted.keyword} of {where}"
            yield _said("error", "empty", text)


def _items(dataset: Dataset, path: tuple[str, ...]) -> list[Dataset]:
    """Return the items below *path*, some of them where there are many."""
    found = [dataset]
    for keyword in path:
        below = (item.get(keyword) or () for item in found)
        found = [item for sequence in below for item in sequence][:MOST_ITEMS]
    return found


def _is_empty(item: Dataset, keyword: str) -> bool:
    """Return whether an attribute has no value."""
    element = item[keyword]
    if element.VR == "SQ":
        return not element.value
    return element.VM == 0


def _values(dataset: Dataset) -> Iterator[Finding]:
    """Give values that their VR or the number of them does not allow (PS3.5, 6.2)."""
    for tag in list(dataset.keys())[:MOST_ELEMENTS]:
        if tag.is_private:
            continue
        try:
            yield from _value(dataset[tag])
        except Exception:  # noqa: BLE001 - pydicom raises anything; it is a finding
            text = f"Value of ({tag.group:04X},{tag.element:04X}) cannot be read"
            yield _said("error", "value", text)


def _value(element: DataElement) -> Iterator[Finding]:
    """Give what is wrong with the value of one element."""
    keyword = element.keyword
    tag = tag_for_keyword(keyword) if keyword else None
    if tag is None or element.VM == 0:
        return
    allowed = dictionary_VR(tag)
    if element.VR not in allowed and element.VR != "UN":
        text = f"Value representation of {keyword} is {element.VR}, not {allowed}"
        yield _said("error", "encoding", text)
    if not _may_have(element.VM, dictionary_VM(tag)):
        text = (
            f"Number of values of {keyword} is {element.VM}, not {dictionary_VM(tag)}"
        )
        yield _said("error", "value", text)
    if element.VR in CHECKED and not _is_valid(element):
        yield _said(
            "error", "value", f"Value of {keyword} is none that a {element.VR} has"
        )


def _is_valid(element: DataElement) -> bool:
    """Return whether pydicom's rules for the VR let the values pass."""
    values = element.value if element.VM > 1 else [element.value]
    original = [getattr(one, "original_string", one) for one in values]
    try:
        for value in original[:MOST_ITEMS]:
            validate_value(
                element.VR, value if element.VR == "PN" else str(value), RAISE
            )
    except (ValueError, TypeError):
        return False
    return True


def _may_have(count: int, allowed: str) -> bool:
    """Return whether an attribute may have *count* values.

    Examples
    --------
    >>> _may_have(3, "1-n"), _may_have(3, "2-2n"), _may_have(1, "1"), _may_have(7, "6")
    (True, False, True, False)
    """
    for one in allowed.split(" or "):
        least, _, most = one.partition("-")
        if not most and count == int(least):
            return True
        if most.endswith("n"):
            step = int(most[:-1] or 1)
            if count >= int(least) and count % step == 0:
                return True
        elif most and int(least) <= count <= int(most):
            return True
    return False
