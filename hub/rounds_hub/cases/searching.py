"""Find cases and results: by words, by likeness to a case, by a picture.

One way for the pages, the API, the shell and the notebooks. Who asks is always part of
the question: the index filters by their audiences, and what it finds is checked once
more against the catalogue, so that an index that lags behind shows nothing hidden.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from rounds_hub.access.policy import (
    Action,
    case_resource,
    decide,
    require,
    run_resource,
)
from rounds_hub.cases.models import Case, CaseSeries
from rounds_hub.cases.pictures import read_picture
from rounds_hub.cases.views import texts
from rounds_hub.errors import BusyError, InvalidError, NotFoundError
from rounds_hub.runs.models import Run
from rounds_search import errors
from rounds_search.documents import Answer
from rounds_search.encoders import ENCODER, encode
from rounds_search.requests import Facet, Request, Term, VectorQuery

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House
    from rounds_search.documents import Document, Hit

__all__ = [
    "FACETS",
    "FILTERS",
    "Found",
    "FoundHit",
    "Question",
    "result_document_id",
    "search",
    "search_picture",
    "similar",
]

FACETS: Final = ("modality", "body_part", "level", "language", "kind")
"""What is counted beside the hits."""
FILTERS: Final = (*FACETS, "code", "case")
"""What a search can be narrowed by."""
LEAST_LIKE: Final = 0.4
"""Cosine below which images are not called similar."""

_RESULT: Final = "run-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is looked for: words, filters by facet, and how much of it.

    *where* maps a name of ``FILTERS`` to the values of which one must hold; *after* is
    the cursor of the answer to go on from; *language* is in which titles are shown.

    Examples
    --------
    >>> Question(text="lung", where={"modality": ("CT",)}).size
    24
    """

    text: str = ""
    prefix: str = ""
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sort: str = "relevance"
    after: str | None = None
    size: int = 24
    language: str = "en"
    counted: bool = True


@dataclass(frozen=True, slots=True)
class FoundHit:
    """One found case or result, ready to be shown.

    *why* says in words what led here; *ranks* gives the place in each leg (``text``,
    ``picture``), from 1; *highlights* are safe HTML with ``<mark>``.
    """

    id: str
    kind: str
    title: str
    why: tuple[str, ...]
    case_id: str = ""
    run_id: str = ""
    modality: tuple[str, ...] = ()
    body_part: tuple[str, ...] = ()
    level: str = ""
    language: str = ""
    score: float = 0.0
    ranks: Mapping[str, int] = field(default_factory=dict)
    highlights: Mapping[str, str] = field(default_factory=dict)
    thumbnail: str = ""

    @property
    def thumbnail_url(self) -> str:
        """The address of its picture below the service's prefix, or nothing."""
        return f"api/series/{self.thumbnail}/thumbnail.png" if self.thumbnail else ""

    @property
    def url(self) -> str:
        """The address of its page below the service's prefix."""
        return f"runs/{self.run_id}" if self.run_id else f"cases/{self.case_id}"


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found; *facets* are ``(value, count)``, the most frequent first."""

    hits: tuple[FoundHit, ...] = ()
    total: int = 0
    facets: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    after: str | None = None
    suggestions: tuple[str, ...] = ()
    expansions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    relaxed: bool = False


def search(house: House, principal: Principal, question: Question) -> Found:
    """Return what *principal* may find with *question*.

    Raises
    ------
    InvalidError
        If a filter, an order or a size is none that there is.
    """
    _require_search(house, principal)
    return _ask(house, principal, question)


def similar(
    house: House,
    principal: Principal,
    case_id: str,
    *,
    size: int = 12,
    language: str = "en",
) -> Found:
    """Return the cases whose images are like those of *case_id*, the likest first.

    Raises
    ------
    NotFoundError
        If there is no such case, or none that *principal* may see.
    """
    with house.sessions.begin(write=False) as session:
        case = session.get(Case, case_id)
        if case is None:
            kind = "case"
            raise NotFoundError(kind, case_id)
        require(session, principal, Action.CASE_READ, case_resource(case))
    leg = VectorQuery(ENCODER, like=case_id, at_least=LEAST_LIKE)
    question = Question(size=size, language=language, counted=False)
    try:
        return _ask(house, principal, question, leg=leg, exclude=case_id)
    except NotFoundError:
        # It is in the catalogue, but not yet in the index, or has no pictures.
        return Found()


def search_picture(
    house: House, principal: Principal, data: bytes, question: Question | None = None
) -> Found:
    """Return the cases with images like the picture in *data* (PNG, JPEG or DICOM).

    Raises
    ------
    InvalidError
        If it cannot be read.
    TooLargeError
        If it has too many bytes or pixels.
    """
    _require_search(house, principal)
    leg = VectorQuery(ENCODER, encode(read_picture(data)))
    return _ask(house, principal, question or Question(), leg=leg)


def result_document_id(run_id: str) -> str:
    """Return under which id the index has the results of a run.

    Examples
    --------
    >>> result_document_id("0af3")
    'run-0af3'
    """
    return f"{_RESULT}{run_id}"


def _require_search(house: House, principal: Principal) -> None:
    """Refuse those who may not search at all."""
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.SEARCH)


def _ask(
    house: House,
    principal: Principal,
    question: Question,
    *,
    leg: VectorQuery | None = None,
    exclude: str = "",
) -> Found:
    """Put *question* to the index and make its answer ready to be shown."""
    with _in_our_words():
        request = _request(principal, question, leg=leg, exclude=exclude)
        answer = _answer(house, request)
    with house.sessions.begin(write=False) as session:
        return _shown(session, principal, answer, question.language)


def _answer(house: House, request: Request) -> Answer:
    """Return the answer of the index; an index without any picture has none like it."""
    try:
        return house.index.search(request)
    except errors.UnknownEncoderError:
        return Answer(hits=(), total=0)


def _request(
    principal: Principal, question: Question, *, leg: VectorQuery | None, exclude: str
) -> Request:
    """Return *question* as the index takes it, with the audiences of who asks."""
    for name in question.where:
        if name not in FILTERS:
            raise errors.UnknownFieldError("filter", name, FILTERS)  # noqa: EM101 (it makes the sentence)
    where = tuple(
        Term(name, tuple(values)) for name, values in question.where.items() if values
    )
    return Request(
        audience=principal.audiences,
        text=question.text,
        prefix=question.prefix,
        vectors=(leg,) if leg else (),
        where=where,
        facets=tuple(Facet(name) for name in FACETS) if question.counted else (),
        sort=question.sort,
        after=question.after or None,
        size=question.size,
        exclude=frozenset({exclude} if exclude else ()),
    )


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Say what the index says as the hub's own errors."""
    try:
        yield
    except errors.RequestError as error:
        raise InvalidError(str(error)) from error
    except errors.UnknownDocumentError as error:
        kind = "document"
        raise NotFoundError(kind, "") from error
    except errors.IndexUnavailableError as error:
        raise BusyError(str(error)) from error


