from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rounds_search import SqliteBackend
from rounds_search.backends.sqlite.codes import Asked, basis, dots, quantized, turned
from rounds_search.backends.sqlite.columns import Snapshot, refreshed
from rounds_search.backends.sqlite.compaction import compact
from rounds_search.backends.sqlite.nearest import Nearest
from rounds_search.backends.sqlite.scanning import Sidecar
from rounds_search.backends.sqlite.schema import create
from rounds_search.backends.sqlite.sidecar import Pace, Stand
from rounds_search.backends.sqlite.writing import write
from rounds_search.documents import Delete, ImageDocument
from rounds_search.interaction import Slices
from rounds_search.requests import VectorQuery
from rounds_search.testing.library import ENCODER, ask, case, found, pictures

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

SIZE = 160
NAMES = [f"c{at}" for at in range(12)]
QUICK = Pace(block=4, turn=24, unused=6)
CHANCE = np.random.default_rng(7)
FLAT = CHANCE.normal(size=(6, SIZE)) / 3


def rows_of(seed: int, count: int, *, flat: bool) -> npt.NDArray[np.float32]:
    """Return vectors in a flat space, in which a basis says much, or anywhere."""
    chance = np.random.default_rng(seed)
    rows = chance.normal(size=(count, 6)) @ FLAT if flat else 0
    return np.asarray(rows + chance.normal(0, 0.05 if flat else 1, (count, SIZE)), "f4")


