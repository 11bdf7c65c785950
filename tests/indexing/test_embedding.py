"""Another encoder takes the place of the one that answers, once it is whole."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from rounds_hub.access.principal import SYSTEM, Principal, Role
from rounds_hub.cases import searching
from rounds_hub.errors import ConflictError, ForbiddenError, InvalidError
from rounds_hub.indexing import consumer, encoding, nightly, training
from rounds_hub.indexing.embedding import EmbedWork
from rounds_search.encoders import ENCODER, ENCODERS
from rounds_search.encoders.knowing import Known
from rounds_search.requests import Request, VectorQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rounds_hub.house import House

    AddCase = Callable[..., str]

onnx: Any = pytest.importorskip("onnx", reason="ONNX comes with the extra 'pictures'")

SITE = "site-tiny-1"
SIDE, NUMBERS = 8, 5
EVERYBODY = frozenset({"everyone"})


def tiny(seed: int = 0) -> bytes:
    """Return a small network, as a site could bring a large one."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weights = np.random.default_rng(seed).normal(size=(SIDE * SIDE, NUMBERS))
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["picture"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["vector"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("picture", kind, ["n", 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("vector", kind, ["n", NUMBERS])],
        [onnx.numpy_helper.from_array(weights.astype(np.float32), "w")],
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    content: bytes = model.SerializeToString()
    return content


def bring(house: House, name: str = SITE, **more: object) -> None:
    """Put a site's encoder on the shelf of *house*."""
    model = tiny(len(name))
    folder = encoding.shelf(house) / name
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model)
    described = {
        "id": name,
        "licence": "MIT",
        "model": {"sha256": hashlib.sha256(model).hexdigest()},
        "dimension": NUMBERS,
        "input": {"side": SIDE, "channels": 1},
    }
    (folder / "encoder.json").write_text(json.dumps(described | more))


@pytest.fixture
def site(house: House) -> Iterator[House]:
    """Return a house with three cases and an encoder that a site brought."""
    bring(house)
    yield house
    ENCODERS.close_folder(encoding.shelf(house))


@pytest.fixture
def any_house(house: House) -> House:
    """Return the one house that the cases of this file are put into."""
    return house


@pytest.fixture
def cases(site: House, add_case: AddCase) -> list[str]:
    uids = [add_case(f"c{n}", "everyone", seed=n + 1) for n in range(3)]
    drain(site)
    return uids


def drain(house: House) -> None:
    while consumer.waiting(house):
        consumer.run_once(house)


def embedded(house: House, name: str = SITE) -> None:
    """Do the work of the workflow here."""
    work, key = EmbedWork(house), encoding.embed(house, SYSTEM, name)
    while work.some(key):
        pass
    work.end(key)


def found_by(house: House, encoder: str) -> set[str]:
    leg = VectorQuery(encoder, like="c0")
    answer = house.index.search(Request(audience=EVERYBODY, vectors=(leg,)))
    return {hit.id for hit in answer.hits}


def found_with_a_vector(house: House, encoder: str) -> set[str]:
    leg = VectorQuery(encoder, np.ones((1, NUMBERS), np.float32))
    answer = house.index.search(Request(audience=EVERYBODY, vectors=(leg,)))
    return {hit.id for hit in answer.hits}


def state(house: House, name: str = SITE) -> encoding.EncoderState:
    return next(one for one in encoding.encoders(house, SYSTEM) if one.name == name)


@pytest.mark.usefixtures("cases")
def test_the_old_one_answers_until_the_new_one_is_whole(site: House) -> None:
    work, key = EmbedWork(site), encoding.embed(site, SYSTEM, SITE)
    assert work.some(key)
    assert encoding.current(site) == ENCODER
    assert (state(site).state, state(site).done) == ("embedding", 3)
    assert not work.some(key)
    work.end(key)
    assert encoding.current(site) == SITE


@pytest.mark.usefixtures("cases")
def test_the_new_one_finds_what_it_embedded(site: House) -> None:
    embedded(site)
    assert found_by(site, SITE) == {"c1", "c2"}


@pytest.mark.usefixtures("cases")
def test_a_newer_one_takes_over_and_the_older_leaves_the_index(site: House) -> None:
    embedded(site)
    bring(site, "site-tiny-2")
    embedded(site, "site-tiny-2")
    drain(site)
    assert state(site).state == "retired"
    assert encoding.current(site) == "site-tiny-2"
    assert found_with_a_vector(site, SITE) == set()


@pytest.mark.usefixtures("cases")
def test_a_case_that_comes_meanwhile_is_embedded_too(
    site: House, add_case: AddCase
) -> None:
    work, key = EmbedWork(site), encoding.embed(site, SYSTEM, SITE)
    work.some(key)
    add_case("c9", "everyone", seed=9)
    work.end(key)
    assert "c9" in found_by(site, SITE)


@pytest.mark.usefixtures("cases")
def test_a_picture_is_asked_with_the_encoder_that_answers(site: House) -> None:
    embedded(site)
    found = searching.search_picture(site, SYSTEM, a_picture())
    assert len(found.hits) == 3


def a_picture() -> bytes:
    import io

    shown = np.zeros((64, 64), np.uint8)
    shown[16:48, 20:44] = 200
    file = io.BytesIO()
    Image.fromarray(shown).save(file, "PNG")
    return file.getvalue()


@pytest.mark.usefixtures("cases")
def test_a_picture_unlike_all_that_is_known_is_refused(site: House) -> None:
    far = np.eye(1, NUMBERS, dtype=np.float32)
    known = Known(np.repeat(far, 3, axis=0), limit=1e-6)
    path = encoding.known_path(site, SITE)
    embedded(site)
    path.write_bytes(known.written())
    with pytest.raises(InvalidError, match="unlike every medical image"):
        searching.search_picture(site, SYSTEM, a_picture())


def test_one_is_embedded_with_at_a_time(site: House) -> None:
    encoding.embed(site, SYSTEM, SITE)
    bring(site, "site-tiny-3")
    with pytest.raises(ConflictError, match="Wait for its end"):
        encoding.embed(site, SYSTEM, "site-tiny-3")


def test_a_failed_one_says_why_and_can_be_asked_for_again(site: House) -> None:
    key = encoding.embed(site, SYSTEM, SITE)
    EmbedWork(site).fail(key, "The disk is full.")
    assert (state(site).state, state(site).problem) == ("failed", "The disk is full.")
    assert encoding.embed(site, SYSTEM, SITE) == f"{SITE}:2"


@pytest.mark.parametrize("name", ["nobody-1", ENCODER, "../x"])
def test_what_cannot_be_used_is_refused(site: House, name: str) -> None:
    with pytest.raises(InvalidError):
        encoding.embed(site, SYSTEM, name)


def test_only_administrators_choose_the_encoder(site: House) -> None:
    doctor = Principal("doctor", frozenset({Role.DOCTOR}))
    for ask in (encoding.encoders, nightly.nights):
        with pytest.raises(ForbiddenError):
            ask(site, doctor)
    with pytest.raises(ForbiddenError):
        encoding.embed(site, doctor, SITE)


@pytest.mark.usefixtures("cases")
def test_an_encoder_whose_file_is_gone_leaves_the_built_in_one(site: House) -> None:
    embedded(site)
    (encoding.shelf(site) / SITE / "encoder.json").unlink()
    assert encoding.current(site) == ENCODER


@pytest.mark.usefixtures("cases")
def test_too_few_labels_train_nothing(site: House) -> None:
    with pytest.raises(InvalidError, match=r"No label has two|from 20"):
        training.train_on_archive(site, SYSTEM, ENCODER)


@pytest.mark.usefixtures("cases")
def test_a_night_is_measured_once(site: House) -> None:
    nightly.measure_night(site, "2026-01-01")
    assert nightly.measure_night(site, "2026-01-01") == 0
    assert nightly.nights(site, SYSTEM) == []  # one class of everything
