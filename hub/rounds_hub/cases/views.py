"""A case as it is handed out: its texts, its series, and in which language."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from rounds_hub.access.policy import Action, case_resource, decide
from rounds_hub.access.principal import Role
from rounds_hub.archive.models import Series
from rounds_hub.cases.content import TEXTS
from rounds_hub.cases.unknown import hides, masked
from rounds_kernels.modalities import NO_PICTURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.cases.models import Case

__all__ = [
    "CaseTexts",
    "CaseView",
    "SeriesView",
    "has_pictures",
    "texts",
    "view_of",
]


@dataclass(frozen=True, slots=True)
class SeriesView:
    """A series as a case shows it; *label* is what the case calls it."""

    uid: str
    study_uid: str
    modality: str
    body_part: str
    description: str
    label: str
    instance_count: int
    frame_count: int
    rows: int
    columns: int

    @property
    def name(self) -> str:
        """What to call it: the case's label, else its description or modality."""
        return self.label or self.description or self.modality

    @property
    def is_picture(self) -> bool:
        """Whether it holds pictures."""
        return self.modality not in NO_PICTURES and self.rows > 0


@dataclass(frozen=True, slots=True)
class CaseTexts:
    """The texts of a case in one language; what is not translated is as written."""

    language: str
    title: str = ""
    history: str = ""
    findings: str = ""
    diagnosis: str = ""
    differential: str = ""
    discussion: str = ""


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case as one principal sees it; *may_write* says whether they may change it.

    Of an *unknown* case that is *hidden* from them, what tells it is left out.
    """

    id: str
    title: str
    history: str
    findings: str
    diagnosis: str
    differential: str
    discussion: str
    level: str
    language: str
    body_part: str
    codes: list[dict[str, Any]]
    translations: dict[str, Any]
    source: str
    audience: list[str]
    unknown: bool
    unknown_until: datetime | None
    owner: str
    status: str
    revision: int
    created_at: datetime
    updated_at: datetime
    published_at: datetime | None
    series: tuple[SeriesView, ...] = ()
    may_write: bool = field(default=False, kw_only=True)
    hidden: bool = field(default=False, kw_only=True)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that it has text in, its own first."""
        others = sorted(tag for tag in self.translations if tag != self.language)
        return (self.language, *others)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities of its pictures, once each."""
        return tuple(dict.fromkeys(s.modality for s in self.series if s.is_picture))

    @property
    def thumbnail(self) -> str:
        """The UID of its first series with pictures, or nothing."""
        return next((s.uid for s in self.series if s.is_picture), "")


_COPIED = tuple(
    name
    for name in CaseView.__dataclass_fields__
    if name not in {"series", "may_write", "hidden"}
)


def has_pictures(series: Series) -> bool:
    """Return whether *series* holds pictures that were not computed by a run."""
    return (
        series.modality not in NO_PICTURES and series.run_id is None and series.rows > 0
    )


def texts(case: CaseView | Case, language: str) -> CaseTexts:
    """Return the texts of *case* in *language*, each as written where it is missing.

    Examples
    --------
    >>> from rounds_hub.cases.models import Case
    >>> case = Case(title="Brain", language="en", translations={"zh": {"title": "脑"}})
    >>> texts(case, "zh-Hans").title, texts(case, "fr").title
    ('脑', 'Brain')
    """
    known: Mapping[str, Mapping[str, str]] = case.translations or {}
    wanted = [language, language.partition("-")[0]]
    there = [tag for tag in wanted if tag in known or tag == case.language]
    tag = there[0] if there else case.language
    told = known.get(tag, {})
    words = {name: told.get(name) or getattr(case, name) or "" for name in TEXTS}
    return CaseTexts(language=tag, **words)


def view_of(session: Session, case: Case, principal: Principal) -> CaseView:
    """Return *case* as *principal* sees it; whether they may is asked elsewhere."""
    view = CaseView(
        **{name: getattr(case, name) for name in _COPIED},
        series=_series(session, case, principal),
        may_write=decide(principal, Action.CASE_WRITE, case_resource(case)),
    )
    if not hides(case, principal):
        return view
    pictures = tuple(
        replace(one, label="", description="")
        for one in view.series
        if one.modality not in NO_PICTURES
    )
    said = masked(case, view.modalities)
    return replace(view, **said, series=pictures, hidden=True)


def _series(
    session: Session, case: Case, principal: Principal
) -> tuple[SeriesView, ...]:
    """Return the series that *case* shows in its order, held ones to administrators."""
    uids = [shown.series_uid for shown in case.series]
    rows: Sequence[Series] = session.scalars(
        select(Series).where(Series.uid.in_(uids))
    ).all()
    every = principal.has(Role.ADMIN)
    by_uid = {row.uid: row for row in rows if every or not row.held}
    return tuple(
        _one(by_uid[shown.series_uid], shown.label)
        for shown in case.series
        if shown.series_uid in by_uid
    )


def _one(series: Series, label: str) -> SeriesView:
    """Return *series* as a case shows it."""
    return SeriesView(
        uid=series.uid,
        study_uid=series.study_uid,
        modality=series.modality,
        body_part=series.body_part,
        description=series.description,
        label=label,
        instance_count=series.instance_count,
        frame_count=series.frame_count,
        rows=series.rows,
        columns=series.columns,
    )
