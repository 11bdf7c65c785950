"""Find typical cases by words, facets and pictures.

One ``Request`` is asked of one ``Backend``; ``open_backend`` opens the one for a place.
"""

from rounds_search.backends.base import Backend, open_backend
from rounds_search.backends.sqlite import SqliteBackend
from rounds_search.documents import (
    FACETS,
    KINDS,
    TEXT_FIELDS,
    Answer,
    Delete,
    Document,
    Hit,
    ImageDocument,
    Pair,
    WriteReport,
)
from rounds_search.encoders import ENCODER, encode, encode_volume
from rounds_search.errors import SearchError
from rounds_search.requests import SORTS, Facet, Request, Term, VectorQuery

__all__ = [
    "ENCODER",
    "FACETS",
    "KINDS",
    "SORTS",
    "TEXT_FIELDS",
    "Answer",
    "Backend",
    "Delete",
    "Document",
    "Facet",
    "Hit",
    "ImageDocument",
    "Pair",
    "Request",
    "SearchError",
    "SqliteBackend",
    "Term",
    "VectorQuery",
    "WriteReport",
    "encode",
    "encode_volume",
    "open_backend",
]
