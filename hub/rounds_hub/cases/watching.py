"""Ask kept searches again when the index has changed, and note what is new.

The worker asks as the owner was when they last looked. Nothing is told here; see
:mod:`rounds_hub.cases.saved`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import func, select

from rounds_hub.access.principal import Principal, Role
from rounds_hub.cases import searching
from rounds_hub.cases.models import SavedHit, SavedSearch
from rounds_hub.cases.searchmodels import SearchRequest
from rounds_hub.catalogue.models import OutboxEvent, utc_now
from rounds_hub.errors import HubError

if TYPE_CHECKING:
    import threading

    from sqlalchemy.orm import Session

    from rounds_hub.house import House

__all__ = ["look", "loop", "run_once"]

PAGE: Final = 200
PAGES: Final = 5
LIKEST: Final = 24
"""So many of the likest count as found where pictures are part of the question."""
AT_ONCE: Final = 20
POLL_SECONDS: Final = 2.0
TROUBLE_SECONDS: Final = 10.0

log = structlog.get_logger()


def run_once(house: House) -> int:
    """Ask the searches again that have not seen the newest change; return how many."""
    with house.sessions.begin(write=False) as session:
        newest = _newest_indexed(session)
        due = select(SavedSearch.id).where(
            SavedSearch.alert, SavedSearch.checked_event < newest
        )
        ids = list(
            session.scalars(due.order_by(SavedSearch.checked_event).limit(AT_ONCE))
        )
    for search_id in ids:
        look(house, search_id, new=True)
    return len(ids)


def loop(house: House, stop: threading.Event) -> None:
    """Look for new hits until *stop* is set."""
    while not stop.is_set():
        try:
            asked = run_once(house)
        except Exception:  # the log tells whoever runs the house; the next try may work
            log.exception("alerts")
            stop.wait(TROUBLE_SECONDS)
            continue
        if not asked:
            stop.wait(POLL_SECONDS)


def _newest_indexed(session: Session) -> int:
    """Return the number of the newest change that is in the index."""
    done = select(func.max(OutboxEvent.id)).where(OutboxEvent.done_at.is_not(None))
    return session.scalar(done) or 0


def look(house: House, search_id: str, *, new: bool) -> None:
    """Ask a search and write down what it found that it had not found before."""
    with house.sessions.begin(write=False) as session:
        row = session.get(SavedSearch, search_id)
        event = _newest_indexed(session)
    if row is None:
        return
    found: list[str] = []
    problem = ""
    try:
        found = _everything(house, row)
    except HubError as error:
        problem = str(error)
    with house.sessions.begin() as session:
        row = session.get(SavedSearch, search_id)
        if row is None:
            return
        known = {hit.case_id for hit in row.hits}
        row.hits += [
            SavedHit(case_id=case_id, seen=not new)
            for case_id in found
            if case_id not in known
        ]
        row.checked_at, row.checked_event, row.problem = utc_now(), event, problem


def _everything(house: House, row: SavedSearch) -> list[str]:
    """Return the cases that the search of *row* finds, as its owner was."""
    owner = Principal(row.owner, frozenset(map(Role, row.roles)), frozenset(row.groups))
    question = SearchRequest.model_validate(row.request).question()
    pictured = bool(question.like)
    question = replace(
        question,
        size=LIKEST if pictured else PAGE,
        sort="relevance" if pictured else "newest",
        counted=False,
        after=None,
        prefix="",
    )
    cases: dict[str, None] = {}
    for _ in range(1 if pictured else PAGES):
        found = searching.search(house, owner, question)
        cases |= {hit.case_id: None for hit in found.hits if hit.kind == "case"}
        if found.after is None:
            break
        question = replace(question, after=found.after)
    return list(cases)
