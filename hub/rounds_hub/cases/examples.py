"""Turn an example into what the index is asked with: rows, places, and whose they are.

Whoever asks must be allowed to see what they ask with. What is sent with a question is
read in a decoding process and kept no longer than the question takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from rounds_hub.access.policy import Action, case_resource, require
from rounds_hub.archive.models import Series, Study
from rounds_hub.archive.reading import get_series
from rounds_hub.archive.volumes import stacks_of
from rounds_hub.cases.content import body_part
from rounds_hub.cases.found import Shown
from rounds_hub.cases.models import Case, CaseSeries
from rounds_hub.cases.unknown import hides
from rounds_hub.errors import InvalidError, NotFoundError
from rounds_hub.indexing.looks import Looks, Viewed
from rounds_hub.indexing.vectors import looks_of
from rounds_search.regions import REGIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.archive.reading import SeriesRecord
    from rounds_hub.cases.asking import Example
    from rounds_hub.cases.uploads import Sent
    from rounds_hub.house import House
    from rounds_kernels.volumes import Volume

__all__ = ["Asked", "asked_with", "case_of", "cases_of_patients", "cases_with"]

MOST_ROWS: Final = 64
MOST_SERIES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An example as the index is asked with it.

    *looks* are its rows, None where it has no pictures; *shown* is the slice of each;
    *patients* are the ``(issuer, number)`` it is of, *case_id* the case it was.
    """

    example: Example
    encoder: str
    looks: Looks | None
    shown: tuple[Shown, ...] = ()
    patients: frozenset[tuple[str, str]] = frozenset()
    case_id: str = ""
    codes: frozenset[str] = frozenset()


def asked_with(
    house: House,
    principal: Principal,
    example: Example,
    sent: Sent | None,
    encoder: str,
) -> Asked:
    """Return *example* ready to ask the index with.

    Raises
    ------
    NotFoundError
        If there is no such case, series or slice, or none *principal* may see.
    InvalidError
        If it has no pictures, or nothing was sent.
    """
    if example.kind == "case":
        return _of_case(house, principal, example, encoder)
    if example.kind == "upload":
        return _of_sent(example, sent, encoder)
    return _of_series(house, principal, example, encoder)


def case_of(session: Session, principal: Principal, case_id: str) -> Case:
    """Return the case that *principal* asks with.

    Raises
    ------
    NotFoundError
        If there is none, or none that they may see.
    """
    case = session.get(Case, case_id)
    if case is None:
        kind = "case"
        raise NotFoundError(kind, case_id)
    require(session, principal, Action.CASE_READ, case_resource(case))
    return case


def _of_case(
    house: House, principal: Principal, example: Example, encoder: str
) -> Asked:
    """Return the slices that stand for the series of a case."""
    with house.sessions.begin(write=False) as session:
        case = case_of(session, principal, example.case_id)
        uids = [one.series_uid for one in case.series]
        told = [] if hides(case, principal) else case.codes
        codes = frozenset(f"{code['scheme']}:{code['value']}" for code in told)
        patients = patients_of(session, uids)
    found: list[Looks] = []
    shown: list[Shown] = []
    for uid in uids[:MOST_SERIES]:
        chosen = _chosen(house, principal, uid, encoder)
        if chosen is not None:
            series, looks = chosen
            found.append(looks)
            shown += _slices(series, looks)
    return Asked(
        example=example,
        encoder=encoder,
        looks=Looks.joined(found) if found else None,
        shown=tuple(shown),
        patients=patients,
        case_id=example.case_id,
        codes=codes,
    )


def _chosen(
    house: House, principal: Principal, uid: str, encoder: str
) -> tuple[SeriesRecord, Looks] | None:
    """Return a series of a case with its chosen slices, None where it has none."""
    try:
        series = get_series(house, principal, uid)
    except NotFoundError:
        return None  # it is held back; the others of the case are enough here
    looks = looks_of(house, series, encoder)
    return None if looks is None else (series, looks)


def _of_series(
    house: House, principal: Principal, example: Example, encoder: str
) -> Asked:
    """Return a series, one slice of it, or a region of that slice."""
    series = get_series(house, principal, example.series_uid)
    with house.sessions.begin(write=False) as session:
        patients = patients_of(session, [series.uid])
    looks, first = looks_of(house, series, encoder), 0
    if looks is None or example.slice is not None:
        # Where it cannot be shown, this says why.
        volume, first = _stack(stacks_of(house, principal, series), example)
        viewed = Viewed(volume, encoder, body_part(series.body_part))
        looks = _looks(viewed, example, first)
    return Asked(
        example=example,
        encoder=REGIONS if example.region else encoder,
        looks=looks,
        shown=_slices(series, looks, first),
        patients=patients,
    )


