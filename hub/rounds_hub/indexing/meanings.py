"""What the words of a case mean, as vectors: beside each document, for whom it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rounds_search.documents import Delete, ImageDocument
from rounds_search.meaning import MEANING, encode_texts, has_meaning, passages

if TYPE_CHECKING:
    from rounds_hub.house import House
    from rounds_search.documents import Document

__all__ = ["meaning_entry", "meaning_id", "means"]


def means(house: House) -> bool:
    """Return whether words are searched by what they mean, too."""
    return house.settings.search_by_meaning and has_meaning()


def meaning_id(document_id: str) -> str:
    """Return under which id the index has the vectors of a document's words.

    Examples
    --------
    >>> meaning_id("c1")
    'c1:text-minilm-l6-1'
    """
    return f"{document_id}:{MEANING}"


def meaning_entry(
    entry: Document | ImageDocument | Delete,
) -> ImageDocument | Delete:
    """Return the vectors of the words of a document, for those who may find it.

    What learners find of an unknown case has vectors of its own words alone.
    """
    gone = Delete(meaning_id(entry.id), entry.revision, pictures=True)
    if isinstance(entry, ImageDocument | Delete):
        return gone
    told = passages(entry.fields())
    if not told:
        return gone
    return ImageDocument(
        id=meaning_id(entry.id),
        case_ids=(entry.id,),
        revision=entry.revision,
        encoder=MEANING,
        vectors=encode_texts(told),
        audience=entry.audience,
    )
