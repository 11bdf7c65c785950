"""The index beside a plain dictionary, through random lives of both."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rounds_search import Delete, Facet, Request, SqliteBackend, Term, VectorQuery
from rounds_search.testing.library import ENCODER, axis, case, pictures

if TYPE_CHECKING:
    from rounds_search import Document

NAMES = st.sampled_from(["a", "b", "c", "d"])
WORDS = st.sampled_from(["nodule", "effusion", "脑脓肿", "ring-enhancing"])
MEMBERS = st.frozensets(st.sampled_from(["everyone", "role:x", "user:y"]), max_size=2)
REVISIONS = st.integers(0, 9)
MODALITY = st.sampled_from(["CT", "MR"])
ASKERS = [frozenset(), frozenset({"everyone"}), frozenset({"role:x", "user:y"})]


@dataclass
class Known:
    """The newest revision of an id, and what stands there."""

    revision: int
    document: Document | None


class IndexMachine(RuleBasedStateMachine):
    """Writes, deletes, rebuilds and restarts, with searches after each."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.index = SqliteBackend(self.folder)
        self.index.ensure()
        self.known: dict[str, Known] = {}
        self.vectors: dict[str, tuple[int, int | None]] = {}

    def teardown(self) -> None:
        self.index.close()
        shutil.rmtree(self.folder)

    @rule(
        name=NAMES, revision=REVISIONS, word=WORDS, members=MEMBERS, modality=MODALITY
    )
    def write(
        self,
        name: str,
        revision: int,
        word: str,
        members: frozenset[str],
        modality: str,
    ) -> None:
        document = case(
            name,
            word,
            revision=revision,
            audience=members,
            facets={"modality": (modality,)},
        )
        report = self.index.write([document])
        assert bool(report.stale) == (not self._take(document))

    def _take(self, document: Document) -> bool:
        before = self.known.get(document.id)
        if before is not None:
            late = document.revision < before.revision
            tie = document.revision == before.revision
            if late or (tie and before.document is None):
                return False
        self.known[document.id] = Known(document.revision, document)
        return True

    @rule(name=NAMES, revision=REVISIONS)
    def delete(self, name: str, revision: int) -> None:
        self.index.write(deletes=[Delete(name, revision)])
        before = self.known.get(name)
        if before is None or revision >= before.revision:
            self.known[name] = Known(revision, None)

    @rule(name=NAMES, revision=REVISIONS, number=st.integers(0, 2))
    def show(self, name: str, revision: int, number: int) -> None:
        self.index.write([pictures(name, axis(number), revision=revision)])
        before = self.vectors.get(name, (-1, None))
        if revision >= before[0]:
            self.vectors[name] = (revision, number)

    @rule()
    def rebuild(self) -> None:
        live = [one.document for one in self.known.values() if one.document]
        shown = [
            pictures(name, axis(number), revision=revision)
            for name, (revision, number) in self.vectors.items()
            if number is not None
        ]
        self.index.rebuild([*live, *shown])

    @rule()
    def restart(self) -> None:
        self.index.close()
        self.index = SqliteBackend(self.folder)
        self.index.ensure()

    def _seen(self, asker: frozenset[str]) -> dict[str, Document]:
        return {
            name: one.document
            for name, one in self.known.items()
            if one.document and one.document.audience & asker
        }

    @invariant()
    def browsing_agrees(self) -> None:
        for asker in ASKERS:
            seen = self._seen(asker)
            answer = self.index.search(
                Request(audience=asker, facets=(Facet("modality"),))
            )
            assert {hit.id for hit in answer.hits} == set(seen)
            counts = dict(answer.facets["modality"])
            values = [one.values("modality")[0] for one in seen.values()]
            assert counts == {name: values.count(name) for name in set(values)}

    @invariant()
    def words_agree(self) -> None:
        for asker in ASKERS[1:]:
            seen = self._seen(asker)
            for word in ("nodule", "脓肿", "ring enhancing"):
                request = Request(text=word, audience=asker, expand=False)
                found = {hit.id for hit in self.index.search(request).hits}
                wanted = word.replace(" ", "-")
                titles = {name for name, one in seen.items() if wanted in one.title}
                assert found == titles

    @invariant()
    def pictures_agree(self) -> None:
        seen = self._seen(ASKERS[1])
        leg = VectorQuery(ENCODER, axis(0) + np.float32(0.01), at_least=0.9)
        if not self.vectors:
            return
        where = (Term("modality", ("CT",)),)
        request = Request(audience=ASKERS[1], vectors=(leg,), where=where)
        found = {hit.id for hit in self.index.search(request).hits}
        assert found == {
            name
            for name, one in seen.items()
            if one.values("modality") == ("CT",)
            and self.vectors.get(name, (0, None))[1] == 0
        }

    @invariant()
    def health_is_good(self) -> None:
        health = self.index.health()
        assert health["ok"]
        live = sum(one.document is not None for one in self.known.values())
        assert health["documents"] == live


TestIndexMachine = IndexMachine.TestCase
TestIndexMachine.settings = settings(
    deadline=None, max_examples=12, stateful_step_count=15
)
