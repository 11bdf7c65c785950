"""What a search found, ready to be shown, with why each hit is there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Found", "FoundHit", "Shown", "SlicePair"]

PICTURE = 256
"""Pixels of the longest side of a slice beside another one."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One slice: where it is in the archive, or a small picture of what was sent.

    *slice* counts from 0 and is -1 where there are no slices; *region* are the edges of
    the part that was compared, ``(left, top, right, bottom)`` in pixels of the slice,
    which has *columns* and *rows* of them.
    """

    series_uid: str = ""
    slice: int = -1
    region: tuple[float, float, float, float] | None = None
    picture: str = ""
    columns: int = 0
    rows: int = 0

    @property
    def picture_url(self) -> str:
        """Its picture below the service's prefix, or as a data URL, or nothing."""
        if not self.series_uid or self.slice < 0:
            return self.picture
        return f"api/series/{self.series_uid}/frames/{self.slice}.png?size={PICTURE}"


@dataclass(frozen=True, slots=True)
class SlicePair:
    """A slice that was asked with, and the slice of a hit that is like it."""

    leg: str
    score: float
    asked: Shown
    found: Shown


@dataclass(frozen=True, slots=True)
class FoundHit:
    """One found case or result, ready to be shown.

    *why* says in words what led here; *ranks* gives the place in each leg (``text``,
    ``picture``, ``region``), from 1; *same_codes* are codes that it shares with the
    case that was asked with; *pairs* are the slices that are alike, the likest first;
    *highlights* are safe HTML with ``<mark>``; *series_uid* is the series that led here
    or stands for it, with *frames* to scroll through, 0 where there is none to see.
    """

    id: str
    kind: str
    title: str
    why: tuple[str, ...]
    case_id: str = ""
    run_id: str = ""
    modality: tuple[str, ...] = ()
    body_part: tuple[str, ...] = ()
    level: str = ""
    language: str = ""
    score: float = 0.0
    ranks: Mapping[str, int] = field(default_factory=dict)
    same_codes: tuple[str, ...] = ()
    pairs: tuple[SlicePair, ...] = ()
    highlights: Mapping[str, str] = field(default_factory=dict)
    thumbnail: str = ""
    series_uid: str = ""
    frames: int = 0

    @property
    def thumbnail_url(self) -> str:
        """The address of its picture below the service's prefix, or nothing."""
        return f"api/series/{self.thumbnail}/thumbnail.png" if self.thumbnail else ""

    @property
    def url(self) -> str:
        """The address of its page below the service's prefix."""
        return f"runs/{self.run_id}" if self.run_id else f"cases/{self.case_id}"


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found; *facets* are ``(value, count)``, the most frequent first.

    *weights* say how much each leg counted, *asked* are the slices that were asked
    with, *corrections* are queries that may have been meant.
    """

    hits: tuple[FoundHit, ...] = ()
    total: int = 0
    facets: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    after: str | None = None
    suggestions: tuple[str, ...] = ()
    expansions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    relaxed: bool = False
    corrections: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    asked: tuple[Shown, ...] = ()
