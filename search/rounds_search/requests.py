"""The one question every door asks: words, pictures and filters, with an asker.

A request is a value: it says what is wanted, and nothing about how a backend finds it.
The asker's audience is no part of its JSON, so that no client can choose its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_search.documents import (
    FACETS,
    MAX_AUDIENCE,
    MAX_ID,
    check_encoder_name,
    unit_positions,
    unit_vectors,
)
from rounds_search.errors import (
    LimitError,
    RequestError,
    check_audience,
    check_known,
    check_tuple,
    require,
    well_formed,
)
from rounds_search.reading import a_list, load, plain, read_object, strings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from rounds_search.queries import Known
    from rounds_search.reading import Reader

__all__ = ["SORTS", "Facet", "Request", "Term", "VectorQuery"]

SORTS: Final = ("relevance", "newest", "oldest", "title")
MAX_WORDS: Final = 10_000
MAX_PREFIX: Final = 200
MAX_QUERY_VECTORS: Final = 64
MAX_LEGS: Final = 8
MAX_TERMS: Final = 32
MAX_TERM_VALUES: Final = 100
MAX_SIZE: Final = 200
MAX_WINDOW: Final = 2_000
MAX_FACET_SIZE: Final = 500
MAX_EXCLUDED: Final = 1_000
MAX_CURSOR: Final = 2_000
MAX_WEIGHT: Final = 1_000.0


@dataclass(frozen=True, slots=True)
class Term:
    """Only documents whose *field* has one of *values*.

    Examples
    --------
    >>> Term("modality", ("CT", "MR"))
    Term(field='modality', values=('CT', 'MR'))
    """

    field: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse an unknown facet and a list that is empty or too long."""
        check_known("facet", self.field, FACETS)
        check_tuple(f"Values of {self.field!r}", self.values, MAX_TERM_VALUES)
        what = f"The number of values of {self.field!r}"
        require(len(self.values) > 0, what, 0, f"1 to {MAX_TERM_VALUES}")


@dataclass(frozen=True, slots=True)
class Facet:
    """Count the values of the facet *name*, at most *size* of them.

    Examples
    --------
    >>> Facet("level")
    Facet(name='level', size=20)
    """

    name: str
    size: int = 20

    def __post_init__(self) -> None:
        """Refuse an unknown facet and a size out of bounds."""
        check_known("facet", self.name, FACETS)
        fits = 1 <= self.size <= MAX_FACET_SIZE
        require(fits, f"The size of facet {self.name!r}", self.size, "1 to 500")


