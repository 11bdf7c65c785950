"""The gateway's share of a worker: what is sent to nodes, and pulled from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbos import DBOS

from rounds_hub.gateway.converting import sweep_leftovers
from rounds_hub.gateway.dispatching import attempt, hand_over_sendings
from rounds_hub.gateway.fetching import fetch, hand_over_pulls
from rounds_hub.work.client import QUEUES

if TYPE_CHECKING:
    from rounds_hub.house import House

__all__ = ["hand_over", "register", "take"]

AT_ONCE = 4
MOST_RECOVERIES = 1000


def register(house: House) -> None:
    """Register the workflows ``send`` and ``pull``, before DBOS is launched."""
    sweep_leftovers(house)

    @DBOS.step(name="send.attempt")
    def send_step(key: str) -> str:
        return attempt(house, key)

    @DBOS.workflow(name="send", max_recovery_attempts=MOST_RECOVERIES)
    def send(key: str) -> str:
        return send_step(key)

    @DBOS.step(name="pull.fetch")
    def pull_step(key: str) -> str:
        return fetch(house, key)

    @DBOS.workflow(name="pull", max_recovery_attempts=MOST_RECOVERIES)
    def pull(key: str) -> str:
        return pull_step(key)

    del send, pull  # registered by their names


def take(polling_seconds: float) -> None:
    """Take what waits in the two queues, once DBOS is launched."""
    for kind in ("send", "pull"):
        DBOS.register_queue(
            QUEUES[kind],
            worker_concurrency=AT_ONCE,
            polling_interval_sec=polling_seconds,
        )


def hand_over(house: House) -> None:
    """Give the queue what was recorded and that nobody does."""
    hand_over_sendings(house)
    hand_over_pulls(house)
