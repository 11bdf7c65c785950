"""What can be asked of a series: its tags, and what Rounds knows of it beside them.

Tags are those of one instance, the one with the lowest number. What an enhanced
multi-frame object says for all its frames (Shared Functional Groups, PS3.3 C.7.6.16)
counts as its own.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import structlog
from pydicom import Dataset, dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.multival import MultiValue
from sqlalchemy import select

from rounds_hub.archive.models import Instance, Series
from rounds_hub.errors import NotFoundError
from rounds_hub.routing.geometry import is_volume
from rounds_hub.routing.models import SeriesLabel
from rounds_hub.routing.names import Kind
from rounds_hub.runs.models import Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.orm import Session

    from rounds_hub.house import House
    from rounds_hub.routing.names import Name

__all__ = ["Facts", "facts_of"]

NODE = "node:"
MOST_VALUES = 1000
SHARED = "SharedFunctionalGroupsSequence"
PIXELS = {"PixelData", "FloatPixelData", "DoubleFloatPixelData"}

log = structlog.get_logger()


class Facts:
    """A series as conditions ask of it; tags are read when they are first asked for.

    *problem* says why no tag could be read, and is empty where they could.
    """

    def __init__(
        self,
        house: House,
        series: Series,
        first: Path | None,
        known: dict[str, tuple[object, ...]],
    ) -> None:
        """Remember the series, the file of its first instance and the facts."""
        self.series = series
        self.problem = ""
        self._house = house
        self._first = first
        self._known = known

    def values(self, name: Name) -> tuple[object, ...]:
        """Return the values of *name*, none where the series has none."""
        if name.word == "IsVolume":
            return (self._is_volume,)
        if name.is_fact:
            return self._known.get(name.word, ())
        if name.word in PIXELS:
            return ("bytes",) if self.series.rows else ()
        return _values(self._dataset, name) or _values(self._shared, name)

    @cached_property
    def _is_volume(self) -> bool:
        """Whether the images of the series make up one volume."""
        return is_volume(self._house, self.series)

    @cached_property
    def _dataset(self) -> Dataset:
        """The first instance without its pixels."""
        return self._read(lambda path: dcmread(path, stop_before_pixels=True))

    @cached_property
    def _shared(self) -> Dataset:
        """What the first instance says for all its frames, in one flat data set."""
        flat = Dataset()
        for item in self._dataset.get(SHARED) or ():
            for macro in item:
                if macro.VR == "SQ" and macro.value:
                    flat.update(macro.value[0])
        return flat

    def _read(self, read: Callable[[Path], Dataset]) -> Dataset:
        """Read the first instance; what cannot be read has no tags, and says so."""
        if self._first is None:
            self.problem = "The series has no instance."
            return Dataset()
        try:
            return read(self._first)
        except Exception:  # the administrator's log has it, and the row of the series
            log.exception("tags cannot be read", series=self.series.uid)
            self.problem = "The tags of its first instance cannot be read."
            return Dataset()


def facts_of(house: House, session: Session, series_uid: str) -> Facts:
    """Return what can be asked of the series *series_uid*; whoever may is asked before.

    Raises
    ------
    NotFoundError
        If there is no such series.
    """
    series = session.get(Series, series_uid)
    if series is None:
        kind = "series"
        raise NotFoundError(kind, series_uid[:80])
    first = session.scalar(
        select(Instance.sha256)
        .where(Instance.series_uid == series_uid)
        .order_by(Instance.number, Instance.uid)
        .limit(1)
    )
    path = None if first is None else house.store.path(first)
    return Facts(house, series, path, _known(session, series))


def _known(session: Session, series: Series) -> dict[str, tuple[object, ...]]:
    """Return the facts of *series* that the catalogue has."""
    run = session.get(Run, series.run_id) if series.run_id else None
    labels = select(SeriesLabel.label).where(SeriesLabel.series_uid == series.uid)
    node = series.owner.removeprefix(NODE) if series.owner.startswith(NODE) else ""
    return {
        "InstanceCount": (float(series.instance_count),),
        "FrameCount": (float(series.frame_count),),
        "Node": (node,) if node else (),
        "Sender": (series.owner,) if series.owner else (),
        "Template": (run.template,) if run is not None else (),
        "Label": tuple(sorted(session.scalars(labels))),
        "IsResult": (series.run_id is not None,),
    }


def _values(dataset: Dataset, name: Name) -> tuple[object, ...]:
    """Return the values that *dataset* has for the tag *name*."""
    tag = tag_for_keyword(name.word)
    if tag is None or tag not in dataset:
        return ()
    try:
        value = dataset[tag].value
    except Exception:  # noqa: BLE001 (whoever looks sees that it has no value)
        return ()
    if name.kind is Kind.OTHER:
        return _that_it_is_there(value)
    several = isinstance(value, MultiValue | list | tuple)
    every = list(value)[:MOST_VALUES] if several else [value]
    return tuple(_text(one) for one in every if one is not None and str(one) != "")


def _that_it_is_there(value: Any) -> tuple[object, ...]:  # noqa: ANN401 (whatever pydicom holds)
    """Return one word for a sequence or for bytes that are there."""
    if value is None or (hasattr(value, "__len__") and not len(value)):
        return ()
    return ("bytes" if isinstance(value, bytes) else "sequence",)


def _text(value: object) -> object:
    """Return *value* as a plain number or text, a number as it was written."""
    written = getattr(value, "original_string", None)
    if written is not None:
        return str(written)
    return value if isinstance(value, int | float) else str(value)
