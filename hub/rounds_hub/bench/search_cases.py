"""Row ``search``: 10,000 cases, words with facets and near pictures, for one audience.

Peers do the same work with the plain part: FTS5 with its own ``unicode61`` tokenizer
and facets by ``GROUP BY``; NumPy over all vectors in memory. Both leave out what the
asker may not see. Equal means: the same totals, facet counts and cases.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_hub.bench.base import Contestant, Race
from rounds_search import (
    ENCODER,
    Document,
    Facet,
    ImageDocument,
    Request,
    SqliteBackend,
    VectorQuery,
)
from rounds_search.encoders import encoder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

__all__ = ["races"]

CASES: Final = 10_000
QUICK_CASES: Final = 300
QUESTIONS: Final = 100
SLICES: Final = 4
PAGE: Final = 24
SYLLABLES: Final = ("ba", "ko", "mu", "ri", "ta", "zo", "fu", "la", "no", "gi")
WORDS: Final = tuple(
    one + two + three for one in SYLLABLES for two in SYLLABLES for three in SYLLABLES
)
COUNTED: Final = ("modality", "body_part", "level")
VALUES: Final = (
    ("CT", "MR", "DX", "US", "PT"),
    ("CHEST", "ABDOMEN", "HEAD", "KNEE", "PELVIS", "HEART"),
    ("student", "resident", "specialist"),
)
ASKER: Final = frozenset({"everyone", "group:1", "user:ada"})

Found = tuple[int, dict[str, dict[str, int]], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Library:
    """Made-up cases: a text, facet values and an audience each, and their pictures."""

    texts: tuple[str, ...]
    facets: tuple[tuple[str, ...], ...]
    audiences: tuple[frozenset[str], ...]
    vectors: npt.NDArray[np.float32]
    questions: tuple[str, ...]
    pictures: npt.NDArray[np.float32]

    @classmethod
    def of(cls, cases: int) -> Library:
        """Return a library of *cases*, the same each time."""
        chance = np.random.default_rng(10)
        weights = 1 / np.arange(1, len(WORDS) + 1)
        weights /= weights.sum()
        drawn = chance.choice(len(WORDS), (cases, 60), p=weights)
        dimension = encoder(ENCODER).dimension
        vectors = _unit(chance.normal(size=(cases, SLICES, dimension)))
        asked = chance.integers(5, 200, (QUESTIONS, 2))
        return cls(
            tuple(" ".join(WORDS[at] for at in row) for row in drawn),
            tuple(
                tuple(str(chance.choice(names)) for names in VALUES)
                for _ in range(cases)
            ),
            tuple(_audience(chance) for _ in range(cases)),
            vectors,
            tuple(f"{WORDS[one]} {WORDS[two]}" for one, two in asked),
            _unit(vectors[: QUESTIONS // 2, 0] + chance.normal(0, 0.05, dimension)),
        )


def races(*, quick: bool) -> Iterator[Race]:
    """Yield words with facets against FTS5, and near pictures against NumPy."""
    library = Library.of(QUICK_CASES if quick else CASES)
    cases = len(library.texts)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(_ours(Path(folder) / "index", library)) as ours,
        closing(_plain(Path(folder) / "plain.sqlite", library)) as plain,
    ):
        yield Race(
            "search",
            "words, 3 facets, audience filter, 24 best",
            f"{QUESTIONS} questions to {cases} cases",
            Contestant("rounds", "sqlite", lambda: _words(ours, library)),
            Contestant(
                "sqlite3 FTS5 unicode61",
                sqlite3.sqlite_version,
                lambda: [_plain_words(plain, one) for one in library.questions],
            ),
            lambda one, other: bool(one == other),
        )
        yield Race(
            "search",
            "near pictures, audience filter, 24 best",
            f"{len(library.pictures)} pictures to {cases * SLICES} vectors",
            Contestant("rounds", "sqlite", lambda: _near(ours, library)),
            Contestant(
                "numpy brute force",
                np.__version__,
                lambda: _brute_force(library),
            ),
            lambda one, other: bool(one == other),
        )


def _unit(rows: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    unit: npt.NDArray[np.float32] = (rows / lengths).astype(np.float32)
    return unit


def _audience(chance: np.random.Generator) -> frozenset[str]:
    if chance.random() < 0.5:  # noqa: PLR2004 - half of the cases
        return frozenset({"everyone", "role:admin"})
    return frozenset({f"group:{chance.integers(5)}", "role:admin"})


def _ours(folder: Path, library: Library) -> SqliteBackend:
    index = SqliteBackend(folder)
    index.ensure()
    index.rebuild(_entries(library))
    return index


def _entries(library: Library) -> Iterator[Document | ImageDocument]:
    for at, text in enumerate(library.texts):
        named = zip(COUNTED, library.facets[at], strict=True)
        name, audience = f"case-{at}", library.audiences[at]
        yield Document(
            id=name,
            kind="case",
            revision=1,
            title=text[:20].rpartition(" ")[0],
            audience=audience,
            text={"findings": text},
            facets={facet: (value,) for facet, value in named},
        )
        yield ImageDocument(
            id=f"series-{at}:{ENCODER}",
            case_ids=(name,),
            revision=1,
            encoder=ENCODER,
            vectors=library.vectors[at],
            audience=audience,
        )


def _words(index: SqliteBackend, library: Library) -> list[Found]:
    found = []
    for question in library.questions:
        answer = index.search(
            Request(
                text=" ".join(f'"{word}"' for word in question.split()),
                audience=ASKER,
                facets=tuple(map(Facet, COUNTED)),
                size=PAGE,
                highlight=False,
            )
        )
        counts = {name: dict(pairs) for name, pairs in answer.facets.items()}
        ids = frozenset(hit.id for hit in answer.hits)
        found.append(
            (answer.total, counts, ids if answer.total <= PAGE else frozenset())
        )
    return found


def _plain(path: Path, library: Library) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.executescript(
        f"""
        CREATE TABLE cases (at INTEGER PRIMARY KEY, body TEXT, {", ".join(COUNTED)});
        CREATE TABLE readers (reader TEXT, at INTEGER, PRIMARY KEY (reader, at))
            WITHOUT ROWID;
        CREATE VIRTUAL TABLE words USING fts5 (title, findings, content = '',
            tokenize = 'unicode61');
        """
    )
    for at, text in enumerate(library.texts):
        title = text[:20].rpartition(" ")[0]
        row = (at, text, *library.facets[at])
        connection.execute("INSERT INTO cases VALUES (?, ?, ?, ?, ?)", row)
        connection.execute(
            "INSERT INTO words (rowid, title, findings) VALUES (?, ?, ?)",
            (at, title, text),
        )
        connection.executemany(
            "INSERT INTO readers VALUES (?, ?)",
            [(reader, at) for reader in library.audiences[at]],
        )
    connection.execute("INSERT INTO words (words) VALUES ('optimize')")
    connection.execute("ANALYZE")
    connection.commit()
    return connection


def _plain_words(connection: sqlite3.Connection, question: str) -> Found:
    marks = ", ".join("?" * len(ASKER))
    # A lookup for each match; "rowid IN (...)" would look each reader's case up in FTS.
    seen = (
        "EXISTS (SELECT 1 FROM readers WHERE readers.at = words.rowid"  # noqa: S608 - marks
        f" AND reader IN ({marks}))"
    )
    given = (question, *sorted(ASKER))
    matched = f"SELECT rowid FROM words WHERE words MATCH ? AND {seen}"  # noqa: S608 - constants
    (total,) = connection.execute(
        f"SELECT count(*) FROM ({matched})",  # noqa: S608 - constants
        given,
    ).fetchone()
    if not total and " OR " not in question:
        # As ours does: where nothing has all the words, any of them will do.
        return _plain_words(connection, " OR ".join(question.split()))
    counts = {
        name: dict(
            connection.execute(
                f"SELECT {name}, count(*) FROM cases WHERE at IN ({matched})"  # noqa: S608 - constants
                f" GROUP BY {name}",
                given,
            )
        )
        for name in COUNTED
    }
    best = connection.execute(
        "SELECT words.rowid, body FROM words JOIN cases ON at = words.rowid"  # noqa: S608 - constants
        f" WHERE words MATCH ? AND {seen}"
        f" ORDER BY bm25(words, 10, 3) LIMIT {PAGE}",
        given,
    ).fetchall()
    ids = frozenset(f"case-{at}" for at, _ in best)
    return total, counts, ids if total <= PAGE else frozenset()


def _near(index: SqliteBackend, library: Library) -> list[Sequence[str]]:
    found: list[Sequence[str]] = []
    for picture in library.pictures:
        legs = (VectorQuery(ENCODER, picture),)
        answer = index.search(Request(audience=ASKER, vectors=legs, size=PAGE))
        found.append([hit.id for hit in answer.hits])
    return found


def _brute_force(library: Library) -> list[Sequence[str]]:
    seen = np.array([bool(one & ASKER) for one in library.audiences])
    rows = library.vectors.reshape(-1, library.vectors.shape[2])
    found: list[Sequence[str]] = []
    for picture in library.pictures:
        best = (rows @ picture).reshape(-1, SLICES).max(axis=1)
        best[~seen] = -np.inf
        nearest = np.argpartition(-best, PAGE)[:PAGE]
        order = nearest[np.argsort(-best[nearest], kind="stable")]
        found.append([f"case-{at}" for at in order])
    return found
