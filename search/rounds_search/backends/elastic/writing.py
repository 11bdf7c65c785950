"""Turn entries into what is written, and write it in the order of revisions.

Each entry has an external version made of its revision, which Elasticsearch compares
whenever a write arrives: what is older than what is there is refused, and named as
stale. A delete writes a gravestone whose version is between its revision and the next,
so that it wins against a write of the same revision and nothing older revives it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from elasticsearch.helpers import pack_dense_vector, streaming_bulk

from rounds_search.backends.elastic.connection import BLOCKED
from rounds_search.backends.elastic.schema import CASES, IMAGES, VECTORS, field_of
from rounds_search.documents import (
    FACETS,
    Delete,
    Document,
    ImageDocument,
    WriteReport,
    packed,
    seconds,
)
from rounds_search.errors import (
    DimensionError,
    IndexBusyError,
    IndexUnavailableError,
    SearchError,
    shown,
)
from rounds_search.fields import indexed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from elasticsearch import Elasticsearch

    from rounds_search.backends.base import Entry

__all__ = ["actions", "check_dimensions", "key", "send"]

CHUNK: Final = 500
CHUNK_BYTES: Final = 20 * 2**20
# 429 is asked again after 0.5, 1, 2 and 4 s.
RETRIES: Final = 4
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 8.0
FORBIDDEN: Final = 403
CONFLICT: Final = 409
TOO_MANY: Final = 429
SERVER: Final = 500
LONGEST_ID: Final = 512
LONGEST_TITLE: Final = 500
# What has no date comes last in both orders.
LAST: Final = 1e18


def actions(
    entries: Iterable[Entry | Delete], names: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield the bulk action of each of *entries*, into the index that *names* gives."""
    for entry in entries:
        is_image = isinstance(entry, ImageDocument) or (
            isinstance(entry, Delete) and entry.pictures
        )
        version = 2 * entry.revision + isinstance(entry, Delete)
        yield {
            "_op_type": "index",
            "_index": names[IMAGES if is_image else CASES],
            "_id": key(entry.id),
            "version": version,
            "version_type": "external_gte",
            "_source": _source(entry),
        }


def send(
    client: Elasticsearch,
    made: Iterable[dict[str, Any]],
    *,
    require_alias: bool = False,
) -> WriteReport:
    """Write what was *made*; what the cluster has no room for is asked again.

    Raises
    ------
    IndexUnavailableError
        The cluster took some of it only, and has no room or no time for the rest:
        write it again.
    SearchError
        It refuses an entry for what it is; the message names it.
    """
    written = deleted = 0
    stale: list[str] = []
    refused: list[SearchError] = []
    sent = streaming_bulk(
        client,
        made,
        chunk_size=CHUNK,
        max_chunk_bytes=CHUNK_BYTES,
        raise_on_error=False,
        max_retries=RETRIES,
        initial_backoff=FIRST_PAUSE,
        max_backoff=LONGEST_PAUSE,
        require_alias=require_alias,
    )
    for good, item in sent:
        told = item["index"]
        gone = bool(told["_version"] % 2) if good else False
        written += good and not gone
        deleted += gone
        if not good and told["status"] == CONFLICT:
            stale.append(str(told["_id"]))
        elif not good:
            refused.append(_refusal(told))
    if refused:
        raise refused[0]
    return WriteReport(written, deleted, tuple(stale))


def check_dimensions(
    entries: Iterable[Entry | Delete], known: Mapping[str, int]
) -> dict[str, int]:
    """Return the encoders of *entries* that are none of *known*, with their lengths.

    Raises
    ------
    DimensionError
        Vectors of one encoder have different lengths.
    """
    found: dict[str, int] = {}
    for entry in entries:
        if isinstance(entry, ImageDocument):
            dimension = entry.vectors.shape[1]
            wanted = known.get(entry.encoder) or found.setdefault(
                entry.encoder, dimension
            )
            if dimension != wanted:
                raise DimensionError(entry.encoder, dimension, wanted)
    return found


def key(name: str) -> str:
    """Return under which ``_id`` the entry *name* is: 512 bytes at most.

    Examples
    --------
    >>> key("case-7"), len(key(chr(0x8111) * 200))
    ('case-7', 71)
    """
    given = name.encode()
    if len(given) <= LONGEST_ID:
        return name
    return f"sha256:{hashlib.sha256(given).hexdigest()}"


def _source(entry: Entry | Delete) -> dict[str, Any]:
    if isinstance(entry, Delete):
        return {"id": entry.id, "revision": entry.revision, "gone": True}
    common = {
        "id": entry.id,
        "revision": entry.revision,
        "gone": False,
        "audience": sorted(entry.audience),
    }
    own = _case(entry) if isinstance(entry, Document) else _image(entry)
    return common | own


def _case(document: Document) -> dict[str, Any]:
    words = indexed(document)
    date = seconds(document.date) if document.date else None
    facets = {name: list(document.values(name)) for name in FACETS}
    return {
        "body": packed(document),
        "title": document.title.casefold()[:LONGEST_TITLE],
        "newest": LAST if date is None else -date,
        "oldest": LAST if date is None else date,
        "length": sum(len(text.split()) for text in words.values()),
        "facets": {name: values for name, values in facets.items() if values},
        "words": {name: text for name, text in words.items() if text},
    }


def _image(image: ImageDocument) -> dict[str, Any]:
    field = field_of(image.encoder)
    placed = image.positions
    body = {
        "vectors": base64.b64encode(image.vectors.astype("<f4").tobytes()).decode(),
        "positions": None if placed is None else placed.tolist(),
    }
    return {
        "body": json.dumps(body),
        "case_ids": list(image.case_ids),
        "encoder": image.encoder,
        "count": len(image.vectors),
        "facets": {name: list(values) for name, values in image.where.items()},
        VECTORS: [{field: pack_dense_vector(row)} for row in image.vectors],
    }


def _refusal(told: Mapping[str, Any]) -> SearchError:
    """Return why an entry was not taken."""
    status = told["status"]
    error = told.get("error") or {}
    kind = str(error.get("type", status)) if isinstance(error, dict) else str(status)
    if status == FORBIDDEN and kind == BLOCKED:
        return IndexBusyError(0)
    if status == TOO_MANY or status >= SERVER or kind == BLOCKED:
        return IndexUnavailableError(f"The search cluster cannot take it now ({kind}).")
    name = shown(told["_id"])
    return SearchError(f"The search cluster refuses the entry {name} ({kind}).")
