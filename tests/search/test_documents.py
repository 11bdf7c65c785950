from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import rounds_search
from rounds_search import Delete, Document, ImageDocument
from rounds_search.documents import packed, seconds, unpacked
from rounds_search.errors import RequestError

EVERYONE = frozenset({"everyone"})


def made(**changed: Any) -> Document:  # noqa: ANN401 - any field
    known: dict[str, Any] = {
        "id": "c1",
        "kind": "case",
        "revision": 3,
        "title": "脑脓肿 Brain abscess",
        "audience": EVERYONE,
        "text": {"findings": "ring"},
        "facets": {"modality": ("MR", "CT")},
        "codes": ("RID5250",),
        "case_id": "c1",
        "date": "2026-01-02T03:04:05+00:00",
    }
    return Document(**(known | changed))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"id": ""}, "An id must be 1 to 200 printable characters"),
        ({"id": "a\x00b"}, "printable"),
        ({"kind": "note"}, "No kind of document 'note'. Known: case, result."),
        ({"revision": -1}, "The revision of 'c1' must be 0 to 2"),
        ({"text": {"secret": "x"}}, "No text field 'secret'. Known: codes_text"),
        ({"text": {"findings": "x" * 1_000_001}}, "at most 1000000 characters"),
        ({"facets": {"organ": ("x",)}}, "No facet 'organ'"),
        ({"facets": {"level": "easy"}}, "Facet 'level' must be a tuple"),
        ({"facets": {"level": ("",)}}, "A value of 'level' must be 1 to 200"),
        ({"facets": {"level": ("x",) * 501}}, "a tuple of at most 500"),
        ({"codes": ("x\ny",)}, "A value of 'code'"),
        ({"date": "yesterday"}, "date must be an ISO 8601 date or ''"),
    ],
)
def test_what_the_index_could_not_keep_is_refused(
    changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        made(**changed)


def test_json_gives_the_same_document_again() -> None:
    assert Document.from_json(json.loads(packed(made()))) == made()
    assert unpacked(packed(made())) == made()


def test_halves_of_characters_are_replaced() -> None:
    document = made(title="a\ud800b", text={"findings": "\udfff"})
    assert (document.title, document.text["findings"]) == ("a?b", "?")


def test_a_facet_follows_from_the_other_fields() -> None:
    assert [made().values(name) for name in ("kind", "code", "case", "language")] == [
        ("case",),
        ("RID5250",),
        ("c1",),
        ("en",),
    ]


def test_a_facet_that_is_given_is_not_derived() -> None:
    both = made(facets={"language": ("en", "zh")})
    assert both.values("language") == ("en", "zh")


def test_dates_with_and_without_a_zone_are_compared() -> None:
    assert seconds("2026-01-02T08:00:00+08:00") == seconds("2026-01-02")
    assert seconds("") < seconds("0001-01-01")


def test_vectors_become_unit_rows() -> None:
    image = ImageDocument(
        id="s:e",
        case_ids=("c",),
        revision=1,
        encoder="e",
        vectors=np.array([3.0, 4.0], np.float32),
        audience=EVERYONE,
    )
    assert np.allclose(image.vectors, [[0.6, 0.8]])


def test_a_delete_has_bounds_too() -> None:
    with pytest.raises(RequestError, match="revision of 'c'"):
        Delete("c", revision=-1)


def test_every_public_name_exists() -> None:
    assert all(hasattr(rounds_search, name) for name in rounds_search.__all__)
    assert list(rounds_search.__all__) == sorted(
        rounds_search.__all__, key=lambda name: (not name.isupper(), name[0].islower())
    )
