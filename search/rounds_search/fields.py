"""The fields of words that every backend keeps of a document, and what they weigh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rounds_search.analyzer import GAP, analyzed, index_forms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rounds_search.documents import Document

__all__ = ["FIELDS", "PLAIN_FIELDS", "STEM_FIELDS", "indexed", "labels"]

PLAIN_FIELDS: Final = {
    "title": 10.0,
    "diagnosis": 8.0,
    "codes_text": 4.0,
    "study": 3.0,
    "labels": 3.0,
    "findings": 3.0,
    "differential": 2.0,
    "history": 1.5,
    "discussion": 1.0,
}
"""Words as they are written, by field, with what a word weighs there in bm25."""

STEM_FIELDS: Final = {"heading_stems": 6.0, "stems": 1.5}
"""Stems of title and diagnosis, and of every other field: any inflection is found."""

FIELDS: Final = {**PLAIN_FIELDS, **STEM_FIELDS, "forms": 0.5}
"""All of them; ``forms`` has each word once, compounds in one piece, for beginnings."""

MODALITIES: Final = {
    "CR": "radiograph",
    "DX": "radiograph",
    "MG": "mammography",
    "NM": "scintigraphy",
    "PT": "positron emission tomography",
    "RF": "fluoroscopy",
    "US": "ultrasound",
    "XA": "angiography",
}
"""What people call a modality whose code means something else in a text.

Source: DICOM PS3.3, C.7.3.1.1.1.
"""

HEADING: Final = ("title", "diagnosis")


def indexed(document: Document) -> dict[str, str]:
    """Return the tokens of *document* by field, parted by spaces, every field named.

    Examples
    --------
    >>> from rounds_search.documents import Document
    >>> made = indexed(Document(id="c", kind="case", revision=1,
    ...                         title="Brain abscesses", audience=frozenset()))
    >>> made["title"], made["heading_stems"], made["forms"]
    ('brain abscesses', 'brain abscess', 'brain abscesses')
    """
    given = document.fields() | {"labels": labels(document)}
    both = {name: analyzed(given.get(name, "")) for name in PLAIN_FIELDS}
    rest = [name for name in PLAIN_FIELDS if name not in HEADING]
    return {
        **{name: forms for name, (forms, _) in both.items()},
        "heading_stems": _joined(both[name][1] for name in HEADING),
        "stems": _joined(both[name][1] for name in rest),
        "forms": index_forms(given.values()),
    }


def labels(document: Document) -> str:
    """Return what makes "brain MRI" find a case that is an MR by its facets only."""
    named = ("modality", "body_part", "code")
    values = [value for name in named for value in document.values(name)]
    spoken = [MODALITIES.get(one, "") for one in document.values("modality")]
    return ", ".join(filter(None, [*values, *spoken]))


def _joined(texts: Iterable[str]) -> str:
    return f" {GAP} ".join(filter(None, texts))