@dataclass(frozen=True, slots=True, eq=False)
class VectorQuery:
    """Documents whose pictures are near to given ones.

    Give either *vector*, ``(d,)`` or ``(n, d)``, or *like*, the id of a document whose
    own pictures are the question. With several rows a picture's score is the mean over
    the rows of its best slice (late interaction). *weight* counts in the fusion,
    *at_least* drops what is less similar, *name* is the leg's name in ``Hit.ranks``.
    *positions* ``(n,)`` in 0..1 say where along the stack the rows asked with lie:
    what lies elsewhere counts less (``rounds_search.interaction``); with *like* they
    are the document's own.

    Examples
    --------
    >>> VectorQuery("rounds-gist-1", like="case-7").name
    'picture'
    """

    encoder: str
    vector: npt.NDArray[np.float32] | None = None
    weight: float = 1.0
    like: str = ""
    at_least: float = -1.0
    name: str = "picture"
    positions: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        """Refuse a question without a picture; scale vectors to unit length."""
        check_encoder_name(self.encoder)
        if (self.vector is None) == (not self.like):
            msg = "A picture query needs either 'vector' or 'like', not both."
            raise RequestError(msg)
        require(len(self.like) <= MAX_ID, "like", self.like, "at most 200 characters")
        check_weight(f"The weight of {self.name!r}", self.weight)
        require(-1 <= self.at_least <= 1, "at_least", self.at_least, "-1 to 1")
        named = self.name.isprintable() and 1 <= len(self.name) <= MAX_ID
        require(named, "The name of a leg", self.name, "1 to 200 printable characters")
        if self.vector is not None:
            scaled = unit_vectors(self.vector, most=MAX_QUERY_VECTORS)
            object.__setattr__(self, "vector", scaled)
        self._check_positions()

    def _check_positions(self) -> None:
        if self.positions is None:
            return
        if self.vector is None:
            msg = "Positions go with 'vector'; with 'like' they are the document's own."
            raise RequestError(msg)
        placed = unit_positions(self.positions, len(self.vector))
        object.__setattr__(self, "positions", placed)

    def _key(self) -> tuple[object, ...]:
        rows = b"" if self.vector is None else self.vector.tobytes()
        placed = None if self.positions is None else self.positions.tobytes()
        plain = (self.encoder, self.weight, self.like, self.at_least, self.name)
        return (*plain, rows, placed)

    def __eq__(self, other: object) -> bool:
        """Compare by value, vectors included."""
        return isinstance(other, VectorQuery) and self._key() == other._key()

    def __hash__(self) -> int:
        """Hash by value, vectors included."""
        return hash(self._key())


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A search: what is wanted, and for whom.

    Parameters
    ----------
    audience
        What the asker belongs to. It has no default; an empty one sees nothing.
    text
        Words in English or Chinese; ``"quoted words"`` stay together.
    prefix
        The beginning of a word, as it is typed; the answer has ``suggestions``.
    vectors
        Picture legs; with ``text`` they are fused by rank.
    where
        Filters, all of which must hold.
    facets
        What to count. Each is counted with the other facets' filters, not its own.
    sort
        One of ``SORTS``.
    after
        The cursor of the answer to go on from.
    size, window
        Hits an answer has, and candidates each leg brings into a fusion.
    exclude
        Ids left out of hits, total and facets.
    expand
        Search synonyms too.
    without
        Synonyms that are not searched, as ``Answer.expansions`` writes them.
    known
        What words and codes mean; None: what comes with Rounds. No part of the JSON.

    Raises
    ------
    RequestError
        A value is out of bounds; the message names it and what would work.

    Examples
    --------
    >>> Request(text="brain abscess", audience=frozenset({"everyone"})).size
    24
    """

    audience: frozenset[str]
    text: str = ""
    prefix: str = ""
    vectors: tuple[VectorQuery, ...] = ()
    where: tuple[Term, ...] = ()
    facets: tuple[Facet, ...] = ()
    sort: str = "relevance"
    after: str | None = None
    size: int = 24
    window: int = 200
    highlight: bool = True
    exclude: frozenset[str] = field(default_factory=frozenset)
    expand: bool = True
    text_weight: float = 1.0
    without: frozenset[str] = field(default_factory=frozenset)
    known: Known | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse what no backend should have to answer."""
        check_audience(self.audience, MAX_AUDIENCE)
        check_known("sort", self.sort, SORTS)
        check_weight("text_weight", self.text_weight)
        for what, value, least, most in self._bounded():
            require(least <= value <= most, what, value, f"{least} to {most}")
        self._check_names()
        for name in ("text", "prefix"):
            object.__setattr__(self, name, well_formed(getattr(self, name)))

    def _bounded(self) -> tuple[tuple[str, int, int, int], ...]:
        return (
            ("size", self.size, 0, MAX_SIZE),
            ("window", self.window, 1, MAX_WINDOW),
            ("The length of text", len(self.text), 0, MAX_WORDS),
            ("The length of prefix", len(self.prefix), 0, MAX_PREFIX),
            ("The length of after", len(self.after or ""), 0, MAX_CURSOR),
            ("The number of picture legs", len(self.vectors), 0, MAX_LEGS),
            ("The number of filters", len(self.where), 0, MAX_TERMS),
            ("The number of facets", len(self.facets), 0, len(FACETS)),
            ("The number of excluded ids", len(self.exclude), 0, MAX_EXCLUDED),
            ("The number of removed words", len(self.without), 0, MAX_EXCLUDED),
        )

    def _check_names(self) -> None:
        legs = [leg.name for leg in self.vectors]
        if len({"text", *legs}) != len(legs) + 1:
            msg = f"Picture legs need names of their own besides 'text', got {legs}."
            raise RequestError(msg)
        if len({facet.name for facet in self.facets}) != len(self.facets):
            msg = "Each facet can be counted once."
            raise RequestError(msg)

    def to_json(self) -> dict[str, Any]:
        """Return the request as plain JSON values, without its audience."""
        found: dict[str, Any] = {name: getattr(self, name) for name in _SIMPLE}
        found["vectors"] = [_leg_to_json(leg) for leg in self.vectors]
        found["where"] = [
            {"field": term.field, "values": list(term.values)} for term in self.where
        ]
        found["facets"] = [{"name": one.name, "size": one.size} for one in self.facets]
        found["exclude"] = sorted(self.exclude)
        found["without"] = sorted(self.without)
        return found

    @classmethod
    def from_json(
        cls, data: Mapping[str, Any] | str | bytes, *, audience: frozenset[str]
    ) -> Request:
        """Return the request that *data* describes, asked by *audience*.

        Raises
        ------
        RequestError
            *data* is too long, no JSON, has unknown keys or values of a wrong type.
        """
        return cls(audience=audience, **read_object(load(data), _READERS))


