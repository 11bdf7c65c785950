"""What the page of cases looks for, as its address says it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from rounds_hub.cases.asking import FILTERS, Example, Question, Region
from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from starlette.datastructures import FormData, QueryParams

__all__ = ["PAGE", "VIEWS", "Looking"]

PAGE: Final = 24
VIEWS: Final = ("gallery", "list")
LONGEST_QUESTION: Final = 500
LONGEST_NAME: Final = 120
LONGEST_REGION: Final = 100
MOST_VALUES: Final = 50
_EDGES: Final = 4
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_USUAL: Final = {
    "sort": "relevance",
    "lean": "auto",
    "view": "gallery",
    "elsewhere": "",
}


@dataclass(frozen=True, slots=True)
class Looking:
    """What the page looks for, and how its links say it.

    *picture* is what the picture that was sent is called; it is in no address but by
    this name. *like* is the id of a case, *series* of a series, *slice* counts from 0,
    *region* is ``left,top,right,bottom`` in pixels of that slice.

    Examples
    --------
    >>> looking = Looking("lung", {"modality": ("CT", "MR")})
    >>> looking.without_value("modality", "CT").query
    'q=lung&modality=MR'
    """

    text: str = ""
    where: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sort: str = "relevance"
    without: tuple[str, ...] = ()
    like: str = ""
    series: str = ""
    slice: str = ""
    region: str = ""
    picture: str = ""
    lean: str = "auto"
    leave_out: tuple[str, ...] = ()
    view: str = "gallery"
    elsewhere: str = ""
    """``on`` where other hubs are asked, too."""

    @classmethod
    def of(cls, said: QueryParams | FormData) -> Looking:
        """Return what an address or a form asks for; other names are not looked at."""
        where = {name: _texts(said, name) for name in FILTERS}
        view = _text(said, "view", "gallery")
        return cls(
            text=_text(said, "q").strip()[:LONGEST_QUESTION],
            where={name: values for name, values in where.items() if values},
            sort=_text(said, "sort", "relevance"),
            without=_texts(said, "without"),
            like=_text(said, "like"),
            series=_text(said, "series"),
            slice=_text(said, "slice"),
            region=_text(said, "region")[:LONGEST_REGION],
            picture=_text(said, "picture")[:LONGEST_NAME],
            lean=_text(said, "lean", "auto"),
            leave_out=_texts(said, "leave_out"),
            view=view if view in VIEWS else "gallery",
            elsewhere="on" if _text(said, "elsewhere") else "",
        )

    @property
    def query(self) -> str:
        """The query string of the address that looks for this."""
        pairs = [("q", self.text)] if self.text else []
        pairs += self.chips
        pairs += [("without", one) for one in self.without]
        pairs += [(name, said) for name in _EXAMPLE if (said := getattr(self, name))]
        pairs += [("leave_out", one) for one in self.leave_out]
        chosen = ((name, getattr(self, name), usual) for name, usual in _USUAL.items())
        pairs += [(name, said) for name, said, usual in chosen if said != usual]
        return urlencode(pairs)

    @property
    def chips(self) -> list[tuple[str, str]]:
        """The chosen filters, one a chip."""
        return [
            (name, value) for name, values in self.where.items() for value in values
        ]

    @property
    def pictured(self) -> bool:
        """Whether a picture is part of what is asked."""
        return bool(self.like or self.series or self.picture)

    @property
    def kept(self) -> bool:
        """Whether the address says all of it: what was sent it cannot say."""
        return not self.picture

    @property
    def number(self) -> int | None:
        """The slice, counted from 0; None where no one is meant.

        Raises
        ------
        InvalidError
            If it is no number.
        """
        if not self.slice:
            return None
        if not _NUMBER.fullmatch(self.slice):
            msg = f"No slice {self.slice[:40]!r}: they are counted from 0."
            raise InvalidError(msg, {"slice": msg})
        return int(self.slice)

    @property
    def example(self) -> Example | None:
        """The picture that is asked with, or None.

        Raises
        ------
        InvalidError
            If a slice or a region is no such thing.
        """
        if not self.pictured:
            return None
        if self.like:
            return Example(case_id=self.like)
        drawn = _region(self.region) if self.region else None
        return Example(series_uid=self.series, slice=self.number, region=drawn)

    def question(self, language: str, after: str | None) -> Question:
        """Return the question that the search room takes.

        Raises
        ------
        InvalidError
            If something of it cannot be asked.
        """
        example = self.example
        blank = not self.text and example is None
        return Question(
            text=self.text,
            where=self.where,
            like=(example,) if example else (),
            without=self.without,
            leave_out=frozenset(self.leave_out) if example else frozenset(),
            lean=self.lean,
            sort="newest" if blank and self.sort == "relevance" else self.sort,
            after=after,
            size=PAGE,
            language=language,
        )

    def without_value(self, name: str, value: str) -> Looking:
        """Return the same without one filter."""
        left = tuple(one for one in self.where[name] if one != value)
        others = {key: held for key, held in self.where.items() if key != name}
        return replace(self, where=others | ({name: left} if left else {}))

    def without_words(self, *words: str) -> Looking:
        """Return the same without some of the words that were searched too."""
        return replace(self, without=tuple(dict.fromkeys((*self.without, *words))))

    def with_words(self, *words: str) -> Looking:
        """Return the same with words again that were taken out."""
        left = tuple(one for one in self.without if one not in words)
        return replace(self, without=left)

    @property
    def wordless(self) -> Looking:
        """The same without the words."""
        return replace(self, text="", without=())

    @property
    def pictureless(self) -> Looking:
        """The same without the picture."""
        return replace(
            self,
            **dict.fromkeys(_EXAMPLE, ""),  # type: ignore[arg-type] # fields of text
            lean="auto",
            leave_out=(),
        )

    @property
    def whole(self) -> Looking:
        """The same with the whole slice instead of a region of it."""
        return replace(self, region="")

    def one_slice(self, series_uid: str, number: int) -> Looking:
        """Return the same with one slice, without *series_uid* of what was sent."""
        if not series_uid:
            return replace(self, slice=str(number), region="")
        return replace(
            self, like="", series=series_uid, slice=str(number), region="", picture=""
        )

    @property
    def unfiltered(self) -> Looking:
        """The same without the filters."""
        return replace(self, where={})

    def saying(self, text: str) -> Looking:
        """Return the same with other words."""
        return replace(self, text=text, without=())

    def viewed(self, view: str) -> Looking:
        """Return the same as a gallery or a list."""
        return replace(self, view=view)

    def anything(self) -> bool:
        """Return whether something is asked for at all."""
        return bool(self.text or self.where or self.pictured)


_EXAMPLE: Final = ("like", "series", "slice", "region", "picture")
"""The fields that say what picture is asked with."""


def _region(said: str) -> Region:
    """Return the region that ``left,top,right,bottom`` says."""
    try:
        edges = [float(one) for one in said.split(",")]
    except ValueError:
        edges = []
    if len(edges) != _EDGES:
        msg = f"No region {said[:40]!r}: left, top, right and bottom are needed."
        raise InvalidError(msg, {"region": msg})
    return Region.rectangle(*edges)


def _text(said: QueryParams | FormData, name: str, default: str = "") -> str:
    """Return the text of *name*, the last one where there are several."""
    found = [one for one in said.getlist(name) if isinstance(one, str)]
    return found[-1] if found else default


def _texts(said: QueryParams | FormData, name: str) -> tuple[str, ...]:
    """Return the texts of *name* that say something, each once."""
    found = (one for one in said.getlist(name) if isinstance(one, str) and one)
    return tuple(dict.fromkeys(found))[:MOST_VALUES]
