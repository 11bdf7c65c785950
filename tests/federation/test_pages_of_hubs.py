"""The pages of other hospitals: their records, and their hits beside our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from joserfc.jwk import OKPKey
from tests.federation.conftest import told_of

from rounds_hub.access.principal import SYSTEM
from rounds_hub.federation import registry
from rounds_hub.federation.signing import public_part

if TYPE_CHECKING:
    from tests.federation.conftest import Pair

ADMIN = {"x-person": "ann admin", "accept": "text/html"}
STUDENT = {"x-person": "student student", "accept": "text/html"}


def test_the_page_of_a_search_offers_other_hospitals(pair: Pair) -> None:
    page = httpx.get(f"{pair.here.url}cases?q=abscess", headers=STUDENT, timeout=60)
    assert "Ask other hospitals, too" in page.text
    assert "are sent to: North" in page.text


def test_their_hits_are_shown_with_whence_they_are(pair: Pair) -> None:
    path = f"{pair.here.url}cases/elsewhere?q=abscess&elsewhere=on"
    page = httpx.get(path, headers=STUDENT, timeout=60)
    assert "Abscess for all hubs" in page.text
    assert f'href="{pair.north.url}cases/c0"' in page.text


def test_a_hospital_that_is_down_is_told_by_name(pair: Pair) -> None:
    told = told_of("broken", pair.north, url="http://127.0.0.1:1/")
    told["public_key"] = public_part(OKPKey.generate_key("Ed25519"))
    registry.add_peer(pair.here.house, SYSTEM, told)
    path = f"{pair.here.url}cases/elsewhere?q=abscess"
    page = httpx.get(path, headers=STUDENT, timeout=60)
    registry.remove_peer(pair.here.house, SYSTEM, "broken")
    assert "<b>Broken</b> cannot be reached now" in page.text
    assert "Abscess for all hubs" in page.text


def test_an_administrator_adds_switches_off_and_removes_one(pair: Pair) -> None:
    key = public_part(OKPKey.generate_key("Ed25519"))
    said = {"name": "south", "url": "https://south.example/", "public_key": key}
    with httpx.Client(
        base_url=pair.here.url, headers=ADMIN, timeout=60, follow_redirects=True
    ) as client:
        assert "https://south.example/" in client.post("peers", data=said).text
        assert "switched off" in client.post("peers/south/switch").text
        assert "south" not in client.post("peers/south/delete").text


def test_what_is_wrong_is_said_at_its_place(pair: Pair) -> None:
    said = {"name": "south", "url": "ftp://south.example/", "public_key": "short"}
    page = httpx.post(f"{pair.here.url}peers", data=said, headers=ADMIN, timeout=60)
    assert page.status_code == 422
    assert "is no address of a hub" in page.text
    assert "no public key of a hub" in page.text
    assert 'value="ftp://south.example/"' in page.text
