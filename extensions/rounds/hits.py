"""Find cases and results, as a list that a notebook shows as a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING, Any, overload

from rounds.cases import open_case
from rounds.client import default_service
from rounds.errors import NotFoundError
from rounds.html import Markup, table, text
from rounds.runs import Run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rounds.cases import Case
    from rounds.client import Service

__all__ = ["Hit", "Hits", "find"]

FACETS = ("modality", "body_part", "level", "language", "kind", "code", "case")
MARKED = re.compile(r"&lt;(/?mark)&gt;")


@dataclass(frozen=True, slots=True)
class Hit:
    """A case or result that was found, and why."""

    id: str
    title: str
    kind: str
    case_id: str
    run_id: str
    modality: tuple[str, ...]
    body_part: tuple[str, ...]
    level: str
    why: tuple[str, ...]
    highlights: Mapping[str, str]
    _service: Service = field(repr=False, compare=False, kw_only=True)

    def open(self) -> Case:
        """Return the case that was found, or the one that the result belongs to.

        Raises
        ------
        NotFoundError
            If the result belongs to no case that this person may see.
        """
        if not self.case_id:
            msg = f"{self.id!r} belongs to no case; its result is at .run()."
            raise NotFoundError(msg)
        return open_case(self.case_id, service=self._service)

    def run(self) -> Run:
        """Return the run whose result was found.

        Raises
        ------
        NotFoundError
            If this is no result of a run.
        """
        if not self.run_id:
            msg = f"{self.id!r} is a {self.kind}, not the result of a run."
            raise NotFoundError(msg)
        return Run({"id": self.run_id}, service=self._service).refresh()


class Hits(Sequence[Hit]):
    """What was found, best first; *total* is how many there are in all."""

    def __init__(
        self, hits: Sequence[Hit], *, total: int, facets: Mapping[str, Any]
    ) -> None:
        """Take the hits of one answer."""
        self._hits = tuple(hits)
        self.total = total
        self.facets = dict(facets)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Hit]: ...
    def __getitem__(self, index: int | slice) -> Hit | Sequence[Hit]:
        """Return one hit, or some."""
        return self._hits[index]

    def __len__(self) -> int:
        """Return how many hits are here."""
        return len(self._hits)

    def __repr__(self) -> str:
        """Return one hit a line."""
        lines = [
            f"{i}  {h.title}  ({', '.join(h.modality)})  {h.id}"
            for i, h in enumerate(self)
        ]
        return "\n".join([f"{len(self)} of {self.total} found", *lines])

    def _repr_html_(self) -> str:
        rows = [
            (
                i,
                h.title,
                ", ".join(h.modality),
                ", ".join(h.body_part),
                h.level,
                _why(h),
                Markup(f"<code>{text(h.id)}</code>"),
            )
            for i, h in enumerate(self)
        ]
        headings = ("", "Title", "Modality", "Body part", "Level", "Why", "Id")
        return table(
            headings,
            rows,
            caption=f"{len(self)} of {self.total} found; [0].open() opens the first",
        )


def find(words: str = "", *, size: int = 24, **facets: str | Sequence[str]) -> Hits:
    """Find cases and results by *words*, narrowed by *facets*.

    Parameters
    ----------
    words
        What to look for, in English or Chinese; empty finds everything open to you.
    size
        How many hits to return at most.
    **facets
        A value or several, by ``modality``, ``body_part``, ``level``, ``language``,
        ``kind``, ``code`` or ``case``.

    Examples
    --------
    ::

        rounds.find("brain", modality="MR")[0].open()
    """
    if unknown := sorted(set(facets) - set(FACETS)):
        msg = f"No facet {unknown[0]!r}. Known: {', '.join(FACETS)}."
        raise TypeError(msg)
    house = default_service()
    where = {
        name: [one] if isinstance(one, str) else list(one)
        for name, one in facets.items()
    }
    said = house.post("api/search", {"text": words, "where": where, "size": size})
    hits = [_hit(one, house) for one in said.get("hits") or []]
    return Hits(
        hits, total=int(said.get("total") or len(hits)), facets=said.get("facets") or {}
    )


def _hit(said: Mapping[str, Any], service: Service) -> Hit:
    return Hit(
        id=str(said["id"]),
        title=str(said["title"]),
        kind=str(said["kind"]),
        case_id=str(said.get("case_id") or ""),
        run_id=str(said.get("run_id") or ""),
        modality=tuple(said.get("modality") or ()),
        body_part=tuple(said.get("body_part") or ()),
        level=str(said.get("level") or ""),
        why=tuple(said.get("why") or ()),
        highlights=dict(said.get("highlights") or {}),
        _service=service,
    )


def _why(hit: Hit) -> Markup:
    """Return why it was found, and the first words that were; only marks are HTML."""
    marked = next(iter(hit.highlights.values()), "")
    words = MARKED.sub(r"<\1>", text(unescape(marked)))
    return Markup("<br>".join(filter(None, (text(" · ".join(hit.why)), words))))
