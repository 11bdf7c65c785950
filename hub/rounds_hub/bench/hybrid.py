"""Row ``hybrid``: words, facets and a picture in one request, at 100,000 cases.

The peers are called directly, one after the other: tantivy for the words and three
facets, usearch for the nearest vectors, exactly, as ours does; beside it the graph that
usearch is known for, whose answers are near the right ones. Neither fuses, keeps an
audience or shows hits. Equal means that the picture leg has the very vectors that
usearch's exact search found, and the text leg nothing that tantivy does not match.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_hub.bench.base import Contestant, Race
from rounds_hub.bench.library import COUNTED, ENCODER, EVERYONE, Library
from rounds_search import Facet, Request, SqliteBackend, VectorQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

__all__ = ["races"]

CASES: Final = 100_000
QUICK_CASES: Final = 500
QUESTIONS: Final = 40
BEST: Final = 10
WINDOW: Final = 100
MOST: Final = 1_000_000

Question = tuple[str, "npt.NDArray[np.float32]"]


def races(*, quick: bool) -> Iterator[Race]:
    """Yield ours against tantivy and usearch, exact and by its graph."""
    library = Library.of(QUICK_CASES if quick else CASES)
    questions = library.questions(QUESTIONS)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(SqliteBackend(Path(folder))) as ours,
    ):
        ours.ensure()
        ours.rebuild(_for_everyone(library))
        peers = Peers.of(library)
        for name, nearest in (("exact", peers.exactly), ("HNSW i8", peers.by_graph)):
            yield Race(
                "hybrid",
                "words, 3 facets and a picture, 10 best",
                f"{QUESTIONS} questions to {len(library):,} cases",
                Contestant("rounds", "sqlite", lambda: _ask(ours, questions)),
                Contestant(
                    f"tantivy and usearch {name}",
                    f"{version('tantivy')}, {version('usearch')}",
                    partial(_ask_directly, peers.words, nearest, questions),
                ),
                lambda found, _: peers.agree(questions, found),
                waits=True,
            )


def _ask_directly(
    words: Callable[[str], Any],
    nearest: Callable[[npt.NDArray[np.float32]], list[int]],
    questions: Sequence[Question],
) -> list[tuple[Any, list[int]]]:
    return [(words(text), nearest(picture)) for text, picture in questions]


def _for_everyone(library: Library) -> Iterator[Any]:
    for entry in library.entries():
        object.__setattr__(entry, "audience", EVERYONE)
        yield entry


def _ask(
    index: SqliteBackend, questions: Sequence[Question]
) -> list[dict[str, dict[str, int]]]:
    found = []
    for text, picture in questions:
        answer = index.search(
            Request(
                text=text,
                audience=EVERYONE,
                vectors=(VectorQuery(ENCODER, picture),),
                facets=tuple(map(Facet, COUNTED)),
                size=BEST,
                window=WINDOW,
                highlight=False,
            )
        )
        found.append({hit.id: dict(hit.ranks) for hit in answer.hits})
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Peers:
    """The same cases as tantivy and usearch keep them, in memory."""

    library: Library
    index: Any
    graph: Any

    @classmethod
    def of(cls, library: Library) -> Peers:
        """Return the peers with all of *library*."""
        import tantivy  # noqa: PLC0415 - comes with the extra «bench»
        from usearch.index import Index  # noqa: PLC0415 - likewise

        schema = tantivy.SchemaBuilder()
        schema.add_integer_field("at", stored=True, indexed=True, fast=True)
        schema.add_text_field("findings", stored=False, tokenizer_name="default")
        for name in COUNTED:
            schema.add_text_field(name, stored=False, tokenizer_name="raw", fast=True)
        index = tantivy.Index(schema.build())
        writer = index.writer(128_000_000, 1)
        for at in range(len(library)):
            facets = {name: value[0] for name, value in library.facets(at).items()}
            writer.add_document(
                tantivy.Document(at=at, findings=library.text(at), **facets)
            )
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        graph = Index(ndim=library.vectors.shape[1], metric="ip", dtype="i8")
        graph.add(np.arange(len(library)), library.vectors)
        return cls(library, index, graph)

    def words(self, text: str, most: int = WINDOW) -> tuple[list[int], Any]:
        """Return the cases with all words of *text*, the best first, and counts."""
        searcher = self.index.searcher()
        query = self.index.parse_query(
            " ".join(f"+{word}" for word in text.split()), ["findings"]
        )
        hits = searcher.search(query, most).hits
        counts = searcher.aggregate(
            query, {name: {"terms": {"field": name}} for name in COUNTED}
        )
        return [searcher.doc(address)["at"][0] for _, address in hits], counts

    def exactly(self, picture: npt.NDArray[np.float32]) -> list[int]:
        """Return the nearest cases, compared one by one."""
        from usearch.compiled import MetricKind  # noqa: PLC0415 - as above
        from usearch.index import search  # noqa: PLC0415 - as above

        vectors = self.library.vectors
        found = search(vectors, picture[None], WINDOW, MetricKind.IP, exact=True)
        return [int(key) for key in np.ravel(found.keys)]

    def by_graph(self, picture: npt.NDArray[np.float32]) -> list[int]:
        """Return near cases, found in the graph."""
        return [int(key) for key in self.graph.search(picture, WINDOW).keys]

    def agree(
        self, questions: Sequence[Question], found: list[dict[str, dict[str, int]]]
    ) -> bool:
        """Return whether *found* has nothing that the peers do not find."""
        return all(map(self._agrees, questions, found))

    def _agrees(self, question: Question, found: dict[str, dict[str, int]]) -> bool:
        nearest = {f"case-{at}" for at in self.exactly(question[1])}
        matching = {f"case-{at}" for at in self.words(question[0], MOST)[0]}
        by = {
            leg: {name for name, ranks in found.items() if leg in ranks}
            for leg in ("picture", "text")
        }
        relaxed = not matching
        return by["picture"] <= nearest and (relaxed or by["text"] <= matching)
