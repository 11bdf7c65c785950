"""Every route of the running service, tried by everybody who could try it.

The scene has one case that doctors may see and students may not, with its study,
series, run and import, all owned by a teacher. A route that nobody listed fails.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import APIRouter, Request
from pydicom import dcmread
from pydicom.data import get_testdata_file
from starlette.responses import RedirectResponse
from tests.access.every_route import INSTANCE, TABLE

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.models import Import, Removal
from rounds_hub.archive.service import Offer, store
from rounds_hub.cases.models import Case, CaseSeries, SavedSearch
from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import NotSignedInError
from rounds_hub.federation.models import Peer
from rounds_hub.gateway.models import Node, Pull, RemovedNode, Sending
from rounds_hub.routing.models import Firing, Route, RouteVersion
from rounds_hub.runs.models import Run, RunRequest
from rounds_hub.web import create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from starlette.responses import Response

    from rounds_hub.house import House

    ServeHouse = Callable[[Path], AbstractContextManager[tuple[House, str]]]

OWNER = Principal("tess", frozenset({Role.TEACHER}))
PEOPLE = {
    "nobody": ("",),
    "without a role": ("sam", "-"),
    "student": ("student",),
    "doctor": ("doctor",),
    "owner": ("tess", "teacher"),
    "admin": ("admin",),
}


def scene_of(house: House) -> dict[str, str]:
    """Put the scene into *house*; return the values of the routes' parameters."""
    path = str(get_testdata_file("MR_small.dcm", download=False))
    outcome = store(house, OWNER, [Offer("one.dcm", dcmread(path))])[0]
    found = dcmread(path)
    with house.sessions.begin() as session:
        series = CaseSeries(series_uid=found.SeriesInstanceUID)
        session.add(
            Case(
                id="c1",
                title="Hidden from students",
                owner="tess",
                status="published",
                audience=["role:doctor"],
                series=[series],
            )
        )
        session.flush()
        session.add(_run(found.SeriesInstanceUID))
        session.add(Import(id="i1", owner="tess", state="done"))
        session.add_all(_route(found.SeriesInstanceUID))
        session.add_all(_transfers(found.StudyInstanceUID))
        session.add(_removal(found.StudyInstanceUID))
        session.add(
            Peer(name="figure", url="http://127.0.0.1:1/", public_key="E" * 42 + "A")
        )
        session.add(SavedSearch(id="q1", owner="tess", name="Mine", checked_at=None))
    assert outcome.status == "taken"
    folder = house.settings.data / "runs" / RUN_ID[:2] / RUN_ID / "1"
    folder.mkdir(parents=True)
    notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "notebook.ipynb").write_text(json.dumps(notebook))
    (folder / "figure.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return {
        "case_id": "c1",
        "uid": "",
        "study_uid": found.StudyInstanceUID,
        "series_uid": found.SeriesInstanceUID,
        "sop_uid": found.SOPInstanceUID,
    }


RUN_ID = "0123456789abcdef0123456789abcdef"


def _run(series_uid: str) -> Run:
    given = {"name": "t1", "series_uid": series_uid, "content_hash": ""}
    return Run(
        id=RUN_ID,
        template="brain_tissue",
        template_hash="0",
        state="done",
        inputs=[given],
        results={"files": {"figure": "figure.png"}},
        requests=[RunRequest(principal="tess", case_id="c1")],
    )


ROUTE: dict[str, Any] = {
    "name": "Brains",
    "condition": 'Modality == "MR"',
    "actions": [{"kind": "label", "label": "brain"}],
}


def _route(series_uid: str) -> list[Route | RouteVersion | Firing]:
    action = ROUTE["actions"][0]
    did = {"route_id": "r1", "version": 1, "number": 0, "action": action}
    return [
        Route(id="r1", deleted_at=None, **ROUTE),
        RouteVersion(route_id="r1", version=1, by="ann", restored_from=None, **ROUTE),
        Firing(
            id=1,
            key="0" * 32,
            route_name="Brains",
            series_uid=series_uid,
            content_hash="0",
            state="failed",
            finished_at=None,
            **did,
        ),
    ]


def _transfers(study_uid: str) -> list[Node | RemovedNode | Sending | Pull]:
    record = {"name": "figure", "ae_title": "GONE"}
    mine = {"owner": "tess", "node": "figure", "state": "failed", "finished_at": None}
    return [
        Node(name="figure", ae_title="NODE", host="127.0.0.1", port=1),
        RemovedNode(name="figure", record=record, removed_by="ann"),
        Sending(id="s1", request=None, next_at=None, **mine),
        Pull(id="p1", study_uid=study_uid, **mine),
    ]


