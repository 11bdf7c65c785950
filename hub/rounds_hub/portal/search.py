"""The page of cases: words, pictures, facets, and hits that say why they are there."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, JSONResponse

from rounds_hub.access.policy import Action, require
from rounds_hub.archive import service as archive
from rounds_hub.cases import service as cases
from rounds_hub.cases.asking import Question
from rounds_hub.cases.searching import Found, search
from rounds_hub.cases.views import texts
from rounds_hub.errors import HubError, InvalidError, NotFoundError
from rounds_hub.federation.registry import peer_names
from rounds_hub.portal.errors import said_of
from rounds_hub.portal.forms import FormDep, one, uploads
from rounds_hub.portal.labels import FACETS, N_, label_of
from rounds_hub.portal.looking import Looking
from rounds_hub.portal.visits import Visit, VisitDep

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

REFUSED = (400, 413, 415, 422)
"""What is said on the page of the search itself, with what was asked still there."""
TOO_LARGE = 413
UNFIT = N_("Nothing can be found with this picture")
TAKEN = N_(
    "One PNG or JPEG of medical images is taken, DICOM files of one series, or a zip "
    "of them, up to 256 MiB."
)
MOST_OFFERED = 8
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """The picture that is asked with, as the page shows it.

    *columns* and *rows* are of the slice a region is drawn on, 0 where the browser
    knows them; *drawable* says whether one can be drawn.
    """

    name: str = ""
    picture: str = ""
    columns: int = 0
    rows: int = 0
    drawable: bool = False
    link: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a search: hits, more of them, or why there are none.

    *lost* says that what was sent is not there any more.
    """

    found: Found = field(default_factory=Found)
    more: bool = False
    lost: bool = False
    refused: HubError | None = None


@router.get("/cases")
def find(visit: VisitDep, after: str | None = None) -> HTMLResponse:
    """Show the cases and results that the words, filters and the picture find."""
    looking = Looking.of(visit.request.query_params)
    # What was sent is not kept: an address only knows what it was called.
    lost = bool(looking.picture)
    try:
        known = looking.pictureless if lost else looking
        question = known.question(visit.language.tag, after)
        found = search(visit.house, visit.principal, question)
    except HubError as error:
        return _refused(visit, looking, error)
    return _shown(visit, looking, Outcome(found, more=bool(after), lost=lost))


@router.get("/cases/suggest")
def suggest(
    visit: VisitDep, q: Annotated[str, Query(max_length=200)] = ""
) -> JSONResponse:
    """Return what completes the words that are being typed."""
    question = Question(prefix=q, size=1, counted=False, language=visit.language.tag)
    found = search(visit.house, visit.principal, question)
    return JSONResponse(list(found.suggestions[:MOST_OFFERED]))


@router.post("/cases/picture")
def by_picture(visit: VisitDep, form: FormDep) -> HTMLResponse:
    """Show the cases whose pictures are like those that were sent."""
    with visit.house.sessions.begin(write=False) as session:
        require(session, visit.principal, Action.SEARCH)
    looking = Looking.of(form)
    after = one(form, "after") or None
    sent = uploads(form, "files")
    try:
        if not sent:
            msg = "Choose a picture: PNG, JPEG or DICOM."
            raise InvalidError(msg, {"picture": msg})
        name = looking.picture or sent[0].filename or "picture"
        looking = replace(looking, picture=name, like="", series="")
        question = looking.question(visit.language.tag, after)
        files = [file.file for file in sent]
        found = search(visit.house, visit.principal, question, files)
    except HubError as error:
        return _refused(visit, looking, error)
    shown = _shown(visit, looking, Outcome(found, more=bool(after)))
    if not after:
        shown.headers["HX-Push-Url"] = f"{visit.prefix}cases?{looking.query}"
    return shown


def _refused(visit: Visit, looking: Looking, error: HubError) -> HTMLResponse:
    """Return the page that says why it cannot be answered, with what was asked."""
    if error.status not in REFUSED:
        raise error
    return _shown(visit, looking, Outcome(refused=error))


