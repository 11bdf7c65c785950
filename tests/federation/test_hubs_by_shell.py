"""``rounds peers`` and ``rounds search --peers`` against a hub that is served."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from rounds_hub.cli.program import main

if TYPE_CHECKING:
    from tests.federation.conftest import Pair


def said(pair: Pair, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what ``rounds`` prints on the hub that asks."""
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--data", str(pair.here.house.settings.data)])
    assert ended.value.code in (0, None)
    return capsys.readouterr().out


def test_our_key_is_printed(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(pair, capsys, "peers", "key").strip() == pair.here.key


def test_a_hub_is_added_and_removed(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    url, key = "https://west.example/", "B" * 42 + "A"
    added = ["peers", "add", "west", "--url", url, "--key", key, "--json"]
    names = {one["name"] for one in json.loads(said(pair, capsys, *added))}
    assert names == {"north", "west"}
    assert "west" not in said(pair, capsys, "peers", "remove", "west")


def test_a_search_shows_whence_each_case_is(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    told = said(pair, capsys, "search", "abscess", "--peers")
    assert "Abscess here" in told
    assert "North" in told


def test_a_program_gets_it_in_json(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    told = json.loads(said(pair, capsys, "search", "abscess", "--peers", "--json"))
    assert {hit["whence"] for hit in told["peers"]["hits"]} == {"North"}
    assert told["peers"]["complete"]
