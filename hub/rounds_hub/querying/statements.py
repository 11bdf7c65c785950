"""Build the one statement that answers a query, with the policy inside it.

The rows of the page are found first; what is counted is counted for these alone, and
only over what the principal may see, so that a hidden series shows in no number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Select, and_, case, distinct, func, select
from sqlalchemy.orm import aliased

from rounds_hub.access.sight import may_see
from rounds_hub.archive.models import Instance, Series, Study
from rounds_hub.querying.conditions import TABLES
from rounds_hub.querying.keys import DATE_OF, TIME_OF, Level, Matching, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rounds_hub.access.principal import Principal
    from rounds_hub.querying.conditions import Conditions
    from rounds_hub.querying.keys import Key

__all__ = ["Asked", "statement"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: which rows, and what is counted for each.

    *keys* are the values of keys, *items* those of keys inside a sequence. *combined*
    says that a range of dates and one of times are one range.
    """

    level: Level
    principal: Principal
    conditions: Conditions
    keys: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)
    items: Mapping[Key, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    counted: frozenset[str] = frozenset()
    combined: bool = True
    limit: int = 100
    offset: int = 0


def statement(asked: Asked) -> Select[Any]:
    """Return the statement for *asked*; it has a row for each match of the page."""
    if asked.level is Level.PATIENT:
        return _patients(asked)
    page = _page(asked).subquery("page")
    row = TABLES[asked.level]
    wanted = select(*_columns(asked.level), *_counts(asked))
    joined = wanted.select_from(page).join(row, row.uid == page.c.uid)
    if asked.level is Level.IMAGE:
        joined = joined.join(Series, Series.uid == Instance.series_uid)
    if asked.level is not Level.STUDY:
        joined = joined.join(Study, Study.uid == Series.study_uid)
    return joined.order_by(*_order(asked.level))


def _page(asked: Asked) -> Select[Any]:
    """Return the UIDs of the rows of the page."""
    if asked.level is Level.STUDY:
        found = select(Study.uid.label("uid"))
    elif asked.level is Level.SERIES:
        found = select(Series.uid.label("uid")).join(Study)
    else:
        found = select(Instance.uid.label("uid")).join(Series).join(Study)
    found = found.where(*_where(asked)).order_by(*_order(asked.level))
    return found.limit(asked.limit).offset(asked.offset)


def _order(level: Level) -> list[Any]:
    """Return the order of the rows of *level*: the newest study first, then numbers."""
    order: list[Any] = [Study.moment.desc(), Study.uid.desc()]
    if level in {Level.SERIES, Level.IMAGE}:
        order += [Series.number, Series.uid]
    if level is Level.IMAGE:
        order += [Instance.number, Instance.uid]
    return order


def _columns(level: Level) -> list[Any]:
    """Return the columns of *level* and of the levels above, named by their table."""
    tables: list[Any] = [Study]
    if level in {Level.SERIES, Level.IMAGE}:
        tables.append(Series)
    if level is Level.IMAGE:
        tables.append(Instance)
    return [
        column.label(f"{table.__tablename__}_{column.name}")
        for table in tables
        for column in table.__table__.c
        if column.name not in _NOT_READ
    ]


_NOT_READ: Final = frozenset(
    {
        "audience", "sight", "held", "created_at", "content_hash", "owner", "sha256",
        "size", "name_alphabetic", "name_ideographic", "name_phonetic", "name_words",
        "revision", "run_id", "keys_version",
    }
)  # fmt: skip


def _where(asked: Asked) -> list[Any]:
    """Return the conditions for the rows of the page."""
    own = dict(_by_level(asked))
    above = own.pop(Level.PATIENT, []) + own.pop(Level.STUDY, [])
    series, images = own.pop(Level.SERIES, []), own.pop(Level.IMAGE, [])
    if asked.level is Level.IMAGE:
        return [*above, *series, *images, may_see(asked.principal)]
    if images:
        some = select(Instance.uid).where(Instance.series_uid == Series.uid, *images)
        series = [*series, some.correlate(Series, Study).exists()]
    if asked.level is Level.SERIES:
        return [*above, *series, may_see(asked.principal)]
    seen = select(Series.uid).where(Series.study_uid == Study.uid, *series)
    return [*above, seen.where(may_see(asked.principal)).correlate(Study).exists()]


def _by_level(asked: Asked) -> Iterator[tuple[Level, list[Any]]]:
    """Yield the conditions of each level."""
    for level in Level:
        found = [
            condition
            for key, values in asked.keys.items()
            if key.level is level
            for condition in _condition(asked, key, values)
        ]
        found += [
            asked.conditions.inside(key, wanted)
            for key, wanted in asked.items.items()
            if key.level is level
        ]
        yield level, found


def _condition(asked: Asked, key: Key, values: tuple[str, ...]) -> Iterator[Any]:
    """Yield the conditions for *key*, none where another key brings them along."""
    if key.counted:
        yield _in_study(asked, key, values)
        return
    if asked.combined and (date := DATE_OF.get(key.keyword)) and _both(asked, date):
        return
    if asked.combined and key.keyword in TIME_OF and _both(asked, key.keyword):
        time = _given(asked, TIME_OF[key.keyword])
        yield asked.conditions.combined(key, values[0], time[0])
        return
    yield asked.conditions.of(key, values)


def _both(asked: Asked, date: str) -> bool:
    """Return whether *date* and its time each have one range."""
    said = [*_given(asked, date), *_given(asked, TIME_OF[date])]
    return len(said) == 2 and all("-" in value for value in said)  # noqa: PLR2004 (one each)


def _given(asked: Asked, keyword: str) -> tuple[str, ...]:
    """Return the values that are asked for of *keyword*."""
    key = key_of(keyword)
    return () if key is None else asked.keys.get(key, ())


def _in_study(asked: Asked, key: Key, values: tuple[str, ...]) -> Any:  # noqa: ANN401 (a condition)
    """Return the condition that a series one may see has one of *values*."""
    other, inside = aliased(Series, name="of_study"), aliased(Instance, name="in_it")
    if key.matching is Matching.UIDS:
        column: Any = inside.sop_class
        found = select(inside.uid).join(other, inside.series_uid == other.uid)
    else:
        column = other.modality
        found = select(other.uid)
    seen = and_(other.study_uid == Study.uid, may_see(asked.principal, other))
    matches = asked.conditions.on_column(key, column, values)
    return found.where(seen, matches).correlate(Study).exists()


def _counts(asked: Asked) -> list[Any]:
    """Return what is counted for each row, over what the principal may see."""
    seen = aliased(Series, name="counted")
    theirs = and_(seen.study_uid == Study.uid, may_see(asked.principal, seen))
    every = func.json_agg if asked.conditions.postgresql else func.json_group_array
    inside = aliased(Instance, name="counted_instance")
    made: dict[str, Any] = {
        "NumberOfStudyRelatedSeries": select(func.count(seen.uid)),
        "NumberOfStudyRelatedInstances": select(func.sum(seen.instance_count)),
        "ModalitiesInStudy": select(every(distinct(seen.modality))),
        "SOPClassesInStudy": select(every(distinct(inside.sop_class))).join(
            seen, inside.series_uid == seen.uid
        ),
    }
    counted = [
        made[name].where(theirs).correlate(Study).scalar_subquery().label(name)
        for name in sorted(asked.counted & made.keys())
    ]
    if asked.level in {Level.SERIES, Level.IMAGE}:
        counted.append(Series.instance_count.label("NumberOfSeriesRelatedInstances"))
    return counted + _patient_counts(asked, Study)


def _patient_counts(asked: Asked, row: Any) -> list[Any]:  # noqa: ANN401 (an alias)
    """Return what is counted for the patient of a row's study."""
    if not any("Patient" in name for name in asked.counted):
        return []
    study = aliased(Study, name="of_patient")
    series = aliased(Series, name="of_patient_series")
    found = (
        select(
            func.count(distinct(study.uid)).label("NumberOfPatientRelatedStudies"),
            func.count(series.uid).label("NumberOfPatientRelatedSeries"),
            func.sum(series.instance_count).label("NumberOfPatientRelatedInstances"),
        )
        .join(series, series.study_uid == study.uid)
        .where(_same_patient(study, row), may_see(asked.principal, series))
    )
    return [
        found.with_only_columns(column, maintain_column_froms=True)
        .correlate(row)
        .scalar_subquery()
        .label(column.name)
        for column in found.selected_columns
    ]


def _same_patient(one: Any, other: Any) -> Any:  # noqa: ANN401 (aliases)
    """Return the condition that two studies are of one patient.

    Those without a number are told apart by their name.
    """
    return and_(
        one.patient_id == other.patient_id,
        one.issuer == other.issuer,
        (one.patient_id != "") | (one.name_alphabetic == other.name_alphabetic),
    )


def _patients(asked: Asked) -> Select[Any]:
    """Return the statement for patients: a row each, with their newest study's values.

    The catalogue has no table of patients; a patient is an ID and who issued it.
    """
    found = (
        select(
            Study.uid.label("uid"),
            func.row_number()
            .over(
                partition_by=(Study.patient_id, Study.issuer, _nameless()),
                order_by=(Study.moment.desc(), Study.uid.desc()),
            )
            .label("place"),
        )
        .where(*_where(asked))
        .subquery("ranked")
    )
    row = select(*_columns(Level.STUDY), *_patient_counts(asked, Study))
    return (
        row.select_from(found)
        .join(Study, Study.uid == found.c.uid)
        .where(found.c.place == 1)
        .order_by(Study.patient_id, Study.issuer, Study.name_alphabetic, Study.uid)
        .limit(asked.limit)
        .offset(asked.offset)
    )


def _nameless() -> Any:  # noqa: ANN401 (an expression)
    """Return the name where there is no number to tell patients apart."""
    return case((Study.patient_id == "", Study.name_alphabetic), else_="")
