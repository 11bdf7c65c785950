"""What the API says of studies, series, instances and imports."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "FoundView",
    "ImportView",
    "InstanceView",
    "ProblemView",
    "ReportView",
    "SeriesDetails",
    "SeriesView",
    "StudyPageView",
    "StudyView",
    "SummaryView",
    "VolumeView",
]


class _View(BaseModel):
    """A view that is made from a record's attributes."""

    model_config = ConfigDict(from_attributes=True)


class InstanceView(_View):
    """An instance of a series."""

    uid: str
    sop_class: str
    transfer_syntax: str
    number: int
    frames: int
    sha256: str
    size: int


class SeriesView(_View):
    """A series with its counts; *content_hash* changes when its instances do."""

    uid: str
    study_uid: str
    modality: str
    body_part: str
    description: str
    number: int
    sop_class: str
    instance_count: int
    frame_count: int
    rows: int
    columns: int
    content_hash: str
    owner: str
    run_id: str | None
    revision: int
    created_at: datetime


class SeriesDetails(SeriesView):
    """A series with its instances, by number."""

    instances: list[InstanceView]


class StudyView(_View):
    """A study with those of its series that the one who asks may see."""

    uid: str
    patient_id: str
    patient_name: str
    patient_sex: str
    patient_age: str
    date: str
    description: str
    accession: str
    created_at: datetime
    series: list[SeriesView]


class StudyPageView(_View):
    """Some studies, newest first; *after* asks for the next ones, empty at the end."""

    studies: list[StudyView]
    after: str


class VolumeView(BaseModel):
    """The header of a volume: all but its array, which ``volume.npy`` has."""

    model_config = ConfigDict(extra="allow")

    shape: list[int] = Field(description="slices, rows, columns, and 3 if in colour")
    dtype: str
    spacing: list[float] = Field(description="mm along z, y, x")
    origin: list[float] = Field(description="LPS mm of the first voxel's centre")
    direction: list[float] = Field(description="3x3 by rows; column k is array axis k")
    units: str
    modality: str
    series_uid: str
    remarks: list[str] = Field(description="irregularities that were noticed")
    stacks: int = Field(description="how many stacks the series has; ?stack= picks one")


class ProblemView(BaseModel):
    """A file that was not taken, by the name it had, and why."""

    file: str
    why: str
    status: str = Field(description="refused, aside or skipped")


class SummaryView(BaseModel):
    """How many files were taken, and what became of the others."""

    taken: int = 0
    same: int = 0
    aside: int = 0
    refused: int = 0
    skipped: int = 0
    problems: list[ProblemView] = []


class ImportView(_View):
    """How far an import is; *state* is waiting, running, done or failed."""

    id: str
    owner: str
    state: str
    modality: str
    total: int
    done: int
    summary: SummaryView
    error: str
    study_uids: list[str]
    created_at: datetime
    finished_at: datetime | None


class FoundView(_View):
    """Something that is not as the standard wants it, and in how many instances.

    *kind* is ``missing``, ``empty``, ``condition``, ``extended``, ``retired``,
    ``encoding``, ``term``, ``value`` or ``other``; *example* is one of the instances.
    """

    level: str
    tool: str
    kind: str
    text: str
    instances: int
    example: str


class ReportView(_View):
    """What was found in the instances, *checked* of which were looked at so far."""

    instances: int
    checked: int
    unreadable: int
    errors: int
    warnings: int
    tools: list[str]
    findings: list[FoundView]
