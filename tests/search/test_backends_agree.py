"""The same 200 questions to both backends, over the same 5,000 documents."""

from __future__ import annotations

import secrets
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from rounds_search import (
    Document,
    Facet,
    ImageDocument,
    Request,
    SqliteBackend,
    Term,
    VectorQuery,
)
from rounds_search.backends.elastic import Cluster, ElasticBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rounds_search import Answer, Backend

DOCUMENTS: Final = 5_000
QUESTIONS: Final = 200
ENCODER: Final = "agree-16"
DISEASES_TEXT: Final = (
    "abscess adenocarcinoma aneurysm appendicitis cyst edema effusion embolism "
    "fibrosis fracture glioblastoma hemangioma hematoma hepatocellular-carcinoma "
    "infarction lipoma lymphoma meningioma metastases pneumonia pneumothorax "
    "sarcoidosis schwannoma stenosis teratoma thrombosis tuberculosis "
    "脑脓肿 肝细胞癌 肺栓塞"
)
DISEASES: Final = tuple(DISEASES_TEXT.split())
SITES_TEXT: Final = (
    "aorta bladder brain breast colon duodenum femur heart hip kidney knee liver lung "
    "mediastinum nerve orbit pancreas pelvis prostate skull spine spleen thyroid "
    "左肺 肝脏"
)
SITES: Final = tuple(SITES_TEXT.split())
SIGNS_TEXT: Final = (
    "acute bilateral calcified chronic cystic dense diffuse displaced enhancing fluid "
    "focal heterogeneous hyperintense hypodense irregular left lesions lobulated mass "
    "mild multiple nodules patient posterior right ring-enhancing septated solid "
    "thickened upper vascular wall 3.5cm T2-weighted 环形强化 水肿 结节"
)
SIGNS: Final = tuple(SIGNS_TEXT.split())
MODALITIES: Final = ("CT", "MR", "US", "DX", "PT")
LEVELS: Final = ("student", "resident", "specialist")
MEMBERS: Final = ("everyone", "role:doctor", "role:student", "group:a")


class Chance:
    """Words in the frequencies that words have, and what else is drawn."""

    def __init__(self, seed: int) -> None:
        self.draws = np.random.default_rng(seed)

    def words(self, known: tuple[str, ...], most: int, least: int = 1) -> str:
        count = int(self.draws.integers(least, most + 1))
        rarity = 1 / np.arange(1, len(known) + 1)
        return " ".join(self.draws.choice(known, count, p=rarity / rarity.sum()))

    def one(self, known: tuple[str, ...]) -> str:
        return str(self.draws.choice(known))

    def some(self, known: tuple[str, ...], most: int) -> tuple[str, ...]:
        count = int(self.draws.integers(1, most + 1))
        return tuple(map(str, self.draws.choice(known, count, replace=False)))

    def rows(self, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return self.draws.normal(size=(count, 16)).astype(np.float32)


def document(at: int, chance: Chance) -> Document:
    told = {
        "findings": chance.words(SIGNS, 40, 5),
        "history": chance.words((*SIGNS, *SITES), 25),
        "diagnosis": f"{chance.words(SITES, 1)} {chance.words(DISEASES, 2)}",
        "discussion": chance.words((*DISEASES, *SITES, *SIGNS), 60),
    }
    kept = chance.some(tuple(told), 4)
    return Document(
        id=f"case-{at:05}",
        kind="case",
        revision=1,
        title=f"{chance.words(DISEASES, 2)} {chance.words(SITES, 2)}",
        audience=frozenset(chance.some(MEMBERS, 2)),
        text={name: told[name] for name in kept},
        facets={
            "modality": chance.some(MODALITIES, 2),
            "level": (chance.one(LEVELS),),
        },
        date=f"2026-{1 + at % 12:02}-{1 + at % 28:02}",
    )


def picture(at: int, chance: Chance) -> ImageDocument:
    count = int(chance.draws.integers(1, 4))
    placed = np.sort(chance.draws.random(count)).astype(np.float32)
    return ImageDocument(
        id=f"series-{at:05}",
        case_ids=(f"case-{at:05}",),
        revision=1,
        encoder=ENCODER,
        vectors=chance.rows(count),
        positions=placed if at % 2 else None,
        audience=frozenset(chance.some(MEMBERS, 3)),
        where={"modality": chance.some(MODALITIES, 1)},
    )


def question(at: int, chance: Chance) -> Request:
    """Return words, a picture, or both, every fourth with a filter."""
    kind = at % 5
    text = "" if kind == 4 else chance.words((*DISEASES, *SITES, *SIGNS), 3)
    if at % 7 == 0 and text:
        text = f'"{text}"'
    count = int(chance.draws.integers(1, 4))
    leg = VectorQuery(
        ENCODER,
        chance.rows(count),
        positions=np.linspace(0, 1, count, dtype=np.float32) if at % 2 else None,
    )
    where = (Term("modality", chance.some(MODALITIES, 2)),) if at % 4 == 0 else ()
    return Request(
        text=text,
        vectors=(leg,) if kind >= 3 else (),
        where=where,
        facets=(Facet("modality"), Facet("level")),
        audience=frozenset(chance.some(MEMBERS, 3)),
        expand=bool(at % 3),
        highlight=False,
        size=10,
    )


@pytest.fixture(scope="module")
def prefix() -> str:
    """Return what the names of the indices begin with."""
    return f"agree-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def both(
    elasticsearch: str, prefix: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Backend, Backend]]:
    """Return both backends with the same documents."""
    chance = Chance(5)
    documents = [document(at, chance) for at in range(DOCUMENTS)]
    images = [picture(at, chance) for at in range(0, DOCUMENTS, 2)]
    folder = tmp_path_factory.mktemp("agree") / "index"
    cluster = Cluster(elasticsearch, prefix=prefix, seconds=120)
    with (
        closing(SqliteBackend(folder)) as sqlite,
        closing(ElasticBackend(cluster)) as elastic,
    ):
        for one in (sqlite, elastic):
            one.ensure()
            one.write([*documents, *images])
        yield sqlite, elastic


