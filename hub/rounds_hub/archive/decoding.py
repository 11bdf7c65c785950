"""Read pixels and headers of foreign instances in processes of their own.

Whatever an instance holds, it is a decoding process that dies of it, takes too long or
wants too much memory, never the one that serves: who asked is told in a sentence, and
the next job gets a new process. Every function here blocks; use it in a thread.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import selectors
import struct
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import structlog

from rounds_hub.archive.layout import Layout
from rounds_hub.errors import (
    BusyError,
    InvalidError,
    NotAcceptableError,
    NotFoundError,
    TooLargeError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from rounds_hub.archive.rendering import Drawing

__all__ = [
    "SECONDS",
    "Pool",
    "bulk",
    "draw",
    "frame",
    "labels",
    "layout",
    "metadata",
    "packed_frame",
    "raster",
    "reencode",
    "thumbnail",
    "transcode",
    "volumes",
]

SECONDS = 10.0
"""How long one job may compute; it may take three times that on a busy machine."""

PROCESSES = 2
WAIT_SECONDS = 30.0
START_SECONDS = 60.0
WAITING = 3
BYTES_A_SECOND = 20 * 2**20
"""What an instance is rewritten with at the least: so a large one may take longer."""

SLOWEST = 5 * 2**20
"""What a series is read and kept as a volume with at the least."""

GRACE_SECONDS = 1.0
PIECE = 2**20
KEPT = ("PATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR")
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_LENGTH = struct.Struct("<Q")

log = structlog.get_logger()


class _EndedError(Exception):
    """The process came to an end over a job."""


class _Worker:
    """One decoding process, started with the first job and again after it died."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: bytes, seconds: float) -> bytes:
        """Return the answer to *request*.

        Raises
        ------
        TimeoutError
            If there is none after *seconds*.
        _EndedError
            If the process died.
        """
        fresh = self._process is None or self._process.poll() is not None
        if fresh:
            self.end()
            self._process = _started()
        try:
            wait = WAITING * seconds + GRACE_SECONDS + (START_SECONDS if fresh else 0)
            return self._exchange(request, time.monotonic() + wait)
        except BaseException:
            self.end()
            raise

    def _exchange(self, request: bytes, deadline: float) -> bytes:
        """Send *request* and read what comes back."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise _EndedError
        try:
            process.stdin.write(_LENGTH.pack(len(request)) + request)
            process.stdin.flush()
        except OSError as error:
            raise _EndedError from error
        descriptor = process.stdout.fileno()
        length = _LENGTH.unpack(_receive(descriptor, _LENGTH.size, deadline))[0]
        return _receive(descriptor, length, deadline)

    def end(self) -> None:
        """Kill the process; a second time changes nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()
        process.wait()


class Pool:
    """Some decoding processes, each for one job at a time.

    Parameters
    ----------
    processes
        How many there are at most; they start when they are needed.

    Examples
    --------
    >>> pool = Pool(1)
    >>> pool.close()
    """

    def __init__(self, processes: int = PROCESSES) -> None:
        """Start nothing yet."""
        # Last in, first out: the one that is warm is asked again.
        self._free: queue.LifoQueue[_Worker] = queue.LifoQueue()
        self._all = [_Worker() for _ in range(processes)]
        for worker in self._all:
            self._free.put(worker)

    def ask(self, job: str, *, seconds: float = SECONDS, **given: Any) -> Any:  # noqa: ANN401
        """Return what a job says, as :meth:`fetch` without its bytes."""
        return self.fetch(job, seconds=seconds, **given)[0]

    def fetch(
        self,
        job: str,
        *,
        seconds: float = SECONDS,
        **given: Any,  # noqa: ANN401
    ) -> tuple[Any, bytes]:
        """Return what a job says and its bytes.

        Raises
        ------
        InvalidError
            If the instance cannot be read, took too long, or ended the process.
        NotAcceptableError
            If it cannot be given in the form that was asked for.
        TooLargeError
            If a volume would be larger than its limit.
        NotFoundError
            If there is no such frame.
        BusyError
            If no process was free in time.
        """
        request = json.dumps({"job": job, "seconds": seconds, "given": given}).encode()
        try:
            worker = self._free.get(timeout=WAIT_SECONDS)
        except queue.Empty as error:
            msg = "Too many pictures are being read at once. Ask again in a moment."
            raise BusyError(msg) from error
        try:
            told = worker.ask(request, seconds)
        except TimeoutError as error:
            log.warning("a job took too long", job=job)
            msg = f"It takes longer than {seconds:.0f} s to read, and was given up."
            raise InvalidError(msg) from error
        except _EndedError as error:
            log.warning("a decoding process ended", job=job)
            msg = (
                "It ended the process that read it: it is damaged or built to do harm."
            )
            raise InvalidError(msg) from error
        finally:
            self._free.put(worker)
        return _understood(job, told)

    def close(self) -> None:
        """End every process; a second time changes nothing."""
        for worker in self._all:
            worker.end()


def _understood(job: str, told: bytes) -> tuple[Any, bytes]:
    """Return what an answer says and its bytes, or raise what it tells."""
    length = _LENGTH.unpack_from(told)[0]
    words = json.loads(told[_LENGTH.size : _LENGTH.size + length])
    if "error" not in words:
        return words["said"], told[_LENGTH.size + length :]
    if "kind" in words:
        log.warning("an instance could not be read", job=job, kind=words["kind"])
    if "missing" in words:
        raise NotFoundError(*map(str, words["missing"]))
    message = str(words["error"])
    for kind in (NotAcceptableError, TooLargeError):
        if words["status"] == kind.status:
            raise kind(message)
    raise InvalidError(message)


