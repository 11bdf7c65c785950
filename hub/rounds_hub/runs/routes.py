"""The API of templates and runs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, StreamingResponse

from rounds_hub.access.deps import HouseDep, PrincipalDep
from rounds_hub.access.principal import Principal
from rounds_hub.errors import BusyError
from rounds_hub.house import House
from rounds_hub.runs import service
from rounds_hub.runs.models import Run
from rounds_hub.runs.rendering import CONTENT_SECURITY_POLICY, notebook_page
from rounds_hub.runs.states import ENDED
from rounds_hub.runs.views import (
    RunAsked,
    RunView,
    TemplateView,
    run_view,
    template_view,
)

__all__ = ["router"]

LOOK_SECONDS = 0.25
BEAT_SECONDS = 15.0
LISTEN_SECONDS = 3600.0
MOST_LISTENERS = 200
MOST_OF_ONE = 12

router = APIRouter(tags=["runs"])


@router.get("/api/templates")
def list_templates(house: HouseDep, principal: PrincipalDep) -> list[TemplateView]:
    """Return every template with what it declares."""
    return [template_view(one) for one in service.list_templates(house, principal)]


@router.get("/api/templates/{name}")
def get_template(house: HouseDep, principal: PrincipalDep, name: str) -> TemplateView:
    """Return one template with what it declares."""
    return template_view(service.template(house, principal, name))


@router.get("/api/templates/{name}/picture.png", response_class=FileResponse)
def get_template_picture(
    house: HouseDep, principal: PrincipalDep, name: str
) -> FileResponse:
    """Return a picture of what the template gives."""
    picture = service.template(house, principal, name).picture
    return FileResponse(picture, media_type="image/png")


@router.post(
    "/api/runs",
    status_code=202,
    responses={200: {"model": RunView, "description": "It was done before."}},
)
def ask_run(
    house: HouseDep, principal: PrincipalDep, asked: RunAsked, response: Response
) -> RunView:
    """Ask for a run; the same request again is answered from the record."""
    wanted = service.Asked(**asked.model_dump())
    run = service.ask(house, principal, wanted)
    if run.state == "done":
        response.status_code = 200
    response.headers["Location"] = f"runs/{run.id}"
    return run_view(run, principal)


@router.get("/api/runs")
def list_runs(
    house: HouseDep,
    principal: PrincipalDep,
    case_id: str | None = None,
    *,
    mine: bool = False,
    limit: Annotated[int, Query(ge=1, le=service.MOST_LISTED)] = 50,
) -> list[RunView]:
    """Return the newest runs that one may see, those on a case or one's own only."""
    found = service.list_runs(house, principal, case_id=case_id, mine=mine, limit=limit)
    return [run_view(run, principal) for run in found]


@router.get("/api/runs/{run_id}")
def get_run(house: HouseDep, principal: PrincipalDep, run_id: str) -> RunView:
    """Return a run: what went in, how far it is, what came out."""
    return run_view(service.get(house, principal, run_id), principal)


@router.post("/api/runs/{run_id}/cancel")
def cancel_run(house: HouseDep, principal: PrincipalDep, run_id: str) -> RunView:
    """End a run that one asked for; one that has ended stays as it is."""
    return run_view(service.cancel(house, principal, run_id), principal)


@router.get("/api/runs/{run_id}/events", response_class=StreamingResponse)
async def run_events(
    house: HouseDep, principal: PrincipalDep, run_id: str, request: Request
) -> StreamingResponse:
    """Send the run whenever it changes (server-sent events), until it has ended.

    Events are called ``run`` and hold what GET of the run answers.
    """
    run = await anyio.to_thread.run_sync(service.get, house, principal, run_id)
    _LISTENERS.check(principal)
    events = _events(house, principal, run, request)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


@router.get("/api/runs/{run_id}/notebook.ipynb", response_class=FileResponse)
def get_notebook(house: HouseDep, principal: PrincipalDep, run_id: str) -> FileResponse:
    """Return the executed notebook as a file."""
    path = service.notebook(house, principal, run_id)
    return _download(path, "application/x-ipynb+json", f"run-{run_id}.ipynb")


@router.get("/api/runs/{run_id}/notebook.html", response_class=HTMLResponse)
def show_notebook(
    house: HouseDep, principal: PrincipalDep, run_id: str
) -> HTMLResponse:
    """Return the executed notebook as a page that runs no script."""
    path = service.notebook(house, principal, run_id)
    page = notebook_page(path, f"Run {run_id}")
    return HTMLResponse(
        page, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY}
    )


@router.get("/api/runs/{run_id}/files/{name}", response_class=FileResponse)
def get_file(
    house: HouseDep, principal: PrincipalDep, run_id: str, name: str
) -> FileResponse:
    """Return a file that the run declared as a result: a figure, a mask, a table."""
    path = service.result_file(house, principal, run_id, name)
    if path.suffix == ".png":
        return FileResponse(path, media_type="image/png")
    kind = "text/csv" if path.suffix == ".csv" else "application/octet-stream"
    return _download(path, kind, name)


def _download(path: Path, media_type: str, name: str) -> FileResponse:
    """Return a file that a browser saves and does not show."""
    return FileResponse(path, media_type=media_type, filename=name)


class _Listeners:
    """Counts who listens to runs: one person cannot take every connection."""

    def __init__(self) -> None:
        self._now: list[str] = []

    def check(self, principal: Principal) -> None:
        """Refuse one more where there are too many."""
        own = self._now.count(principal.name)
        if own >= MOST_OF_ONE or len(self._now) >= MOST_LISTENERS:
            msg = "Too many pages listen to runs now. Close some, or reload later."
            raise BusyError(msg)

    @contextmanager
    def listening(self, principal: Principal) -> Iterator[None]:
        """Count one more while the block runs."""
        self._now.append(principal.name)
        try:
            yield
        finally:
            self._now.remove(principal.name)


_LISTENERS = _Listeners()


async def _events(
    house: House, principal: Principal, run: Run, request: Request
) -> AsyncIterator[str]:
    """Give *run* whenever its revision changes, and a beat now and then."""
    until = beat = time.monotonic()
    until += LISTEN_SECONDS
    shown = -1
    with _LISTENERS.listening(principal):
        while time.monotonic() < until and not await request.is_disconnected():
            if run.revision != shown:
                shown, beat = run.revision, time.monotonic()
                view = run_view(run, principal).model_dump(mode="json")
                yield f"id: {shown}\nevent: run\ndata: {json.dumps(view)}\n\n"
            if run.state in ENDED:
                return
            if time.monotonic() - beat > BEAT_SECONDS:
                beat = time.monotonic()
                yield ": still here\n\n"
            await asyncio.sleep(LOOK_SECONDS)
            run = await anyio.to_thread.run_sync(service.get, house, principal, run.id)