def told(answer: Answer) -> tuple[int, object, bool]:
    return answer.total, answer.facets, answer.relaxed


def certain(answer: Answer) -> set[str]:
    """Return the hits that no tie with the last one makes a matter of taste."""
    scores = [hit.score for hit in answer.hits]
    if len(scores) < 10:
        return {hit.id for hit in answer.hits}
    edge = scores[-1] + 1e-6
    return {
        hit.id for hit, score in zip(answer.hits, scores, strict=True) if score > edge
    }


def test_both_find_the_same_ten(both: tuple[Backend, Backend]) -> None:
    sqlite, elastic = both
    chance, differing = Chance(6), []
    for at in range(QUESTIONS):
        request = question(at, chance)
        one, other = sqlite.search(request), elastic.search(request)
        ids = {hit.id for hit in one.hits}, {hit.id for hit in other.hits}
        if not (certain(one) <= ids[1] and certain(other) <= ids[0]):
            differing.append((at, request.text, len(ids[0] ^ ids[1])))
    assert differing == []


def test_both_count_and_score_the_same(both: tuple[Backend, Backend]) -> None:
    sqlite, elastic = both
    chance = Chance(7)
    for at in range(40):
        request = question(at, chance)
        one, other = sqlite.search(request), elastic.search(request)
        assert told(one) == told(other), request.text
        scores = [hit.score for hit in other.hits]
        assert scores == pytest.approx([hit.score for hit in one.hits], abs=1e-5)


@pytest.mark.parametrize("sort", ["newest", "oldest", "title", "relevance"])
def test_both_walk_the_same_way(both: tuple[Backend, Backend], sort: str) -> None:
    walks = []
    for index in both:
        request = Request(
            text="abscess", audience=frozenset({"everyone"}), sort=sort, size=60
        )
        ids = []
        for _ in range(4):
            answer = index.search(request)
            ids += [hit.id for hit in answer.hits]
            request = replace(request, after=answer.after)
        walks.append(ids)
    assert walks[0] == walks[1]


def test_pages_go_on_behind_the_exact_head(
    both: tuple[Backend, Backend], elasticsearch: str, prefix: str
) -> None:
    cluster = Cluster(elasticsearch, prefix=prefix)
    request = Request(text="mass", audience=frozenset(MEMBERS), size=90)
    ids: list[str] = []
    with closing(ElasticBackend(cluster, head=100)) as index:
        while True:
            answer = index.search(request)
            ids += [hit.id for hit in answer.hits]
            if answer.after is None:
                break
            request = replace(request, after=answer.after)
    assert len(ids) == len(set(ids)) == both[1].search(request).total > 200
