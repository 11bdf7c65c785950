"""What can be looked for: words, facets, and pictures by example.

An example is a case, a series, a slice of it, a region drawn on a slice, or what was
sent with the question. These are values: nothing is read or decided here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "FACETS",
    "FILTERS",
    "LEANINGS",
    "LEFT_OUT",
    "MOST_EXAMPLES",
    "MOST_POINTS",
    "Example",
    "Question",
    "Region",
]

FACETS: Final = ("modality", "body_part", "level", "language", "kind")
"""What is counted beside the hits."""
FILTERS: Final = (*FACETS, "code", "case")
"""What a search can be narrowed by."""
LEANINGS: Final = ("auto", "even", "picture", "words")
"""How words and pictures can be weighed: by what was asked, or as one says."""
LEFT_OUT: Final = ("patient", "copies")
"""What can be left out: the patient's own other cases, and near-copies."""
MOST_EXAMPLES: Final = 4
MOST_POINTS: Final = 200
SMALLEST_SIDE: Final = 8
FEWEST_POINTS: Final = 3
FURTHEST: Final = 100_000.0


@dataclass(frozen=True, slots=True)
class Region:
    """A part of one slice: the corners of a polygon in its pixels.

    ``(0, 0)`` is the upper left corner of the first pixel, x goes right along the
    columns, y down along the rows.

    Examples
    --------
    >>> Region.rectangle(10, 20, 50, 80).box
    (10.0, 20.0, 50.0, 80.0)
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        """Refuse what surrounds nothing that could be compared."""
        if not FEWEST_POINTS <= len(self.points) <= MOST_POINTS:
            msg = f"A polygon has 3 to {MOST_POINTS} points, got {len(self.points)}."
            raise InvalidError(msg, {"polygon": msg})
        numbers = [number for point in self.points for number in point]
        if not all(math.isfinite(one) and abs(one) <= FURTHEST for one in numbers):
            msg = f"A region's points are numbers up to {FURTHEST:.0f}."
            raise InvalidError(msg, {"polygon": msg})
        left, top, right, bottom = self.box
        if right - left < SMALLEST_SIDE or bottom - top < SMALLEST_SIDE:
            msg = (
                f"The region is {right - left:.0f} by {bottom - top:.0f} pixels; "
                f"at least {SMALLEST_SIDE} by {SMALLEST_SIDE} are needed."
            )
            raise InvalidError(msg, {"region": msg})

    @classmethod
    def rectangle(cls, left: float, top: float, right: float, bottom: float) -> Region:
        """Return the region between four edges; opposite ones may be swapped."""
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        return cls(tuple((float(x), float(y)) for x, y in corners))

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The edges of the smallest rectangle around it: left, top, right, bottom."""
        across = [x for x, _ in self.points]
        down = [y for _, y in self.points]
        return min(across), min(down), max(across), max(down)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """Pictures that are the question; without *case_id* and *series_uid*, those sent.

    *slice* counts from 0, in the order in which the series is shown; *weight* is how
    much it counts beside other examples.

    Examples
    --------
    >>> Example(series_uid="1.2.3", slice=40).kind
    'slice'
    """

    case_id: str = ""
    series_uid: str = ""
    slice: int | None = None
    region: Region | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what names nothing, or two things."""
        if self.case_id and (self.series_uid or self.slice is not None or self.region):
            msg = "An example is a case, or a series and what of it, not both."
            raise InvalidError(msg)
        if self.series_uid and self.region and self.slice is None:
            msg = "A region of a series needs the 'slice' that it was drawn on."
            raise InvalidError(msg, {"slice": msg})

    @property
    def kind(self) -> str:
        """``case``, ``series``, ``slice``, ``region`` or ``upload``."""
        if self.case_id:
            return "case"
        if not self.series_uid:
            return "upload"
        if self.region:
            return "region"
        return "series" if self.slice is None else "slice"

    @property
    def leg(self) -> str:
        """What its rank is called: ``region`` where a part is compared."""
        return "region" if self.region else "picture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is looked for: words, filters, examples, and how much of it.

    *where* maps a name of ``FILTERS`` to the values of which one must hold; *like* are
    examples; *without* are expansions that are not wanted; *leave_out* are names of
    ``LEFT_OUT``, *lean* is one of ``LEANINGS``; *after* is the cursor of the answer to
    go on from; *language* is in which titles are shown.

    Examples
    --------
    >>> Question(text="lung", where={"modality": ("CT",)}).size
    24
    """

    text: str = ""
    prefix: str = ""
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    like: tuple[Example, ...] = ()
    without: tuple[str, ...] = ()
    expand: bool = True
    leave_out: frozenset[str] = frozenset()
    lean: str = "auto"
    sort: str = "relevance"
    after: str | None = None
    size: int = 24
    language: str = "en"
    counted: bool = True

    def __post_init__(self) -> None:
        """Refuse what could not be answered."""
        if len(self.like) > MOST_EXAMPLES:
            msg = f"At most {MOST_EXAMPLES} examples are taken, got {len(self.like)}."
            raise InvalidError(msg, {"like": msg})
        known = (
            ("lean", {self.lean}, LEANINGS),
            ("leave_out", self.leave_out, LEFT_OUT),
        )
        for name, said, all_known in known:
            for one in sorted(said - set(all_known)):
                msg = f"No {name} {one[:40]!r}. Known: {', '.join(all_known)}."
                raise InvalidError(msg, {name: msg})
