"""When a service that ended is started again."""

from __future__ import annotations

import pytest

from rounds_hub.deployment.restarts import Restarts


class Clock:
    """A clock that stands still until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def starts_within(restarts: Restarts, clock: Clock, seconds: int) -> int:
    """Return how often it is started in so many seconds of a crash loop."""
    count = 0
    for _ in range(seconds):
        count += restarts.due()
        clock.now += 1
    return count


def test_what_was_killed_once_is_back_at_once(clock: Clock) -> None:
    assert Restarts(clock).due()


def test_a_crash_loop_slows_down(clock: Clock) -> None:
    assert starts_within(Restarts(clock), clock, 600) < 20


def test_a_crash_loop_is_not_given_up(clock: Clock) -> None:
    restarts = Restarts(clock)
    starts_within(restarts, clock, 600)
    assert starts_within(restarts, clock, 600) >= 5


def test_after_a_calm_time_it_is_back_at_once_again(clock: Clock) -> None:
    restarts = Restarts(clock)
    starts_within(restarts, clock, 30)
    clock.now += 600
    assert (restarts.due(), restarts.due()) == (True, False)