class History:
    """An index's files, and the same pictures in a plain dict."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connection: sqlite3.Connection = create(folder)
        self.connection.execute("PRAGMA synchronous = OFF")
        self.plain: dict[str, ImageDocument] = {}
        self.revision = 0
        self.snapshot = Snapshot()
        self.before: Sidecar | None = None
        write(self.connection, folder, [case(name) for name in NAMES], ())

    def put(self, name: str, rows: npt.NDArray[np.float32]) -> None:
        self.revision += 1
        placed = np.linspace(0, 1, len(rows), dtype=np.float32)
        known = pictures(
            name,
            rows,
            revision=self.revision,
            positions=placed if self.revision % 3 else None,
        )
        write(self.connection, self.folder, [known], (), QUICK)
        self.plain[name] = known

    def take(self, name: str) -> None:
        self.revision += 1
        gone = Delete(f"series-of-{name}:{ENCODER}", self.revision, pictures=True)
        write(self.connection, self.folder, (), [gone], QUICK)
        self.plain.pop(name, None)

    def kill(self) -> None:
        """Leave what a writer leaves that dies between its files and its commit."""
        for file in self.folder.glob(f"{ENCODER}*"):
            with file.open("ab") as end:
                end.write(b"left over" * 99)

    def tear(self) -> None:
        for file in self.folder.glob(f"{ENCODER}*"):
            if file.suffix in {".i8", ".left", ".lead"}:
                file.write_bytes(file.read_bytes()[:7])

    def compact(self) -> None:
        compact(self.connection, self.folder, QUICK)

    def nearest(self, asked: Slices) -> Nearest | None:
        self.connection.execute("BEGIN")
        self.snapshot = refreshed(self.snapshot, self.connection)
        self.connection.execute("ROLLBACK")
        stand = self.snapshot.encoders.get(ENCODER)
        if stand is None:
            return None
        self.before = Sidecar.of(self.folder, stand, self.before)
        return Nearest(
            self.before, self.snapshot.pictures.layout(ENCODER), asked, few=0
        )

    def best(self, asked: Slices, most: int) -> dict[str, float]:
        nearest = self.nearest(asked)
        if nearest is None:
            return {}
        everything = np.ones(self.snapshot.documents.size, np.bool_)
        inside = np.ones(len(nearest.layout.pictures), np.bool_)
        slots, scores = nearest.best(inside, everything, most, -1.0)
        names = [self.snapshot.documents.ids[slot] for slot in slots]
        return dict(zip(names, scores.tolist(), strict=True))

    def brute_force(self, asked: Slices) -> dict[str, float]:
        return {
            name: _score(asked, Slices(known.vectors, known.positions))
            for name, known in self.plain.items()
        }


def _top(scores: dict[str, float], most: int) -> list[float]:
    return sorted(scores.values(), reverse=True)[:most]


def _score(asked: Slices, known: Slices) -> float:
    near = known.vectors.astype(np.float64) @ asked.vectors.T
    if asked.positions is not None and known.positions is not None:
        distance = np.subtract.outer(known.positions, asked.positions) / 0.2
        near = near - 0.1 * (1 - np.exp(-(distance**2) / 2))
    return float(near.max(axis=0).mean())


PUT = st.tuples(
    st.just("put"), st.sampled_from(NAMES), st.integers(0, 10**6), st.integers(1, 9)
)
OTHER = st.tuples(st.sampled_from(["take", "kill", "tear", "compact"]))
HISTORIES = st.lists(st.one_of(PUT, PUT, PUT, OTHER), min_size=1, max_size=16)


@given(HISTORIES, st.integers(1, 5), st.booleans(), st.booleans())
@settings(deadline=None, max_examples=15)
def test_the_nearest_are_those_of_brute_force_after_any_history(
    tmp_path_factory: pytest.TempPathFactory,
    history: Sequence[tuple[Any, ...]],
    most: int,
    flat: bool,  # noqa: FBT001 - drawn
    placed: bool,  # noqa: FBT001 - drawn
) -> None:
    index = History(tmp_path_factory.mktemp("history"))
    with closing(index.connection):
        for kind, *given in history:
            _happen(index, kind, given, flat=flat)
        rows = rows_of(len(history), most, flat=flat)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        asked = Slices(
            rows, np.linspace(0, 1, most, dtype=np.float32) if placed else None
        )
        expected, best = index.brute_force(asked), index.best(asked, most)
        assert best == pytest.approx({name: expected[name] for name in best}, abs=2e-6)
        assert _top(best, most) == pytest.approx(_top(expected, most), abs=2e-6)


def _happen(index: History, kind: str, given: Sequence[Any], *, flat: bool) -> None:
    if kind == "put":
        name, seed, count = given
        index.put(name, rows_of(seed, count, flat=flat))
    elif kind == "take":
        index.take(next(iter(index.plain), "c0"))
    else:
        getattr(index, kind)()


@given(st.integers(0, 10**6), st.booleans())
@settings(deadline=None, max_examples=8)
def test_no_cosine_is_above_its_bounds(seed: int, flat: bool) -> None:  # noqa: FBT001 - drawn
    rows = rows_of(seed, 300, flat=flat)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    asked, exact = rows[:3], rows @ rows[:3].T
    codes, steps = quantized(rows)
    question = Asked.of(asked)
    assert (question.bounds(dots(codes, question.codes), steps) >= exact).all()
    directions = np.ascontiguousarray(np.linalg.qr(rows.T)[0][:, :64])
    codes, steps = turned(rows, directions)
    question = Asked.of(asked, directions)
    assert (question.bounds(dots(codes, question.codes), steps) >= exact).all()


def test_bounds_are_tight_where_vectors_are_alike() -> None:
    rows = rows_of(1, 2_000, flat=True)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    directions = basis(rows)
    assert directions is not None
    codes, steps = turned(rows, directions)
    question = Asked.of(rows[:1], directions)
    above = question.bounds(dots(codes, question.codes), steps) - rows @ rows[:1].T
    assert float(above.mean()) < 0.2


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SqliteBackend]:
    with closing(SqliteBackend(tmp_path, pace=QUICK)) as made:
        made.ensure()
        yield made


def test_rows_get_codes_and_a_basis_as_they_come(
    index: SqliteBackend, tmp_path: Path
) -> None:
    index.write(pictures(f"c{at}", rows_of(at, 3, flat=True)) for at in range(20))
    assert index.health()["coded_vectors"] == 60
    assert list((tmp_path / "index-000001").glob(f"{ENCODER}.60.lead"))


def test_compaction_gives_room_back_and_changes_no_answer(
    index: SqliteBackend, tmp_path: Path
) -> None:
    index.write(case(f"c{at}") for at in range(20))
    for revision in range(1, 4):
        index.write(
            pictures(f"c{at}", rows_of(at + revision, 3, flat=True), revision=revision)
            for at in range(20)
        )
    assert index.health()["unused_vectors"] == 0
    assert len(list((tmp_path / "index-000001").glob("*.f32"))) == 2
    leg = VectorQuery(ENCODER, rows_of(3 + 7, 3, flat=True))
    assert found(index, ask(vectors=(leg,), size=1)) == ["c7"]


def test_a_search_over_torn_codes_is_right_and_the_next_write_mends_them(
    index: SqliteBackend, tmp_path: Path
) -> None:
    index.write(case(f"c{at}") for at in range(20))
    index.write(pictures(f"c{at}", rows_of(at, 3, flat=True)) for at in range(20))
    (tmp_path / "index-000001" / f"{ENCODER}.i8").write_bytes(b"torn")
    assert index.health()["coded_vectors"] == 0
    leg = VectorQuery(ENCODER, rows_of(7, 3, flat=True))
    assert found(index, ask(vectors=(leg,), size=1)) == ["c7"]
    index.write(
        pictures(f"c{at}", rows_of(at, 3, flat=True), id=str(at)) for at in (1, 2)
    )
    assert index.health()["coded_vectors"] == 66


def test_another_encoder_of_a_longer_name_keeps_its_files(tmp_path: Path) -> None:
    with closing(create(tmp_path)) as connection:
        other = pictures("a", rows_of(1, 3, flat=True), id="o", encoder=f"{ENCODER}.2")
        write(connection, tmp_path, [other], (), QUICK)
        for revision in range(1, 8):
            mine = pictures("a", rows_of(revision, 9, flat=True), revision=revision)
            write(connection, tmp_path, [mine], (), QUICK)
            compact(connection, tmp_path, QUICK)
        stands = [Stand(*row) for row in connection.execute("SELECT * FROM encoders")]
        counts = {stand.name: stand.rows for stand in stands}
        assert counts == {ENCODER: 9, f"{ENCODER}.2": 3}
        assert (tmp_path / f"{ENCODER}.2.f32").stat().st_size == 3 * SIZE * 4
