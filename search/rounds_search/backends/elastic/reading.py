"""Read back what an index holds, whole, in no order."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_search.backends.elastic.schema import IMAGES, VECTORS
from rounds_search.documents import Delete, ImageDocument, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from elasticsearch import Elasticsearch

    from rounds_search.backends.base import Entry

__all__ = ["entry", "picture", "scanned"]

BATCH: Final = 500
KEPT_ALIVE: Final = "5m"


def scanned(
    client: Elasticsearch, index: str, wanted: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the sources of what the query *wanted* finds, as it was at one moment."""
    pit = client.open_point_in_time(index=index, keep_alive=KEPT_ALIVE)["id"]
    try:
        after: list[Any] | None = None
        while True:
            told = client.search(
                pit={"id": pit, "keep_alive": KEPT_ALIVE},
                query=wanted,
                size=BATCH,
                sort=[{"_shard_doc": "asc"}],
                search_after=after,
                track_total_hits=False,
                source_excludes=[VECTORS],
            )
            hits = told["hits"]["hits"]
            for hit in hits:
                yield hit["_source"]
            if len(hits) < BATCH:
                return
            pit, after = told["pit_id"], hits[-1]["sort"]
    finally:
        client.close_point_in_time(id=pit)


def entry(source: Mapping[str, Any], part: str) -> Entry | Delete:
    """Return what was written as *source* into the index of *part*."""
    if source["gone"]:
        return Delete(source["id"], source["revision"], pictures=part == IMAGES)
    return picture(source) if part == IMAGES else unpacked(source["body"])


def picture(source: Mapping[str, Any]) -> ImageDocument:
    """Return the pictures that were written as *source*, bit for bit."""
    known = json.loads(source["body"])
    rows = np.frombuffer(base64.b64decode(known["vectors"]), "<f4")
    placed = known["positions"]
    made = object.__new__(ImageDocument)
    values = {
        "id": source["id"],
        "case_ids": tuple(source["case_ids"]),
        "revision": source["revision"],
        "encoder": source["encoder"],
        "vectors": rows.reshape(source["count"], -1),
        "audience": frozenset(source["audience"]),
        "where": {name: tuple(values) for name, values in source["facets"].items()},
        "positions": None if placed is None else np.array(placed, np.float32),
    }
    # Not checked again: it was on its way in.
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made
