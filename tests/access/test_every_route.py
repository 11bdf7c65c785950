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

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.models import Import, Removal
from rounds_hub.archive.service import Offer, store
from rounds_hub.cases.models import Case, CaseSeries
from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import NotSignedInError
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
INSTANCE = "dicomweb/studies/{study_uid}/series/{series_uid}/instances/{sop_uid}"
# What each of PEOPLE, in that order, gets to hear:
#   i  sign in first (401, or the redirect of a page)   h  there is no such thing (404)
#   f  that is not for you (403)                         y  anything else
TABLE = {
    "GET api/openapi.json": "yyyyyy",
    "GET api/me": "iyyyyy",
    "GET api/health": "yyyyyy",
    "GET api/audit": "iffffy",
    "GET api/studies": "iffyyy",
    "GET api/studies/{uid}": "ihhyyy",
    "GET api/series/{uid}": "ihhyyy",
    "GET api/series/{uid}/conformance": "ihhyyy",
    "GET api/instances/{uid}/conformance": "ihhyyy",
    "GET api/series/{uid}/volume.json": "ihhyyy",
    "GET api/series/{uid}/volume.npy": "ihhyyy",
    "GET api/series/{uid}/stacks/{stack}.zarr/{path:path}": "ihhyyy",
    "GET api/series/{uid}/frames/{number}.png": "ihhyyy",
    "GET api/series/{uid}/thumbnail.png": "ihhyyy",
    "GET api/instances/{uid}.dcm": "ihhyyy",
    "POST api/imports": "iffyyy",
    "GET api/imports": "iyyyyy",
    "GET api/imports/{import_id}": "ihhhyy",
    "POST api/cases": "iffyyy",
    "GET api/cases/{case_id}": "ihhyyy",
    "PUT api/cases/{case_id}": "ihhfyy",
    "DELETE api/cases/{case_id}": "ihhfyy",
    "POST api/cases/{case_id}/publish": "ihhfyy",
    "POST api/cases/{case_id}/withdraw": "ihhfyy",
    "POST api/cases/{case_id}/restore": "ihhfyy",
    "POST api/studies/{study_uid}/case": "iffyyy",
    "GET api/cases/{case_id}/similar": "ihhyyy",
    "GET api/search": "ifyyyy",
    "POST api/search": "ifyyyy",
    "POST api/search/picture": "ifyyyy",
    "GET api/templates": "ifyyyy",
    "GET api/templates/{name}": "ifyyyy",
    "GET api/templates/{name}/picture.png": "ifyyyy",
    "POST api/runs": "ifhyyy",
    "GET api/runs": "iyyyyy",
    "GET api/runs/{run_id}": "ihhyyy",
    "POST api/runs/{run_id}/cancel": "ihhfyy",
    "GET api/runs/{run_id}/events": "ihhyyy",
    "GET api/runs/{run_id}/notebook.ipynb": "ihhyyy",
    "GET api/runs/{run_id}/notebook.html": "ihhyyy",
    "GET api/runs/{run_id}/files/{name}": "ihhyyy",
    "GET ohif/static/{key}/{path:path}": "hhhhhh",
    "GET ohif/app-config.js": "ifyyyy",
    "GET ohif/{path:path}": "ifyyyy",
    "GET api/routes": "iffffy",
    "POST api/routes": "iffffy",
    "POST api/routes/check": "iffffy",
    "GET api/routes/names": "iffffy",
    "POST api/routes/preview": "iffffy",
    "POST api/routes/dry-run": "iffffy",
    "GET api/routes/{route_id}": "iffffy",
    "PUT api/routes/{route_id}": "iffffy",
    "DELETE api/routes/{route_id}": "iffffy",
    "POST api/routes/{route_id}/undelete": "iffffy",
    "POST api/routes/{route_id}/switch": "iffffy",
    "POST api/routes/{route_id}/move": "iffffy",
    "GET api/routes/{route_id}/versions": "iffffy",
    "POST api/routes/{route_id}/versions/{version}/restore": "iffffy",
    "GET api/firings": "iffffy",
    "POST api/firings/{firing_id}/retry": "iffffy",
    "GET api/held": "iffffy",
    "POST api/series/{uid}/hold": "ihhffy",
    "POST api/series/{uid}/release": "ihhffy",
    "PUT api/series/{uid}/expected": "ihhfyy",
    "GET routes": "iffffy",
    "GET routes/activity": "iffffy",
    "GET routes/activity/live": "iffffy",
    "POST routes/activity/{firing_id}/retry": "iffffy",
    "GET routes/dry-run": "iffffy",
    "GET routes/{route_id}/history": "iffffy",
    "POST routes/{route_id}/restore/{version}": "iffffy",
    "POST routes/held/{uid}/release": "ihhffy",
    "POST routes/{route_id}/do": "iffffy",
    "GET routes/new": "iffffy",
    "POST routes/new": "iffffy",
    "GET routes/action": "iffffy",
    "GET routes/parameters": "iffffy",
    "POST routes/said": "iffffy",
    "POST routes/matches": "iffffy",
    "GET routes/{route_id}": "iffffy",
    "POST routes/{route_id}": "iffffy",
    "GET static/{path:path}": "hhhhhh",
    "GET ": "yfyyyy",
    "GET sign-in": "iyyyyy",
    "GET cases": "ifyyyy",
    "POST cases/picture": "ifyyyy",
    "GET cases/new": "iffyyy",
    "POST cases/new": "iffyyy",
    "GET cases/{case_id}/edit": "ihhfyy",
    "POST cases/{case_id}/edit": "ihhfyy",
    "GET cases/{case_id}/run/{template}": "ihhyyy",
    "POST cases/{case_id}/run/{template}": "ihhyyy",
    "GET run/{template}": "ifyyyy",
    "POST run/{template}": "ifyyyy",
    "GET cases/{case_id}": "ihhyyy",
    "POST cases/{case_id}/{action}": "ihhfyy",
    "GET runs": "ifyyyy",
    "GET runs/{run_id}": "ihhyyy",
    "GET runs/{run_id}/live": "ihhyyy",
    "POST runs/{run_id}/cancel": "ihhfyy",
    "GET studies": "iffyyy",
    "GET studies/{uid}": "ihhyyy",
    "GET viewer/{uid}": "ihhyyy",
    "POST studies/{uid}/case": "iffyyy",
    "GET import": "iffyyy",
    "POST import": "iffyyy",
    "GET imports/{import_id}": "ihhhyy",
    "GET imports/{import_id}/live": "ihhhyy",
    "GET dicomweb/studies/{study_uid}": "ihhyyy",
    "GET dicomweb/studies/{study_uid}/series/{series_uid}": "ihhyyy",
    f"GET {INSTANCE}": "ihhyyy",
    "GET dicomweb/studies/{study_uid}/metadata": "ihhyyy",
    "GET dicomweb/studies/{study_uid}/series/{series_uid}/metadata": "ihhyyy",
    f"GET {INSTANCE}/metadata": "ihhyyy",
    f"GET {INSTANCE}/frames/{{numbers}}": "ihhyyy",
    f"GET {INSTANCE}/bulkdata/{{tags:path}}": "ihhyyy",
    "GET dicomweb/studies/{study_uid}/rendered": "ihhyyy",
    "GET dicomweb/studies/{study_uid}/thumbnail": "ihhyyy",
    "GET dicomweb/studies/{study_uid}/series/{series_uid}/rendered": "ihhyyy",
    "GET dicomweb/studies/{study_uid}/series/{series_uid}/thumbnail": "ihhyyy",
    f"GET {INSTANCE}/rendered": "ihhyyy",
    f"GET {INSTANCE}/thumbnail": "ihhyyy",
    f"GET {INSTANCE}/frames/{{numbers}}/rendered": "ihhyyy",
    f"GET {INSTANCE}/frames/{{numbers}}/thumbnail": "ihhyyy",
    "GET dicomweb/studies": "iffyyy",
    "GET dicomweb/series": "iffyyy",
    "GET dicomweb/instances": "iffyyy",
    "GET dicomweb/studies/{study_uid}/series": "ifyyyy",
    "GET dicomweb/studies/{study_uid}/instances": "ifyyyy",
    "GET dicomweb/studies/{study_uid}/series/{series_uid}/instances": "ifyyyy",
    "POST dicomweb/studies": "iffyyy",
    "POST dicomweb/studies/{study_uid}": "iffyyy",
    "DELETE dicomweb/studies/{study_uid}": "ihhfyy",
    "DELETE dicomweb/studies/{study_uid}/series/{series_uid}": "ihhfyy",
    f"DELETE {INSTANCE}": "ihhfyy",
    "GET dicomweb/wado": "ihhyyy",
    "GET api/nodes": "iffyyy",
    "POST api/nodes": "iffffy",
    "GET api/nodes/{name}": "iffffy",
    "PUT api/nodes/{name}": "iffffy",
    "DELETE api/nodes/{name}": "iffffy",
    "POST api/nodes/{name}/restore": "iffffy",
    "POST api/nodes/{name}/echo": "iffyyy",
    "GET api/nodes/{name}/studies": "iffyyy",
    "POST api/sendings": "iffyyy",
    "GET api/sendings": "iffyyy",
    "GET api/sendings/{sending_id}": "ihhhyy",
    "POST api/sendings/{sending_id}/cancel": "ihhhyy",
    "POST api/sendings/{sending_id}/retry": "ihhhyy",
    "POST api/pulls": "iffyyy",
    "GET api/pulls": "iffyyy",
    "GET api/pulls/{pull_id}": "ihhhyy",
    "POST api/pulls/{pull_id}/cancel": "ihhhyy",
    "GET nodes": "iffyyy",
    "GET nodes/new": "iffffy",
    "POST nodes/new": "iffffy",
    "GET nodes/{name}": "iffffy",
    "POST nodes/{name}": "iffffy",
    "POST nodes/{name}/delete": "iffffy",
    "POST nodes/{name}/restore": "iffffy",
    "POST nodes/{name}/test": "iffyyy",
    "GET transfers": "iffyyy",
    "GET transfers/live": "iffyyy",
    "POST studies/{uid}/send": "ihhyyy",
    "GET sendings/{sending_id}": "ihhhyy",
    "GET sendings/{sending_id}/live": "ihhhyy",
    "POST sendings/{sending_id}/cancel": "ihhhyy",
    "POST sendings/{sending_id}/retry": "ihhhyy",
    "GET remote": "iffyyy",
    "POST remote": "iffyyy",
    "POST remote/pull": "iffyyy",
    "GET pulls/{pull_id}": "ihhhyy",
    "GET pulls/{pull_id}/live": "ihhhyy",
    "POST pulls/{pull_id}/cancel": "ihhhyy",
    "GET api/deletions": "iffffy",
    "GET api/deletions/{removal_id}": "ihhhyy",
    "POST api/deletions/{removal_id}/undo": "ihhhyy",
    "GET archive": "iffffy",
    "POST studies/{uid}/delete": "ihhfyy",
    "GET deletions/{removal_id}": "ihhhyy",
    "POST deletions/{removal_id}/undo": "ihhhyy",
    "GET about": "yyyyyy",
    "POST preferences": "yyyyyy",
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
    "POST cases/picture": lambda _: PICTURE,
    "POST api/search": lambda _: {"json": {"text": "brain"}},
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


@pytest.mark.parametrize("route", [r for r in TABLE if r[:3] != "GET"])
def test_no_change_comes_from_another_site(
    route: str, house: House, service_url: str
) -> None:
    asked = request_of(route, scene_of(house))
    asked["headers"] |= {"sec-fetch-site": "cross-site", "x-cookie": "yes"}
    who = {"x-person": "tess teacher"}
    with httpx.Client(base_url=service_url, headers=who) as client:
        assert client.request(**asked).status_code == 403
