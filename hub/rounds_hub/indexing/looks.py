"""How slices of a volume, and parts of them, are made ready and described.

One way for what is put into the index and for what is asked with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rounds_kernels.pictures import default_window, to_picture
from rounds_search.encoders import (
    ENCODER,
    encode_volume,
    places,
    representative,
    window_for,
)
from rounds_search.regions import Parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from rounds_kernels.volumes import Volume

__all__ = ["Looks", "Viewed", "position_of"]

Box = tuple[int, int, int, int]
WHOLE: Final = (0, 0, 0, 0)
"""The box that stands for a whole slice."""


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What some slices look like.

    Parameters
    ----------
    vectors
        ``(n, d)`` float32, a row each.
    slices
        ``(n,)`` which slice of the series each row is of, from 0.
    positions
        ``(n,)`` in 0..1: where it lies along the stack, towards left, back and head;
        NaN where that is not known.
    boxes
        ``(n, 4)`` left, top, right, bottom edge of the part in pixels; zeros stand
        for the whole slice.
    """

    vectors: npt.NDArray[np.float32]
    slices: npt.NDArray[np.int32]
    positions: npt.NDArray[np.float32]
    boxes: npt.NDArray[np.int32]

    @classmethod
    def of(
        cls, rows: Sequence[tuple[npt.NDArray[np.float32], int, float, Box]]
    ) -> Looks:
        """Return them from ``(vector, slice, position, box)`` for each row."""
        vectors, slices, positions, boxes = zip(*rows, strict=True)
        return cls(
            np.stack(vectors).astype(np.float32),
            np.array(slices, np.int32),
            np.array(positions, np.float32),
            np.array(boxes, np.int32),
        )

    @classmethod
    def joined(cls, parts: Sequence[Looks]) -> Looks:
        """Return the rows of all *parts*, of which there is one at least."""
        return cls(
            np.concatenate([one.vectors for one in parts]),
            np.concatenate([one.slices for one in parts]),
            np.concatenate([one.positions for one in parts]),
            np.concatenate([one.boxes for one in parts]),
        )

    @property
    def indices(self) -> list[int]:
        """The slice of each row as a plain number."""
        return [int(index) for index in self.slices]

    @property
    def regions(self) -> list[tuple[float, float, float, float] | None]:
        """The edges of each row's part, None for a whole slice."""
        return [_region(box) for box in self.boxes.tolist()]

    @property
    def known_positions(self) -> npt.NDArray[np.float32] | None:
        """Where the slices lie, None where that is not known of all."""
        return self.positions if np.isfinite(self.positions).all() else None

    def unplaced(self) -> Looks:
        """Return the same without where the slices lie: that is not known."""
        unknown = np.full(len(self.slices), np.nan, np.float32)
        return Looks(self.vectors, self.slices, unknown, self.boxes)


def _region(box: list[int]) -> tuple[float, float, float, float] | None:
    """Return the edges of a part, None where it is the whole."""
    left, top, right, bottom = box
    return (left, top, right, bottom) if right else None


class Viewed:
    """A volume as a person sees it first: in its own window, pixels made square.

    Parameters
    ----------
    volume
        The stack.
    encoder
        What describes its slices.
    part
        The body part, in the words that cases use; empty where that is not known.
    """

    def __init__(self, volume: Volume, encoder: str = ENCODER, part: str = "") -> None:
        """Choose the window once: the series' own, or what *encoder* wants."""
        self.volume = volume
        self.encoder = encoder
        asked = volume.window or window_for(encoder, volume.modality, part)
        self._window = default_window(volume, asked)

    def chosen(self) -> list[int]:
        """Return which slices stand for the volume."""
        return representative(self.volume.array)

    def picture(self, index: int) -> npt.NDArray[np.uint8]:
        """Return slice *index* as it is shown."""
        volume, (center, width) = self.volume, self._window
        pixels = np.asarray(volume.array[index])
        return to_picture(pixels, center, width, inverted=volume.inverted)

    def slices(self, indices: Iterable[int]) -> Looks:
        """Return what whole slices look like."""
        return Looks.of(
            [
                (self._described(self.picture(index)), index, self._at(index), WHOLE)
                for index in indices
            ]
        )

    def region(self, index: int, box: tuple[float, float, float, float]) -> Looks:
        """Return what the part of slice *index* in and around *box* looks like.

        Raises
        ------
        LimitError
            If the box is outside of the slice.
        """
        parts = self._parts(index)
        return self._cut(parts, index, [parts.region(box)])

    def tiles(self) -> Looks | None:
        """Return what the tiles of the chosen slices look like, None without any."""
        found: list[Looks] = []
        for index in self.chosen():
            parts = self._parts(index)
            boxes = parts.tiles()
            if boxes:
                found.append(self._cut(parts, index, boxes))
        return Looks.joined(found) if found else None

    def _parts(self, index: int) -> Parts:
        _, down, across = self.volume.spacing
        return Parts(self.picture(index), down / across)

    def _cut(
        self, parts: Parts, index: int, boxes: Sequence[tuple[float, ...]]
    ) -> Looks:
        count = len(boxes)
        edges = [(left, top, right, bottom) for left, top, right, bottom in boxes]
        return Looks(
            parts.vectors(edges),
            np.full(count, index, np.int32),
            np.full(count, self._at(index), np.float32),
            np.rint(np.array(boxes)).astype(np.int32),
        )

    def _described(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        spacing = self.volume.spacing
        rows: npt.NDArray[np.float32] = encode_volume(
            picture[None], spacing, self.encoder
        )
        return rows.ravel()

    def _at(self, index: int) -> float:
        return position_of(self.volume, index)


def position_of(volume: Volume, index: int) -> float:
    """Return where slice *index* lies along its stack, 0..1, in patient directions.

    The stack is read towards the left, the back or the head (LPS, PS3.3 C.7.6.2.1.1),
    whichever is nearest to its normal, so that stacks that were sorted against each
    other agree.
    """
    normal = np.asarray(volume.direction[0::3], np.float64)
    turned = normal[int(np.argmax(np.abs(normal)))] < 0
    return float(places([index], len(volume.array), reversed_=bool(turned))[0])
