"""The page of cases: one box, facets, and hits that say why they are there."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from rounds_hub.cases.searching import FILTERS, Found, Question, search, search_picture
from rounds_hub.errors import InvalidError
from rounds_hub.portal.forms import FormDep, many, one, upload
from rounds_hub.portal.labels import FACETS
from rounds_hub.portal.visits import Visit, VisitDep

__all__ = ["Looking", "router"]

router = APIRouter(include_in_schema=False)

PAGE = 24
LONGEST_QUESTION = 500
LARGEST_READ = 16 * 2**20 + 1


@dataclass(frozen=True, slots=True)
class Looking:
    """What the page looks for, and how its links say it.

    Examples
    --------
    >>> looking = Looking("lung", {"modality": ("CT", "MR")})
    >>> looking.without("modality", "CT").query
    'q=lung&modality=MR'
    """

    text: str
    where: dict[str, tuple[str, ...]]
    sort: str = "relevance"
    picture: str = ""

    @property
    def query(self) -> str:
        """The query string of the address that looks for this."""
        pairs = [("q", self.text)] if self.text else []
        pairs += [(name, one) for name, values in self.where.items() for one in values]
        pairs += [("sort", self.sort)] if self.sort != "relevance" else []
        return urlencode(pairs)

    @property
    def chips(self) -> list[tuple[str, str]]:
        """The chosen filters, one a chip."""
        return [
            (name, value) for name, values in self.where.items() for value in values
        ]

    def without(self, name: str, value: str) -> "Looking":
        """Return the same without one filter."""
        left = tuple(one for one in self.where[name] if one != value)
        others = {key: held for key, held in self.where.items() if key != name}
        return replace(self, where=others | ({name: left} if left else {}))

    @property
    def wordless(self) -> "Looking":
        """The same without the words."""
        return replace(self, text="")

    def anything(self) -> bool:
        """Return whether something is asked for at all."""
        return bool(self.text or self.where or self.picture)


@router.get("/cases")
def cases(visit: VisitDep, after: str | None = None) -> HTMLResponse:
    """Show the cases and results that the words and filters find."""
    looking = _asked(visit)
    found = search(visit.house, visit.principal, _question(visit, looking, after))
    return _shown(visit, looking, found, more=after is not None)


@router.post("/cases/picture")
def by_picture(visit: VisitDep, form: FormDep) -> HTMLResponse:
    """Show the cases whose pictures are like the one that was sent."""
    sent = upload(form, "picture")
    if sent is None:
        msg = "Choose a picture: PNG, JPEG or DICOM."
        raise InvalidError(msg, {"picture": msg})
    where = {name: tuple(many(form, name)) for name in FILTERS}
    looking = Looking(
        one(form, "q").strip()[:LONGEST_QUESTION],
        {name: values for name, values in where.items() if values},
        picture=sent.filename or "picture",
    )
    after = one(form, "after") or None
    question = _question(visit, looking, after)
    data = sent.file.read(LARGEST_READ)
    found = search_picture(visit.house, visit.principal, data, question)
    return _shown(visit, looking, found, more=after is not None)


def _asked(visit: Visit) -> Looking:
    """Return what the address asks for; unknown names are not looked at."""
    asked = visit.request.query_params
    where = {name: tuple(asked.getlist(name)) for name in FILTERS}
    return Looking(
        asked.get("q", "").strip()[:LONGEST_QUESTION],
        {name: values for name, values in where.items() if values},
        asked.get("sort", "relevance"),
    )


def _question(visit: Visit, looking: Looking, after: str | None) -> Question:
    """Return the question that the search room takes."""
    blank = not looking.text and not looking.picture
    sort = "newest" if blank and looking.sort == "relevance" else looking.sort
    return Question(
        text=looking.text,
        where=looking.where,
        sort=sort,
        after=after,
        size=PAGE,
        language=visit.language.tag,
    )


def _shown(visit: Visit, looking: Looking, found: Found, *, more: bool) -> HTMLResponse:
    """Return the page, or for htmx the part of it that changes."""
    template = "search.html"
    if visit.partial:
        template = "parts/more-hits.html" if more else "parts/search.html"
    facets = [
        (name, _with_chosen(looking.where.get(name, ()), found.facets.get(name, ())))
        for name in FACETS
    ]
    return visit.page(
        template,
        active="cases",
        looking=looking,
        found=found,
        facets=[(name, values) for name, values in facets if values],
        facet_names=FACETS,
    )


def _with_chosen(
    chosen: tuple[str, ...], counted: tuple[tuple[str, int], ...]
) -> list[tuple[str, int, bool]]:
    """Return value, count and whether it is chosen; a chosen one never vanishes."""
    there = dict(counted)
    missing = [(value, 0, True) for value in chosen if value not in there]
    return [*((value, count, value in chosen) for value, count in counted), *missing]
