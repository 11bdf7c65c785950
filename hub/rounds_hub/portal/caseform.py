"""The form of a case: what stands in it, and how it is saved without losing a word."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from starlette.datastructures import FormData

from rounds_hub.access.policy import Action, require
from rounds_hub.archive import service as archive
from rounds_hub.archive.service import SeriesRecord
from rounds_hub.cases import service as cases
from rounds_hub.cases.codes import SCHEMES
from rounds_hub.cases.content import LEVELS, LONGEST_TITLE, TEXTS
from rounds_hub.cases.views import CaseView
from rounds_hub.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
)
from rounds_hub.portal.forms import FormDep, many, one
from rounds_hub.portal.labels import BODY_PARTS, N_
from rounds_hub.portal.languages import LANGUAGES
from rounds_hub.portal.viewing import viewable
from rounds_hub.portal.visits import Visit, VisitDep

__all__ = ["AUDIENCES", "CaseForm", "form_page", "router"]

router = APIRouter(include_in_schema=False)

AUDIENCES = {
    "everyone": N_("Everyone who is signed in"),
    "role:student": N_("Students"),
    "role:doctor": N_("Doctors"),
    "role:researcher": N_("Researchers"),
    "role:teacher": N_("Teachers"),
    "peers": N_("Other hospitals, which find its title"),
}
TEXT_LABELS = {
    "title": N_("Title"),
    "history": N_("History"),
    "findings": N_("Findings"),
    "diagnosis": N_("Diagnosis"),
    "differential": N_("Differential diagnosis"),
    "discussion": N_("Discussion"),
}
NEWEST_STUDIES = 5


@dataclass(frozen=True, slots=True)
class CaseForm:
    """What stands in the form, whether it can be saved or not.

    *series* are pairs of UID and label in their order; *others* is the text for
    audiences that have no box; *stands* are the values in the catalogue that differ
    after somebody else saved.
    """

    texts: dict[str, str] = field(default_factory=dict)
    level: str = LEVELS[0]
    language: str = "en"
    body_part: str = ""
    source: str = ""
    codes: list[dict[str, str]] = field(default_factory=list)
    translations: dict[str, dict[str, str]] = field(default_factory=dict)
    audience: list[str] = field(default_factory=list)
    others: str = ""
    unknown: bool = False
    unknown_until: str = ""
    series: list[tuple[str, str]] = field(default_factory=list)
    case_id: str = ""
    status: str = "draft"
    revision: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    message: str = ""
    stands: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, case: CaseView) -> "CaseForm":
        """Return the form as *case* fills it."""
        return cls(
            texts={name: getattr(case, name) for name in TEXTS},
            level=case.level,
            language=case.language,
            body_part=case.body_part,
            source=case.source,
            codes=case.codes,
            translations=case.translations,
            audience=[one for one in case.audience if one in AUDIENCES],
            others=", ".join(one for one in case.audience if one not in AUDIENCES),
            unknown=case.unknown,
            unknown_until=f"{case.unknown_until:%Y-%m-%d}"
            if case.unknown_until
            else "",
            series=[(shown.uid, shown.label) for shown in case.series],
            case_id=case.id,
            status=case.status,
            revision=case.revision,
        )

    @classmethod
    def sent(cls, form: FormData, case: CaseView | None) -> "CaseForm":
        """Return what a person wrote, as it came."""
        rows = zip(
            many(form, "code-scheme"),
            many(form, "code-value"),
            many(form, "code-meaning"),
            strict=False,
        )
        revision = one(form, "revision", "0")
        return cls(
            texts={name: one(form, name) for name in TEXTS},
            level=one(form, "level", LEVELS[0]),
            language=one(form, "language", "en"),
            body_part=one(form, "body_part"),
            source=one(form, "source"),
            codes=[
                {"scheme": scheme, "value": value, "meaning": meaning}
                for scheme, value, meaning in rows
            ],
            translations=_sent_translations(form),
            audience=many(form, "audience"),
            others=one(form, "others"),
            unknown=bool(one(form, "unknown")),
            unknown_until=one(form, "unknown_until"),
            series=[(uid, one(form, f"label-{uid}")) for uid in many(form, "series")],
            case_id=case.id if case else "",
            status=case.status if case else "draft",
            revision=int(revision) if revision.isdecimal() else 0,
        )

    def with_problems(self, problems: Mapping[str, str], message: str) -> "CaseForm":
        """Return the form with what is wrong in it, each at its place."""
        return replace(self, problems=dict(problems), message=message)

    def changes(self) -> dict[str, Any]:
        """Return the fields as the cases' room takes them."""
        wanted = [part.strip() for part in self.others.replace(";", ",").split(",")]
        return {
            **self.texts,
            "level": self.level,
            "language": self.language,
            "body_part": self.body_part,
            "source": self.source,
            "codes": [code for code in self.codes if code["value"] or code["meaning"]],
            "translations": {
                tag: told
                for tag, told in self.translations.items()
                if tag != self.language
            },
            "audience": [*self.audience, *(part for part in wanted if part)],
            "unknown": self.unknown,
            "unknown_until": self.unknown_until if self.unknown else "",
            "series": [{"uid": uid, "label": label} for uid, label in self.series],
        }

    def done(self, what: str) -> "CaseForm":
        """Return the form after one of its buttons that only arrange it.

        Examples
        --------
        >>> form = CaseForm(series=[("1.2", ""), ("1.3", "")])
        >>> form.done("down:1.2").series
        [('1.3', ''), ('1.2', '')]
        """
        verb, _, key = what.partition(":")
        if verb == "add-code":
            blank = {"scheme": "RADLEX", "value": "", "meaning": ""}
            return replace(self, codes=[*self.codes, blank])
        if verb == "remove-code":
            left = [code for place, code in enumerate(self.codes) if str(place) != key]
            return replace(self, codes=left)
        if verb == "remove":
            return replace(
                self, series=[pair for pair in self.series if pair[0] != key]
            )
        if verb == "add":
            return replace(self, series=[*self.series, (key, "")])
        step = {"up": -1, "down": 1}.get(verb, 0)
        return replace(self, series=_moved(self.series, key, step))


