"""Folders of case texts, and how well cases are found by what is known of another one.

A folder has ``medpix_cases.jsonl``, a case a line with its texts, and may have
``manifest.csv``, whose rows name the region of each case. A query is asked as a doctor
would who does not know the answer yet: neither title nor diagnosis nor discussion of
the query is used unless it is asked for.
"""

from __future__ import annotations

import csv
import json
import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rounds_search.backends.sqlite import SqliteBackend
from rounds_search.documents import Document, ImageDocument
from rounds_search.errors import RequestError, TableError
from rounds_search.labelled import Labelled
from rounds_search.meaning import (
    MEANING,
    encode_texts,
    has_meaning,
    meaning_leg,
    passages,
)
from rounds_search.requests import Request
from rounds_search.retrieval import Ranking

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["ASKED", "PARTS", "CaseText", "checked_parts", "rank_texts", "read_cases"]

FILE: Final = "medpix_cases.jsonl"
DATASET: Final = "case texts"
PARTS: Final[Mapping[str, str]] = {
    "title": "Title",
    "history": "History",
    "exam": "Exam",
    "findings": "Findings",
    "diagnosis": "Case Diagnosis",
    "differential": "Differential Diagnosis",
    "discussion": "Discussion",
}
"""The texts of a case, and what the file calls them."""
ASKED: Final = ("history", "exam", "findings", "differential")
"""What is known of a case before its diagnosis is."""
EVERYONE: Final = frozenset({"everyone"})
MAX_CASES: Final = 100_000
MAX_LINE: Final = 1_000_000
PAGE: Final = 200
LONGEST: Final = 10_000


@dataclass(frozen=True, slots=True)
class CaseText:
    """A case: its name, its texts by the names of ``PARTS``, and its labels."""

    id: str
    texts: Mapping[str, str]
    labels: Mapping[str, str]

    def document(self) -> Document:
        """Return the case as it is put into an index."""
        told = dict(self.texts)
        history = "\n".join(filter(None, (told.get("history"), told.pop("exam", ""))))
        text = told | {"history": history}
        return Document(
            id=self.id,
            kind="case",
            revision=1,
            title=text.pop("title", ""),
            audience=EVERYONE,
            text={name: words for name, words in text.items() if words},
        )

    def labelled(self) -> Labelled:
        """Return its name and labels as rankings are measured by."""
        return Labelled(self.id, DATASET, self.id, Path(), self.labels)


def read_cases(folder: Path) -> list[CaseText]:
    """Return the cases in *folder*, in their order.

    Raises
    ------
    TableError
        There is no file of cases, or a line of it is none.
    """
    path = folder / FILE
    if not path.is_file():
        msg = f"The folder has no {FILE}."
        raise TableError(msg)
    regions = _regions(folder)
    found: dict[str, CaseText] = {}
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE), ""), 1):
            if line.strip():
                case = _case(line, number, regions)
                found[case.id] = case
            if len(found) > MAX_CASES:
                msg = f"A folder may have {MAX_CASES} cases."
                raise TableError(msg)
    return list(found.values())


def rank_texts(
    gallery: Sequence[CaseText],
    queries: Sequence[CaseText],
    asked: Sequence[str] = ASKED,
    *,
    meaning: bool = True,
) -> Iterator[Ranking]:
    """Yield the ranking of the whole *gallery* for each of *queries*, its own left out.

    Parameters
    ----------
    asked
        The texts of a query that are used, by the names of ``PARTS``.
    meaning
        Whether the words are asked for by what they mean, too, where that is installed.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SqliteBackend(Path(folder))) as index,
    ):
        index.ensure()
        documents = [case.document() for case in gallery]
        index.rebuild([*documents, *(_meant(documents) if meaning else ())])
        names = [case.id for case in gallery]
        for query in queries:
            text = " ".join(query.texts.get(name, "") for name in asked).strip()
            ranked = _ranked(index, query.id, text, meaning=meaning)
            seen = {*ranked, query.id}
            rest = (name for name in names if name not in seen)
            yield Ranking(query.labelled(), (*ranked, *rest))


def _ranked(
    index: SqliteBackend, own: str, text: str, *, meaning: bool
) -> tuple[str, ...]:
    leg = meaning_leg(text) if meaning and text else None
    request = Request(
        text=text[:LONGEST],
        audience=EVERYONE,
        vectors=(leg,) if leg else (),
        size=PAGE,
        window=2_000,
        exclude=frozenset({own}),
        highlight=False,
    )
    if not text:
        return ()
    found: list[str] = []
    while True:
        answer = index.search(request)
        found += [hit.id for hit in answer.hits]
        if answer.after is None:
            return tuple(found)
        request = replace(request, after=answer.after)


def _meant(documents: Sequence[Document]) -> Iterator[ImageDocument]:
    if not has_meaning():
        return
    for document in documents:
        told = passages(document.fields())
        if told:
            yield ImageDocument(
                id=f"{document.id}:{MEANING}",
                case_ids=(document.id,),
                revision=1,
                encoder=MEANING,
                vectors=encode_texts(told),
                audience=document.audience,
            )


def _regions(folder: Path) -> dict[str, str]:
    """Return the region of each case that the manifest names."""
    path = folder / "manifest.csv"
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row.get("group") and row.get("region"):
                found.setdefault(str(row["group"]), str(row["region"]))
    return found


def _case(line: str, number: int, regions: Mapping[str, str]) -> CaseText:
    try:
        told: Any = json.loads(line)
        name = str(told["U_id"])
        texts = {part: str(told["Case"].get(key) or "") for part, key in PARTS.items()}
        topic = told.get("Topic") or {}
        category = str(topic.get("Category") or "")
        more = str(topic.get("Disease Discussion") or "")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        msg = f"Line {number} of {FILE} is no case."
        raise TableError(msg) from error
    texts["discussion"] = "\n".join(filter(None, (texts["discussion"], more)))
    region = regions.get(name, "")
    both = f"{region}, {category}" if region and category else ""
    labels = {"region": region, "category": category, "region and category": both}
    return CaseText(name, texts, labels)


def checked_parts(asked: Sequence[str]) -> tuple[str, ...]:
    """Return *asked*, each of which is one of ``PARTS``.

    Raises
    ------
    RequestError
        One of them is not.
    """
    unknown = [name for name in asked if name not in PARTS]
    if unknown or not asked:
        msg = f"No text {', '.join(unknown)!r} of a case. Known: {', '.join(PARTS)}."
        raise RequestError(msg)
    return tuple(asked)
