"""Routes over HTTP: all that the pages do a program can do too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.routing.conftest import LABEL, THIN, act_on, bring, slices

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rounds_hub.house import House

    ClientAs = Callable[..., httpx.Client]

ROUTE: dict[str, Any] = {"name": "Thin", "condition": THIN, "actions": [LABEL]}


def test_a_route_is_made_changed_and_made_again_as_it_was(client_as: ClientAs) -> None:
    admin = client_as("admin")
    made = admin.post("api/routes", json=ROUTE)
    url = f"api/routes/{made.json()['id']}"
    admin.put(url, json={**ROUTE, "condition": "IsVolume", "version": 1})
    restored = admin.post(f"{url}/versions/1/restore").json()
    versions = [one["version"] for one in admin.get(f"{url}/versions").json()]
    assert made.status_code == 201
    assert (restored["condition"], restored["version"]) == (THIN, 3)
    assert versions == [3, 2, 1]


def test_what_is_wrong_is_a_problem_by_its_place(client_as: ClientAs) -> None:
    wrong = {**ROUTE, "condition": 'Modalty == "CT"'}
    answer = client_as("admin").post("api/routes", json=wrong)
    assert answer.status_code == 422
    assert "Did you mean Modality" in answer.json()["problems"]["condition"]


def test_a_condition_is_checked_with_its_place(client_as: ClientAs) -> None:
    admin = client_as("admin")
    good = admin.post("api/routes/check", json={"condition": "IsVolume"}).json()
    bad = admin.post("api/routes/check", json={"condition": "Rows = 3"}).json()
    assert (good["readable"], bad["readable"], bad["place"]) == (True, False, 5)


def test_a_dry_run_says_clause_by_clause_what_was_found(
    house: House, client_as: ClientAs
) -> None:
    admin = client_as("admin")
    admin.post("api/routes", json=ROUTE)
    uid = bring(house, slices())
    said = admin.post("api/routes/dry-run", json={"series": uid}).json()
    (verdict,) = said["verdicts"]
    assert (verdict["outcome"], verdict["states"]) == ("fires", ["new"])
    assert verdict["clauses"]["parts"][0]["values"] == ["CT"]


def test_what_a_route_did_is_listed(house: House, client_as: ClientAs) -> None:
    admin = client_as("admin")
    made = admin.post("api/routes", json=ROUTE).json()
    uid = bring(house, slices())
    act_on(house, uid)
    (did,) = admin.get("api/firings", params={"route": made["id"]}).json()
    (listed,) = admin.get("api/routes").json()
    assert (did["state"], did["series_uid"], listed["fired"]) == ("done", uid, 1)


def test_a_series_is_held_and_released(house: House, client_as: ClientAs) -> None:
    admin, doctor, uid = client_as("admin"), client_as("doctor"), bring(house, slices())
    held = admin.post(f"api/series/{uid}/hold").status_code
    hidden = doctor.get(f"api/series/{uid}").status_code
    listed = [one["uid"] for one in admin.get("api/held").json()]
    admin.post(f"api/series/{uid}/release")
    seen = doctor.get(f"api/series/{uid}").status_code
    assert (held, hidden, listed, seen) == (204, 404, [uid], 200)


def test_names_are_given_for_a_beginning(client_as: ClientAs) -> None:
    found = client_as("admin").get("api/routes/names", params={"start": "slicet"})
    assert [one["word"] for one in found.json()] == ["SliceThickness"]