@router.get("/cases/new")
def blank(visit: VisitDep) -> HTMLResponse:
    """Show an empty form."""
    _may_write_cases(visit)
    given = [(uid, "") for uid in visit.request.query_params.getlist("series")]
    form = CaseForm(language=visit.language.tag, series=given)
    return form_page(visit, form)


@router.post("/cases/new")
def create(visit: VisitDep, sent: FormDep) -> Response:
    """Make a draft of what was written."""
    _may_write_cases(visit)
    form = CaseForm.sent(sent, None)
    if arranged := one(sent, "do"):
        return form_page(visit, form.done(arranged))
    try:
        case = cases.create(visit.house, visit.principal, form.changes())
    except InvalidError as error:
        form = form.with_problems(error.problems, str(error))
        return form_page(visit, form, error.status)
    return _saved(visit, case, sent)


@router.get("/cases/{case_id}/edit")
def edit(visit: VisitDep, case_id: str) -> HTMLResponse:
    """Show the form of a case."""
    case = _to_edit(visit, case_id)
    return form_page(visit, CaseForm.of(case))


@router.post("/cases/{case_id}/edit")
def save(visit: VisitDep, case_id: str, sent: FormDep) -> Response:
    """Save what was written, or show it again with what keeps it from being saved."""
    case = _to_edit(visit, case_id)
    form = CaseForm.sent(sent, case)
    if arranged := one(sent, "do"):
        return form_page(visit, form.done(arranged))
    try:
        saved = cases.update(
            visit.house,
            visit.principal,
            case_id,
            form.changes(),
            revision=form.revision,
        )
    except ConflictError as error:
        form = _on_top(form, case, str(error))
        return form_page(visit, form, error.status)
    except InvalidError as error:
        form = form.with_problems(error.problems, str(error))
        return form_page(visit, form, error.status)
    return _saved(visit, saved, sent)


