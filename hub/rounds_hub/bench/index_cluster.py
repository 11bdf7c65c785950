"""Row ``index-cluster``: the documents of row ``index``, put into Elasticsearch.

The peer is the client's own ``streaming_bulk`` with the same cases and vectors as plain
JSON, analyzed by the server; both refresh once at the end. Equal means that both have
them all. It needs a cluster: ``ELASTICSEARCH_URL`` says where.
"""

from __future__ import annotations

import os
import secrets
from contextlib import closing
from importlib.metadata import version
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from elasticsearch import Elasticsearch
from elasticsearch.helpers import streaming_bulk

from rounds_hub.bench.base import Contestant, Race
from rounds_hub.bench.library import COUNTED, DIMENSION, Library
from rounds_hub.errors import BusyError
from rounds_search import Document
from rounds_search.backends.elastic import Cluster, ElasticBackend

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rounds_search import ImageDocument

__all__ = ["races"]

CASES: Final = 5_000
QUICK_CASES: Final = 200
BATCH: Final = 1_000
SECONDS: Final = 120.0


def races(*, quick: bool) -> Iterator[Race]:
    """Yield indexing against the client's own helper.

    Raises
    ------
    BusyError
        Nobody says where a cluster is.
    """
    url = os.environ.get("ELASTICSEARCH_URL", "")
    if not url:
        msg = "This row needs a cluster: set ELASTICSEARCH_URL to its address."
        raise BusyError(msg)
    library = Library.of(QUICK_CASES if quick else CASES)
    entries = list(library.entries())
    yield Race(
        "index-cluster",
        "put documents and pictures into Elasticsearch",
        f"{len(library):,} documents of 60 words, as many vectors, {BATCH} at once",
        Contestant("rounds", "elasticsearch", lambda: _ours(url, entries)),
        Contestant(
            "streaming_bulk of elasticsearch-py",
            version("elasticsearch"),
            lambda: _plain(url, entries),
        ),
        lambda one, other: bool(one == other == len(library)),
        waits=True,
    )


def _ours(url: str, entries: Sequence[Document | ImageDocument]) -> int:
    prefix = _prefix()
    try:
        cluster = Cluster(url, prefix=prefix, seconds=SECONDS)
        with closing(ElasticBackend(cluster)) as index:
            index.ensure()
            remaining = iter(entries)
            while part := list(islice(remaining, 2 * BATCH)):
                index.write(part)
            return int(index.health()["documents"])
    finally:
        _forget(url, prefix)


def _plain(url: str, entries: Sequence[Document | ImageDocument]) -> int:
    prefix = _prefix()
    try:
        with Elasticsearch(url, request_timeout=SECONDS) as client:
            names = {kind: f"{prefix}-{kind}" for kind in ("cases", "images")}
            client.indices.create(index=names["cases"], mappings=_cases())
            client.indices.create(index=names["images"], mappings=_images())
            for good, _ in streaming_bulk(client, _actions(entries, names)):
                assert good  # noqa: S101 - it raises where one is not
            client.indices.refresh(index=list(names.values()))
            return int(client.count(index=names["cases"])["count"])
    finally:
        _forget(url, prefix)


def _actions(
    entries: Sequence[Document | ImageDocument], names: dict[str, str]
) -> Iterator[dict[str, Any]]:
    for one in entries:
        if isinstance(one, Document):
            plain = one.to_json()
            yield {"_index": names["cases"], "_id": one.id, **plain}
        else:
            rows = [{"vector": row} for row in one.vectors.tolist()]
            plain = {"audience": sorted(one.audience), "rows": rows}
            yield {"_index": names["images"], "_id": one.id, **plain}


def _cases() -> dict[str, Any]:
    keyword = {"type": "keyword"}
    facets = {"properties": dict.fromkeys(COUNTED, keyword)}
    fields = {"facets": facets, "audience": keyword, "title": {"type": "text"}}
    return {"properties": fields}


def _images() -> dict[str, Any]:
    vector = {
        "type": "dense_vector",
        "dims": DIMENSION,
        "similarity": "cosine",
        "index_options": {"type": "flat"},
    }
    rows = {"type": "nested", "properties": {"vector": vector}}
    return {"properties": {"rows": rows, "audience": {"type": "keyword"}}}


def _prefix() -> str:
    return f"bench-{secrets.token_hex(4)}"


def _forget(url: str, prefix: str) -> None:
    with Elasticsearch(url, request_timeout=SECONDS) as client:
        found = client.indices.get(index=f"{prefix}-*", allow_no_indices=True)
        if found.body:
            client.indices.delete(index=list(found.body))