def _shown(
    session: Session, principal: Principal, answer: Answer, language: str
) -> Found:
    """Return *answer* with titles in *language*, and without what is hidden by now."""
    cases = _cases(session, answer)
    runs = _runs(session, answer)
    hits: list[FoundHit] = []
    for hit in answer.hits:
        if hit.document.kind == "result":
            run = runs.get(hit.id.removeprefix(_RESULT))
            if run and decide(principal, Action.RUN_READ, run_resource(session, run)):
                hits.append(_result_hit(hit, run, _case_of(session, principal, run)))
        else:
            case = cases.get(hit.id)
            if case and decide(principal, Action.CASE_READ, case_resource(case)):
                hits.append(_case_hit(hit, case, language))
    return Found(
        hits=tuple(hits),
        total=max(0, answer.total - (len(answer.hits) - len(hits))),
        facets=answer.facets,
        after=answer.after,
        suggestions=answer.suggestions,
        expansions=answer.expansions,
        relaxed=answer.relaxed,
    )


def _cases(session: Session, answer: Answer) -> dict[str, Case]:
    """Return the found cases as the catalogue has them now."""
    wanted = [hit.id for hit in answer.hits if hit.document.kind == "case"]
    alive = select(Case).where(Case.id.in_(wanted), Case.status != "deleted")
    return {case.id: case for case in session.scalars(alive)}


def _runs(session: Session, answer: Answer) -> dict[str, Run]:
    """Return the runs of the found results as the catalogue has them now."""
    wanted = [
        hit.id.removeprefix(_RESULT)
        for hit in answer.hits
        if hit.document.kind == "result"
    ]
    found = select(Run).where(Run.id.in_(wanted)).options(selectinload(Run.requests))
    return {run.id: run for run in session.scalars(found)}


def _case_hit(hit: Hit, case: Case, language: str) -> FoundHit:
    """Return a found case as it is shown."""
    told = texts(case, language)
    return FoundHit(
        id=hit.id,
        kind="case",
        title=told.title,
        why=_why(hit),
        case_id=case.id,
        level=case.level,
        language=told.language,
        **_common(hit),
    )


def _case_of(session: Session, principal: Principal, run: Run) -> str:
    """Return the id of a case with an input of *run* that *principal* may see."""
    inputs = [given["series_uid"] for given in run.inputs]
    holds = select(CaseSeries.case_id).where(CaseSeries.series_uid.in_(inputs))
    cases = session.scalars(
        select(Case)
        .where(Case.id.in_(holds), Case.status != "deleted")
        .order_by(Case.created_at, Case.id)
    )
    return next(
        (
            case.id
            for case in cases
            if decide(principal, Action.CASE_READ, case_resource(case))
        ),
        "",
    )


def _result_hit(hit: Hit, run: Run, case_id: str) -> FoundHit:
    """Return a found result as it is shown."""
    return FoundHit(
        id=hit.id,
        kind="result",
        title=hit.document.title,
        why=_why(hit),
        case_id=case_id,
        run_id=run.id,
        language=hit.document.language,
        **_common(hit),
    )


def _common(hit: Hit) -> dict[str, Any]:
    """Return what cases and results are shown with alike."""
    document: Document = hit.document
    return {
        "modality": document.values("modality"),
        "body_part": document.values("body_part"),
        "score": hit.score,
        "ranks": dict(hit.ranks),
        "highlights": dict(hit.highlights),
        "thumbnail": document.thumbnail,
    }


def _why(hit: Hit) -> tuple[str, ...]:
    """Return in words what led to *hit*, as in ``text 1``."""
    return tuple(
        f"{leg} {rank}" for leg, rank in sorted(hit.ranks.items(), reverse=True)
    )
