"""Each role against each thing one can do with a case, somebody else's or one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rounds_hub.access.principal import Principal, Role
from rounds_hub.cases import service
from rounds_hub.errors import ForbiddenError, HubError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.cases.views import CaseView
    from rounds_hub.house import House

    AddCase = Callable[..., CaseView]
    Deed = Callable[[House, Principal, CaseView], object]

ROLES = ("student", "doctor", "researcher", "teacher", "admin")

DEEDS: dict[str, Deed] = {
    "update": lambda house, who, case: service.update(
        house, who, case.id, {"history": "x"}, revision=case.revision
    ),
    "publish": lambda house, who, case: service.publish(house, who, case.id),
    "withdraw": lambda house, who, case: service.withdraw(house, who, case.id),
    "delete": lambda house, who, case: service.delete(house, who, case.id),
    "restore": lambda house, who, case: service.restore(house, who, case.id),
    "add": lambda house, who, case: service.add_series(
        house, who, case.id, case.series[0].uid
    ),
    "remove": lambda house, who, case: service.remove_series(
        house, who, case.id, "1.2.3"
    ),
    "order": lambda house, who, case: service.order_series(house, who, case.id, []),
}


def refusal(deed: Deed, house: House, who: Principal, case: CaseView) -> str:
    """Return the name of the error that *who* gets, or nothing."""
    try:
        deed(house, who, case)
    except HubError as error:
        return type(error).__name__
    return ""


@pytest.mark.parametrize("deed", sorted(DEEDS))
def test_others_may_read_an_open_case_and_change_nothing(
    house: House, add_case: AddCase, deed: str
) -> None:
    case = add_case("everyone")
    got = {
        role: refusal(
            DEEDS[deed], house, Principal("other", frozenset({Role(role)})), case
        )
        for role in ROLES
    }
    may_not = dict.fromkeys(ROLES, ForbiddenError.__name__)
    assert got == may_not | {"admin": ""}


@pytest.mark.parametrize("deed", sorted(DEEDS))
def test_a_hidden_case_does_not_exist_for_others(
    house: House, add_case: AddCase, deed: str
) -> None:
    case = add_case("group:ward-3")
    got = {
        role: refusal(
            DEEDS[deed], house, Principal("other", frozenset({Role(role)})), case
        )
        for role in ROLES
    }
    unknown = dict.fromkeys(ROLES, NotFoundError.__name__)
    assert got == unknown | {"admin": ""}


@pytest.mark.parametrize("deed", sorted(DEEDS))
def test_the_owner_may_do_everything(
    house: House, teacher: Principal, add_case: AddCase, deed: str
) -> None:
    assert refusal(DEEDS[deed], house, teacher, add_case("group:ward-3")) == ""


def test_a_member_of_the_group_reads_its_cases(house: House, add_case: AddCase) -> None:
    case = add_case("group:ward-3")
    member = Principal("ann", frozenset({Role.STUDENT}), frozenset({"ward-3"}))
    stranger = Principal("ann", frozenset({Role.STUDENT}), frozenset({"ward-33"}))
    assert service.get(house, member, case.id).id == case.id
    with pytest.raises(NotFoundError):
        service.get(house, stranger, case.id)


def test_one_person_can_be_named(house: House, add_case: AddCase) -> None:
    case = add_case("user:ann")
    assert service.get(house, Principal("ann"), case.id).id == case.id
    with pytest.raises(NotFoundError):
        service.get(house, Principal("anna"), case.id)


def test_a_former_role_opens_nothing(
    house: House, teacher: Principal, add_case: AddCase
) -> None:
    case = add_case("role:doctor", publish=False)
    doctor = Principal("ben", frozenset({Role.DOCTOR}))
    with pytest.raises(NotFoundError):
        service.get(house, doctor, case.id)
    service.publish(house, teacher, case.id)
    assert service.get(house, doctor, case.id).id == case.id
    with pytest.raises(NotFoundError):
        service.get(house, Principal("ben", frozenset({Role.STUDENT})), case.id)