def _removal(study_uid: str) -> Removal:
    return Removal(
        id="d1",
        level="series",
        uid="1.2",
        study_uid=study_uid,
        owner="tess",
        audience=["role:admin", "user:tess"],
        by="tess",
        reason="sent twice",
        until=utc_now(),
        ended_at=None,
    )


def answer_letter(answer: httpx.Response) -> str:
    """Return what an answer means, as one letter."""
    if answer.status_code == 302 and "/hub/login" in answer.headers["location"]:
        return "i"
    return {401: "i", 403: "f", 404: "h"}.get(answer.status_code, "y")


def request_of(route: str, scene: dict[str, str]) -> dict[str, Any]:
    """Return how *route* is called in the scene, with a body where it wants one."""
    method, path = route.split(" ")
    uid = next((scene[k] for start, k in UIDS.items() if path.startswith(start)), "")
    name = "brain_tissue" if path.startswith("api/templates") else "figure"
    path = path.replace("{path:path}", "none.css")
    path = path.replace("{tags:path}", "7FE00010")
    path = path.replace("{part:path}", "zarr.json")
    url = path.format(**(VALUES | scene | {"uid": uid, "name": name}))
    headers = {"sec-fetch-site": "same-origin"}
    if not path.startswith(("api/", "dicomweb/")):
        headers["accept"] = "text/html"
    body = BODIES[route](scene) if route in BODIES else {}
    headers |= body.get("headers", {})
    return {"method": method, "url": url, **body, "headers": headers}


UIDS = {
    "api/studies/": "study_uid",
    "studies/": "study_uid",
    "api/series/": "series_uid",
    "viewer/": "series_uid",
    "routes/held/": "series_uid",
    "api/instances/": "sop_uid",
}
VALUES = {
    "key": "0",
    "number": "0",
    "stack": "0",
    "numbers": "1",
    "import_id": "i1",
    "removal_id": "d1",
    "sending_id": "s1",
    "pull_id": "p1",
    "run_id": RUN_ID,
    "template": "brain_tissue",
    "action": "withdraw",
    "route_id": "r1",
    "version": "1",
    "firing_id": "1",
    "search_id": "q1",
    "deed": "seen",
}
FILE = {"files": {"files": ("one.dcm", b"no DICOM", "application/dicom")}}
PICTURE = {"files": {"picture": ("one.png", b"no picture", "image/png")}}
WHY = {"params": {"reason": "It is not ours."}}
STOW = {"content": b"no DICOM", "headers": {"content-type": "application/dicom"}}
BODIES: dict[str, Callable[[dict[str, str]], dict[str, Any]]] = {
    "POST dicomweb/studies": lambda _: STOW,
    "POST dicomweb/studies/{study_uid}": lambda _: STOW,
    "DELETE dicomweb/studies/{study_uid}": lambda _: WHY,
    "POST studies/{uid}/delete": lambda _: {"data": {"reason": "sent twice"}},
    "DELETE dicomweb/studies/{study_uid}/series/{series_uid}": lambda _: WHY,
    f"DELETE {INSTANCE}": lambda _: WHY,
    "GET dicomweb/wado": lambda s: {
        "params": {
            "requestType": "WADO",
            "studyUID": s["study_uid"],
            "seriesUID": s["series_uid"],
            "objectUID": s["sop_uid"],
        }
    },
    "POST api/nodes": lambda _: {"json": {"name": "ct-2", "ae_title": "CT2"}},
    "PUT api/nodes/{name}": lambda _: {"json": {"revision": 1}},
    "POST api/sendings": lambda s: {
        "json": {"node": "figure", "uids": [s["series_uid"]]}
    },
    "POST api/pulls": lambda s: {
        "json": {"node": "figure", "study_uid": s["study_uid"]}
    },
    "POST studies/{uid}/send": lambda s: {
        "data": {"node": "figure", "series": s["series_uid"]}
    },
    "POST remote": lambda _: {"data": {"node": "figure", "patient_id": "1"}},
    "POST remote/pull": lambda s: {
        "data": {"node": "figure", "study_uid": s["study_uid"]}
    },
    "POST api/imports": lambda _: FILE,
    "POST import": lambda _: FILE,
    "POST api/search/picture": lambda _: PICTURE,
    "POST cases/picture": lambda _: FILE,
    "POST searches": lambda _: {"data": {"name": "Another", "asked": "q=brain"}},
    "POST api/search": lambda _: {"json": {"text": "brain"}},
    "POST api/peers": lambda _: {
        "json": {"name": "south", "url": "https://s.example/", "public_key": "A" * 43}
    },
    "PUT api/peers/{name}": lambda _: {"json": {"note": "Call Ann."}},
    "POST api/federation/ask": lambda _: {"json": {"text": "brain"}},
    "POST api/federation/search": lambda _: {"json": {"text": "brain"}},
    "POST api/saved-searches": lambda _: {"json": {"name": "New", "request": {}}},
    "PUT api/saved-searches/{search_id}": lambda _: {"json": {"alert": False}},
    "POST api/cases": lambda _: {"json": {"title": "New"}},
    "PUT api/cases/{case_id}": lambda _: {"json": {"title": "New", "revision": 1}},
    "POST api/runs": lambda s: {
        "json": {"template": "brain_tissue", "inputs": {"t1": s["series_uid"]}}
    },
    "POST cases/{case_id}/edit": lambda _: {"data": {"title": "New", "revision": "1"}},
    "POST cases/new": lambda _: {"data": {"title": "New"}},
    "POST run/{template}": lambda s: {"data": {"input-t1": s["series_uid"]}},
    "POST preferences": lambda _: {"data": {"theme": "dark"}},
    "POST api/routes": lambda _: {"json": ROUTE},
    "PUT api/routes/{route_id}": lambda _: {"json": {**ROUTE, "version": 1}},
    "POST api/routes/check": lambda _: {"json": {"condition": "IsVolume"}},
    "POST api/routes/preview": lambda _: {"json": {"condition": "IsVolume"}},
    "POST api/routes/dry-run": lambda s: {"json": {"series": s["series_uid"]}},
    "POST api/routes/{route_id}/switch": lambda _: {"json": {"enabled": True}},
    "POST api/routes/{route_id}/move": lambda _: {"json": {"before": None}},
    "PUT api/series/{uid}/expected": lambda _: {"json": {"instances": 1}},
}


