"""The names that a condition may use: DICOM keywords, and facts of a series.

Facts are what Rounds knows of a series beside its tags. None of them is a keyword of
PS3.6, which a test holds.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from pydicom.datadict import dictionary_description, dictionary_VR, keyword_dict

__all__ = ["FACTS", "Kind", "Name", "beginning_with", "find", "near"]

MOST_NEAR = 3


class Kind(StrEnum):
    """What the values of a name are, and so what they can be compared with."""

    NUMBER = "number"
    TEXT = "text"
    DATE = "date"
    TIME = "time"
    MOMENT = "date and time"
    AGE = "age"
    FLAG = "true or false"
    OTHER = "sequence or bytes"


@dataclass(frozen=True, slots=True)
class Name:
    """A name, what its values are, and what it means in the words of PS3.6."""

    word: str
    kind: Kind
    meaning: str
    is_fact: bool = False


# Value representations of PS3.5, table 6.2-1.
_KINDS: Final = {
    **dict.fromkeys(
        ("DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"), Kind.NUMBER
    ),
    **dict.fromkeys(
        ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UI", "UR", "UT"), Kind.TEXT
    ),
    "DA": Kind.DATE,
    "TM": Kind.TIME,
    "DT": Kind.MOMENT,
    "AS": Kind.AGE,
    "US or SS": Kind.NUMBER,
}

FACTS: Final = {
    word: Name(word, kind, meaning, is_fact=True)
    for word, kind, meaning in (
        ("InstanceCount", Kind.NUMBER, "Number of instances that came"),
        ("FrameCount", Kind.NUMBER, "Number of frames of all instances"),
        ("Node", Kind.TEXT, "Name of the node that sent it"),
        ("Sender", Kind.TEXT, "Who brought it: a node or a person"),
        ("Template", Kind.TEXT, "Template of which it is a result"),
        ("Label", Kind.TEXT, "Labels that routes put on it"),
        ("IsResult", Kind.FLAG, "Whether a run made it"),
        ("IsVolume", Kind.FLAG, "Whether its images make up one volume"),
    )
}


def find(word: str) -> Name | None:
    """Return the name *word*, None where there is none.

    Examples
    --------
    >>> find("SliceThickness")
    Name(word='SliceThickness', kind=<Kind.NUMBER: 'number'>, \
meaning='Slice Thickness', is_fact=False)
    """
    if word in FACTS:
        return FACTS[word]
    tag = keyword_dict.get(word)
    if not word or tag is None:
        return None
    kind = _KINDS.get(dictionary_VR(tag), Kind.OTHER)
    return Name(word, kind, dictionary_description(tag))


def near(word: str) -> list[str]:
    """Return names that somebody who wrote *word* may have meant, the nearest first.

    Examples
    --------
    >>> near("slicethicknes")[0], near("SOPClass")[0]
    ('SliceThickness', 'SOPClassUID')
    """
    folded = _folded()
    wanted = word[:64].lower()
    exact = [folded[wanted]] if wanted in folded else []
    longer = sorted((one for one in folded if one.startswith(wanted)), key=len)
    close = difflib.get_close_matches(wanted, folded, n=MOST_NEAR, cutoff=0.75)
    found = [*exact, *(folded[one] for one in [*close, *longer[:1]])]
    return list(dict.fromkeys(found))[:MOST_NEAR]


def beginning_with(start: str, most: int = 12) -> list[Name]:
    """Return names for somebody who has written *start* so far, facts first.

    Those that begin with it come before those that have it in the middle.

    Examples
    --------
    >>> [one.word for one in beginning_with("slicet")]
    ['SliceThickness']
    """
    wanted = start[:64].lower()
    if not wanted:
        return list(FACTS.values())[:most]
    folded = _folded()
    begin = sorted((one for one in folded if one.startswith(wanted)), key=len)
    inside = sorted((one for one in folded if wanted in one[1:]), key=len)
    words = list(dict.fromkeys(folded[one] for one in [*begin, *inside]))
    words.sort(key=lambda word: word not in FACTS)
    found = (find(word) for word in words[:most])
    return [one for one in found if one is not None]


@cache
def _folded() -> dict[str, str]:
    """Return every name by its small letters."""
    return {word.lower(): word for word in (*keyword_dict, *FACTS) if word}