def _started() -> subprocess.Popen[bytes]:
    """Start a process, with nothing of ours but where its modules are."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    modules = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "rounds_hub.archive.decoding_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=kept | ONE_THREAD | modules,
        start_new_session=True,
    )


def _receive(descriptor: int, count: int, deadline: float) -> bytes:
    """Read *count* bytes before *deadline*."""
    parts: list[bytes] = []
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while count:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            part = os.read(descriptor, min(count, PIECE))
            if not part:
                raise _EndedError
            parts.append(part)
            count -= len(part)
    return b"".join(parts)


_POOLS: dict[tuple[int, bool], Pool] = {}
_OPENING = threading.Lock()


def _pool(*, whole: bool = False) -> Pool:
    """Return the pool of this process, after a fork another one.

    Jobs on *whole* series have one of their own: a picture does not wait for them.
    """
    with _OPENING:
        return _POOLS.setdefault((os.getpid(), whole), Pool(1 if whole else PROCESSES))


@atexit.register
def _close() -> None:
    """End the processes of this one."""
    for key in [key for key in _POOLS if key[0] == os.getpid()]:
        _POOLS.pop(key).close()


def layout(path: Path) -> Layout | None:
    """Return where the frames of the instance at *path* lie, None where it has none.

    This and all that follow raise what :meth:`Pool.fetch` does.
    """
    said = _pool().ask("layout", path=str(path))
    return None if said is None else Layout.from_described(said)


def frame(path: Path, number: int, syntax: str) -> bytes:
    """Return frame *number*, from 0, in one of :data:`transcoding.TARGETS`."""
    given: dict[str, Any] = {"path": str(path), "number": number, "syntax": syntax}
    return _pool().fetch("frame", **given)[1]


def packed_frame(path: Path, number: int) -> bytes:
    """Return frame *number*, from 0, as it is stored."""
    return _pool().fetch("packed", path=str(path), number=number)[1]


def transcode(path: Path, syntax: str, target: Path) -> None:
    """Write the instance at *path* to *target* in another transfer *syntax*."""
    seconds = SECONDS + path.stat().st_size / BYTES_A_SECOND
    given: dict[str, Any] = {"path": str(path), "syntax": syntax, "target": str(target)}
    _pool().ask("transcode", seconds=seconds, **given)


def reencode(path: Path, syntax: str, target: Path) -> bool:
    """Write the native instance at *path* to *target* in *syntax*, if that is proved.

    It is False, and nothing is written, if the pixels would not be the same.
    """
    seconds = SECONDS + path.stat().st_size / BYTES_A_SECOND
    given: dict[str, Any] = {"path": str(path), "syntax": syntax, "target": str(target)}
    return bool(_pool().ask("reencode", seconds=seconds, **given))


def metadata(path: Path) -> bytes:
    """Return what an instance says of itself, as a line of :mod:`jsonmodel`."""
    return _pool().fetch("metadata", path=str(path))[1]


def bulk(path: Path, place: str, target: Path) -> None:
    """Write the value at *place*, as the metadata name it, to *target*."""
    seconds = SECONDS + path.stat().st_size / BYTES_A_SECOND
    given: dict[str, Any] = {"path": str(path), "place": place, "target": str(target)}
    _pool().ask("bulk", seconds=seconds, **given)


def draw(path: Path, number: int, drawing: Drawing) -> bytes:
    """Return frame *number*, from 0, as a PNG or JPEG."""
    given: dict[str, Any] = {
        "path": str(path),
        "number": number,
        "drawing": asdict(drawing),
    }
    return _pool().fetch("draw", **given)[1]


def thumbnail(path: Path, size: int, limit: int) -> npt.NDArray[np.uint8]:
    """Return a small picture of an instance, (rows, columns) or (rows, columns, 3)."""
    given: dict[str, Any] = {"path": str(path), "size": size, "limit": limit}
    shape, content = _pool().fetch("thumbnail", **given)
    return np.frombuffer(content, np.uint8).reshape(shape)


def raster(path: Path) -> npt.NDArray[np.float32]:
    """Return a PNG or JPEG that was sent as a question as grey values."""
    shape, content = _pool().fetch("raster", path=str(path))
    return np.frombuffer(content, np.float32).reshape(shape)


def volumes(paths: Sequence[Path], folder: Path, limit: int) -> int:
    """Write the volumes of a series as the cache has them; return how many there are.

    The one with most slices is in *folder* itself, others in ``stacks/<n>`` below it.
    """
    seconds = 3 * SECONDS + _size(paths) / SLOWEST
    given: dict[str, Any] = {
        "paths": list(map(str, paths)),
        "folder": str(folder),
        "limit": limit,
    }
    return int(_pool(whole=True).ask("volumes", seconds=seconds, **given))


def labels(path: Path, volume: Path) -> npt.NDArray[np.uint8]:
    """Return the segments of a segmentation on the grid of the volume in a folder."""
    seconds = 3 * SECONDS + path.stat().st_size / SLOWEST
    given: dict[str, Any] = {"path": str(path), "folder": str(volume)}
    shape, content = _pool(whole=True).fetch("labels", seconds=seconds, **given)
    return np.frombuffer(content, np.uint8).reshape(shape)


def _size(paths: Iterable[Path]) -> int:
    """Return how many bytes there are to read."""
    return sum(path.stat().st_size for path in paths)
