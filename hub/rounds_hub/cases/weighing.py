"""How much words and pictures count beside each other, by what was asked.

Pictures tell regions, planes and modalities apart and little of the disease; words the
other way round. So words that name nothing but anatomy and technique lean on the
picture, and others on the words.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from rounds_hub.cases.content import BODY_PARTS
from rounds_search.thesaurus import medical, units

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rounds_search.thesaurus import Unit

__all__ = ["names_only_anatomy", "weights_of"]

HEAVY: Final = 2.0
LEANING: Final = 1.25
"""How much pictures count where words say anatomy; twice was worse than as much."""
_TECHNIQUE: Final = (
    *("ct", "mr", "mri", "pet", "x-ray", "ultrasound", "mammography", "angiography"),
    *("t1", "t2", "flair", "dwi", "adc", "stir", "contrast", "enhanced", "scan"),
    *("axial", "sagittal", "coronal", "image", "series", "left", "right", "normal"),
    *("lung", "liver", "spleen", "pancreas", "cerebellum", "skull", "bone", "joint"),
    *("thorax", "colon", "stomach", "bowel", "thyroid", "vertebra", "ventricle"),
)


def weights_of(text: str, lean: str) -> tuple[float, float]:
    """Return how much the words and how much the pictures count.

    Examples
    --------
    >>> weights_of("brain MRI", "auto"), weights_of("brain abscess", "auto")
    ((1.0, 1.25), (2.0, 1.0))
    >>> weights_of("", "auto"), weights_of("brain", "even")
    ((1.0, 1.0), (1.0, 1.0))
    """
    if lean == "auto" and text.strip():
        return (1.0, LEANING) if names_only_anatomy(text) else (HEAVY, 1.0)
    return {"picture": (1.0, HEAVY), "words": (HEAVY, 1.0)}.get(lean, (1.0, 1.0))


def names_only_anatomy(text: str) -> bool:
    """Return whether *text* says nothing but parts of the body and techniques.

    Examples
    --------
    >>> names_only_anatomy("axial CT of the chest"), names_only_anatomy("膝关节 MRI")
    (True, True)
    """
    asked = list(units(text))
    known = _known()
    at = 0
    while at < len(asked):
        length = _longest(asked, at, known)
        if not length:
            return False
        at += length
    return bool(asked)


def _longest(asked: list[Unit], at: int, known: frozenset[tuple[str, ...]]) -> int:
    """Return how many units from *at* are a known term."""
    most = min(LONGEST, len(asked) - at)
    for length in range(most, 0, -1):
        if tuple(unit.key for unit in asked[at : at + length]) in known:
            return length
    return 0


LONGEST: Final = 6


@lru_cache(maxsize=1)
def _known() -> frozenset[tuple[str, ...]]:
    """Return the terms of anatomy and technique, with all that means the same."""
    plain = sorted(BODY_PARTS) + list(_TECHNIQUE)
    return frozenset(_keys(plain)) | frozenset(_keys(_same(plain)))


def _same(terms: Iterable[str]) -> Iterable[str]:
    """Yield what means the same as *terms*."""
    thesaurus = medical()
    for term in terms:
        asked = list(units(term))
        if asked:
            length, same = thesaurus.longest(asked, 0)
            if length == len(asked):
                yield from same


def _keys(terms: Iterable[str]) -> Iterable[tuple[str, ...]]:
    """Yield *terms* as they are compared."""
    for term in terms:
        key = tuple(unit.key for unit in units(term))
        if key:
            yield key
