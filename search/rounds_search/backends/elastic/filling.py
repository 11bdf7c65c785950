"""Pour entries into indices that nobody searches yet; give encoders their fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from elasticsearch import BadRequestError

from rounds_search.backends.elastic.schema import (
    IMAGES,
    VECTORS,
    field_of,
    settings,
    vector_mapping,
)
from rounds_search.backends.elastic.writing import actions, check_dimensions, send
from rounds_search.errors import IndexBusyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from elasticsearch import Elasticsearch

    from rounds_search.backends.base import Entry
    from rounds_search.documents import Delete, WriteReport

__all__ = ["Filling", "add_encoders", "make_graphs"]


@dataclass(frozen=True, slots=True)
class Filling:
    """New indices on their way, and the encoders that they have so far."""

    client: Elasticsearch
    names: Mapping[str, str]
    graph_above: int
    dimensions: dict[str, int] = field(default_factory=dict)

    def pour(self, entries: Iterable[Entry | Delete]) -> WriteReport:
        """Write *entries* as they come."""
        return send(self.client, actions(self._prepared(entries), self.names))

    def end(self) -> None:
        """Make what was poured in ready to be searched."""
        usual = settings(filling=False)["refresh_interval"]
        for index in self.names.values():
            self.client.indices.put_settings(
                index=index, settings={"refresh_interval": usual}
            )
        self.client.indices.refresh(index=list(self.names.values()))
        make_graphs(self.client, self.names[IMAGES], self.dimensions, self.graph_above)

    def _prepared(self, entries: Iterable[Entry | Delete]) -> Iterator[Entry | Delete]:
        for entry in entries:
            new = check_dimensions([entry], self.dimensions)
            if new:
                add_encoders(self.client, self.names[IMAGES], new)
                self.dimensions.update(new)
            yield entry


def add_encoders(
    client: Elasticsearch, index: str, dimensions: Mapping[str, int]
) -> None:
    """Give the vectors of new encoders their fields.

    Raises
    ------
    IndexBusyError
        Somebody else gives one of them a field of another length at this moment.
    """
    if not dimensions:
        return
    fields = {
        field_of(name): vector_mapping(dimension, graph=False)
        for name, dimension in dimensions.items()
    }
    try:
        client.indices.put_mapping(index=index, properties=_rows(fields))
    except BadRequestError as error:
        raise IndexBusyError(0) from error


def make_graphs(
    client: Elasticsearch, index: str, dimensions: Mapping[str, int], above: int
) -> None:
    """Put the vectors of encoders that have more than *above* into graphs.

    What is there already gets its graph when segments are merged next; until then it
    is compared as before.
    """
    if not dimensions:
        return
    told = client.search(
        index=index,
        size=0,
        query={"terms": {"encoder": sorted(dimensions)}},
        aggs={
            "encoders": {
                "terms": {"field": "encoder", "size": len(dimensions)},
                "aggs": {"vectors": {"sum": {"field": "count"}}},
            }
        },
    )
    fields = {
        field_of(one["key"]): vector_mapping(dimensions[one["key"]], graph=True)
        for one in told["aggregations"]["encoders"]["buckets"]
        if one["vectors"]["value"] > above
    }
    if fields:
        client.indices.put_mapping(index=index, properties=_rows(fields))


def _rows(fields: Mapping[str, object]) -> dict[str, dict[str, object]]:
    return {VECTORS: {"type": "nested", "properties": dict(fields)}}
