"""Searches that somebody keeps, and what they found since they were last looked at.

What the worker found (:mod:`rounds_hub.cases.watching`) is told only after the search
was asked once more as its owner is now: what they may not see by now, or not know any
more, is neither told nor counted, and is forgotten.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from rounds_hub.access.policy import Action, Resource, require
from rounds_hub.cases import searching
from rounds_hub.cases.models import SavedHit, SavedSearch
from rounds_hub.cases.searchmodels import SearchRequest
from rounds_hub.cases.watching import look
from rounds_hub.errors import ConflictError, HubError, InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.cases.asking import Question
    from rounds_hub.cases.found import FoundHit
    from rounds_hub.house import House

__all__ = [
    "MOST_SAVED",
    "Alert",
    "SavedView",
    "alerts",
    "change",
    "create",
    "delete",
    "every",
    "get",
    "mark_seen",
]

MOST_SAVED: Final = 100
"""How many searches one person keeps."""
MOST_JSON: Final = 64 * 2**10
LONGEST_NAME: Final = 200
MOST_TOLD: Final = 100


@dataclass(frozen=True, slots=True)
class SavedView:
    """A kept search as its owner sees it; *new* counts what it found since."""

    id: str
    name: str
    request: dict[str, Any]
    alert: bool
    new: int
    created_at: datetime
    checked_at: datetime | None
    problem: str


@dataclass(frozen=True, slots=True)
class Alert:
    """A case that a kept search found since it was last looked at."""

    search_id: str
    name: str
    found_at: datetime
    hit: FoundHit


def create(
    house: House,
    principal: Principal,
    name: str,
    request: SearchRequest,
    *,
    alert: bool,
) -> SavedView:
    """Keep a search; what it finds now is nothing new.

    Raises
    ------
    InvalidError
        If it cannot be asked, asks with pictures that were sent, or has no name.
    ConflictError
        If there is one of that name, or too many of them.
    """
    question = _checked(request)
    called = _name(name)
    found = searching.search(house, principal, replace(question, size=1, counted=False))
    del found  # it can be asked
    with house.sessions.begin() as session:
        require(session, principal, Action.SEARCH)
        _refuse_taken(session, principal, called)
        row = SavedSearch(
            id=uuid.uuid4().hex,
            owner=principal.name,
            name=called,
            request=request.model_dump(mode="json"),
            alert=alert,
            **_as_now(principal),
        )
        session.add(row)
    look(house, row.id, new=False)
    return get(house, principal, row.id)


def every(house: House, principal: Principal) -> list[SavedView]:
    """Return the searches that *principal* keeps, by name."""
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.SEARCH)
        mine = select(SavedSearch).where(SavedSearch.owner == principal.name)
        rows = list(session.scalars(mine.order_by(SavedSearch.name)))
    return [_view(row, len(_told(house, principal, row))) for row in rows]


def get(house: House, principal: Principal, search_id: str) -> SavedView:
    """Return one search that *principal* keeps.

    Raises
    ------
    NotFoundError
        If there is none, or it is somebody else's.
    """
    with house.sessions.begin(write=False) as session:
        row = _row(session, principal, search_id)
    return _view(row, len(_told(house, principal, row)))


def change(  # noqa: PLR0913 (what is left out stays)
    house: House,
    principal: Principal,
    search_id: str,
    *,
    name: str | None = None,
    request: SearchRequest | None = None,
    alert: bool | None = None,
) -> SavedView:
    """Change what of a kept search is given; another question begins anew.

    Raises
    ------
    NotFoundError
        If there is none, or it is somebody else's.
    InvalidError
        If it cannot be asked.
    ConflictError
        If there is another one of that name.
    """
    if request is not None:
        question = replace(_checked(request), size=1, counted=False)
        searching.search(house, principal, question)
    with house.sessions.begin() as session:
        row = _row(session, principal, search_id)
        if name is not None and _name(name) != row.name:
            _refuse_taken(session, principal, _name(name))
            row.name = _name(name)
        row.alert = row.alert if alert is None else alert
        for key, value in _as_now(principal).items():
            setattr(row, key, value)
        if request is not None:
            row.request = request.model_dump(mode="json")
            for hit in list(row.hits):
                session.delete(hit)
    if request is not None or alert:
        look(house, search_id, new=False)
    return get(house, principal, search_id)


def delete(house: House, principal: Principal, search_id: str) -> None:
    """Forget a kept search and what it found.

    Raises
    ------
    NotFoundError
        If there is none, or it is somebody else's.
    """
    with house.sessions.begin() as session:
        session.delete(_row(session, principal, search_id))


def mark_seen(house: House, principal: Principal, search_id: str) -> None:
    """Count nothing that a kept search found until now as new any more.

    Raises
    ------
    NotFoundError
        If there is none, or it is somebody else's.
    """
    with house.sessions.begin() as session:
        row = _row(session, principal, search_id)
        for hit in row.hits:
            hit.seen = True
        for key, value in _as_now(principal).items():
            setattr(row, key, value)


def alerts(house: House, principal: Principal) -> list[Alert]:
    """Return what the searches of *principal* found since they looked, newest first."""
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.SEARCH)
        mine = select(SavedSearch).where(
            SavedSearch.owner == principal.name, SavedSearch.alert
        )
        rows = list(session.scalars(mine))
    found = [one for row in rows for one in _told(house, principal, row)]
    found.sort(key=lambda one: (one.found_at, one.hit.id), reverse=True)
    return found[:MOST_TOLD]


def _checked(request: SearchRequest) -> Question:
    """Return the question of *request*, if it can be asked again and again."""
    if any(one.kind == "upload" for one in request.like):
        msg = (
            "A picture that was sent is not kept, so it cannot be asked with again. "
            "Ask by a case, a series, a slice or a region."
        )
        raise InvalidError(msg, {"like": msg})
    if len(request.model_dump_json()) > MOST_JSON:
        msg = f"A search that is kept has at most {MOST_JSON} bytes."
        raise InvalidError(msg, {"request": msg})
    return request.question()


def _name(name: str) -> str:
    """Return *name* as it is kept."""
    called = " ".join(name.split())
    if not 1 <= len(called) <= LONGEST_NAME or not called.isprintable():
        msg = f"A search needs a name of 1 to {LONGEST_NAME} characters."
        raise InvalidError(msg, {"name": msg})
    return called


def _refuse_taken(session: Session, principal: Principal, name: str) -> None:
    """Refuse a second search of one name, and more than one person keeps."""
    mine = select(SavedSearch.name).where(SavedSearch.owner == principal.name)
    names = list(session.scalars(mine))
    if name in names:
        msg = f"You keep a search called {name!r} already; choose another name."
        raise ConflictError(msg)
    if len(names) >= MOST_SAVED:
        msg = f"You keep {MOST_SAVED} searches; delete one first."
        raise ConflictError(msg)


def _row(session: Session, principal: Principal, search_id: str) -> SavedSearch:
    """Return the row of a search that is *principal*'s own."""
    row = session.get(SavedSearch, search_id)
    if row is None:
        kind = "saved search"
        raise NotFoundError(kind, search_id)
    own = frozenset({f"user:{row.owner}"})
    resource = Resource("saved search", row.id, own, frozenset({row.owner}))
    require(session, principal, Action.SEARCH, resource)
    return row


