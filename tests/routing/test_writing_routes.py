"""Routes as records: checked when saved, versioned, ordered, switched, brought back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select
from tests.routing.conftest import ADMIN, DOCTOR, LABEL, THIN, route

from rounds_hub.access.models import AuditEntry
from rounds_hub.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from rounds_hub.routing import service
from rounds_hub.routing.service import Draft

if TYPE_CHECKING:
    from rounds_hub.house import House

RUN = {"kind": "run", "template": "lung_volume"}


def draft(**changes: Any) -> Draft:  # noqa: ANN401 (fields of a draft)
    kept: dict[str, Any] = {"name": "Thin", "condition": THIN, "actions": [LABEL]}
    return Draft(**{**kept, **changes})


def test_a_route_is_saved_as_its_first_version(any_house: House) -> None:
    made = service.create(any_house, ADMIN, draft(note="For the chest."))
    assert (made.version, made.enabled, made.note) == (1, True, "For the chest.")
    (version,) = service.history(any_house, ADMIN, made.id)
    assert (version.by, version.condition) == ("ann", THIN)


def test_an_edit_is_a_new_version_and_the_old_one_can_be_read(
    any_house: House,
) -> None:
    made = service.create(any_house, ADMIN, draft())
    service.change(any_house, ADMIN, made.id, draft(condition="IsVolume"), version=1)
    new, old = service.history(any_house, ADMIN, made.id)
    assert (new.version, new.condition) == (2, "IsVolume")
    assert (old.version, old.condition) == (1, THIN)


def test_an_edit_that_changes_nothing_is_no_version(house: House) -> None:
    made = service.create(house, ADMIN, draft())
    assert service.change(house, ADMIN, made.id, draft(), version=1).version == 1


def test_an_edit_of_an_older_version_is_refused(house: House) -> None:
    made = service.create(house, ADMIN, draft())
    service.change(house, ADMIN, made.id, draft(name="Other"), version=1)
    with pytest.raises(ConflictError, match="it is at version 2, yours was 1"):
        service.change(house, ADMIN, made.id, draft(name="Third"), version=1)


def test_an_old_version_comes_back_as_a_new_one(any_house: House) -> None:
    made = service.create(any_house, ADMIN, draft())
    service.change(any_house, ADMIN, made.id, draft(condition="IsVolume"), version=1)
    restored = service.restore_version(any_house, ADMIN, made.id, 1)
    newest = service.history(any_house, ADMIN, made.id)[0]
    assert (restored.version, restored.condition) == (3, THIN)
    assert newest.restored_from == 1


def test_an_old_version_whose_template_is_gone_does_not_come_back(
    house: House,
) -> None:
    made = service.create(house, ADMIN, draft())
    with pytest.raises(NotFoundError, match="No version '7'"):
        service.restore_version(house, ADMIN, made.id, 7)


def test_a_deleted_route_comes_back_switched_off(any_house: House) -> None:
    made = service.create(any_house, ADMIN, draft())
    service.delete(any_house, ADMIN, made.id)
    gone = service.list_routes(any_house, ADMIN, deleted=True)
    assert service.list_routes(any_house, ADMIN) == []
    assert [one.route.name for one in gone] == ["Thin"]
    back = service.undelete(any_house, ADMIN, made.id)
    assert (back.enabled, back.deleted_at) == (False, None)


def test_a_deleted_route_is_not_changed(house: House) -> None:
    made = service.create(house, ADMIN, draft())
    service.delete(house, ADMIN, made.id)
    with pytest.raises(ConflictError, match="bring it back first"):
        service.switch(house, ADMIN, made.id, enabled=True)


def test_routes_have_an_order_that_can_be_changed(any_house: House) -> None:
    ids = [service.create(any_house, ADMIN, draft(name=n)).id for n in "abc"]
    service.move(any_house, ADMIN, ids[2], before=ids[0])
    service.move(any_house, ADMIN, ids[0], before=None)
    names = [one.route.name for one in service.list_routes(any_house, ADMIN)]
    assert names == ["c", "b", "a"]


def test_switching_and_moving_are_no_versions(house: House) -> None:
    made = service.create(house, ADMIN, draft())
    service.switch(house, ADMIN, made.id, enabled=False)
    service.move(house, ADMIN, made.id, before=None)
    found = service.get(house, ADMIN, made.id)
    assert (found.version, found.enabled) == (1, False)


@pytest.mark.parametrize(
    ("changes", "place", "says"),
    [
        pytest.param({"name": " "}, "name", "needs a name", id="no name"),
        pytest.param({"condition": "Rows"}, "condition", "alone", id="condition"),
        pytest.param({"actions": []}, "actions", "1 to 10", id="no action"),
        pytest.param({"actions": [LABEL] * 11}, "actions", "not 11", id="too many"),
        pytest.param({"actions": [{}]}, "actions.0.kind", "kind", id="no kind"),
        pytest.param(
            {"actions": [LABEL, {"kind": "label", "label": ""}]},
            "actions.1.label",
            "character",
            id="the second action",
        ),
        pytest.param(
            {"actions": [{**RUN, "template": "lungs"}]},
            "actions.0.template",
            "Known: ",
            id="no such template",
        ),
        pytest.param(
            {"actions": [{**RUN, "parameters": {"threshold": "low"}}]},
            "actions.0.parameters.threshold",
            "not a number",
            id="the template's schema",
        ),
        pytest.param(
            {"actions": [{"kind": "send", "node": "nowhere"}]},
            "actions.0.node",
            "no such node",
            id="no such node",
        ),
        pytest.param(
            {"actions": [{"kind": "case", "owner": "tess", "audience": ["all"]}]},
            "actions.0.audience",
            "is no audience",
            id="no audience",
        ),
        pytest.param(
            {"actions": [{"kind": "case", "owner": "tess", "title": "{Studi}"}]},
            "actions.0.title",
            "no text for {Studi}",
            id="no such tag in a text",
        ),
    ],
)
def test_what_cannot_work_is_not_saved(
    house: House, changes: dict[str, Any], place: str, says: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        service.create(house, ADMIN, draft(**changes))
    assert says in caught.value.problems[place]
    assert service.list_routes(house, ADMIN) == []


def test_all_that_is_wrong_is_said_at_once(house: House) -> None:
    wrong = draft(name="", condition="Rows", actions=[{"kind": "?"}])
    with pytest.raises(InvalidError) as caught:
        service.create(house, ADMIN, wrong)
    assert {"name", "condition", "actions.0.kind"} <= set(caught.value.problems)


def test_only_administrators_see_and_write_routes(house: House) -> None:
    made = route(house, THIN, LABEL)
    for ask in (
        lambda: service.list_routes(house, DOCTOR),
        lambda: service.get(house, DOCTOR, made.id),
        lambda: service.create(house, DOCTOR, draft()),
        lambda: service.delete(house, DOCTOR, made.id),
        lambda: service.history(house, DOCTOR, made.id),
    ):
        with pytest.raises(ForbiddenError):
            ask()


def test_every_change_is_in_the_audit_trail(house: House) -> None:
    made = route(house, THIN, LABEL)
    service.switch(house, ADMIN, made.id, enabled=False)
    service.delete(house, ADMIN, made.id)
    with house.sessions.begin(write=False) as session:
        rows = select(AuditEntry).where(AuditEntry.kind == "route")
        found = [(one.principal, one.key) for one in session.scalars(rows)]
    assert found == [("ann", made.id)] * 3
