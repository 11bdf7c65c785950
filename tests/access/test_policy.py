"""Who may do what, as one function decides it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from rounds_hub.access import audience, policy
from rounds_hub.access.models import AuditEntry
from rounds_hub.access.policy import Action, decide, require
from rounds_hub.access.principal import SYSTEM, Principal, Role, principal_of
from rounds_hub.archive.models import Series, Study
from rounds_hub.cases.models import Case, CaseSeries
from rounds_hub.errors import ForbiddenError, InvalidError, NotFoundError
from rounds_hub.runs.models import Run, RunRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from rounds_hub.catalogue.sessions import Sessions

STUDENT = Principal("ada", frozenset({Role.STUDENT}))
DOCTOR = Principal("ben", frozenset({Role.DOCTOR}))
OTHER_DOCTOR = Principal("cai", frozenset({Role.DOCTOR}))
ADMIN = Principal("dee", frozenset({Role.ADMIN}))


@pytest.fixture(autouse=True)
def _nothing_recent() -> Iterator[None]:
    policy.forget_recent()
    yield
    policy.forget_recent()


def a_case(status: str = "published", *to: str) -> Case:
    return Case(id="c1", title="A case", owner="ben", status=status, audience=list(to))


def a_series(uid: str, *to: str, run_id: str | None = None) -> Series:
    return Series(
        uid=uid, study_uid="1.2", owner="ben", audience=list(to), run_id=run_id
    )


@pytest.fixture
def session(sessions: Sessions) -> Iterator[Session]:
    with sessions.begin() as opened:
        opened.add(Study(uid="1.2"))
        yield opened


@pytest.mark.parametrize(
    ("who", "case", "may"),
    [
        pytest.param(STUDENT, a_case("published", "everyone"), True, id="open"),
        pytest.param(STUDENT, a_case("published", "role:doctor"), False, id="role"),
        pytest.param(STUDENT, a_case("published", "user:ada"), True, id="by name"),
        pytest.param(STUDENT, a_case("draft", "everyone"), False, id="draft"),
        pytest.param(STUDENT, a_case("deleted", "everyone"), False, id="deleted"),
        pytest.param(DOCTOR, a_case("draft"), True, id="one's own draft"),
        pytest.param(OTHER_DOCTOR, a_case("draft"), False, id="a colleague's draft"),
        pytest.param(ADMIN, a_case("draft"), True, id="administrator"),
    ],
)
def test_who_may_read_a_case(who: Principal, case: Case, *, may: bool) -> None:
    assert decide(who, Action.CASE_READ, policy.case_resource(case)) is may


@pytest.mark.parametrize(
    ("who", "may"),
    [
        pytest.param(DOCTOR, True, id="its owner"),
        pytest.param(OTHER_DOCTOR, False, id="a colleague who sees it"),
        pytest.param(STUDENT, False, id="a student who sees it"),
        pytest.param(ADMIN, True, id="administrator"),
    ],
)
def test_who_may_change_a_case(who: Principal, *, may: bool) -> None:
    seen_by_all = policy.case_resource(a_case("published", "everyone"))
    assert decide(who, Action.CASE_WRITE, seen_by_all) is may


@pytest.mark.parametrize("action", list(Action))
def test_somebody_without_a_role_may_do_nothing_in_the_house(action: Action) -> None:
    assert not decide(Principal("nobody"), action) or action in policy.READS


@pytest.mark.parametrize(
    "action", [Action.CASE_CREATE, Action.IMPORT_CREATE, Action.STUDY_LIST]
)
def test_a_student_brings_nothing_in(action: Action) -> None:
    assert not decide(STUDENT, action)


def test_the_system_may_do_its_work() -> None:
    assert decide(SYSTEM, Action.HOUSE_ADMIN)


def test_a_series_is_seen_by_those_who_see_a_case_with_it(session: Session) -> None:
    case = a_case("published", "role:student")
    case.series = [CaseSeries(series_uid="1.2.3")]
    series = a_series("1.2.3", "role:doctor")
    session.add_all([series, case])
    session.flush()
    seen_by = audience.of_series(session, series)
    assert seen_by == {"role:admin", "role:doctor", "role:student", "user:ben"}


def test_a_draft_opens_no_series(session: Session) -> None:
    case = a_case("draft", "everyone")
    case.series = [CaseSeries(series_uid="1.2.3")]
    series = a_series("1.2.3")
    session.add_all([series, case])
    session.flush()
    assert audience.of_series(session, series) == {"role:admin", "user:ben"}


def a_run(*inputs: str) -> Run:
    given = [{"name": uid, "series_uid": uid, "content_hash": ""} for uid in inputs]
    run = Run(id="r1", template="t", template_hash="h", inputs=given)
    run.requests = [RunRequest(principal="ada")]
    return run


def test_a_run_is_seen_by_those_who_see_all_its_inputs(session: Session) -> None:
    session.add(a_series("1.2.3", "role:student", "role:doctor"))
    session.add(a_series("1.2.4", "role:doctor", "role:teacher"))
    run = a_run("1.2.3", "1.2.4")
    session.add(run)
    session.flush()
    seen_by = audience.of_run(session, run)
    assert seen_by == {"role:admin", "role:doctor", "user:ada", "user:ben"}


def test_a_run_on_a_series_that_is_gone_is_its_askers_own(session: Session) -> None:
    run = a_run("1.9")
    session.add(run)
    session.flush()
    assert audience.of_run(session, run) == {"role:admin", "user:ada"}


def test_a_result_is_seen_by_those_who_see_its_run(session: Session) -> None:
    source, result = a_series("1.2.3", "role:teacher"), a_series("1.2.9", run_id="r1")
    session.add_all([source, result, a_run("1.2.3")])
    session.flush()
    seen_by = audience.of_series(session, result)
    assert seen_by == {"role:admin", "role:teacher", "user:ada", "user:ben"}


def test_a_run_that_feeds_itself_comes_to_an_end(session: Session) -> None:
    session.add_all([a_series("1.2.9", "everyone", run_id="r1"), a_run("1.2.9")])
    session.flush()
    run = session.get_one(Run, "r1")
    assert audience.of_run(session, run) == {"role:admin", "user:ada"}


def trail(sessions: Sessions) -> list[tuple[str, str, bool]]:
    with sessions.begin(write=False) as session:
        lines = session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        return [(line.principal, line.action, line.allowed) for line in lines]


def test_what_one_may_not_see_does_not_exist_and_is_in_the_trail(
    sessions: Sessions,
) -> None:
    hidden = policy.case_resource(a_case("published", "role:doctor"))
    with (
        pytest.raises(NotFoundError, match=r"No case 'c1'\."),
        sessions.begin(write=False) as session,
    ):
        require(session, STUDENT, Action.CASE_READ, hidden)
    assert trail(sessions) == [("ada", "case.read", False)]


def test_what_one_may_see_and_not_change_is_forbidden(sessions: Sessions) -> None:
    seen = policy.case_resource(a_case("published", "everyone"))
    with pytest.raises(ForbiddenError, match="'ada' may not"), sessions.begin() as s:
        require(s, STUDENT, Action.CASE_WRITE, seen)
    assert trail(sessions) == [("ada", "case.write", False)]


def test_scrolling_through_a_series_is_one_line_of_the_trail(
    sessions: Sessions,
) -> None:
    seen = policy.case_resource(a_case("published", "everyone"))
    for _ in range(5):
        with sessions.begin(write=False) as session:
            require(session, STUDENT, Action.CASE_READ, seen)
    assert trail(sessions) == [("ada", "case.read", True)]


def test_an_undone_change_leaves_no_line_that_says_it_was_done(
    sessions: Sessions,
) -> None:
    own = policy.case_resource(a_case("published"))

    def fail() -> None:
        with sessions.begin() as session:
            require(session, DOCTOR, Action.CASE_WRITE, own)
            msg = "half way"
            raise RuntimeError(msg)

    with pytest.raises(RuntimeError):
        fail()
    assert trail(sessions) == []


@pytest.mark.parametrize("wrong", ["", "all", "role:", "ward:3", "user: "])
def test_a_wrong_audience_is_refused_with_examples(wrong: str) -> None:
    with pytest.raises(InvalidError, match="'group:ward-3'"):
        audience.checked([wrong])


def test_a_hub_group_gives_its_role() -> None:
    found = principal_of("eve", ["teachers", "ward-3", "systems"], admin=False)
    assert (found.roles, found.groups) == (
        frozenset({Role.TEACHER}),
        frozenset({"teachers", "ward-3", "systems"}),
    )