def _as_now(principal: Principal) -> dict[str, list[str]]:
    """Return as whom the worker asks from now on."""
    return {
        "roles": sorted(role.value for role in principal.roles),
        "groups": sorted(principal.groups),
    }


def _view(row: SavedSearch, new: int) -> SavedView:
    """Return *row* as its owner sees it."""
    return SavedView(
        id=row.id,
        name=row.name,
        request=row.request,
        alert=row.alert,
        new=new,
        created_at=row.created_at,
        checked_at=row.checked_at,
        problem=row.problem,
    )


def _told(house: House, principal: Principal, row: SavedSearch) -> list[Alert]:
    """Return what *row* found that *principal* may be told by now; forget the rest."""
    unseen = select(SavedHit).where(SavedHit.search_id == row.id, ~SavedHit.seen)
    newest = unseen.order_by(SavedHit.found_at.desc(), SavedHit.case_id)
    with house.sessions.begin(write=False) as session:
        kept = {hit.case_id: hit for hit in session.scalars(newest.limit(MOST_TOLD))}
    if not kept or not row.alert:
        return []
    try:
        hits = _asked_again(house, principal, row, kept)
    except HubError:
        return []  # who opens the search is told why it cannot be asked
    gone = sorted(set(kept) - set(hits))
    if gone:
        _forget(house, row.id, gone)
    return [
        Alert(row.id, row.name, kept[case_id].found_at, hit)
        for case_id, hit in hits.items()
    ]


def _asked_again(
    house: House, principal: Principal, row: SavedSearch, cases: Iterable[str]
) -> dict[str, FoundHit]:
    """Return those of *cases* that *principal* finds with the search now."""
    question = SearchRequest.model_validate(row.request).question()
    wanted = set(cases)
    if question.where.get("case"):
        wanted &= set(question.where["case"])
    if not wanted:
        return {}
    where = {**question.where, "case": tuple(sorted(wanted))}
    narrowed = replace(
        question,
        where=where,
        size=MOST_TOLD,
        counted=False,
        after=None,
        sort="relevance",
    )
    found = searching.search(house, principal, narrowed)
    return {hit.case_id: hit for hit in found.hits if hit.kind == "case"}


def _forget(house: House, search_id: str, cases: list[str]) -> None:
    """Remove what may not be told any more."""
    with house.sessions.begin() as session:
        for case_id in cases:
            hit = session.get(SavedHit, (search_id, case_id))
            if hit is not None:
                session.delete(hit)
