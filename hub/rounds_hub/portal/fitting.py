"""Say of a series, as the archive hands it out, whether a template takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rounds_hub.archive.models import Series
from rounds_hub.runs.inputs import misfit

if TYPE_CHECKING:
    from rounds_hub.archive.service import SeriesRecord
    from rounds_hub.runs.schema import Input

__all__ = ["unfit"]


def unfit(wanted: Input, series: SeriesRecord) -> str:
    """Return why *series* cannot be the input *wanted*; empty where it can."""
    row = Series(
        uid=series.uid,
        modality=series.modality,
        body_part=series.body_part,
        instance_count=series.instance_count,
        frame_count=series.frame_count,
        content_hash=series.content_hash,
    )
    return misfit(wanted, row)
