"""The one question every door asks: words, pictures and filters, with an asker.

A request is a value: it says what is wanted, and nothing about how a backend finds it.
The asker's audience is no part of its JSON, so that no client can choose its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_search.documents import (
    FACETS,
    MAX_AUDIENCE,
    MAX_ID,
    check_encoder_name,
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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    _Reader = Callable[[str, Any], Any]

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
MAX_JSON: Final = 8_000_000
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

    def _key(self) -> tuple[object, ...]:
        rows = b"" if self.vector is None else self.vector.tobytes()
        return (self.encoder, rows, self.weight, self.like, self.at_least, self.name)

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
        plain: dict[str, Any] = {name: getattr(self, name) for name in _SIMPLE}
        plain["vectors"] = [_leg_to_json(leg) for leg in self.vectors]
        plain["where"] = [
            {"field": term.field, "values": list(term.values)} for term in self.where
        ]
        plain["facets"] = [{"name": one.name, "size": one.size} for one in self.facets]
        plain["exclude"] = sorted(self.exclude)
        return plain

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
        return cls(audience=audience, **_read_object(_load(data), _READERS))


def check_weight(what: str, weight: float) -> None:
    """Refuse a weight that is negative, huge or not a number.

    Raises
    ------
    LimitError
        *weight* is out of bounds; the message starts with *what*.
    """
    require(0 <= weight <= MAX_WEIGHT, what, weight, f"0 to {MAX_WEIGHT:g}")


def _load(data: Mapping[str, Any] | str | bytes) -> object:
    if not isinstance(data, str | bytes):
        return data
    fits = len(data) <= MAX_JSON
    require(fits, "The length of a request", len(data), f"at most {MAX_JSON}")
    try:
        parsed: object = json.loads(data)
    except (ValueError, RecursionError):
        msg = "A request must be a JSON object."
        raise RequestError(msg) from None
    return parsed


def _read_object(data: object, readers: Mapping[str, _Reader]) -> dict[str, Any]:
    if not isinstance(data, dict):
        msg = f"A JSON object was expected, got {type(data).__name__}."
        raise RequestError(msg)
    for key in data:
        check_known("key", key, readers)
    return {key: readers[key](key, value) for key, value in data.items()}


def _plain(*kinds: type) -> _Reader:
    names = " or ".join(kind.__name__ for kind in kinds)

    def read(key: str, value: object) -> object:
        # bool is an int to Python, and is none to a person.
        is_flag = isinstance(value, bool) and bool not in kinds
        if is_flag or not isinstance(value, kinds):
            raise LimitError(repr(key), value, names)
        return value

    return read


def _list(key: str, value: object, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise LimitError(repr(key), value, f"a list of at most {most}")
    return value


def _strings(most: int) -> _Reader:
    read = _plain(str)
    return lambda key, value: tuple(read(key, one) for one in _list(key, value, most))


def _objects(made: type, readers: Mapping[str, _Reader], most: int) -> _Reader:
    def read(key: str, value: object) -> tuple[Any, ...]:
        found = [_read_object(one, readers) for one in _list(key, value, most)]
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


def _leg_to_json(leg: VectorQuery) -> dict[str, Any]:
    plain: dict[str, Any] = {name: getattr(leg, name) for name in _LEG}
    if leg.vector is None:
        del plain["vector"]
    else:
        plain["vector"] = leg.vector.tolist()
    return plain


_LEG: Final[Mapping[str, _Reader]] = {
    "encoder": _plain(str),
    "vector": _rows,
    "weight": _plain(int, float),
    "like": _plain(str),
    "at_least": _plain(int, float),
    "name": _plain(str),
}
_TERM: Final[Mapping[str, _Reader]] = {
    "field": _plain(str),
    "values": _strings(MAX_TERM_VALUES),
}
_FACET: Final[Mapping[str, _Reader]] = {"name": _plain(str), "size": _plain(int)}
_SIMPLE: Final[Mapping[str, _Reader]] = {
    "text": _plain(str),
    "prefix": _plain(str),
    "sort": _plain(str),
    "after": _plain(str, type(None)),
    "size": _plain(int),
    "window": _plain(int),
    "highlight": _plain(bool),
    "expand": _plain(bool),
    "text_weight": _plain(int, float),
}
_READERS: Final[Mapping[str, _Reader]] = {
    **_SIMPLE,
    "vectors": _objects(VectorQuery, _LEG, MAX_LEGS),
    "where": _objects(Term, _TERM, MAX_TERMS),
    "facets": _objects(Facet, _FACET, len(FACETS)),
    "exclude": lambda key, value: frozenset(_strings(MAX_EXCLUDED)(key, value)),
}
