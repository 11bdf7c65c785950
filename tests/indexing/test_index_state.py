from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rounds_hub.access.principal import Principal, Role
from rounds_hub.catalogue.models import OutboxEvent
from rounds_hub.errors import ForbiddenError
from rounds_hub.indexing.refused import index_health, index_state
from rounds_search.errors import IndexUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rounds_hub.house import House

ADMIN = Principal("root", frozenset({Role.ADMIN}))


@pytest.fixture
def refused(house: House) -> None:
    """Let one change wait, and one be refused."""
    with house.sessions.begin() as session:
        session.add(OutboxEvent(kind="case", key="c1"))
        why = "SearchError: The search cluster refuses the entry 'c2'."
        session.add(OutboxEvent(kind="case", key="c2", tries=3, error=why))


class IndexThatIsAway:
    """An index that cannot even say how it is."""

    def health(self) -> dict[str, object]:
        msg = "The search cluster does not answer (ConnectionError)."
        raise IndexUnavailableError(msg)

    def close(self) -> None:
        pass


@pytest.mark.usefixtures("refused")
def test_an_administrator_sees_what_the_index_refuses(
    client_as: Callable[..., httpx.Client],
) -> None:
    told = client_as("admin").get("api/index").json()
    assert (told["waiting"], told["failing"]) == (2, 1)
    (one,) = told["refused"]
    assert (one["kind"], one["key"], one["tries"]) == ("case", "c2", 3)
    assert "refuses the entry" in one["error"]
    assert told["health"]["ok"]


def test_nobody_else_sees_it(house: House) -> None:
    with pytest.raises(ForbiddenError):
        index_state(house, Principal("tess", frozenset({Role.TEACHER})))
    assert index_state(house, ADMIN).refused == ()


def test_an_index_that_is_away_is_told_and_no_error(house: House) -> None:
    house.__dict__["index"] = IndexThatIsAway()
    told = index_health(house)
    assert not told["ok"]
    assert "does not answer" in str(told["problem"])