def routes_of(routes: Iterable[Any]) -> Iterator[str]:
    """Return every route of the running app, without its prefix."""
    for route in routes:
        if hasattr(route, "original_router"):
            yield from routes_of(route.original_router.routes)
        else:
            for method in sorted(set(route.methods) - {"HEAD"}):
                yield f"{method} {route.path.lstrip('/').removeprefix(PREFIX)}"


PREFIX = "services/rounds/"


@pytest.fixture(scope="module")
def shared_scene(
    tmp_path_factory: pytest.TempPathFactory, serve_house: ServeHouse
) -> Iterator[tuple[str, dict[str, str]]]:
    """Serve one scene for all routes that only read."""
    with serve_house(tmp_path_factory.mktemp("scene")) as (house, url):
        yield url, scene_of(house)


def letters(url: str, route: str, scene: dict[str, str]) -> str:
    """Return what each of PEOPLE hears of *route*."""
    heard = []
    for said in PEOPLE.values():
        who = " ".join([said[0], *(said[1:] or said)]) if said[0] else ""
        with httpx.Client(base_url=url, headers={"x-person": who}) as client:
            asked = request_of(route, scene)
            heard.append(answer_letter(client.request(**asked, timeout=30)))
    return "".join(heard)


@pytest.mark.parametrize("route", [route for route in TABLE if route[:3] == "GET"])
def test_who_may_read(route: str, shared_scene: tuple[str, dict[str, str]]) -> None:
    assert letters(shared_scene[0], route, shared_scene[1]) == TABLE[route]


@pytest.mark.parametrize("route", [route for route in TABLE if route[:3] != "GET"])
def test_who_may_change(route: str, house: House, service_url: str) -> None:
    assert letters(service_url, route, scene_of(house)) == TABLE[route]


def test_every_route_of_the_running_app_is_in_the_table(house: House) -> None:
    app = create_app(house, NobodySignsIn(), f"/{PREFIX}")
    assert sorted(routes_of(app.router.routes)) == sorted(TABLE)


class NobodySignsIn:
    """Nobody signs in: the routes are only listed."""

    async def identify(self, request: Request) -> Principal:
        del request
        raise NotSignedInError

    def start(self, request: Request) -> Response:
        return RedirectResponse(request.url.path)

    def router(self) -> APIRouter:
        return APIRouter()


SIGNED = {"POST api/federation/search"}
"""What believes signatures alone, and no cookie of a browser."""


@pytest.mark.parametrize("route", [r for r in TABLE if r[:3] != "GET"])
def test_no_change_comes_from_another_site(
    route: str, shared_scene: tuple[str, dict[str, str]]
) -> None:
    url, scene = shared_scene
    asked = request_of(route, scene)
    asked["headers"] |= {"sec-fetch-site": "cross-site", "x-cookie": "yes"}
    with httpx.Client(base_url=url, headers={"x-person": "tess teacher"}) as client:
        refused = client.request(**asked).status_code
    assert refused == (401 if route in SIGNED else 403)
