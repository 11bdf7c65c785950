"""The page of a case, and what can be done with it there."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from rounds_hub.archive import service as archive
from rounds_hub.archive.service import SeriesRecord
from rounds_hub.cases import service as cases
from rounds_hub.cases.searching import Found, similar
from rounds_hub.cases.views import CaseView, texts
from rounds_hub.errors import BusyError, InvalidError
from rounds_hub.portal.caseform import CaseForm, form_page
from rounds_hub.portal.fitting import unfit
from rounds_hub.portal.labels import N_
from rounds_hub.portal.viewing import overlaid, viewed
from rounds_hub.portal.visits import Visit, VisitDep
from rounds_hub.runs import service as runs
from rounds_hub.runs.models import Run
from rounds_hub.runs.templates import Template
from rounds_hub.viewer.links import made_by, made_in, viewer_path

__all__ = ["NOTICES", "Offered", "offered", "router"]

router = APIRouter(include_in_schema=False)

LIKE = 4
MOST_MASKS = 6
NOTICES = {
    "created": N_("The draft is there. Only you see it until you publish it."),
    "saved": N_("Saved."),
    "published": N_("Published. Its audience finds it from now on."),
    "withdrawn": N_("Withdrawn: it is a draft again, and only you see it."),
    "restored": N_("Brought back."),
}
_ACTIONS = {
    "publish": (cases.publish, "published"),
    "withdraw": (cases.withdraw, "withdrawn"),
    "restore": (cases.restore, "restored"),
}


@dataclass(frozen=True, slots=True)
class Offered:
    """A template that could be run: on which series, or why it cannot."""

    name: str
    title: str
    summary: str
    series_uid: str = ""
    why_not: str = ""


@router.get("/cases/{case_id}")
def show(visit: VisitDep, case_id: str, lang: str = "", done: str = "") -> HTMLResponse:
    """Show a case: its pictures, its story, what can be done, what is like it."""
    case = cases.get(visit.house, visit.principal, case_id)
    wanted = lang if lang in case.languages else visit.language.tag
    results = cases.results_of(visit.house, visit.principal, case_id)
    studies = [one.study_uid for one in case.series]
    saved = made_in(visit.house, visit.principal, studies)
    computed = _computed(visit, case, results)
    return visit.page(
        "case.html",
        active="cases",
        case=case,
        told=texts(case, wanted),
        viewer_series=[
            *viewed(case.series, visit.language),
            *_masks(visit, case, results),
        ],
        offers=offered(visit, [one.uid for one in case.series]),
        results=results,
        viewer_path=viewer_path([*case.series, *computed], _mask(computed)),
        saved=[(one, viewer_path([*case.series, one], one.uid)) for one in saved],
        titles=visit.titles(),
        alike=_alike(visit, case_id),
        notice=NOTICES.get(done, ""),
    )


@router.post("/cases/{case_id}/{action}")
def act(
    visit: VisitDep,
    case_id: str,
    action: Literal["publish", "withdraw", "restore", "delete"],
) -> Response:
    """Publish a case, withdraw it, put it away or bring it back; then show it."""
    if action == "delete":
        cases.delete(visit.house, visit.principal, case_id)
        return visit.go_to(f"?gone={quote(case_id, safe='')}")
    change, done = _ACTIONS[action]
    try:
        change(visit.house, visit.principal, case_id)
    except InvalidError as error:
        case = cases.get(visit.house, visit.principal, case_id)
        form = CaseForm.of(case).with_problems(error.problems, str(error))
        return form_page(visit, form, error.status)
    return visit.go_to(f"cases/{quote(case_id, safe='')}?done={done}")


def offered(visit: Visit, series_uids: list[str]) -> list[Offered]:
    """Return every template with the first of *series_uids* that fits, or why not.

    Those that can be run come first.
    """
    house, principal = visit.house, visit.principal
    seen = [archive.get_series(house, principal, uid) for uid in series_uids]
    pictures = [series for series in seen if series.run_id is None]
    offers = [
        _offered(template, pictures, visit.language.tag)
        for template in runs.list_templates(house, principal)
    ]
    return sorted(offers, key=lambda one: not one.series_uid)


def _offered(
    template: Template, pictures: list[SeriesRecord], language: str
) -> Offered:
    """Return *template* with the first of *pictures* that it takes, or why none."""
    needed = next(one for one in template.inputs if not one.optional)
    reasons = {one.uid: unfit(needed, one) for one in pictures}
    fitting = next((uid for uid, why in reasons.items() if not why), "")
    return Offered(
        template.name,
        template.title(language),
        template.summary(language),
        fitting,
        "" if fitting else next(iter(reasons.values()), ""),
    )


def _masks(
    visit: Visit, case: CaseView, results: tuple[Run, ...]
) -> list[dict[str, Any]]:
    """Return the segmentations of *results*, each laid over its series of *case*."""
    titles, shown = visit.titles(), {one.uid: one for one in case.series}
    made = [
        overlaid(
            mask["series_uid"],
            titles.get(run.template, run.template),
            shown[run.inputs[0]["series_uid"]],
            visit.language,
        )
        for run in results
        for mask in run.results.get("segmentations", [])
        if run.inputs[0]["series_uid"] in shown
    ]
    return made[:MOST_MASKS]


def _mask(computed: list[SeriesRecord]) -> str:
    """Return the newest mask among *computed*, which the viewer begins with."""
    return next((one.uid for one in computed if one.modality == "SEG"), "")


def _computed(
    visit: Visit, case: CaseView, results: tuple[Run, ...]
) -> list[SeriesRecord]:
    """Return what the newest of *results* put beside the pictures of *case*."""
    shown = {one.uid for one in case.series}
    on_these = [run for run in results if run.inputs[0]["series_uid"] in shown]
    found = [made_by(visit.house, visit.principal, run) for run in on_these]
    return [series for some in found for series in some][:MOST_MASKS]


def _alike(visit: Visit, case_id: str) -> Found:
    """Return the cases like this one; none where the index does not answer."""
    try:
        tag = visit.language.tag
        return similar(visit.house, visit.principal, case_id, size=LIKE, language=tag)
    except BusyError:
        # The index can be rebuilt while cases are read; they miss this one list.
        return Found()
