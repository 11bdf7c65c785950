"""Find cases and results: by words, by pictures, by a region, by all of it together.

One way for the pages, the API, the shell and the notebooks. Who asks is always part of
the question: the index filters by their audiences, and what it finds is checked once
more against the catalogue, so that an index that lags behind shows nothing hidden.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Final

from rounds_hub.access.policy import Action, require
from rounds_hub.cases.asking import FACETS, FILTERS, Example, Question, Region
from rounds_hub.cases.examples import asked_with, cases_of_patients, cases_with
from rounds_hub.cases.found import Found, FoundHit
from rounds_hub.cases.showing import RESULT, Showing
from rounds_hub.cases.unknown import masked_id
from rounds_hub.cases.uploads import received
from rounds_hub.cases.weighing import weights_of
from rounds_hub.errors import BusyError, InvalidError, NotFoundError
from rounds_hub.indexing import encoding
from rounds_hub.indexing.meanings import means
from rounds_search import errors
from rounds_search.answers import Answer
from rounds_search.meaning import WEIGHT, is_description, meaning_leg
from rounds_search.requests import Facet, Request, Term, VectorQuery

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rounds_hub.access.principal import Principal
    from rounds_hub.cases.examples import Asked
    from rounds_hub.cases.uploads import Sent
    from rounds_hub.house import House

__all__ = [
    "FACETS",
    "FILTERS",
    "Example",
    "Found",
    "FoundHit",
    "Question",
    "Region",
    "result_document_id",
    "search",
    "search_picture",
    "similar",
]

LEAST_LIKE: Final = 0.4
"""Cosine below which images are not called similar."""
LEAST_MEANT: Final = 0.25
"""Cosine below which texts do not mean the like."""
COPY: Final = 0.98
"""Cosine from which on pictures are called copies of each other."""
MOST_COPIES: Final = 200
MOST_LEFT_OUT: Final = 150
"""How many cases of a patient, and with a series, are left out at the most."""


def search(
    house: House,
    principal: Principal,
    question: Question,
    files: Sequence[IO[bytes]] = (),
) -> Found:
    """Return what *principal* may find with *question*.

    *files* are what an example of the kind ``upload`` asks with: PNG, JPEG, the DICOM
    instances of one series, or a zip of them. They are not kept.

    Raises
    ------
    InvalidError
        If a filter, an order, a size or an example is none that there is, or a picture
        is none that can be read or that the encoder knows.
    NotFoundError
        If an example is not there, or *principal* may not see it.
    TooLargeError
        If too much was sent.
    """
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.SEARCH)
    if not question.like:
        return _ask(house, principal, question, {})
    with received(house, files) as sent:
        return _ask(
            house, principal, question, _asked(house, principal, question, sent)
        )


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
    question = Question(
        like=(Example(case_id=case_id),), size=size, language=language, counted=False
    )
    asked = _asked(house, principal, question, None)
    return _ask(house, principal, question, asked, at_least=LEAST_LIKE)


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
    asked = replace(question or Question(), like=(Example(),))
    return search(house, principal, asked, [io.BytesIO(data)])


def result_document_id(run_id: str) -> str:
    """Return under which id the index has the results of a run.

    Examples
    --------
    >>> result_document_id("0af3")
    'run-0af3'
    """
    return f"{RESULT}{run_id}"


def _asked(
    house: House, principal: Principal, question: Question, sent: Sent | None
) -> dict[str, Asked]:
    """Return the examples of *question* by the name of their leg."""
    found: dict[str, Asked] = {}
    encoder = encoding.current(house) if question.like else ""
    with _in_our_words():
        for example in question.like:
            asked = asked_with(house, principal, example, sent, encoder)
            if not (example.case_id or example.series_uid or example.region):
                _check_known(house, principal, asked, sent)
            found[_free_name(example.leg, found)] = asked
    return found


def _check_known(
    house: House, principal: Principal, asked: Asked, sent: Sent | None
) -> None:
    """Refuse pictures from outside that are unlike everything known here."""
    probe = encoding.probe(house, asked.encoder)
    if probe is None:
        return
    known, by = probe
    if by != asked.encoder:
        asked = asked_with(house, principal, asked.example, sent, by)
    if asked.looks is not None:
        known.check(asked.looks.vectors, by)


def _free_name(wanted: str, taken: dict[str, Asked]) -> str:
    """Return *wanted*, or it with the next number where it is taken."""
    count = sum(name.partition(" ")[0] == wanted for name in taken)
    return f"{wanted} {count + 1}" if count else wanted


def _ask(
    house: House,
    principal: Principal,
    question: Question,
    asked: dict[str, Asked],
    *,
    at_least: float = -1.0,
) -> Found:
    """Put *question* to the index and make its answer ready to be shown."""
    words, pictures = weights_of(question.text, question.lean)
    legs = tuple(
        _leg(name, one, pictures, at_least)
        for name, one in asked.items()
        if one.looks is not None
    )
    if asked and not legs:
        return Found()  # a case without pictures is like none
    legs += _meant(house, question, words)
    with _in_our_words():
        request = _request(principal, question, legs, words)
        left_out = _left_out(house, question, asked)
        request = _without_copies(house, question, replace(request, exclude=left_out))
        answer = _answer(house, request)
    weights = {"text": words} if question.text.strip() else {}
    weights |= {leg.name: leg.weight for leg in legs}
    showing = Showing(house, principal, question.language, asked, weights)
    return showing.found(answer)


def _meant(house: House, question: Question, words: float) -> tuple[VectorQuery, ...]:
    """Return the leg of what the words mean, where they are a description."""
    if not means(house) or not is_description(question.text):
        return ()
    leg = meaning_leg(question.text, weight=WEIGHT * words, at_least=LEAST_MEANT)
    return (leg,) if leg else ()


def _leg(name: str, asked: Asked, weight: float, at_least: float) -> VectorQuery:
    """Return *asked* as the index takes it."""
    looks = asked.looks
    if looks is None:
        msg = "an example without pictures is no leg"
        raise ValueError(msg)
    return VectorQuery(
        asked.encoder,
        looks.vectors,
        weight=weight * asked.example.weight,
        at_least=at_least,
        name=name,
        positions=looks.known_positions,
    )


def _left_out(
    house: House, question: Question, asked: dict[str, Asked]
) -> frozenset[str]:
    """Return the documents that may not be in the answer: the one asked with, say."""
    ids = {one.case_id for one in asked.values() if one.case_id}
    with house.sessions.begin(write=False) as session:
        if "patient" in question.leave_out:
            patients = frozenset[tuple[str, str]]().union(
                *(one.patients for one in asked.values())
            )
            ids |= set(cases_of_patients(session, patients, MOST_LEFT_OUT))
        if "copies" in question.leave_out:
            uids = {one.series_uid for each in asked.values() for one in each.shown}
            ids |= set(cases_with(session, uids - {""}, MOST_LEFT_OUT))
    return frozenset(ids | {masked_id(one) for one in ids})


def _without_copies(house: House, question: Question, request: Request) -> Request:
    """Return *request* without what shows the very pictures that are asked with."""
    whole = [leg for leg in request.vectors if leg.name.partition(" ")[0] == "picture"]
    if "copies" not in question.leave_out or not whole:
        return request
    near = tuple(replace(leg, at_least=COPY) for leg in whole)
    looking = replace(
        request,
        text="",
        prefix="",
        vectors=near,
        facets=(),
        sort="relevance",
        after=None,
        size=MOST_COPIES,
        highlight=False,
    )
    copies = {hit.id for hit in _answer(house, looking).hits}
    return replace(request, exclude=request.exclude | copies)


def _answer(house: House, request: Request) -> Answer:
    """Return the answer of the index; an index without any picture has none like it."""
    try:
        return house.index.search(request)
    except errors.UnknownEncoderError:
        if not request.text.strip():
            return Answer(hits=(), total=0)
        return house.index.search(replace(request, vectors=()))


def _request(
    principal: Principal,
    question: Question,
    legs: tuple[VectorQuery, ...],
    words: float,
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
        vectors=legs,
        where=where,
        facets=tuple(Facet(name) for name in FACETS) if question.counted else (),
        sort=question.sort,
        after=question.after or None,
        size=question.size,
        expand=question.expand,
        without=frozenset(question.without),
        text_weight=words,
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
