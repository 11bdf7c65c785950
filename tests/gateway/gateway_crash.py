"""Kill a door again and again while four senders send, and count what was kept.

``ROUNDS_CRASH_KILLS`` and ``ROUNDS_CRASH_INSTANCES`` make it as long as one likes.
"""

from __future__ import annotations

import os
import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import select
from tests.gateway.speaking import data_set_of

from rounds_hub.archive.models import Instance, Series

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rounds_hub.house import House

__all__ = ["Door", "Tally", "differences", "stormed"]

KILLS = int(os.environ.get("ROUNDS_CRASH_KILLS", "4"))
INSTANCES = int(os.environ.get("ROUNDS_CRASH_INSTANCES", "600"))
SENDERS = 4
PORTION = 25


class Door(Protocol):
    """A program that receives, started again after it was killed."""

    def start(self) -> float:
        """Start it and return after how many seconds it answers."""

    def kill(self) -> None:
        """Kill it with SIGKILL."""


@dataclass
class Tally:
    """What was acknowledged, how often it was killed, how long it took to be back."""

    acknowledged: set[Path] = field(default_factory=set)
    kills: int = 0
    slowest_start: float = 0.0


def stormed(
    door: Door,
    paths: Sequence[Path],
    send: Callable[[Sequence[Path]], set[Path]],
    *,
    kills: int = KILLS,
) -> Tally:
    """Send *paths* by four senders, until all are acknowledged; kill *door* meanwhile.

    Parameters
    ----------
    door
        What receives; it is running when this returns.
    paths
        The files.
    send
        Sends some files, in one association or request, and returns those that were
        acknowledged.
    kills
        How often it is killed.
    """
    tally, lock = Tally(), threading.Lock()
    todo = [list(paths[number::SENDERS]) for number in range(SENDERS)]

    def sender(mine: list[Path]) -> None:
        while mine:
            done = send(mine[:PORTION])
            with lock:
                tally.acknowledged |= done
            mine[:] = [one for one in mine if one not in done]

    tally.slowest_start = door.start()
    threads = [threading.Thread(target=sender, args=(mine,)) for mine in todo]
    for thread in threads:
        thread.start()
    chance = random.Random(7)  # noqa: S311 (moments, no secrets)
    while tally.kills < kills and any(map(_alive, threads)):
        enough = int((tally.kills + chance.random()) / kills * len(paths))
        while len(tally.acknowledged) < enough and any(map(_alive, threads)):
            time.sleep(0.005)
        time.sleep(chance.random() * 0.05)
        door.kill()
        tally.kills += 1
        tally.slowest_start = max(tally.slowest_start, door.start())
    for thread in threads:
        thread.join()
    return tally


def _alive(thread: threading.Thread) -> bool:
    return thread.is_alive()


def differences(house: House, paths: dict[str, Path]) -> list[str]:
    """Return what is lost, damaged, unlisted, phantom or double; *paths* by UID."""
    with house.sessions.begin(write=False) as session:
        rows = session.execute(select(Instance.uid, Instance.sha256)).all()
        counted = sum(session.scalars(select(Series.instance_count)))
    listed = {row.uid: row.sha256 for row in rows}
    objects = [path.name for path in house.store.folder.glob("objects/*/*")]
    found = [f"lost {uid}" for uid in paths.keys() - listed.keys()]
    found += [f"phantom {uid}" for uid in listed.keys() - paths.keys()]
    found += [f"unlisted {name}" for name in set(objects) - set(listed.values())]
    found += [
        f"damaged {uid}"
        for uid, sha256 in listed.items()
        if not house.store.verify(sha256)
        or (uid in paths and not _same(house.store.path(sha256), paths[uid]))
    ]
    if not len(rows) == len(listed) == len(objects) == counted:
        found.append(f"double: {len(rows)} rows, {len(objects)} objects, {counted}")
    return found


def _same(kept: Path, sent: Path) -> bool:
    """Return whether two files have the same data set."""
    return data_set_of(kept) == data_set_of(sent)
