"""Instances on their way out: as they are stored, or in another transfer syntax."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from rounds_hub.archive import decoding
from rounds_hub.archive.exporting import export
from rounds_hub.archive.pixels import VIDEO
from rounds_hub.archive.transcoding import TARGETS
from rounds_hub.dicomweb.selecting import path_of
from rounds_hub.errors import InvalidError, NotAcceptableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from rounds_hub.archive.reading import StoredInstance
    from rounds_hub.house import House

__all__ = ["EXPLICIT", "Content", "bulk_of", "contents", "convertible", "syntax_for"]

EXPLICIT = "1.2.840.10008.1.2.1"
"""What is meant where no transfer syntax is named (PS3.18, 8.7.3.5.2)."""

AHEAD = 2
"""So many instances are converted while those before them are sent."""

PIECE = 2**20


@dataclass(frozen=True, slots=True)
class Content:
    """An instance as it is given: in which syntax, and the file that holds it."""

    instance: StoredInstance
    syntax: str
    path: Path
    ours: bool = False
    """Whether the file was made for this and goes when it was read."""

    def pieces(self) -> Iterator[bytes]:
        """Give its bytes; what was made for it is removed then."""
        try:
            yield from export(self.path)
        finally:
            self.drop()

    def drop(self) -> None:
        """Remove what was made for it; a second time changes nothing."""
        if self.ours:
            self.path.unlink(missing_ok=True)


def syntax_for(one: StoredInstance, asked: str) -> str:
    """Return the transfer syntax that an instance is given in, for what was *asked*."""
    return one.transfer_syntax if asked == "*" else asked or EXPLICIT


def convertible(one: StoredInstance, asked: str) -> bool:
    """Return whether an instance can be given in the transfer syntax *asked* for."""
    syntax = syntax_for(one, asked)
    if syntax == one.transfer_syntax:
        return True
    return syntax in TARGETS and not one.transfer_syntax.startswith(VIDEO)


def contents(
    house: House, every: Sequence[StoredInstance], asked: str
) -> Iterator[Content]:
    """Give instances one after the other, the next ones converted meanwhile.

    Raises
    ------
    NotAcceptableError
        If one cannot be converted.
    """
    left = iter(every)
    with ThreadPoolExecutor(AHEAD) as pool:
        waiting: deque[Future[Content]] = deque(
            pool.submit(_prepared, house, one, asked) for one in islice(left, AHEAD)
        )
        try:
            while waiting:
                ready = waiting.popleft().result()
                for one in islice(left, 1):
                    waiting.append(pool.submit(_prepared, house, one, asked))
                yield ready
        finally:
            for future in waiting:
                future.cancel()
                _drop(future)


def _drop(future: Future[Content]) -> None:
    """Remove what was made for somebody who went away."""

    def dropped(done: Future[Content]) -> None:
        if not done.cancelled() and done.exception() is None:
            done.result().drop()

    future.add_done_callback(dropped)


def _prepared(house: House, one: StoredInstance, asked: str) -> Content:
    """Return an instance in the transfer syntax *asked* for."""
    syntax = syntax_for(one, asked)
    path = path_of(house, one)
    if syntax == one.transfer_syntax:
        return Content(one, syntax, path)
    target = house.store.scratch()
    try:
        decoding.transcode(path, syntax, target)
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, InvalidError):
            raise NotAcceptableError(str(error)) from error
        raise
    return Content(one, syntax, target, ours=True)


def bulk_of(house: House, one: StoredInstance, place: str) -> Iterator[bytes]:
    """Give the bytes of one value of an instance.

    Raises
    ------
    NotFoundError
        If there is no such value.
    """
    target = house.store.scratch()
    try:
        decoding.bulk(path_of(house, one), place, target)
        file = target.open("rb")
    finally:
        target.unlink(missing_ok=True)

    def pieces() -> Iterator[bytes]:
        with file:
            while piece := file.read(PIECE):
                yield piece

    return pieces()
