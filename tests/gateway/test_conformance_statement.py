"""The conformance statement says what the code does, and the code does what it says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pynetdicom import AE, build_context
from tests.archive.conftest import as_file, make_instance
from tests.conftest import open_house
from tests.gateway.speaking import know

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.service import Offer, Status, store
from rounds_hub.gateway import conformance_tables as tables
from rounds_hub.gateway.conformance import statement
from rounds_hub.gateway.listener import Listener
from rounds_hub.querying.keys import KEYS, Key, Level, Matching
from rounds_hub.querying.service import Query, find

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydicom import Dataset

    from rounds_hub.house import House

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
CT = "1.2.840.10008.5.1.4.1.1.2"
AT_ONCE = 100
WHO = Principal("dora", frozenset({Role.DOCTOR}))
VALUES = {
    "AS": ("042Y", "007D"),
    "CS": ("ABC", "XYZ"),
    "DA": ("20200102", "19990101"),
    "DS": ("1.5", "2.5"),
    "DT": ("20200102101112", "19990101000000"),
    "IS": ("7", "8"),
    "PN": ("Doe^Jane", "Roe^Richard"),
    "TM": ("101112", "235959"),
    "UI": ("1.2.3.4", "1.2.3.5"),
    "US": ("16", "17"),
}
TEXT = ("some words", "other words")
OWN = {
    "Modality": ("CT", "MR"),
    "ModalitiesInStudy": ("CT", "MR"),
    "SOPClassUID": (CT, "1.2"),
    "SOPClassesInStudy": (CT, "1.2"),
    "AvailableTransferSyntaxUID": ("1.2.840.10008.1.2.1", "1.2"),
    "NumberOfFrames": ("1", "2"),
    "Columns": ("24", "25"),
}
MADE = frozenset({*OWN, "Rows", "BitsAllocated"})
"""What the instance has anyway, or what is made of it."""

UNIQUE = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


def test_the_page_is_what_the_code_writes() -> None:
    """If not: ``python -m rounds_hub.gateway.conformance docs/conformance.md``."""
    assert PAGE.read_text(encoding="utf-8").splitlines() == statement().splitlines()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Return a house with one instance that has a value for every key."""
    opened = open_house(tmp_path_factory.mktemp("statement"))
    made = make_instance()
    for key in KEYS.values():
        if key.keyword not in {*MADE, *UNIQUE} and key.matching != Matching.NONE:
            _give(made, key)
    made.NumberOfFrames = 1
    (outcome,) = store(opened, WHO, [Offer("one", as_file(made))])
    assert outcome.status == Status.TAKEN, outcome.why
    yield opened
    opened.close()


def _give(made: Dataset, key: Key) -> None:
    """Give *made* a value of its kind for *key*."""
    if not key.inner:
        setattr(made, key.keyword, values_of(key.keyword, key.vr)[0])
        return
    from pydicom import Dataset

    item = Dataset()
    for name in key.inner:
        setattr(item, name, values_of(name, item_vr(name))[0])
    setattr(made, key.keyword, [item])


def item_vr(name: str) -> str:
    from pydicom.datadict import dictionary_VR

    return dictionary_VR(name)


def values_of(keyword: str, vr: str) -> tuple[str, str]:
    """Return a value that the instance has, and one that it has not."""
    if keyword in UNIQUE and vr == "UI":
        return str(make_instance()[keyword].value), "1.2.3"
    return OWN.get(keyword) or VALUES.get(vr, TEXT)


def paths() -> list[tuple[str, ...]]:
    """Return every key that the page says is matched, those in sequences too."""
    matched = [key for key in KEYS.values() if key.matching != Matching.NONE]
    return [
        (key.keyword, inner) if inner else (key.keyword,)
        for key in matched
        for inner in key.inner or ("",)
    ]


@pytest.mark.parametrize("path", paths(), ids=".".join)
def test_a_key_matches_its_value_and_no_other(
    house: House, path: tuple[str, ...]
) -> None:
    right, wrong = values_of(path[-1], item_vr(path[-1]))
    if len(path) > 1 and path[-1] in UNIQUE:
        right, wrong = str(make_instance()[path[-1]].value), "1.2.3"
    assert [count(house, path, value) for value in (right, wrong)] == [1, 0]


def count(house: House, path: tuple[str, ...], value: str) -> int:
    """Return how many instances match; the key may not be passed over."""
    answer = find(house, WHO, Query(Level.IMAGE, {path: (value,)}))
    assert answer.unmatched == ()
    return len(answer.matches)


@pytest.fixture(scope="module")
def listener(house: House) -> Iterator[Listener]:
    house.settings.gateway_port = 0
    know(house, "TESTER", may_query=True, may_move=True, private_classes=True)
    with Listener(house) as opened:
        yield opened


def accepted(port: int, contexts: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return what a real peer gets of *contexts*: classes and transfer syntaxes."""
    found: set[tuple[str, str]] = set()
    for start in range(0, len(contexts), AT_ONCE):
        some = [build_context(*pair) for pair in contexts[start : start + AT_ONCE]]
        peer = AE("TESTER")
        association: Any = peer.associate("127.0.0.1", port, some, "ROUNDS")
        assert association.is_established
        found |= {
            (str(one.abstract_syntax), str(one.transfer_syntax[0]))
            for one in association.accepted_contexts
        }
        association.release()
    return found


def test_every_class_that_is_listed_is_negotiated(listener: Listener) -> None:
    every = [*tables.offered(), *tables.storage_classes()]
    wanted = [(one.sop_class, one.transfer_syntaxes[0]) for one in every]
    assert set(wanted) - accepted(listener.port, wanted) == set()


def test_every_transfer_syntax_that_is_listed_is_negotiated(
    listener: Listener,
) -> None:
    stored = next(one for one in tables.storage_classes() if one.sop_class == CT)
    wanted = [(CT, syntax) for syntax in stored.transfer_syntaxes]
    wanted += [
        (one.sop_class, syntax)
        for one in tables.offered()
        for syntax in one.transfer_syntaxes
    ]
    assert set(wanted) - accepted(listener.port, wanted) == set()


def test_the_page_names_every_address_of_dicomweb(house: House) -> None:
    from tests.conftest import SignInByHeader

    from rounds_hub.web import create_app

    app = create_app(house, SignInByHeader(), "/services/rounds/")
    served = {path for path in app.openapi()["paths"] if "/dicomweb/" in path}
    listed = {row[1].strip("`") for row in tables.addresses()}
    assert {path.removeprefix("/services/rounds") for path in served} == listed
