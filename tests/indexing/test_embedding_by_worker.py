"""Another encoder, embedded by a real worker that is killed on its way."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.indexing.test_embedding import SITE, bring, drain, found_by, state

from rounds_hub.access.principal import SYSTEM
from rounds_hub.errors import InvalidError
from rounds_hub.indexing import encoding
from rounds_search.encoders import ENCODER, ENCODERS

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from rounds_hub.house import House

    AddCase = Callable[..., str]
    Start = Callable[[], subprocess.Popen[bytes]]

CASES = 12
SECONDS = 180


@pytest.fixture
def any_house(house: House) -> House:
    """Return the one house that the cases of this file are put into."""
    return house


@pytest.fixture
def site(house: House, add_case: AddCase) -> Iterator[House]:
    """Return a house with cases in its index and an encoder that a site brought."""
    bring(house)
    for number in range(CASES):
        add_case(f"c{number}", "everyone", seed=number + 1)
    drain(house)
    yield house
    ENCODERS.close_folder(encoding.shelf(house))


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_worker_embeds_all_series_and_then_the_new_one_answers(
    site: House, worker: Start
) -> None:
    encoding.embed(site, SYSTEM, SITE)
    assert encoding.current(site) == ENCODER
    worker()
    wait_until(lambda: state(site).state == "current")
    assert (state(site).done, state(site).answers) == (CASES, True)
    assert encoding.current(site) == SITE
    drain_by_worker(site)
    assert found_by(site, SITE) == {f"c{number}" for number in range(1, CASES)}


def test_a_worker_that_is_killed_is_followed_by_one_that_goes_on(
    site: House, worker: Start
) -> None:
    encoding.embed(site, SYSTEM, SITE)
    first = worker()
    wait_until(lambda: state(site).state in {"embedding", "current"})
    first.kill()
    first.wait()
    worker()
    wait_until(lambda: state(site).state == "current")
    assert state(site).done == CASES


def test_an_encoder_that_there_is_not_is_named(site: House) -> None:
    with pytest.raises(InvalidError, match="nowhere-1"):
        encoding.embed(site, SYSTEM, "nowhere-1")


def drain_by_worker(house: House) -> None:
    """Wait until the worker has brought everything into the index."""
    from rounds_hub.indexing import consumer

    wait_until(lambda: consumer.waiting(house) == 0)