def check_weight(what: str, weight: float) -> None:
    """Refuse a weight that is negative, huge or not a number.

    Raises
    ------
    LimitError
        *weight* is out of bounds; the message starts with *what*.
    """
    require(0 <= weight <= MAX_WEIGHT, what, weight, f"0 to {MAX_WEIGHT:g}")


def _objects(made: type, readers: Mapping[str, Reader], most: int) -> Reader:
    def read(key: str, value: object) -> tuple[Any, ...]:
        found = [read_object(one, readers) for one in a_list(key, value, most)]
        try:
            return tuple(made(**one) for one in found)
        except TypeError:
            needed = " and ".join(list(readers)[: 2 if made is Term else 1])
            msg = f"Each of {key!r} needs {needed}."
            raise RequestError(msg) from None

    return read


def _rows(key: str, value: object) -> npt.NDArray[np.float32]:
    try:
        rows = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        raise LimitError(repr(key), value, "a list of numbers") from None
    return unit_vectors(rows, most=MAX_QUERY_VECTORS)


def _numbers(key: str, value: object) -> npt.NDArray[np.float32]:
    try:
        return np.asarray(a_list(key, value, MAX_QUERY_VECTORS), dtype=np.float32)
    except (TypeError, ValueError):
        raise LimitError(repr(key), value, "a list of numbers") from None


def _leg_to_json(leg: VectorQuery) -> dict[str, Any]:
    found: dict[str, Any] = {name: getattr(leg, name) for name in _LEG}
    for name in ("vector", "positions"):
        if found[name] is None:
            del found[name]
        else:
            found[name] = found[name].tolist()
    return found


_LEG: Final[Mapping[str, Reader]] = {
    "encoder": plain(str),
    "vector": _rows,
    "weight": plain(int, float),
    "like": plain(str),
    "at_least": plain(int, float),
    "name": plain(str),
    "positions": _numbers,
}
_TERM: Final[Mapping[str, Reader]] = {
    "field": plain(str),
    "values": strings(MAX_TERM_VALUES),
}
_FACET: Final[Mapping[str, Reader]] = {"name": plain(str), "size": plain(int)}
_SIMPLE: Final[Mapping[str, Reader]] = {
    "text": plain(str),
    "prefix": plain(str),
    "sort": plain(str),
    "after": plain(str, type(None)),
    "size": plain(int),
    "window": plain(int),
    "highlight": plain(bool),
    "expand": plain(bool),
    "text_weight": plain(int, float),
}
_READERS: Final[Mapping[str, Reader]] = {
    **_SIMPLE,
    "vectors": _objects(VectorQuery, _LEG, MAX_LEGS),
    "where": _objects(Term, _TERM, MAX_TERMS),
    "facets": _objects(Facet, _FACET, len(FACETS)),
    "exclude": lambda key, value: frozenset(strings(MAX_EXCLUDED)(key, value)),
    "without": lambda key, value: frozenset(strings(MAX_EXCLUDED)(key, value)),
}
