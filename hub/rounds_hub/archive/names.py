"""Compare names of persons as people do: without case, accents and empty components."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["compared", "groups_of", "words_of"]

GROUPS: Final = 3
"""Alphabetic, ideographic and phonetic (PS3.5, 6.2.1.2)."""
_BETWEEN = re.compile(r"[\s^=,.\-·・]+")


def compared(text: str) -> str:
    """Return *text* as it is compared: no case, no accents, no width, one space.

    Empty components at the end say nothing (PS3.5, 6.2.1.1) and are left away.

    Examples
    --------
    >>> compared("Müller^ANNE^^")
    'muller^anne'
    >>> compared("ﾔﾏﾀﾞ^ﾀﾛｳ") == compared("ヤマダ^タロウ")
    True
    """
    folded = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(
        letter for letter in folded if not unicodedata.category(letter).startswith("M")
    )
    components = [" ".join(part.split()) for part in plain.split("^")]
    return unicodedata.normalize("NFC", "^".join(components)).rstrip("^ ")


def groups_of(name: str) -> tuple[str, str, str]:
    """Return the three component groups of *name*, each as it is compared.

    Examples
    --------
    >>> groups_of("Yamada^Tarou=山田^太郎")
    ('yamada^tarou', '山田^太郎', '')
    """
    parts = [compared(part) for part in name.split("=")[:GROUPS]]
    first, second, third = [*parts, "", "", ""][:GROUPS]
    return first, second, third


def words_of(name: str) -> str:
    """Return the words of all groups of *name*, each with a space before it.

    Examples
    --------
    >>> words_of("Yamada^Tarou=山田^太郎")
    ' yamada tarou 山田 太郎'
    """
    words = (word for word in _BETWEEN.split("=".join(groups_of(name))) if word)
    return "".join(f" {word}" for word in words)
