"""What docs/routes.md says holds: its examples can be read and its actions saved."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.routing.conftest import ADMIN

from rounds_hub.routing import service
from rounds_hub.routing.actions import read_action
from rounds_hub.routing.names import FACTS
from rounds_hub.routing.parsing import DEEPEST, LONGEST, parse

if TYPE_CHECKING:
    from rounds_hub.house import House

PAGE = (Path(__file__).parents[2] / "docs" / "routes.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```condition\n(.*?)```", PAGE, re.DOTALL)
KINDS = ("run", "send", "case", "label", "hold")


@pytest.mark.parametrize("condition", EXAMPLES)
def test_an_example_can_be_read(condition: str) -> None:
    assert parse(condition.strip()).text


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("fact", sorted(FACTS))
def test_a_fact_is_explained(fact: str) -> None:
    assert f"`{fact}`" in PAGE


@pytest.mark.parametrize("kind", KINDS)
def test_an_action_is_explained(kind: str) -> None:
    assert f"\n| `{kind}` | " in PAGE


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"{LONGEST} signs, {DEEPEST} clauses" in PAGE


def test_the_example_of_a_route_can_be_saved(house: House) -> None:
    said = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
    route = service.create(house, ADMIN, service.Draft(**said))
    kinds = [read_action(one).kind for one in route.actions]
    assert kinds == ["run", "label"]
