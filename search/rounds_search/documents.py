"""What is put into the index, and what comes out of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_search.answers import Answer, Hit, Pair, WriteReport
from rounds_search.errors import (
    LimitError,
    RequestError,
    check_audience,
    check_known,
    check_tuple,
    require,
    well_formed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

__all__ = [
    "FACETS",
    "KINDS",
    "TEXT_FIELDS",
    "Answer",
    "Delete",
    "Document",
    "Hit",
    "ImageDocument",
    "Pair",
    "WriteReport",
]

KINDS: Final = ("case", "result")
TEXT_FIELDS: Final = (
    "history",
    "findings",
    "diagnosis",
    "differential",
    "discussion",
    "codes_text",
    "study",
)
FACETS: Final = (
    "modality",
    "body_part",
    "level",
    "language",
    "kind",
    "code",
    "case",
)
DERIVED: Final = ("language", "kind", "code", "case")

MAX_ID: Final = 200
MAX_TEXT: Final = 1_000_000
MAX_VALUES: Final = 500
MAX_AUDIENCE: Final = 10_000
MAX_VECTORS: Final = 4_096
MAX_DIMENSION: Final = 4_096
MAX_REVISION: Final = 2**62
ROUNDING: Final = 1e-6
ENCODER_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One case or result as the index keeps it.

    Parameters
    ----------
    id
        Its name, at most 200 characters; the same id replaces the document.
    kind
        ``"case"`` or ``"result"``.
    revision
        Grows with every change; an older one never overwrites a newer one.
    audience
        Who may find it: it is found by a request whose audience shares a member.
    text
        Words by field; the fields are ``TEXT_FIELDS``.
    facets
        Values by facet: ``modality``, ``body_part``, ``level``. The others of
        ``FACETS`` follow from ``language``, ``kind``, ``codes`` and ``case_id``.
    date
        When it was published, as ISO 8601; ``""`` sorts last.

    Raises
    ------
    RequestError
        A value is out of bounds; the message names it.

    Examples
    --------
    >>> case = Document(
    ...     id="c1", kind="case", revision=1, title="Brain abscess",
    ...     facets={"modality": ("MR",)}, audience=frozenset({"everyone"}))
    >>> case.values("kind"), case.values("modality")
    (('case',), ('MR',))
    """

    id: str
    kind: str
    revision: int
    title: str
    audience: frozenset[str]
    language: str = "en"
    text: Mapping[str, str] = field(default_factory=dict)
    facets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    codes: tuple[str, ...] = ()
    thumbnail: str = ""
    case_id: str = ""
    date: str = ""

    def __post_init__(self) -> None:
        """Refuse what the index could not keep."""
        _check_key(self.id, self.revision, self.audience)
        cleaned = {name: well_formed(words) for name, words in self.text.items()}
        object.__setattr__(self, "text", cleaned)
        object.__setattr__(self, "title", well_formed(self.title))
        check_known("kind of document", self.kind, KINDS)
        for name in self.text:
            check_known("text field", name, TEXT_FIELDS)
        length = len(self.title) + sum(map(len, self.text.values()))
        what = f"The text of document {self.id!r}"
        require(length <= MAX_TEXT, what, length, f"at most {MAX_TEXT} characters")
        for name, values in self.facets.items():
            _check_values(name, values)
        _check_values("code", self.codes)
        seconds(self.date)

    def values(self, facet: str) -> tuple[str, ...]:
        """Return this document's values of *facet*.

        Raises
        ------
        UnknownFieldError
            *facet* is none of ``FACETS``.
        """
        check_known("facet", facet, FACETS)
        if facet in self.facets:
            return tuple(self.facets[facet])
        derived = {
            "kind": (self.kind,),
            "language": (self.language,) if self.language else (),
            "code": self.codes,
            "case": (self.case_id,) if self.case_id else (),
        }
        return derived.get(facet, ())

    def fields(self) -> dict[str, str]:
        """Return every text field, the title first, empty ones left out."""
        named = {"title": self.title} | dict(self.text)
        return {name: words for name, words in named.items() if words}

    def to_json(self) -> dict[str, Any]:
        """Return the document as plain JSON values."""
        return {
            "id": self.id,
            "kind": self.kind,
            "revision": self.revision,
            "title": self.title,
            "audience": sorted(self.audience),
            "language": self.language,
            "text": dict(self.text),
            "facets": {name: list(values) for name, values in self.facets.items()},
            "codes": list(self.codes),
            "thumbnail": self.thumbnail,
            "case_id": self.case_id,
            "date": self.date,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Document:
        """Return the document that ``to_json`` described."""
        return cls(**_typed(data))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageDocument:
    """The vectors of one series under one encoder.

    Parameters
    ----------
    id
        By custom ``f"{series_uid}:{encoder}"``.
    case_ids
        Ids of the documents that a hit on these pictures leads to.
    vectors
        ``(n, d)``, one row a slice; scaled to unit length here.
    where
        Facet values copied from series and case, for filters. A filter on a facet
        that is missing here is left to the document.
    audience
        Who may find a document by these pictures.
    positions
        ``(n,)`` in 0..1: where each row lies along the stack, from the first slice in
        the encoder's order to the last; None where that is unknown.

    Examples
    --------
    >>> one = ImageDocument(
    ...     id="1.2.3:rounds-gist-1", case_ids=("c1",), revision=1,
    ...     encoder="rounds-gist-1", vectors=np.eye(2, 4),
    ...     audience=frozenset({"everyone"}), positions=[0, 1])
    >>> one.vectors.shape, one.vectors.dtype.name, one.positions.tolist()
    ((2, 4), 'float32', [0.0, 1.0])
    """

    id: str
    case_ids: tuple[str, ...]
    revision: int
    encoder: str
    vectors: npt.NDArray[np.float32]
    audience: frozenset[str]
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    positions: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        """Refuse what the index could not keep; scale to unit length."""
        _check_key(self.id, self.revision, self.audience)
        check_encoder_name(self.encoder)
        check_tuple("case_ids", self.case_ids, MAX_VALUES)
        for name, values in self.where.items():
            _check_values(name, values)
        scaled = unit_vectors(self.vectors, most=MAX_VECTORS)
        object.__setattr__(self, "vectors", scaled)
        if self.positions is not None:
            placed = unit_positions(self.positions, len(scaled))
            object.__setattr__(self, "positions", placed)


@dataclass(frozen=True, slots=True)
class Delete:
    """That a document, or the pictures of that id, are gone since *revision*.

    Examples
    --------
    >>> Delete("c1", revision=7)
    Delete(id='c1', revision=7, pictures=False)
    """

    id: str
    revision: int
    pictures: bool = False

    def __post_init__(self) -> None:
        """Refuse an id or a revision that no document could have."""
        _check_key(self.id, self.revision, frozenset())


def unit_vectors(vectors: npt.ArrayLike, *, most: int) -> npt.NDArray[np.float32]:
    """Return *vectors* as ``(n, d)`` float32 rows of unit length, read-only.

    Raises
    ------
    RequestError
        The shape is wrong, a number is not finite, or a row is all zero.
    """
    rows = np.atleast_2d(np.asarray(vectors, dtype=np.float32))
    count, dimension = rows.shape if rows.ndim == 2 else (0, 0)  # noqa: PLR2004 - a matrix
    fits = 1 <= count <= most and 1 <= dimension <= MAX_DIMENSION
    allowed = f"1 to {most} rows of 1 to {MAX_DIMENSION} numbers"
    require(fits, "vectors", rows.shape, allowed)
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        msg = "A vector must have finite numbers that are not all zero."
        raise RequestError(msg)
    # What is of unit length already stays bit for bit, however often it passes here.
    lengths[np.abs(lengths - 1) < ROUNDING] = 1
    scaled = np.array(rows / lengths, dtype=np.float32)
    scaled.setflags(write=False)
    return scaled


def unit_positions(positions: npt.ArrayLike, count: int) -> npt.NDArray[np.float32]:
    """Return *positions* of *count* rows as ``(count,)`` float32, read-only.

    Raises
    ------
    RequestError
        There are more or fewer than *count*, or one is outside 0..1.
    """
    placed = np.array(positions, np.float32)
    require(placed.shape == (count,), "positions", placed.shape, f"one a row, {count}")
    inside = bool(((placed >= 0) & (placed <= 1)).all())
    require(inside, "positions", placed.tolist(), "numbers from 0 to 1")
    placed.setflags(write=False)
    return placed


def check_encoder_name(name: str) -> None:
    """Refuse an encoder name that could not be a file name everywhere.

    Raises
    ------
    RequestError
        The name has other characters than ``a-z 0-9 . _ -``.
    """
    fits = ENCODER_NAME.fullmatch(name) is not None
    allowed = "1 to 63 characters of a-z 0-9 . _ -"
    require(fits, "The name of an encoder", name, allowed)


def seconds(date: str) -> float:
    """Return the ISO 8601 *date* as seconds since 1970, minus infinity for ``""``.

    Examples
    --------
    >>> seconds("1970-01-02")
    86400.0
    """
    if not date:
        return float("-inf")
    try:
        moment = datetime.fromisoformat(date)
    except ValueError:
        what = "date"
        raise LimitError(what, date, "an ISO 8601 date or ''") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()


def packed(document: Document) -> str:
    """Return *document* as one line of JSON."""
    return json.dumps(document.to_json(), ensure_ascii=False, separators=(",", ":"))


def unpacked(line: str) -> Document:
    """Return the document of ``packed``, not checked again: it was on its way in."""
    made = object.__new__(Document)
    for name, value in _typed(json.loads(line)).items():
        object.__setattr__(made, name, value)
    return made


def _typed(data: Mapping[str, Any]) -> dict[str, Any]:
    facets = {name: tuple(values) for name, values in data["facets"].items()}
    return {
        **data,
        "audience": frozenset(data["audience"]),
        "facets": facets,
        "codes": tuple(data["codes"]),
    }


def _check_key(name: str, revision: int, audience: object) -> None:
    fits = 1 <= len(name) <= MAX_ID and name.isprintable()
    require(fits, "An id", name, f"1 to {MAX_ID} printable characters")
    what = f"The revision of {name!r}"
    require(0 <= revision <= MAX_REVISION, what, revision, "0 to 2^62")
    check_audience(audience, MAX_AUDIENCE)


def _check_values(name: str, values: tuple[str, ...]) -> None:
    check_known("facet", name, FACETS)
    check_tuple(f"Facet {name!r}", values, MAX_VALUES)
    for value in values:
        fits = 1 <= len(value) <= MAX_ID and value.isprintable()
        allowed = f"1 to {MAX_ID} printable characters"
        require(fits, f"A value of {name!r}", value, allowed)