def _stack(stacks: Sequence[Volume], example: Example) -> tuple[Volume, int]:
    """Return the stack with the slice of *example*, and how many slices are before."""
    first = 0
    for volume in stacks:
        if example.slice is None or example.slice < first + len(volume.array):
            return volume, first
        first += len(volume.array)
    kind = "slice"
    raise NotFoundError(kind, str(example.slice))


def _looks(viewed: Viewed, example: Example, first: int = 0) -> Looks:
    """Return the rows of one slice, of a region of it, or of the whole stack."""
    if example.slice is None and example.region is None:
        return viewed.slices(viewed.chosen())
    number = (example.slice or 0) - first
    if example.region is None:
        return viewed.slices([number])
    return viewed.region(number, example.region.box)


def _of_sent(example: Example, sent: Sent | None, encoder: str) -> Asked:
    """Return what was sent with the question."""
    if sent is None:
        msg = "Send the pictures that are asked with, in parts called 'files'."
        raise InvalidError(msg, {"files": msg})
    total = sum(len(volume.array) for volume in sent.stacks)
    if example.region and example.slice is None and total > 1:
        msg = "A region needs the 'slice' that it was drawn on."
        raise InvalidError(msg, {"slice": msg})
    parts: list[Looks] = []
    shown: list[Shown] = []
    for volume, first in _used(sent, example):
        viewed = Viewed(volume, encoder)
        looks = _looks(viewed, example, first)
        parts.append(looks if sent.placed else looks.unplaced())
        shown += _previews(sent, viewed, looks, first)
    return Asked(
        example=example,
        encoder=REGIONS if example.region else encoder,
        looks=Looks.joined(parts),
        shown=tuple(shown),
        patients=sent.patients,
    )


def _used(sent: Sent, example: Example) -> list[tuple[Volume, int]]:
    """Return what of *sent* is asked with: a stack, or every single picture.

    Beside each is how many slices are before it.
    """
    if sent.placed or example.slice is not None:
        return [_stack(sent.stacks, example)]
    return [(volume, first) for first, volume in enumerate(sent.stacks[:MOST_SERIES])]


def _previews(sent: Sent, viewed: Viewed, looks: Looks, first: int) -> list[Shown]:
    """Return small pictures of what was sent."""
    pictures = {index: sent.preview(viewed.picture(index)) for index in looks.indices}
    rows, columns = viewed.volume.array.shape[1:3]
    return [
        Shown(
            slice=index + first,
            region=box,
            picture=pictures[index],
            columns=columns,
            rows=rows,
        )
        for index, box in zip(looks.indices, looks.regions, strict=True)
    ]


def _slices(series: SeriesRecord, looks: Looks, first: int = 0) -> tuple[Shown, ...]:
    """Return where the rows of *looks* are in the archive."""
    return tuple(
        Shown(
            series_uid=series.uid,
            slice=index + first,
            region=box,
            columns=series.columns,
            rows=series.rows,
        )
        for index, box in zip(looks.indices, looks.regions, strict=True)
    )


def patients_of(
    session: Session, series_uids: Iterable[str]
) -> frozenset[tuple[str, str]]:
    """Return of which patients series are: issuer and number, where they have one."""
    wanted = (
        select(Study.issuer, Study.patient_id)
        .join(Series, Series.study_uid == Study.uid)
        .where(Series.uid.in_(list(series_uids)), Study.patient_id != "")
    )
    return frozenset((issuer, number) for issuer, number in session.execute(wanted))


def cases_of_patients(
    session: Session, patients: Iterable[tuple[str, str]], most: int
) -> list[str]:
    """Return the ids of cases that show a study of *patients*, at most so many."""
    found: dict[str, None] = {}
    for issuer, number in sorted(patients):
        wanted = (
            select(CaseSeries.case_id)
            .join(Series, Series.uid == CaseSeries.series_uid)
            .join(Study, Study.uid == Series.study_uid)
            .where(Study.patient_id == number, Study.issuer == issuer)
            .distinct()
            .order_by(CaseSeries.case_id)
            .limit(most)
        )
        found |= dict.fromkeys(session.scalars(wanted))
    return list(found)[:most]


def cases_with(session: Session, series_uids: Iterable[str], most: int) -> list[str]:
    """Return the ids of cases that show one of these series, at most so many."""
    wanted = (
        select(CaseSeries.case_id)
        .where(CaseSeries.series_uid.in_(sorted(series_uids)))
        .distinct()
        .order_by(CaseSeries.case_id)
        .limit(most)
    )
    return list(session.scalars(wanted))
