"""The table of keys is what the page says, and what the catalogue keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from rounds_hub.querying.conditions import TABLES
from rounds_hub.querying.keys import DEFAULTS, KEYS, UNIQUE, ZONE, Key, Level, key_of

PAGE = Path(__file__).parent.parent.parent / "docs" / "queries.md"
EVERY = [pytest.param(key, id=key.keyword) for key in KEYS.values()]


def row_of(key: Key) -> str:
    """Return the row of the page's table for *key*."""
    inner = f" ({', '.join(key.inner)})" if key.inner else ""
    tag = f"{key.tag >> 16:04X},{key.tag & 0xFFFF:04X}"
    return f"| {key.keyword}{inner} | {tag} | {key.matching.value} |"


@pytest.mark.parametrize("level", Level)
def test_the_page_has_just_the_keys_of_a_level(level: Level) -> None:
    section = PAGE.read_text().partition(f"\n### {level.value}\n")[2]
    rows = [line for line in section.partition("\n###")[0].splitlines() if "," in line]
    assert rows == [row_of(key) for key in KEYS.values() if key.level is level]


@pytest.mark.parametrize("key", EVERY)
def test_a_key_is_kept_somewhere(key: Key) -> None:
    assert key.counted or not key.column or key.column in TABLES[key.level].c


@pytest.mark.parametrize("level", Level)
def test_what_is_returned_unasked_is_a_key(level: Level) -> None:
    assert all(name == ZONE or key_of(name) for name in DEFAULTS[level])
    unique = key_of(UNIQUE[level])
    assert unique is not None
    assert unique.level is level
