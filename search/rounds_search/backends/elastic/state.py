"""Which indices the aliases mean now, and which encoders they have.

A search asks one pair of indices by their own names, so that its several questions are
about the same generation, also when a rebuild moves the aliases in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rounds_search.backends.elastic.schema import (
    CASES,
    IMAGES,
    SCHEMA,
    VECTORS,
    encoder_of,
)
from rounds_search.errors import (
    DamagedIndexError,
    IndexUnavailableError,
    NewerIndexError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from elasticsearch import Elasticsearch

__all__ = ["State", "aliases", "look"]


@dataclass(frozen=True, slots=True)
class State:
    """One generation.

    Parameters
    ----------
    names
        The index of the cases and that of the images.
    dimensions
        How long the vectors of each encoder are.
    graphs
        The encoders whose vectors are in a graph.
    schema
        What wrote it.
    """

    names: Mapping[str, str]
    dimensions: Mapping[str, int]
    graphs: frozenset[str]
    schema: tuple[int, int]

    def checked(self) -> State:
        """Return this state if it can be searched and written.

        Raises
        ------
        NewerIndexError
            A newer version of Rounds wrote it.
        IndexUnavailableError
            An older one did: ``ensure`` makes it new.
        """
        self.newer_refused()
        if self.schema < SCHEMA:
            msg = "The index is of an older version: restart Rounds to renew it."
            raise IndexUnavailableError(msg)
        return self

    def newer_refused(self) -> None:
        """Refuse an index that a newer version of Rounds wrote.

        Raises
        ------
        NewerIndexError
            It is.
        """
        if self.schema > SCHEMA:
            raise NewerIndexError(_dotted(self.schema), _dotted(SCHEMA))


def aliases(prefix: str) -> dict[str, str]:
    """Return the names of the aliases.

    Examples
    --------
    >>> aliases("rounds")["cases"]
    'rounds-cases'
    """
    return {part: f"{prefix}-{part}" for part in (CASES, IMAGES)}


def look(client: Elasticsearch, prefix: str) -> State | None:
    """Return what is there now, or None before the first ``ensure``.

    Raises
    ------
    DamagedIndexError
        An alias is missing, or is not ours.
    """
    named = aliases(prefix)
    told = client.indices.get(
        index=list(named.values()), ignore_unavailable=True, allow_no_indices=True
    ).body
    names = {
        part: index
        for part, alias in named.items()
        for index in told
        if alias in told[index].get("aliases", {})
    }
    if CASES not in names:
        return None
    if len(names) < len(named) or len(told) > len(named):
        msg = "The aliases of the search cluster do not lead to one index each."
        raise DamagedIndexError(msg)
    vectors = _vectors(told[names[IMAGES]]["mappings"])
    return State(
        names,
        {name: int(field["dims"]) for name, field in vectors.items()},
        frozenset(name for name, field in vectors.items() if _is_graph(field)),
        _schema(told[names[CASES]]["mappings"]),
    )


def _vectors(mapping: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    rows = mapping.get("properties", {}).get(VECTORS, {})
    return {encoder_of(name): told for name, told in rows.get("properties", {}).items()}


def _is_graph(field: Mapping[str, Any]) -> bool:
    return str(field.get("index_options", {}).get("type", "")).endswith("hnsw")


def _schema(mapping: Mapping[str, Any]) -> tuple[int, int]:
    try:
        first, second = mapping["_meta"]["schema"]
        return int(first), int(second)
    except (KeyError, TypeError, ValueError):
        msg = "An index of the search cluster is none of ours."
        raise DamagedIndexError(msg) from None


def _dotted(schema: tuple[int, int]) -> str:
    return f"{schema[0]}.{schema[1]}"