def _shown(visit: Visit, looking: Looking, outcome: Outcome) -> HTMLResponse:
    """Return the page, or for htmx the part of it that changes."""
    found, refused = outcome.found, outcome.refused
    template = "search.html"
    if visit.partial:
        template = "parts/more-hits.html" if outcome.more else "parts/search.html"
    facets = [
        (name, _with_chosen(looking.where.get(name, ()), found.facets.get(name, ())))
        for name in FACETS
    ]
    return visit.page(
        template,
        refused.status if refused else 200,
        active="cases",
        looking=looking,
        found=found,
        asked=_asked(visit, looking, found),
        lost=outcome.lost,
        refused=_said(refused, looking) if refused else None,
        facets=[(name, values) for name, values in facets if values],
        facet_names=FACETS,
        suggested=_suggested(visit, looking),
        peers=peer_names(visit.house),
    )


def _said(error: HubError, looking: Looking) -> dict[str, Any]:
    """Return what the page says of a question that cannot be answered."""
    said = said_of(error)
    if not looking.pictured and "picture" not in said["problems"]:
        return said
    title = said["title"] if error.status == TOO_LARGE else UNFIT
    step = TAKEN if looking.picture or not looking.pictured else said["next_step"]
    return {**said, "title": title, "next_step": step}


def _suggested(visit: Visit, looking: Looking) -> str:
    """Return what a search could be called when it is kept."""
    said = [looking.text] if looking.text else []
    for name, value in looking.chips:
        label = label_of(name, value) if name in FACETS else value
        said.append(visit.language.gettext(label))
    return ", ".join(said)[:LONGEST_NAME]


def _asked(visit: Visit, looking: Looking, found: Found) -> Asked:
    """Return the picture that is asked with; nothing of it where it may not be seen."""
    first = next(iter(found.asked), None)
    picture = first.picture_url if first else ""
    if looking.picture:
        only = len(found.asked) == 1
        size = (first.columns, first.rows) if first else (0, 0)
        return Asked(looking.picture, picture, *size, drawable=only)
    try:
        if looking.like:
            middle = found.asked[len(found.asked) // 2].picture_url if first else ""
            return _of_case(visit, looking.like, middle)
        return _of_series(visit, looking)
    except NotFoundError:
        return Asked(visit.language.gettext(N_("A picture")))


def _of_case(visit: Visit, case_id: str, picture: str) -> Asked:
    """Return the case that is asked with."""
    case = cases.get(visit.house, visit.principal, case_id)
    title = texts(case, visit.language.tag).title
    return Asked(title, picture, link=f"cases/{case.id}")


def _of_series(visit: Visit, looking: Looking) -> Asked:
    """Return the series, or the slice of it, that is asked with."""
    if not looking.series:
        return Asked()
    series = archive.get_series(visit.house, visit.principal, looking.series)
    # No description: it could tell what an unknown case is.
    kind = visit.language.gettext(label_of("modality", series.modality))
    count = max(1, series.frame_count)
    try:
        number = looking.number
    except InvalidError:
        number = None
    shown = count // 2 if number is None else number
    words = {"kind": kind, "number": shown + 1, "count": count}
    whole = N_("Series of %(count)s slices, %(kind)s")
    some = N_("Slice %(number)s of %(count)s, %(kind)s")
    name = visit.language.gettext(whole if number is None else some) % words
    picture = f"api/series/{series.uid}/frames/{shown}.png"
    size = (series.columns, series.rows)
    return Asked(name, picture, *size, drawable=number is not None)


def _with_chosen(
    chosen: tuple[str, ...], counted: tuple[tuple[str, int], ...]
) -> list[tuple[str, int, bool]]:
    """Return value, count and whether it is chosen; a chosen one never vanishes."""
    there = dict(counted)
    missing = [(value, 0, True) for value in chosen if value not in there]
    return [*((value, count, value in chosen) for value, count in counted), *missing]
