"""A node is known by its title and its address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rounds_hub.access.policy import Action, decide
from rounds_hub.gateway.models import Node
from rounds_hub.gateway.nodes import NodeRecord, calling, principal_of_node

if TYPE_CHECKING:
    from rounds_hub.catalogue.sessions import Sessions


@pytest.mark.parametrize(
    ("host", "enabled", "title", "known"),
    [
        pytest.param("127.0.0.1", True, "SCANNER", True, id="its own address"),
        pytest.param("127.0.0.1", True, "SCANNER ", True, id="a padded title"),
        pytest.param("", True, "SCANNER", True, id="from anywhere"),
        pytest.param("127.0.0.2", True, "SCANNER", False, id="another address"),
        pytest.param("no.such.host.invalid", True, "SCANNER", False, id="lost host"),
        pytest.param("", True, "OTHER", False, id="another title"),
        pytest.param("", False, "SCANNER", False, id="switched off"),
    ],
)
def test_calling(
    sessions: Sessions, host: str, title: str, *, enabled: bool, known: bool
) -> None:
    with sessions.begin() as session:
        node = Node(name="ct", ae_title="SCANNER", host=host, enabled=enabled)
        session.add(node)
    with sessions.begin(write=False) as session:
        found = calling(session, title, "127.0.0.1")
    assert (found is not None) is known


def test_a_node_without_roles_may_bring_series_and_no_more() -> None:
    principal = principal_of_node(NodeRecord("ct", "SCANNER"))
    may = {action for action in Action if decide(principal, action)}
    assert Action.IMPORT_CREATE in may
    assert not may & {Action.HOUSE_ADMIN, Action.CASE_CREATE, Action.SEARCH}
