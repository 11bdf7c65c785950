"""Say a match in the DICOM JSON model (PS3.18, annex F)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydicom.datadict import dictionary_VR

from rounds_hub.archive.attributes import tag_of

if TYPE_CHECKING:
    from rounds_hub.querying.service import Match, Values

__all__ = ["dicom_json", "element"]

_WHOLE: Final = frozenset({"IS", "US"})
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_KNOWN: dict[str, tuple[str, str]] = {}


def dicom_json(match: Match, *, empty: bool = True) -> dict[str, Any]:
    """Return *match* with its elements by tag; *empty* keeps those without a value.

    Examples
    --------
    >>> dicom_json({"PatientName": ("Yamada^Tarou=山田^太郎",), "Rows": ("16",)})[
    ...     "00100010"
    ... ]["Value"]
    [{'Alphabetic': 'Yamada^Tarou', 'Ideographic': '山田^太郎'}]
    """
    return dict(
        element(keyword, values) for keyword, values in match.items() if values or empty
    )


def element(keyword: str, values: Values) -> tuple[str, dict[str, Any]]:
    """Return the tag of *keyword* and its element with *values*."""
    tag, vr = _known(keyword)
    if not values:
        return tag, {"vr": vr}
    if isinstance(values, list):
        items = [
            dict(sorted(element(name, (value,)) for name, value in one.items()))
            for one in values
        ]
        return tag, {"vr": vr, "Value": items}
    return tag, {"vr": vr, "Value": [_value(vr, value) for value in values]}


def _known(keyword: str) -> tuple[str, str]:
    """Return the tag and the kind of value of *keyword*."""
    found = _KNOWN.get(keyword)
    if found is None:
        tag = tag_of(keyword)
        found = _KNOWN[keyword] = f"{tag:08X}", dictionary_VR(tag)
    return found


def _value(vr: str, value: str) -> Any:  # noqa: ANN401 (what JSON can hold)
    """Return one value; a number that is none stays a text (F.2.3.1)."""
    if vr == "PN":
        groups = zip(_GROUPS, value.split("="), strict=False)
        return {name: group for name, group in groups if group}
    try:
        if vr in _WHOLE:
            return int(value)
        return float(value) if vr == "DS" else value
    except ValueError:
        return value
