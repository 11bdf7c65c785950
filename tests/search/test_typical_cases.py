"""Words against real teaching cases, where they are."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from rounds_search import Document, Request, SqliteBackend
from rounds_search.evaluation import precision, recall

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVERYONE = frozenset({"everyone"})
# Chinese names of 34 diseases, and an English word that their cases' titles have.
DISEASES = {
    "脑膜瘤": "meningioma",
    "血管瘤": "hemangioma",
    "多形性胶质母细胞瘤": "glioblastoma",
    "淋巴瘤": "lymphoma",
    "肾细胞癌": "renal cell",
    "脑脓肿": "abscess",
    "阑尾炎": "appendicitis",
    "畸胎瘤": "teratoma",
    "骨软骨瘤": "osteochondroma",
    "脂肪瘤": "lipoma",
    "神经纤维瘤病": "neurofibromatosis",
    "肺栓塞": "embol",
    "动静脉畸形": "arteriovenous",
    "多发性硬化": "multiple sclerosis",
    "蛛网膜下腔出血": "subarachnoid",
    "室管膜瘤": "ependymoma",
    "髓母细胞瘤": "medulloblastoma",
    "星形细胞瘤": "astrocytoma",
    "少突胶质细胞瘤": "oligodendroglioma",
    "听神经瘤": "schwannoma",
    "骨肉瘤": "osteosarcoma",
    "动脉瘤样骨囊肿": "aneurysmal bone cyst",
    "结节性硬化": "tuberous sclerosis",
    "结节病": "sarcoid",
    "肺结核": "tubercul",
    "肠套叠": "intussusception",
    "多囊肾": "polycystic",
    "主动脉夹层": "dissection",
    "子宫内膜异位症": "endometri",
    "嗜铬细胞瘤": "pheochromocytoma",
    "骨巨细胞瘤": "giant cell",
    "转移瘤": "metasta",
    "表皮样囊肿": "epidermoid",
    "海绵状血管瘤": "cavernous",
}


def document(entry: dict[str, Any]) -> Document:
    told = entry["Case"]
    fields = {
        "history": told.get("History"),
        "findings": told.get("Findings"),
        "diagnosis": told.get("Case Diagnosis"),
        "differential": told.get("Differential Diagnosis"),
        "discussion": entry.get("Topic", {}).get("Disease Discussion"),
    }
    return Document(
        id=entry["U_id"],
        kind="case",
        revision=1,
        title=str(told.get("Title") or ""),
        audience=EVERYONE,
        text={name: str(text) for name, text in fields.items() if text},
    )


@pytest.fixture(scope="module")
def cases(shared_data: Path) -> list[Document]:
    file = shared_data / "retrieval" / "medpix_cases.jsonl"
    if not file.is_file():
        pytest.skip("teaching cases are not here: data/retrieval is missing")
    lines = file.read_text(encoding="utf-8").splitlines()
    return [document(json.loads(line)) for line in lines]


@pytest.fixture(scope="module")
def index(
    cases: list[Document], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SqliteBackend]:
    with closing(SqliteBackend(tmp_path_factory.mktemp("cases"))) as made:
        made.ensure()
        made.rebuild(cases)
        yield made


def ten(index: SqliteBackend, text: str) -> list[str]:
    request = Request(text=text, audience=EVERYONE, size=10, highlight=False)
    return [hit.id for hit in index.search(request).hits]


def test_a_title_finds_its_case(index: SqliteBackend, cases: list[Document]) -> None:
    asked = [one for one in cases if one.title][::4]
    found = [recall(ten(index, one.title), {one.id}, 10) for one in asked]
    assert sum(found) / len(found) > 0.9


def test_a_history_finds_its_case(index: SqliteBackend, cases: list[Document]) -> None:
    asked = [one for one in cases if len(one.text.get("history", "")) > 60][::8]
    words = [" ".join(one.text["history"].split()[:25]) for one in asked]
    found = [
        recall(ten(index, text), {one.id}, 10)
        for text, one in zip(words, asked, strict=True)
    ]
    assert sum(found) / len(found) > 0.9


def test_chinese_names_find_english_cases(
    index: SqliteBackend, cases: list[Document]
) -> None:
    missed = []
    for chinese, english in DISEASES.items():
        wanted = {
            one.id
            for one in cases
            if english in f"{one.title} {one.text.get('diagnosis')}".lower()
        }
        assert wanted, f"no case of {english}"
        if not precision(ten(index, chinese), wanted, 10):
            missed.append(chinese)
    assert len(DISEASES) == 34
    assert len(missed) <= 3, missed


def test_highlights_of_real_cases_mark_something(
    index: SqliteBackend, cases: list[Document]
) -> None:
    for one in cases[::40]:
        answer = index.search(Request(text=one.title, audience=EVERYONE))
        assert all(
            "<mark>" in text for hit in answer.hits for text in hit.highlights.values()
        )
