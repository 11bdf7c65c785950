"""What is shown of an answer before its documents are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rounds_search.cursors import Cursor

__all__ = ["Page"]


@dataclass(frozen=True, slots=True)
class Page:
    """Ids in their order, what is known of them, and the counts.

    ``first`` are those at the head of the whole list, which complete a prefix.
    """

    ids: list[str]
    total: int
    facets: Mapping[str, tuple[tuple[str, int], ...]]
    after: Cursor | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    ranks: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    first: list[str] = field(default_factory=list)
    relaxed: bool = False
