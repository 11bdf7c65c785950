"""Who may see a series: the query says the same as the policy, whatever happened."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text, update

from rounds_hub.access import sight
from rounds_hub.access.policy import Resource, series_resource, visible
from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.models import Series, Study
from rounds_hub.cases.models import Case, CaseSeries
from rounds_hub.runs.models import Run, RunRequest

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from rounds_hub.catalogue.sessions import Sessions

STRINGS = ["everyone", "role:student", "role:doctor", "group:a", "group:b", "user:ada"]
NAMES = ["ada", "ben", "cai"]
LIBRARIES = 50
"""In one catalogue; each is asked by twenty people: a thousand answers."""


def library(session: Session, chance: Random, place: int = 0) -> None:
    """Put the study *place* into the catalogue: a few series, cases and runs."""
    session.add(Study(uid=f"{place}"))
    session.flush()
    for number in range(6):
        run = f"r{place}.{number}" if number > 2 and chance.random() < 0.7 else None
        session.add(
            Series(
                uid=f"{place}.{number}",
                study_uid=f"{place}",
                owner=chance.choice(NAMES),
                audience=chance.sample(STRINGS, chance.randint(0, 2)),
                run_id=run,
                held=chance.random() < 0.1,
            )
        )
        if run and chance.random() < 0.9:
            session.add(
                Run(
                    id=run,
                    template="t",
                    template_hash="h",
                    inputs=some_inputs(chance, place, 2),
                )
            )
    for number in range(3):
        case = Case(id=f"{place}.{number}", title="One", owner=chance.choice(NAMES))
        session.add(case)
    session.flush()


def some_inputs(chance: Random, place: int, most: int) -> list[dict[str, str]]:
    """Return inputs of a run; it may come to have its own result among them."""
    used = [f"{place}.{chance.randint(0, 6)}" for _ in range(chance.randint(0, most))]
    return [{"series_uid": uid} for uid in used]


def change(session: Session, chance: Random, place: int) -> None:
    """Change one thing that decides who may see something."""
    case = session.get_one(Case, f"{place}.{chance.randint(0, 2)}")
    run = session.get(Run, f"r{place}.{chance.randint(3, 5)}")
    match chance.randint(0, 4):
        case 0:
            case.status = chance.choice(["draft", "published", "deleted"])
            case.audience = chance.sample(STRINGS, chance.randint(0, 2))
        case 1:
            uids = [f"{place}.{one}" for one in chance.sample(range(6), 2)]
            there = {one.series_uid: one for one in case.series}
            shown = [there.get(uid) or CaseSeries(series_uid=uid) for uid in uids]
            case.series = shown
        case 2:
            series = session.get_one(Series, f"{place}.{chance.randint(0, 5)}")
            series.held = not series.held
            series.audience = chance.sample(STRINGS, chance.randint(0, 2))
        case 3:
            name = chance.choice(NAMES)
            if run and session.get(RunRequest, (run.id, name)) is None:
                run.requests.append(RunRequest(principal=name))
        case _:
            if run:
                run.inputs = some_inputs(chance, place, 2)


def somebody(chance: Random) -> Principal:
    """Return somebody with roles and groups by chance, seldom an administrator."""
    roles = chance.choices([Role.STUDENT, Role.DOCTOR, Role.NODE], k=2)
    if chance.random() < 0.1:
        roles.append(Role.ADMIN)
    groups = frozenset(chance.sample(["a", "b"], chance.randint(0, 2)))
    return Principal(chance.choice([*NAMES, "nobody"]), frozenset(roles), groups)


def seen_by(session: Session, principal: Principal) -> set[str]:
    """Return which series the query finds."""
    return set(session.scalars(select(Series.uid).where(sight.may_see(principal))))


def audiences(session: Session) -> list[Resource]:
    """Return every series as the policy sees it."""
    return [series_resource(session, one) for one in session.scalars(select(Series))]


def allowed_to(principal: Principal, may: list[Resource]) -> set[str]:
    """Return which series the policy lets *principal* see."""
    return {one.key for one in may if visible(principal, one)}


def test_the_query_and_the_policy_see_the_same(sessions: Sessions) -> None:
    chance = Random(7)  # noqa: S311 (a test that repeats itself)
    with sessions.begin() as session:
        for place in range(LIBRARIES):
            library(session, chance, place)
    for _ in range(4):
        with sessions.begin() as session:
            for place in range(LIBRARIES):
                change(session, chance, place)
    with sessions.begin(write=False) as session:
        people = [somebody(chance) for _ in range(20)]
        may = audiences(session)
        for person in people:
            assert seen_by(session, person) == allowed_to(person, may)


def test_rows_of_an_older_house_are_filled(sessions: Sessions) -> None:
    with sessions.begin() as session:
        library(session, Random(1))  # noqa: S311 (likewise)
    with sessions.begin() as session:
        session.execute(text("UPDATE series SET sight = ''"))
    assert sight.fill(sessions) == 6
    with sessions.begin(write=False) as session:
        ada = Principal("ada")
        assert seen_by(session, ada) == allowed_to(ada, audiences(session))


def test_rows_written_past_the_orm_must_be_told(sessions: Sessions) -> None:
    with (
        pytest.raises(RuntimeError, match=r"\['series'\] were written without"),
        sessions.begin() as session,
    ):
        session.execute(update(Series).values(held=True))


def test_a_new_series_that_nobody_wrote_down_is_seen_by_nobody(
    sessions: Sessions,
) -> None:
    with sessions.begin() as session:
        library(session, Random(1))  # noqa: S311 (likewise)
    with sessions.begin() as session:
        session.execute(text("UPDATE series SET sight = ''"))
    with sessions.begin(write=False) as session:
        assert seen_by(session, Principal("dora", frozenset({Role.DOCTOR}))) == set()
