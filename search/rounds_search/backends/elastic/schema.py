"""What the two indices hold: mappings that take nothing else, and their numbers.

``<prefix>-cases`` and ``<prefix>-images`` are aliases; a rebuild fills new indices and
moves both in one step. A deleted entry stays as a gravestone (``gone``), so that a
write that comes late finds a newer version there, however late it comes.
"""

from __future__ import annotations

from typing import Any, Final

from rounds_search.analyzer import ANALYZER
from rounds_search.documents import FACETS
from rounds_search.fields import FIELDS

__all__ = [
    "CASES",
    "IMAGES",
    "SCHEMA",
    "VECTORS",
    "cases_mapping",
    "encoder_of",
    "field_of",
    "images_mapping",
    "settings",
    "vector_mapping",
]

# The numbers of these mappings, and of the analyzer that makes the tokens.
SCHEMA: Final = (1, ANALYZER)
CASES: Final = "cases"
IMAGES: Final = "images"
VECTORS: Final = "rows"

KEYWORD: Final = {"type": "keyword"}
LONG: Final = {"type": "long"}
# Kept and given back, but neither searched nor sorted by.
KEPT: Final = {"type": "keyword", "index": False, "doc_values": False}
WORDS: Final = {"type": "text", "analyzer": "whitespace"}


def settings(*, filling: bool) -> dict[str, Any]:
    """Return the settings of an index, which shows nothing by itself while *filling*.

    One shard, so that every count is exact and how rare a word is means the same
    everywhere; replicas as the cluster has nodes for.
    """
    return {
        "number_of_shards": 1,
        "auto_expand_replicas": "0-1",
        "refresh_interval": "-1" if filling else "1s",
    }


def cases_mapping() -> dict[str, Any]:
    """Return the mapping of cases: words, facets and permissions, no vectors."""
    return _strict(
        {
            "body": KEPT,
            "title": KEYWORD,
            "newest": {"type": "double"},
            "oldest": {"type": "double"},
            "length": LONG,
            "facets": {"properties": dict.fromkeys(FACETS, KEYWORD)},
            "words": {"properties": dict.fromkeys(FIELDS, WORDS)},
        }
    )


def images_mapping() -> dict[str, Any]:
    """Return the mapping of images, whose vectors get a field when they come."""
    return _strict(
        {
            "body": KEPT,
            "case_ids": KEYWORD,
            "encoder": KEYWORD,
            "count": LONG,
            "facets": {"properties": dict.fromkeys(FACETS, KEYWORD)},
            VECTORS: {"type": "nested", "dynamic": "strict", "properties": {}},
        }
    )


def vector_mapping(dimension: int, *, graph: bool) -> dict[str, Any]:
    """Return the mapping of the vectors of one encoder.

    All are compared (``flat``) while there are few enough, as SQLite does; above, a
    graph finds the candidates, which are compared exactly afterwards.
    """
    return {
        "type": "dense_vector",
        "dims": dimension,
        "index": True,
        "similarity": "dot_product",
        "index_options": {"type": "int8_hnsw" if graph else "flat"},
    }


def field_of(encoder: str) -> str:
    """Return the name of the field for *encoder*: dots would part it.

    Examples
    --------
    >>> field_of("site.v2"), encoder_of(field_of("site.v2"))
    ('site~v2', 'site.v2')
    """
    return encoder.replace(".", "~")


def encoder_of(field: str) -> str:
    """Return the encoder that *field* holds the vectors of."""
    return field.replace("~", ".")


def _strict(own: dict[str, Any]) -> dict[str, Any]:
    known = {
        "id": KEYWORD,
        "revision": LONG,
        "gone": {"type": "boolean"},
        "audience": KEYWORD,
    }
    return {
        "dynamic": "strict",
        "_meta": {"schema": list(SCHEMA)},
        "properties": known | own,
    }