def form_page(visit: Visit, form: CaseForm, status: int = 200) -> HTMLResponse:
    """Return the page with *form*."""
    known, addable = _series_for(visit, form)
    others = [tag for tag in LANGUAGES if tag != form.language]
    return visit.page(
        "case-form.html",
        status,
        active="cases",
        form=form,
        text_labels=TEXT_LABELS,
        levels=LEVELS,
        schemes={scheme: name for scheme, (name, _) in SCHEMES.items()},
        audiences=AUDIENCES,
        body_parts=sorted(BODY_PARTS),
        other_languages=[*others, *(set(form.translations) - set(LANGUAGES))],
        known=known,
        addable=addable,
        longest_title=LONGEST_TITLE,
    )


def _saved(visit: Visit, case: CaseView, sent: FormData) -> Response:
    """Go on after saving: to the case, published where that was asked for."""
    done = "saved" if case.revision > 1 else "created"
    if one(sent, "save") == "publish":
        try:
            cases.publish(visit.house, visit.principal, case.id)
        except InvalidError as error:
            form = CaseForm.of(case).with_problems(error.problems, str(error))
            return form_page(visit, form, error.status)
        done = "published"
    return visit.go_to(f"cases/{quote(case.id, safe='')}?done={done}")


def _may_write_cases(visit: Visit) -> None:
    """Refuse those who may not write cases, before they begin to."""
    with visit.house.sessions.begin(write=False) as session:
        require(session, visit.principal, Action.CASE_CREATE)


def _to_edit(visit: Visit, case_id: str) -> CaseView:
    """Return the case if *principal* may change it."""
    case = cases.get(visit.house, visit.principal, case_id)
    if not case.may_write:
        msg = (
            f"Only its owner, {case.owner!r}, and administrators may change this case."
        )
        raise ForbiddenError(msg)
    return case


def _on_top(form: CaseForm, case: CaseView, message: str) -> CaseForm:
    """Return *form* ready to be saved over *case*, showing what stands there now."""
    theirs = CaseForm.of(case)
    stands = {
        name: theirs.texts[name]
        for name in TEXTS
        if theirs.texts[name].strip() != form.texts[name].replace("\r\n", "\n").strip()
    }
    return replace(form, revision=case.revision, message=message, stands=stands)


def _sent_translations(form: FormData) -> dict[str, dict[str, str]]:
    """Return the texts in other languages, by language."""
    found: dict[str, dict[str, str]] = {}
    for tag in many(form, "translation"):
        told = {name: one(form, f"{tag}-{name}") for name in TEXTS}
        found[tag] = {name: text for name, text in told.items() if text.strip()}
    return {tag: told for tag, told in found.items() if told}


def _moved(series: list[tuple[str, str]], uid: str, step: int) -> list[tuple[str, str]]:
    """Return *series* with one of them moved by *step*."""
    places = [place for place, (one, _) in enumerate(series) if one == uid]
    if not places or not 0 <= places[0] + step < len(series):
        return series
    moved = list(series)
    moved.insert(places[0] + step, moved.pop(places[0]))
    return moved


def _series_for(
    visit: Visit, form: CaseForm
) -> tuple[dict[str, SeriesRecord], list[SeriesRecord]]:
    """Return the series in *form* by UID, and others that could be added to it."""
    house, principal = visit.house, visit.principal
    known: dict[str, SeriesRecord] = {}
    for uid, _ in form.series:
        try:
            known[uid] = archive.get_series(house, principal, uid)
        except NotFoundError:
            continue  # the form says so at that series, and goes on
    studies = {series.study_uid for series in known.values()}
    pages = [archive.get_study(house, principal, uid) for uid in sorted(studies)]
    pages += archive.list_studies(house, principal, size=NEWEST_STUDIES).studies
    found = {series.uid: series for study in pages for series in study.series}
    return known, [
        series for uid, series in found.items() if uid not in known and viewable(series)
    ]
