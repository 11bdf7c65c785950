"""Race our operation against a peer's: in turns, in one process, results compared.

A row is a module of this package with ``races(*, quick: bool) -> Iterator[Race]``.
Its peers come with the extra ``bench``; a row whose peer is missing says so.
"""

from __future__ import annotations

import gc
import os
import platform
import resource
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Contestant", "Race", "Row", "run"]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)


@dataclass(frozen=True, slots=True)
class Contestant:
    """Somebody who does the work; *prepare* is called before each turn, untimed."""

    name: str
    version: str
    work: Callable[[], Any]
    prepare: Callable[[], Any] | None = None


@dataclass(frozen=True, slots=True)
class Race:
    """Ours against a peer on one piece of work.

    *equal* compares the two results; *waits* says that wall time counts, because the
    work is waiting (processes, disks) rather than computing.
    """

    id: str
    operation: str
    work: str
    ours: Contestant
    peer: Contestant
    equal: Callable[[Any, Any], bool]
    waits: bool = False
    turns: int = 3


@dataclass(frozen=True, slots=True)
class Row:
    """What came of a race; *ratio* is the peer's time by ours, above 1 is faster."""

    id: str
    operation: str
    work: str
    peer: str
    peer_version: str
    ours_cpu_s: float
    peer_cpu_s: float
    ours_wall_s: float
    peer_wall_s: float
    ratio: float
    equal: bool
    machine: str

    def as_dict(self) -> dict[str, Any]:
        """Return the row as a JSON object."""
        return asdict(self)


@dataclass(slots=True)
class _Times:
    """The best CPU and wall seconds of somebody's turns, and the last result."""

    cpu: float = float("inf")
    wall: float = float("inf")
    result: Any = field(default=None, repr=False)

    def turn(self, contestant: Contestant) -> None:
        """Let *contestant* do the work once more."""
        if contestant.prepare is not None:
            contestant.prepare()
        gc.collect()
        cpu, wall = _cpu_seconds(), time.perf_counter()
        self.result = contestant.work()
        self.wall = min(self.wall, time.perf_counter() - wall)
        self.cpu = min(self.cpu, _cpu_seconds() - cpu)


def run(race: Race) -> Row:
    """Let both take turns, ours first in even turns, and return the best of each."""
    ours, peer = _Times(), _Times()
    for turn in range(race.turns):
        order = [(ours, race.ours), (peer, race.peer)]
        for times, contestant in order if turn % 2 == 0 else reversed(order):
            times.turn(contestant)
    by = "wall" if race.waits else "cpu"
    ratio = getattr(peer, by) / max(getattr(ours, by), 1e-9)
    return Row(
        id=race.id,
        operation=race.operation,
        work=race.work,
        peer=race.peer.name,
        peer_version=race.peer.version,
        ours_cpu_s=round(ours.cpu, 6),
        peer_cpu_s=round(peer.cpu, 6),
        ours_wall_s=round(ours.wall, 6),
        peer_wall_s=round(peer.wall, 6),
        ratio=round(ratio, 3),
        equal=bool(race.equal(ours.result, peer.result)),
        machine=machine(),
    )


def machine() -> str:
    """Return what the race ran on, in a few words."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    threads = os.environ.get("OMP_NUM_THREADS", "default")
    return (
        f"{platform.system()} {platform.machine()}, {cores or os.cpu_count()} cores, "
        f"Python {platform.python_version()}, threads {threads}"
    )


def _cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that ended."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
