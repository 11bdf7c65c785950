"""The nearest documents to a picture, exactly, looking closely at few of them.

Short codes say what the nearness of each picture is at most. The documents that promise
most are compared as they are; what promises less than the worst of those cannot be
among the best and is left out, the rest is compared too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from rounds_search.backends.sqlite.vectors import Ranges, maxima, nearness

if TYPE_CHECKING:
    import numpy.typing as npt

    from rounds_search.backends.sqlite.columns import Mask, Rows
    from rounds_search.backends.sqlite.layouts import Layout
    from rounds_search.backends.sqlite.scanning import Sidecar
    from rounds_search.interaction import Slices

    Floats = npt.NDArray[np.float32]

__all__ = ["Nearest"]

# So few rows are compared at once as they are.
FEW: Final = 2_048
# So few pictures are not worth a look at their longer codes.
FEW_PICTURES: Final = 64
# A scan reads straight through when at least this part of the rows is wanted.
DENSE: Final = 0.25
# No cosine is below that, and what is left out is.
MOST_FAR: Final = 2.0
# Bounds in memory at once.
BLOCK: Final = 16_000_000
# Scores of equal pictures are equal, however their rows were read.
DIGITS: Final = 6


class Nearest:
    """How near the pictures of *layout* are to the rows *asked* with."""

    def __init__(
        self, sidecar: Sidecar, layout: Layout, asked: Slices, few: int = FEW
    ) -> None:
        """Compare nothing yet; *few* rows are compared at once as they are."""
        self.few = few
        self.sidecar = sidecar
        self.layout = layout
        self.asked = asked
        self.scores = np.full(len(layout.pictures), np.nan)
        self.by_row: Floats | None = None

    def best(
        self, inside: Mask, allowed: Mask, most: int, at_least: float
    ) -> tuple[Rows, npt.NDArray[np.float64]]:
        """Return the *most* best documents, and all that are as good as the last.

        Parameters
        ----------
        inside
            ``(p,)`` which pictures of the layout count.
        allowed
            Which documents count, by slot.
        most
            How many documents are wanted.
        at_least
            Nearness below which nothing is.
        """
        layout = self.layout
        if layout.alone is not None:
            kept = inside & allowed[layout.alone]
            chosen, scores = self._best_alone(kept, most, at_least)
            return layout.alone[chosen], scores
        kept = inside[layout.pair_at] & allowed[layout.pair_document]
        at, led = layout.pair_at[kept], layout.pair_document[kept]
        if not len(at):
            return led, np.empty(0)
        first = np.flatnonzero(np.concatenate(([True], led[1:] != led[:-1])))
        chosen = _marked(at, len(layout.pictures))
        floor = self._compare(chosen, at, first, most, at_least)
        best = np.fmax.reduceat(self.scores[at], first)
        # What was left out is not a number, and no number compares with it.
        good = best >= floor
        return led[first[good]], best[good]

    def _best_alone(
        self, kept: Mask, most: int, at_least: float
    ) -> tuple[Rows, npt.NDArray[np.float64]]:
        """Return pictures and scores of ``best`` where each has its own document."""
        whole = np.count_nonzero(kept) >= DENSE * len(kept)
        promised = self._leading() if whole else None
        if promised is not None:
            np.copyto(promised, np.float32(-np.inf), where=~kept)
            chosen, floor = self._reaching(promised, None, most, at_least)
        else:
            chosen, floor = np.flatnonzero(kept), at_least
            if len(chosen) > most and self._rows(chosen) > self.few:
                promised = self._closer(chosen)
                chosen, floor = self._reaching(promised, chosen, most, at_least)
        self.score(chosen)
        chosen = chosen[self.scores[chosen] >= floor]
        return chosen, self.scores[chosen]

    def _reaching(
        self, promised: Floats, chosen: Rows | None, most: int, at_least: float
    ) -> tuple[Rows, float]:
        """Return which of *chosen* (None: all) can be among the best, and a floor."""
        if len(promised) <= most:
            floor = at_least
        else:
            top = np.sort(np.argpartition(promised, -most)[-most:])
            # Where fewer than that are wanted at all, nothing holds the others off.
            enough = bool((promised[top] > -np.inf).all())
            top = top if chosen is None else chosen[top]
            if enough:
                self.score(top)
            floor = max(at_least, float(self.scores[top].min())) if enough else at_least
        reaching = np.flatnonzero(promised >= max(floor, -MOST_FAR))
        reaching = reaching if chosen is None else chosen[reaching]
        return self._closest(reaching, floor), floor

    def score(self, chosen: Rows) -> None:
        """Compare the pictures *chosen*, ascending, unless they were compared."""
        chosen = chosen[np.isnan(self.scores[chosen])]
        ranges = Ranges(self.layout.start[chosen], self.layout.count[chosen])
        found = nearness(self.sidecar.known, ranges, self.asked)
        self.scores[chosen] = np.round(found.astype(np.float64), DIGITS)

    def _compare(
        self, chosen: Rows, at: Rows, first: Rows, most: int, at_least: float
    ) -> float:
        """Score all that can be among the best, and return the least score of those."""
        if len(first) <= most or self._rows(chosen) <= self.few:
            self.score(chosen)
            return at_least
        promised = self._promises(chosen)
        spread = np.full(len(self.layout.pictures), -np.inf, np.float32)
        spread[chosen] = promised
        by_pair = spread[at]
        floor = max(at_least, self._floor(by_pair, at, first, most))
        self.score(self._closest(chosen[promised >= floor], floor))
        return floor

    def _closest(self, chosen: Rows, floor: float) -> Rows:
        """Leave out of *chosen* what longer codes show to be below *floor*."""
        if self.sidecar.directions is None or len(chosen) <= min(
            self.few, FEW_PICTURES
        ):
            return chosen
        if self.by_row is None:
            return chosen[self._closer(chosen) >= floor]
        # Only rows that may reach the floor can lift their picture to it.
        ranges = Ranges(self.layout.start[chosen], self.layout.count[chosen])
        rows = ranges.rows()
        kept = self.by_row[rows] >= floor
        bounds = self.sidecar.bounds(self.asked.vectors, rows[kept])[:, 0]
        reached = np.repeat(np.arange(len(chosen)), ranges.count)[kept][bounds >= floor]
        return chosen[_marked(reached, len(chosen))]

    def _floor(self, by_pair: Floats, at: Rows, first: Rows, most: int) -> float:
        """Return a score that at least *most* documents reach."""
        promised = np.maximum.reduceat(by_pair, first)
        top = np.zeros(len(first), np.bool_)
        top[np.argpartition(promised, -most)[-most:]] = True
        lengths = np.diff(first, append=len(at))
        pairs = np.repeat(top, lengths)
        # One picture a document is enough: its best one by promise.
        pairs &= by_pair == np.repeat(promised, lengths)
        self.score(_marked(at[pairs], len(self.layout.pictures)))
        reached = np.fmax.reduceat(self.scores[at], first)[top]
        return float(reached.min())

    def _rows(self, chosen: Rows) -> int:
        """Return how many rows are compared for *chosen*, for each asked with."""
        return int(self.layout.count[chosen].sum()) * len(self.asked.vectors)

    def _leading(self) -> Floats | None:
        """Return what the score of each picture is at most, if that is quickly said."""
        asked, layout = self.asked.vectors, self.layout
        if self.sidecar.stand.rows * len(asked) > BLOCK or not len(layout.pictures):
            return None
        found = self.sidecar.leading(asked)
        if found is None:
            return None
        if len(asked) == 1 and len(layout.pictures) < len(found):
            self.by_row = found[:, 0]
        return _mean(maxima(found, layout.start, layout.count))

    def _promises(self, chosen: Rows) -> Floats:
        """Return what the score of each of *chosen* is at most."""
        whole = len(chosen) >= DENSE * len(self.layout.pictures)
        leading = self._leading() if whole else None
        return self._closer(chosen) if leading is None else leading[chosen]

    def _closer(self, chosen: Rows) -> Floats:
        """Return what the score of each of *chosen* is at most by its int8 codes."""
        ranges = Ranges(self.layout.start[chosen], self.layout.count[chosen])
        asked = self.asked.vectors
        found = [np.empty(0, np.float32)]
        for part in ranges.blocks(max(1, BLOCK // len(asked))):
            first = int(part.start[0])
            end = int(part.start[-1] + part.count[-1])
            if part.total >= DENSE * (end - first):
                bounds = self.sidecar.bounds(asked, slice(first, end))
                best = maxima(bounds, part.start - first, part.count)
            else:
                bounds = self.sidecar.bounds(asked, part.rows())
                best = maxima(bounds, part.offsets, part.count)
            found.append(_mean(best))
        return np.concatenate(found)


def _marked(at: Rows, size: int) -> Rows:
    """Return the different numbers below *size* in *at*, ascending."""
    mark = np.zeros(size, np.bool_)
    mark[at] = True
    return np.flatnonzero(mark)


def _mean(best: Floats) -> Floats:
    if best.shape[1] == 1:
        return best[:, 0]
    mean: Floats = best.mean(axis=1, dtype=np.float32)
    return mean
