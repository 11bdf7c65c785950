"""The one function that decides who may do what, and the trail it leaves."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rounds_hub.access import audience
from rounds_hub.access.models import AuditEntry
from rounds_hub.access.principal import PEERS, Principal, Role
from rounds_hub.errors import ForbiddenError, NotFoundError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from rounds_hub.archive.models import Import, Series
    from rounds_hub.cases.models import Case
    from rounds_hub.runs.models import Run

__all__ = [
    "READS",
    "Action",
    "Resource",
    "case_resource",
    "decide",
    "forget_recent",
    "import_resource",
    "require",
    "run_resource",
    "series_resource",
    "visible",
]


class Action(StrEnum):
    """What can be asked for."""

    SEARCH = "search"
    CASE_READ = "case.read"
    CASE_CREATE = "case.create"
    CASE_WRITE = "case.write"
    CASE_PUBLISH = "case.publish"
    CASE_DELETE = "case.delete"
    SERIES_READ = "series.read"
    SERIES_DELETE = "series.delete"
    SERIES_EXPECT = "series.expect"
    SERIES_HOLD = "series.hold"
    SERIES_RELEASE = "series.release"
    SERIES_LABEL = "series.label"
    STUDY_LIST = "study.list"
    IMPORT_CREATE = "import.create"
    IMPORT_READ = "import.read"
    TEMPLATE_READ = "template.read"
    RUN_CREATE = "run.create"
    RUN_READ = "run.read"
    RUN_CANCEL = "run.cancel"
    NODE_QUERY = "node.query"
    NODE_SEND = "node.send"
    PEER_ASK = "peer.ask"
    AUDIT_READ = "audit.read"
    HOUSE_ADMIN = "house.admin"


@dataclass(frozen=True, slots=True)
class Resource:
    """A thing somebody wants to see or change.

    *audience* are those who may see it, *owners* the names of those who may change it.
    """

    kind: str
    key: str = ""
    audience: frozenset[str] = frozenset({"everyone"})
    owners: frozenset[str] = frozenset()


HOUSE = Resource("house", audience=frozenset({"everyone", PEERS}))

_STAFF = frozenset({Role.DOCTOR, Role.RESEARCHER, Role.TEACHER, Role.ADMIN})
_PEOPLE = _STAFF | {Role.STUDENT}

READS = frozenset(
    {Action.CASE_READ, Action.SERIES_READ, Action.RUN_READ, Action.IMPORT_READ}
)
_LOOKS = frozenset(
    {Action.SEARCH, Action.PEER_ASK, Action.STUDY_LIST, Action.AUDIT_READ}
)
_BY_ROLE: dict[Action, frozenset[Role]] = {
    Action.SEARCH: _PEOPLE | {Role.PEER},
    Action.PEER_ASK: _PEOPLE,
    Action.TEMPLATE_READ: _PEOPLE,
    Action.RUN_CREATE: _PEOPLE,
    Action.STUDY_LIST: _STAFF | {Role.NODE},
    Action.CASE_CREATE: _STAFF,
    Action.IMPORT_CREATE: _STAFF | {Role.NODE},
    Action.NODE_QUERY: _STAFF,
    Action.NODE_SEND: _STAFF,
    Action.AUDIT_READ: frozenset({Role.ADMIN}),
    Action.HOUSE_ADMIN: frozenset({Role.ADMIN}),
    Action.SERIES_HOLD: frozenset({Role.ADMIN}),
    Action.SERIES_RELEASE: frozenset({Role.ADMIN}),
    Action.SERIES_LABEL: frozenset({Role.ADMIN}),
}


def visible(principal: Principal, resource: Resource) -> bool:
    """Return whether *principal* belongs to the audience of *resource*."""
    return not principal.audiences.isdisjoint(resource.audience)


def decide(principal: Principal, action: Action, resource: Resource = HOUSE) -> bool:
    """Return whether *principal* may do *action* on *resource*.

    Reading needs to belong to the audience; creating needs a role; changing needs to
    see the thing and to own it, or to be an administrator.

    Examples
    --------
    >>> student = Principal("ada", frozenset({Role.STUDENT}))
    >>> decide(student, Action.CASE_CREATE)
    False
    """
    if not visible(principal, resource):
        return False
    if action in READS:
        return True
    if action in _BY_ROLE:
        return principal.has(Role.SYSTEM, *_BY_ROLE[action])
    return principal.name in resource.owners or principal.has(Role.ADMIN)


def require(
    session: Session,
    principal: Principal,
    action: Action,
    resource: Resource = HOUSE,
    *,
    why: str = "",
) -> None:
    """Let *principal* go on, or raise; either way the decision is in the audit trail.

    An allowed change is written in the transaction of the change itself; a refusal,
    and a read, in one of its own. The same read of the same thing by the same person
    is written once a minute, so that scrolling through slices is one line. *why* is
    the reason that the principal gave.

    Raises
    ------
    NotFoundError
        If the principal may not even know that the thing exists.
    ForbiddenError
        If they may see it, and may not do this.
    """
    allowed = decide(principal, action, resource)
    asked = AuditKey(principal.name, action, resource, why)
    _record(session, asked, allowed=allowed)
    if allowed:
        return
    if not visible(principal, resource):
        raise NotFoundError(resource.kind, resource.key)
    msg = f"{principal.name!r} may not do {action.value!r} here."
    raise ForbiddenError(msg)


@dataclass(frozen=True, slots=True)
class AuditKey:
    """Who asked for what on what, and why where they said so."""

    principal: str
    action: Action
    resource: Resource
    why: str = ""

    def entry(self, *, allowed: bool) -> AuditEntry:
        """Return the line for the audit trail."""
        return AuditEntry(
            principal=self.principal,
            action=self.action.value,
            kind=self.resource.kind,
            key=self.resource.key,
            allowed=allowed,
            why=self.why,
        )


_RECENT: dict[tuple[str, Action, str, str], float] = {}
_RECENT_SECONDS = 60.0
_RECENT_MOST = 10_000


def _record(session: Session, asked: AuditKey, *, allowed: bool) -> None:
    """Write the decision where it is kept whatever becomes of the transaction."""
    if allowed and asked.action is Action.TEMPLATE_READ:
        return  # no patient's data
    looks = asked.action in READS or asked.action in _LOOKS
    if allowed and not looks and session.info.get("write"):
        session.add(asked.entry(allowed=True))
        return
    if allowed and looks and _was_recent(asked):
        return
    session.info["afterwards"].append(
        lambda later: later.add(asked.entry(allowed=allowed))
    )


def _was_recent(asked: AuditKey) -> bool:
    """Return whether the same allowed read was written within the last minute."""
    key = (asked.principal, asked.action, asked.resource.kind, asked.resource.key)
    now = time.monotonic()
    if now - _RECENT.get(key, -_RECENT_SECONDS) < _RECENT_SECONDS:
        return True
    if len(_RECENT) >= _RECENT_MOST:
        _RECENT.clear()
    _RECENT[key] = now
    return False


def forget_recent() -> None:
    """Forget which reads were written lately; the next ones are written again."""
    _RECENT.clear()


def case_resource(case: Case) -> Resource:
    """Return *case* as the policy sees it."""
    return Resource("case", case.id, audience.of_case(case), frozenset({case.owner}))


def series_resource(session: Session, series: Series) -> Resource:
    """Return *series* as the policy sees it."""
    may_see = audience.of_series(session, series)
    return Resource("series", series.uid, may_see, frozenset({series.owner}))


def run_resource(session: Session, run: Run) -> Resource:
    """Return *run* as the policy sees it; whoever asked for it may cancel it."""
    owners = frozenset(request.principal for request in run.requests)
    return Resource("run", run.id, audience.of_run(session, run), owners)


def import_resource(found: Import) -> Resource:
    """Return an import as the policy sees it: its owner's own business."""
    may_see = frozenset({f"user:{found.owner}", audience.ADMINS})
    return Resource("import", found.id, may_see, frozenset({found.owner}))
