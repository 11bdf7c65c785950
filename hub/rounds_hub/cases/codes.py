"""Codes of findings and diagnoses, checked against the form of their scheme."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SCHEMES", "checked_codes", "parse_codes"]

SCHEMES: Final[Mapping[str, tuple[str, re.Pattern[str]]]] = {
    "RADLEX": ("RadLex", re.compile(r"RID\d{1,7}")),
    "SCT": ("SNOMED CT", re.compile(r"[1-9]\d{5,17}")),
    "ICD10": ("ICD-10", re.compile(r"[A-Z]\d[0-9A-Z](\.[0-9A-Z]{1,4})?")),
    "ICD11": ("ICD-11", re.compile(r"[0-9A-Z]{4}(\.[0-9A-Z]{1,3})?")),
    "ICDO3": ("ICD-O-3", re.compile(r"C\d\d(\.\d)?|\d{4}/\d")),
    "LN": ("LOINC", re.compile(r"\d{1,7}-\d")),
    "DCM": ("DICOM", re.compile(r"\d{5,6}")),
    "MSH": ("MeSH", re.compile(r"[DC]\d{5,9}")),
    "ACR": ("ACR Index", re.compile(r"\d{1,4}(\.\d{0,6})?")),
    "FMA": ("FMA", re.compile(r"\d{1,7}")),
}
"""The schemes a code may come from: their name, and the form of a value."""

MOST_CODES: Final = 50
LONGEST_MEANING: Final = 200
_KEYS = {"value", "scheme", "meaning"}
_DIHEDRAL = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_PERMUTATION = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)


def checked_codes(value: object) -> list[dict[str, str]]:
    """Return codes as ``{"value", "scheme", "meaning"}``, once each.

    Raises
    ------
    InvalidError
        If a scheme is not known, or a value cannot be of its scheme.

    Examples
    --------
    >>> checked_codes([{"value": "C78.0", "scheme": "ICD10", "meaning": "Metastasis"}])
    [{'value': 'C78.0', 'scheme': 'ICD10', 'meaning': 'Metastasis'}]
    """
    if not isinstance(value, list | tuple) or len(value) > MOST_CODES:
        msg = f"must be a list of at most {MOST_CODES} codes."
        raise InvalidError(msg)
    made = {(code["scheme"], code["value"]): code for code in map(_code, value)}
    return list(made.values())


def parse_codes(text: str) -> list[dict[str, str]]:
    """Return the codes in *text*, one a line: ``SCHEME VALUE meaning``.

    Raises
    ------
    InvalidError
        If a line is none; it is quoted.

    Examples
    --------
    >>> parse_codes("SCT 12738006 Brain structure")
    [{'value': '12738006', 'scheme': 'SCT', 'meaning': 'Brain structure'}]
    """
    lines = [line.split(maxsplit=2) for line in text.splitlines() if line.strip()]
    for line in lines:
        if len(line) < len(_KEYS):
            msg = (
                f"{' '.join(line)!r} is no code: write scheme, value and meaning, "
                "as in 'ICD10 C78.0 Secondary malignant neoplasm of lung'."
            )
            raise InvalidError(msg)
    return checked_codes(
        [
            {"scheme": scheme, "value": value, "meaning": meaning}
            for scheme, value, meaning in lines
        ]
    )


def _code(code: object) -> dict[str, str]:
    """Return one checked code."""
    if not isinstance(code, dict) or set(code) != _KEYS:
        msg = "each code has 'value', 'scheme' and 'meaning'."
        raise InvalidError(msg)
    if not all(isinstance(part, str) for part in code.values()):
        msg = "each part of a code is text."
        raise InvalidError(msg)
    scheme = code["scheme"].strip().upper()
    value = code["value"].strip()
    meaning = " ".join(code["meaning"].split())
    if scheme not in SCHEMES:
        msg = f"{scheme!r} is no known scheme; known: {', '.join(SCHEMES)}."
        raise InvalidError(msg)
    _check_value(scheme, value)
    if not meaning.isprintable() or not 1 <= len(meaning) <= LONGEST_MEANING:
        msg = f"{scheme} {value} needs a meaning of 1 to {LONGEST_MEANING} characters."
        raise InvalidError(msg)
    return {"value": value, "scheme": scheme, "meaning": meaning}


def _check_value(scheme: str, value: str) -> None:
    """Refuse a value that its scheme cannot have."""
    name, form = SCHEMES[scheme]
    if not form.fullmatch(value):
        msg = f"{value[:64]!r} cannot be a code of {name}."
        raise InvalidError(msg)
    if scheme == "SCT" and not _verhoeff(value):
        msg = f"{value!r} is no SNOMED CT identifier: its check digit is wrong."
        raise InvalidError(msg)


def _verhoeff(digits: str) -> bool:
    """Return whether the check digit of a SNOMED CT identifier holds."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = int(_DIHEDRAL[check][int(_PERMUTATION[place % 8][int(digit)])])
    return check == 0
