"""The pages of imports: choosing files, watching them go in, what became of each."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from typing import Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, Response

from rounds_hub.archive import imports
from rounds_hub.archive import service as archive
from rounds_hub.archive.bringing import MODALITIES
from rounds_hub.archive.models import Import
from rounds_hub.archive.service import StudyRecord
from rounds_hub.archive.uploads import Spool
from rounds_hub.errors import InvalidError, NotFoundError
from rounds_hub.portal.visits import Visit, VisitDep

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

RECENT = 8
MOST_STUDIES = 50
ENDED = frozenset({"done", "failed"})


@router.get("/import")
def choose(visit: VisitDep) -> HTMLResponse:
    """Show where files are dropped or chosen, and the imports before."""
    imports.may_import(visit.house, visit.principal)
    return _form(visit)


@router.post("/import")
async def send(visit: VisitDep) -> Response:
    """Take files from a browser without scripts, and show their import."""
    await run_in_threadpool(imports.may_import, visit.house, visit.principal)
    spool = Spool(visit.house, visit.request.headers.get("content-type", ""))
    try:
        async for piece in visit.request.stream():
            await run_in_threadpool(spool.write, piece)
        begun = await run_in_threadpool(
            imports.begin_import, visit.house, visit.principal, spool
        )
    except InvalidError as error:
        spool.discard()
        return await run_in_threadpool(_form, visit, error)
    except BaseException:
        spool.discard()
        raise
    return visit.go_to(f"imports/{begun.id}")


@router.get("/imports/{import_id}")
def show(visit: VisitDep, import_id: str) -> HTMLResponse:
    """Show how far an import is, and what became of each file."""
    found = imports.get_import(visit.house, visit.principal, import_id)
    return visit.page("import-progress.html", **_shown(visit, found))


@router.get("/imports/{import_id}/live")
def live(visit: VisitDep, import_id: str) -> HTMLResponse:
    """Return the part of an import's page that changes while it goes on."""
    found = imports.get_import(visit.house, visit.principal, import_id)
    return visit.page("parts/import-live.html", **_shown(visit, found))


def _form(visit: Visit, error: InvalidError | None = None) -> HTMLResponse:
    """Return the page with the form, and what was wrong where something was."""
    return visit.page(
        "import.html",
        error.status if error else 200,
        active="import",
        modalities=sorted(MODALITIES),
        recent=imports.list_imports(visit.house, visit.principal, limit=RECENT),
        message=str(error) if error else "",
    )


def _shown(visit: Visit, found: Import) -> dict[str, Any]:
    """Return what the page of an import shows."""
    studies = [_study(visit, uid) for uid in found.study_uids[:MOST_STUDIES]]
    return {
        "active": "import",
        "found": found,
        "ended": found.state in ENDED,
        "studies": [study for study in studies if study is not None],
    }


def _study(visit: Visit, uid: str) -> StudyRecord | None:
    """Return a study of an import, or None where it may not be seen any more."""
    try:
        return archive.get_study(visit.house, visit.principal, uid)
    except NotFoundError:
        return None
