"""Build the one statement that answers a query, with the policy inside it.

The rows of the page are found first; what is counted is counted for these alone, and
only over what the principal may see, so that a hidden series shows in no number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Select, Table, and_, case, distinct, func, select

from rounds_hub.access.sight import may_see
from rounds_hub.querying.conditions import INSTANCE, SERIES, STUDY, TABLES
from rounds_hub.querying.keys import (
    DATE_OF,
    KEYS,
    TIME_OF,
    Level,
    Matching,
    key_of,
)

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
    wanted = select(*_COLUMNS[asked.level], *_counts(asked))
    joined = wanted.select_from(page).join(row, row.c.uid == page.c.uid)
    if asked.level is Level.IMAGE:
        joined = joined.join(SERIES, SERIES.c.uid == INSTANCE.c.series_uid)
    if asked.level is not Level.STUDY:
        joined = joined.join(STUDY, STUDY.c.uid == SERIES.c.study_uid)
    return joined.order_by(*_ORDER[asked.level])


def _page(asked: Asked) -> Select[Any]:
    """Return the UIDs of the rows of the page."""
    if asked.level is Level.STUDY:
        found = select(STUDY.c.uid.label("uid"))
    elif asked.level is Level.SERIES:
        found = select(SERIES.c.uid.label("uid")).select_from(_IN_STUDY)
    else:
        images = INSTANCE.join(_IN_STUDY, SERIES.c.uid == INSTANCE.c.series_uid)
        found = select(INSTANCE.c.uid.label("uid")).select_from(images)
    order = (asked.conditions.moment.desc(), *_ORDER[asked.level][1:])
    found = found.where(*_where(asked)).order_by(*order)
    return found.limit(asked.limit).offset(asked.offset)


_IN_STUDY: Final = SERIES.join(STUDY, STUDY.c.uid == SERIES.c.study_uid)
_NEWEST: Final = (STUDY.c.moment.desc(), STUDY.c.uid.desc())
_BY_NUMBER: Final = (*_NEWEST, SERIES.c.number, SERIES.c.uid)
_ORDER: Final[dict[Level, tuple[Any, ...]]] = {
    Level.STUDY: _NEWEST,
    Level.SERIES: _BY_NUMBER,
    Level.IMAGE: (*_BY_NUMBER, INSTANCE.c.number, INSTANCE.c.uid),
}
"""The order of the rows of each level: the newest study first, then by numbers."""

_READ: Final[dict[Table, tuple[str, ...]]] = {
    table: tuple(
        dict.fromkeys(
            [
                key.column
                for key in KEYS.values()
                if key.column and table is TABLES[key.level]
            ]
            + ["attributes"]
        )
    )
    for table in (STUDY, SERIES, INSTANCE)
}
_OF_STUDY: Final = tuple(STUDY.c[name].label(f"study_{name}") for name in _READ[STUDY])
_OF_SERIES: Final = tuple(
    SERIES.c[name].label(f"series_{name}") for name in _READ[SERIES]
)
_OF_IMAGE: Final = tuple(
    INSTANCE.c[name].label(f"instance_{name}") for name in _READ[INSTANCE]
)
_COLUMNS: Final[dict[Level, tuple[Any, ...]]] = {
    Level.STUDY: _OF_STUDY,
    Level.SERIES: _OF_STUDY + _OF_SERIES,
    Level.IMAGE: _OF_STUDY + _OF_SERIES + _OF_IMAGE,
}
"""The columns of each level and of the levels above, named by their table."""

_OTHER: Final = SERIES.alias("of_study")
_INSIDE: Final = INSTANCE.alias("in_it")
_SEEN: Final = SERIES.alias("counted")
_SEEN_IMAGE: Final = INSTANCE.alias("counted_instance")
_THEIRS: Final = STUDY.alias("of_patient")
_THEIR_SERIES: Final = SERIES.alias("of_patient_series")


def _where(asked: Asked) -> list[Any]:
    """Return the conditions for the rows of the page."""
    own = dict(_by_level(asked))
    above = own.pop(Level.PATIENT, []) + own.pop(Level.STUDY, [])
    series, images = own.pop(Level.SERIES, []), own.pop(Level.IMAGE, [])
    if asked.level is Level.IMAGE:
        return [*above, *series, *images, may_see(asked.principal)]
    if images:
        some = select(INSTANCE.c.uid).where(
            INSTANCE.c.series_uid == SERIES.c.uid, *images
        )
        series = [*series, some.correlate(SERIES, STUDY).exists()]
    if asked.level is Level.SERIES:
        return [*above, *series, may_see(asked.principal)]
    seen = select(SERIES.c.uid).where(SERIES.c.study_uid == STUDY.c.uid, *series)
    return [*above, seen.where(may_see(asked.principal)).correlate(STUDY).exists()]


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
    if key.matching is Matching.UIDS:
        column: Any = _INSIDE.c.sop_class
        joined = _INSIDE.c.series_uid == _OTHER.c.uid
        found = select(_INSIDE.c.uid).join(_OTHER, joined)
    else:
        column = _OTHER.c.modality
        found = select(_OTHER.c.uid)
    home = _OTHER.c.study_uid == STUDY.c.uid
    matches = asked.conditions.on_column(key, column, values)
    seen = may_see(asked.principal, _OTHER.c.sight)
    return found.where(home, seen, matches).correlate(STUDY).exists()


def _counts(asked: Asked) -> list[Any]:
    """Return what is counted for each row, over what the principal may see."""
    seen = may_see(asked.principal, _SEEN.c.sight)
    theirs = and_(_SEEN.c.study_uid == STUDY.c.uid, seen)
    every = func.json_agg if asked.conditions.postgresql else func.json_group_array
    made: dict[str, Any] = {
        "NumberOfStudyRelatedSeries": select(func.count(_SEEN.c.uid)),
        "NumberOfStudyRelatedInstances": select(func.sum(_SEEN.c.instance_count)),
        "ModalitiesInStudy": select(every(distinct(_SEEN.c.modality))),
        "SOPClassesInStudy": select(every(distinct(_SEEN_IMAGE.c.sop_class))).join(
            _SEEN, _SEEN_IMAGE.c.series_uid == _SEEN.c.uid
        ),
    }
    counted = [
        made[name].where(theirs).correlate(STUDY).scalar_subquery().label(name)
        for name in sorted(asked.counted & made.keys())
    ]
    if asked.level in {Level.SERIES, Level.IMAGE}:
        counted.append(SERIES.c.instance_count.label("NumberOfSeriesRelatedInstances"))
    return counted + _patient_counts(asked)


def _patient_counts(asked: Asked) -> list[Any]:
    """Return what is counted for the patient of a row's study.

    Patients without a number are told apart by their name.
    """
    if not any("Patient" in name for name in asked.counted):
        return []
    study, series, row = _THEIRS.c, _THEIR_SERIES.c, STUDY.c
    counts = {
        "NumberOfPatientRelatedStudies": func.count(distinct(study.uid)),
        "NumberOfPatientRelatedSeries": func.count(series.uid),
        "NumberOfPatientRelatedInstances": func.sum(series.instance_count),
    }
    same = and_(
        study.patient_id == row.patient_id,
        study.issuer == row.issuer,
        (study.patient_id != "") | (study.name_alphabetic == row.name_alphabetic),
    )
    joined = _THEIRS.join(_THEIR_SERIES, series.study_uid == study.uid)
    seen = may_see(asked.principal, series.sight)
    return [
        select(counts[name])
        .select_from(joined)
        .where(same, seen)
        .correlate(STUDY)
        .scalar_subquery()
        .label(name)
        for name in sorted(asked.counted & counts.keys())
    ]


def _patients(asked: Asked) -> Select[Any]:
    """Return the statement for patients: a row each, with their newest study's values.

    The catalogue has no table of patients; a patient is an ID and who issued it.
    """
    found = (
        select(
            STUDY.c.uid.label("uid"),
            func.row_number()
            .over(
                partition_by=(STUDY.c.patient_id, STUDY.c.issuer, _nameless()),
                order_by=(STUDY.c.moment.desc(), STUDY.c.uid.desc()),
            )
            .label("place"),
        )
        .where(*_where(asked))
        .subquery("ranked")
    )
    row = select(*_COLUMNS[Level.STUDY], *_patient_counts(asked))
    return (
        row.select_from(found)
        .join(STUDY, STUDY.c.uid == found.c.uid)
        .where(found.c.place == 1)
        .order_by(STUDY.c.patient_id, STUDY.c.issuer, _nameless(), STUDY.c.uid)
        .limit(asked.limit)
        .offset(asked.offset)
    )


def _nameless() -> Any:  # noqa: ANN401 (an expression)
    """Return the name where there is no number to tell patients apart."""
    return case((STUDY.c.patient_id == "", STUDY.c.name_alphabetic), else_="")
