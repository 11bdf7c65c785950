"""How much a data set may hold, and what a walk over it finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Bytes", "Limits", "Pixels", "Syntax", "Walk"]


class Bytes(Protocol):
    """Bytes that can be looked at anywhere: ``bytes`` or a memory map."""

    def __len__(self) -> int:
        """Return how many there are."""

    def __getitem__(self, part: slice, /) -> bytes:
        """Return those of *part*."""

    def __buffer__(self, flags: int, /) -> memoryview:
        """Give them to who reads numbers."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of anything one data set may have.

    With so many elements and items a reader that makes an object of each stays below
    10 s and 256 MiB.
    """

    depth: int = 64
    elements: int = 600_000
    items: int = 200_000
    fragments: int = 500_000
    size: int = 2 * 2**30
    inflate_ratio: int = 200
    """How often larger than the file an inflated data set may be."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a data set is encoded."""

    explicit: bool = True
    order: str = "<"


@dataclass(frozen=True, slots=True)
class Pixels:
    """Where the pixel data of the top level lies.

    *fragments* are ``(start, length)`` of each fragment without the offset table, and
    None for native pixel data; *table* is where the offset table lies.
    """

    tag: int
    start: int
    length: int
    fragments: tuple[tuple[int, int], ...] | None = None
    table: tuple[int, int] = (0, 0)


@dataclass(slots=True)
class Walk:
    """What a walk found at the top level, and how much it saw.

    *sequences* are the first items of the wanted sequences, each from where to where.
    """

    values: dict[int, bytes] = field(default_factory=dict)
    kinds: dict[int, bytes] = field(default_factory=dict)
    """The VRs of the values; empty where the encoding is implicit."""
    placed: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Where the extended offset table and its lengths lie."""
    sequences: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    pixels: Pixels | None = None
    elements: int = 0
    items: int = 0
