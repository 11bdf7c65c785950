"""Read studies, series and instances: what the one who asks may see, and no more."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, or_, select, tuple_
from sqlalchemy.orm import selectinload

from rounds_hub.access.audience import tells
from rounds_hub.access.policy import (
    Action,
    Resource,
    require,
    series_resource,
    visible,
)
from rounds_hub.access.sight import may_see
from rounds_hub.archive.models import Instance, Series, Study
from rounds_hub.archive.texts import clean
from rounds_hub.errors import InvalidError, NotFoundError
from rounds_hub.routing.models import SeriesLabel

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.archive.store import Store
    from rounds_hub.house import House

__all__ = [
    "SeriesRecord",
    "StoredInstance",
    "StudyPage",
    "StudyRecord",
    "get_series",
    "get_study",
    "instances_of",
    "list_studies",
    "open_instance",
]

MOST_ON_A_PAGE = 200
MOST_WORDS = 8
LONGEST_UID = 64
_UID = re.compile(r"[0-9.]{1,64}")


@dataclass(frozen=True, slots=True)
class SeriesRecord:
    """A series as the catalogue had it when it was read."""

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
    held: bool = False
    """Whether only administrators may see it."""


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """A study with those of its series that the one who asked may see."""

    uid: str
    patient_id: str
    patient_name: str
    patient_sex: str
    patient_age: str
    date: str
    description: str
    accession: str
    created_at: datetime
    series: tuple[SeriesRecord, ...]


@dataclass(frozen=True, slots=True)
class StudyPage:
    """Some studies, newest first; *after* asks for the next ones, empty at the end."""

    studies: tuple[StudyRecord, ...]
    after: str


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """An instance and the file that holds its bytes, a whole Part 10 file."""

    uid: str
    series_uid: str
    sop_class: str
    transfer_syntax: str
    number: int
    frames: int
    sha256: str
    size: int
    store: Store = field(repr=False, compare=False)

    @property
    def path(self) -> Path:
        """The file with the bytes, fetched where they lie elsewhere.

        Errors are those of :meth:`rounds_hub.archive.store.Store.path`.
        """
        return self.store.path(self.sha256)


def get_series(house: House, principal: Principal, uid: str) -> SeriesRecord:
    """Return the series *uid*.

    Raises
    ------
    NotFoundError
        If there is none, or none that *principal* may see.
    """
    with house.sessions.begin(write=False) as session:
        series = _series(session, principal, uid)
        record = _series_record(series)
        asked = _is_asked(session, principal, series)
        return replace(record, description="") if asked else record


def get_study(house: House, principal: Principal, uid: str) -> StudyRecord:
    """Return the study *uid* with those of its series that *principal* may see.

    Raises
    ------
    NotFoundError
        If there is none, or none of its series may be seen.
    """
    with house.sessions.begin(write=False) as session:
        study = session.get(Study, _plain("study", uid))
        if study is None:
            kind = "study"
            raise NotFoundError(kind, uid)
        resources = [series_resource(session, series) for series in study.series]
        audience = frozenset[str]().union(*(one.audience for one in resources))
        whole = Resource("study", uid, audience)
        require(session, principal, Action.SERIES_READ, whole)
        seen = {one.key for one in resources if visible(principal, one)}
        record = _study_record(study, seen)
        if any(_is_asked(session, principal, series) for series in study.series):
            untold = (replace(one, description="") for one in record.series)
            return replace(record, description="", series=tuple(untold))
        return record


def list_studies(
    house: House,
    principal: Principal,
    words: str = "",
    *,
    after: str = "",
    size: int = 50,
) -> StudyPage:
    """Return the studies that *principal* may see, newest first.

    Parameters
    ----------
    house
        The opened house.
    principal
        Who asks.
    words
        Each must be in the patient's name or number, the description, the accession
        number, the date, a UID, or in a series' modality, body part, description or
        labels.
    after
        Where the page before ended, from :class:`StudyPage`.
    size
        How many at most, up to 200.

    Raises
    ------
    ForbiddenError
        If the principal may not list studies.
    InvalidError
        If *after* is none of ours.
    """
    size = max(1, min(size, MOST_ON_A_PAGE))
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.STUDY_LIST, Resource("studies"))
        seen = may_see(principal)
        order = tuple_(Study.created_at, Study.uid)
        wanted = _matching(words, seen).where(Study.series.any(seen))
        if (place := _place(after)) is not None:
            wanted = wanted.where(order < place)
        newest = wanted.order_by(Study.created_at.desc(), Study.uid.desc())
        series = selectinload(Study.series.and_(seen))
        some = session.scalars(newest.limit(size + 1).options(series)).all()
        found = tuple(_study_record(one) for one in some[:size])
        return StudyPage(found, _token(found[-1]) if len(some) > size else "")


def instances_of(
    house: House, principal: Principal, series_uid: str
) -> tuple[StoredInstance, ...]:
    """Return the instances of a series by their number, each with its file.

    Raises
    ------
    NotFoundError
        If there is no such series, or none that *principal* may see.
    """
    with house.sessions.begin(write=False) as session:
        _series(session, principal, series_uid)
        wanted = (
            select(Instance)
            .where(Instance.series_uid == series_uid)
            .order_by(Instance.number, Instance.uid)
        )
        return tuple(_stored(house, one) for one in session.scalars(wanted))


def open_instance(house: House, principal: Principal, uid: str) -> StoredInstance:
    """Return the instance *uid* with the file that holds its bytes.

    Raises
    ------
    NotFoundError
        If there is none, or none that *principal* may see.
    """
    with house.sessions.begin(write=False) as session:
        instance = session.get(Instance, _plain("instance", uid))
        if instance is None:
            kind = "instance"
            raise NotFoundError(kind, uid)
        _series(session, principal, instance.series_uid)
        return _stored(house, instance)


def _series(session: Session, principal: Principal, uid: str) -> Series:
    """Return the row of a series that *principal* may see."""
    series = session.get(Series, _plain("series", uid))
    if series is None:
        kind = "series"
        raise NotFoundError(kind, uid)
    require(session, principal, Action.SERIES_READ, series_resource(session, series))
    return series


def _is_asked(session: Session, principal: Principal, series: Series) -> bool:
    """Return whether *principal* is to find out what is seen, so that no name tells."""
    return not principal.knows and tells(session, series)


def _plain(kind: str, uid: str) -> str:
    """Return *uid*; what has other signs than a UID names nothing that is here."""
    if not _UID.fullmatch(uid):
        raise NotFoundError(kind, clean(uid)[:LONGEST_UID])
    return uid


def _matching(words: str, seen: ColumnElement[bool]) -> Select[Study]:
    """Return a query for studies that have every one of *words* somewhere.

    Of their series those count that may be *seen*.
    """
    wanted = select(Study)
    for word in clean(words).split()[:MOST_WORDS]:
        in_series = (
            Series.modality,
            Series.body_part,
            Series.description,
            Series.uid,
        )
        in_study = (
            Study.patient_name,
            Study.patient_id,
            Study.description,
            Study.accession,
            Study.date,
            Study.uid,
        )
        ours = or_(*(_has(column, word) for column in in_study))
        labelled = select(SeriesLabel.series_uid).where(_has(SeriesLabel.label, word))
        theirs = or_(
            *(_has(column, word) for column in in_series), Series.uid.in_(labelled)
        )
        wanted = wanted.where(or_(ours, Study.series.any(and_(theirs, seen))))
    return wanted


def _has(column: Any, word: str) -> ColumnElement[bool]:  # noqa: ANN401 (a mapped column)
    """Return whether *word* is in *column*, whatever its case."""
    condition: ColumnElement[bool] = column.icontains(word, autoescape=True)
    return condition


def _token(last: StudyRecord) -> str:
    """Return the place of *last* as a word for an address."""
    said = f"{last.created_at.isoformat()} {last.uid}"
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def _place(token: str) -> tuple[datetime, str] | None:
    """Return the place that *token* names, None for the beginning."""
    if not token:
        return None
    try:
        said = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        at, _, uid = said.partition(" ")
        return datetime.fromisoformat(at).astimezone(UTC), _plain("page", uid)
    except (ValueError, binascii.Error, NotFoundError) as error:
        msg = "There is no such page; begin at the first one."
        raise InvalidError(msg, {"after": msg}) from error


def _study_record(study: Study, seen: Container[str] | None = None) -> StudyRecord:
    """Return *study* with its series, or those whose UIDs are *seen*."""
    shown = (one for one in study.series if seen is None or one.uid in seen)
    series = tuple(_series_record(one) for one in shown)
    names = (one.name for one in fields(StudyRecord) if one.name != "series")
    return StudyRecord(**{name: getattr(study, name) for name in names}, series=series)


def _series_record(series: Series) -> SeriesRecord:
    """Return what the catalogue has on *series*."""
    names = (one.name for one in fields(SeriesRecord))
    return SeriesRecord(**{name: getattr(series, name) for name in names})


def _stored(house: House, instance: Instance) -> StoredInstance:
    """Return *instance* with its file."""
    names = (one.name for one in fields(StoredInstance) if one.name != "store")
    known = {name: getattr(instance, name) for name in names}
    return StoredInstance(**known, store=house.store)
