"""Find cases and results, as a list that a notebook shows as a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING, Any, overload

from rounds.asking import example_of, filters_of, png_of, sent_example
from rounds.cases import open_case
from rounds.client import default_service
from rounds.errors import NotFoundError
from rounds.html import Markup, table, text
from rounds.runs import Run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from rounds.cases import Case, Series
    from rounds.client import Service

__all__ = ["Hit", "Hits", "find", "search"]

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
    ranks: Mapping[str, int] = field(default_factory=dict)
    """Its place in each leg: ``text``, ``picture``, ``region``; from 1."""
    pairs: tuple[Mapping[str, Any], ...] = ()
    """Slices that are alike: what was asked with, and what was found."""
    thumbnail_path: str = ""
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

    @property
    def thumbnail(self) -> bytes:
        """A small PNG of it.

        Raises
        ------
        NotFoundError
            If it has none.
        """
        if not self.thumbnail_path:
            msg = f"{self.id!r} has no picture."
            raise NotFoundError(msg)
        return self._service.content(self.thumbnail_path)

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
    """What was found, best first; *total* is how many there are in all.

    *expansions* are other words that were searched, too, *corrections* what was
    perhaps meant; *relaxed* is true when nothing has all the words.
    """

    def __init__(
        self,
        hits: Sequence[Hit],
        *,
        total: int,
        facets: Mapping[str, Any],
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Take the hits of one answer; *more* is what else it says."""
        said = more or {}
        self._hits = tuple(hits)
        self.total = total
        self.facets = dict(facets)
        self.expansions: dict[str, list[str]] = dict(said.get("expansions") or {})
        self.corrections: tuple[str, ...] = tuple(said.get("corrections") or ())
        self.relaxed = bool(said.get("relaxed"))

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
    return _found({"text": words, "where": filters_of(facets), "size": size})


def search(  # noqa: PLR0913 (what one can ask with)
    words: str = "",
    *,
    picture: npt.NDArray[Any] | bytes | str | Path | None = None,
    like: Case | Series | str | None = None,
    slice: int | None = None,  # noqa: A002 (what it is)
    region: Sequence[Any] | None = None,
    leave_out: Sequence[str] = (),
    without: Sequence[str] = (),
    size: int = 24,
    **facets: str | Sequence[str],
) -> Hits:
    """Find cases by words, a picture, a case, a slice, a region, or all together.

    Parameters
    ----------
    words
        What to look for, in English or Chinese.
    picture
        ``(rows, columns)`` of any numbers, the bytes of a PNG, JPEG or DICOM file, or
        its path. It is not kept.
    like
        A case or its id, or a series or its UID.
    slice
        Which slice of that series, counted from 0.
    region
        Where on that slice, or on the picture: ``(left, top, right, bottom)`` in
        pixels, or the corners ``[(x, y), …]`` of a polygon.
    leave_out
        ``"patient"``: other cases of the same patient; ``"copies"``: the same pictures.
    without
        Expansions that are not wanted, as ``Hits.expansions`` names them.
    size, **facets
        As in :func:`find`.

    Raises
    ------
    RefusedError
        If a picture is none, or a region has no slice.

    Examples
    --------
    ::

        case = rounds.search("ring enhancing", modality="MR")[0].open()
        rounds.search(like=case, slice=40, region=(80, 90, 120, 130))
        rounds.search("abscess", picture=case.volume.array[40])
    """
    examples = [] if like is None else [example_of(like, slice, region)]
    files: dict[str, bytes] = {}
    if picture is not None:
        examples.append(sent_example(region if like is None else None))
        files["picture"] = png_of(picture)
    lists = {"like": examples, "leave_out": [*leave_out], "without": [*without]}
    asked = {"text": words, "where": filters_of(facets), "size": size}
    return _found(asked | lists, files)


def _found(asked: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> Hits:
    """Return what the house finds."""
    house = default_service()
    path = "api/search"
    said = house.post_files(path, asked, files) if files else house.post(path, asked)
    hits = [_hit(one, house) for one in said.get("hits") or []]
    total = int(said.get("total") or len(hits))
    return Hits(hits, total=total, facets=said.get("facets") or {}, more=said)


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
        ranks=dict(said.get("ranks") or {}),
        pairs=tuple(said.get("pairs") or ()),
        thumbnail_path=str(said.get("thumbnail_url") or ""),
        _service=service,
    )


def _why(hit: Hit) -> Markup:
    """Return why it was found, and the first words that were; only marks are HTML."""
    marked = next(iter(hit.highlights.values()), "")
    words = MARKED.sub(r"<\1>", text(unescape(marked)))
    return Markup("<br>".join(filter(None, (text(" · ".join(hit.why)), words))))
