"""The limit on guessed passwords."""

from __future__ import annotations

import pytest

from rounds_hub.deployment.guesses import GuessLimit

HERE = "127.0.0.1"


class Clock:
    """A clock that stands still until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limit(clock: Clock) -> GuessLimit:
    return GuessLimit(most=3, pause=60, clock=clock)


def guess(limit: GuessLimit, user: str, times: int, address: str = HERE) -> None:
    for _ in range(times):
        limit.wrong(user, address)


def test_a_few_wrong_passwords_are_human(limit: GuessLimit) -> None:
    guess(limit, "ada", 2)
    assert limit.wait("ada", HERE) == 0


def test_too_many_wrong_passwords_pause(limit: GuessLimit) -> None:
    guess(limit, "ada", 3)
    assert limit.wait("ada", HERE) == 60


def test_the_pause_ends(limit: GuessLimit, clock: Clock) -> None:
    guess(limit, "ada", 3)
    clock.now += 61
    assert limit.wait("ada", HERE) == 0


def test_after_the_pause_counting_begins_anew(limit: GuessLimit, clock: Clock) -> None:
    guess(limit, "ada", 3)
    clock.now += 61
    guess(limit, "ada", 2)
    assert limit.wait("ada", HERE) == 0


def test_nobody_is_locked_out_from_elsewhere(limit: GuessLimit) -> None:
    guess(limit, "ada", 3, "10.0.0.9")
    assert limit.wait("ada", HERE) == 0


def test_an_address_that_tries_many_names_pauses(limit: GuessLimit) -> None:
    for number in range(15):
        limit.wrong(f"user{number}", HERE)
    assert limit.wait("somebody", HERE) == 60


def test_the_right_password_forgets_the_wrong_ones(limit: GuessLimit) -> None:
    guess(limit, "ada", 2)
    limit.right("ada", HERE)
    guess(limit, "ada", 2)
    assert limit.wait("ada", HERE) == 0


def test_what_is_remembered_is_bounded(limit: GuessLimit) -> None:
    for number in range(12_000):
        limit.wrong("ada", f"address {number}")
    assert limit.remembered <= 10_001
