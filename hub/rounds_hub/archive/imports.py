"""Imports as people see them: an upload begins one, a worker does it, a row tells."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import select

from rounds_hub.access.policy import Action, import_resource, require
from rounds_hub.archive import uploads
from rounds_hub.archive.bringing import (
    Plan,
    Problem,
    Progress,
    Summary,
    check_modality,
    import_listing,
)
from rounds_hub.archive.models import Import
from rounds_hub.archive.texts import clean
from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import HubError, NotFoundError

if TYPE_CHECKING:
    from rounds_hub.access.principal import Principal
    from rounds_hub.archive.uploads import Spool
    from rounds_hub.house import House

__all__ = ["begin_import", "get_import", "list_imports", "may_import", "run_import"]

MOST_PROBLEMS = 1000
MOST_LISTED = 200
LONGEST_ID = 64
COUNTS = ("taken", "same", "aside", "refused", "skipped")
OPEN = ("waiting", "running")

log = structlog.get_logger()


def may_import(house: House, principal: Principal) -> None:
    """Refuse somebody who may not bring anything, before anything is read.

    Raises
    ------
    ForbiddenError
        If *principal* may not import.
    """
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.IMPORT_CREATE)


def begin_import(house: House, principal: Principal, spool: Spool) -> Import:
    """Hand a spooled upload to the workers and return its row.

    When this returns, the files and the row are on the disk; a worker that is killed
    goes on later.

    Raises
    ------
    InvalidError
        If the upload has no file, or the modality is none that NIfTI can be of.
    """
    modality = spool.fields.get("modality", "")
    try:
        check_modality(modality)
        spool.finish(principal)
    except HubError:
        spool.discard()
        raise
    begun = Import(
        id=spool.id,
        owner=principal.name,
        modality=modality,
        total=len(spool.names),
        summary=_as_json(Summary()),
    )
    with house.sessions.begin() as session:
        session.add(begun)
        session.flush()
    try:
        house.work.enqueue("import", begun.id)
    except Exception:
        log.warning("import waits for the queue", id=begun.id, exc_info=True)
    return begun


def get_import(house: House, principal: Principal, import_id: str) -> Import:
    """Return how far an import is.

    Raises
    ------
    NotFoundError
        If there is none, or it is somebody else's.
    """
    with house.sessions.begin(write=False) as session:
        found = session.get(Import, import_id) if import_id.isalnum() else None
        if found is None:
            kind = "import"
            raise NotFoundError(kind, clean(import_id)[:LONGEST_ID])
        require(session, principal, Action.IMPORT_READ, import_resource(found))
        return found


def list_imports(
    house: House, principal: Principal, *, limit: int = 20
) -> list[Import]:
    """Return the newest imports of *principal*."""
    with house.sessions.begin(write=False) as session:
        wanted = (
            select(Import)
            .where(Import.owner == principal.name)
            .order_by(Import.created_at.desc(), Import.id)
            .limit(max(1, min(limit, MOST_LISTED)))
        )
        return list(session.scalars(wanted))


def run_import(house: House, import_id: str) -> None:
    """Do the import *import_id*; called again, it goes on where it was.

    What cannot go on (a full disk) ends it with a sentence in its row.
    """
    with house.sessions.begin(write=False) as session:
        row = session.get(Import, import_id)
        waiting = set(session.scalars(select(Import.id).where(Import.state.in_(OPEN))))
    if row is None or row.state not in OPEN:
        _let_go(house, import_id)
        return
    try:
        principal, listing = uploads.open_spool(house, import_id)
        plan = Plan(
            modality=row.modality,
            progress=lambda progress: _write(house, import_id, progress),
            summary=_from_json(row.summary, row.study_uids),
            done=row.done,
        )
        _change(house, import_id, state="running")
        import_listing(house, principal, listing, plan)
        _end(house, import_id, "done")
    except HubError as error:
        _end(house, import_id, "failed", str(error))
    except Exception:
        # Whoever runs the house reads the traceback in the worker's log.
        _end(house, import_id, "failed", "Something went wrong here; try it again.")
        raise
    uploads.sweep_spools(house, waiting)


def _write(house: House, import_id: str, progress: Progress) -> None:
    """Write how far an import is; what was counted is in the archive for good."""
    _change(
        house,
        import_id,
        done=progress.done,
        total=progress.total,
        summary=_as_json(progress.summary),
        study_uids=list(progress.summary.study_uids),
    )


def _end(house: House, import_id: str, state: str, error: str = "") -> None:
    """Write how an import ended, then let its files go."""
    _change(house, import_id, state=state, error=error, finished_at=utc_now())
    _let_go(house, import_id)


def _let_go(house: House, import_id: str) -> None:
    """Remove the files of an import that has ended; a second time changes nothing."""
    shutil.rmtree(uploads.spool_folder(house, import_id), ignore_errors=True)


def _change(house: House, import_id: str, **values: object) -> None:
    """Change the row of an import."""
    with house.sessions.begin() as session:
        row = session.get_one(Import, import_id)
        for name, value in values.items():
            setattr(row, name, value)


def _as_json(summary: Summary) -> dict[str, Any]:
    """Return *summary* as the row keeps it, with the first thousand problems."""
    counts: dict[str, Any] = {name: getattr(summary, name) for name in COUNTS}
    problems = [asdict(problem) for problem in summary.problems[:MOST_PROBLEMS]]
    return counts | {"problems": problems}


def _from_json(kept: dict[str, Any], study_uids: list[str]) -> Summary:
    """Return the summary that a row kept."""
    problems = [Problem(**problem) for problem in kept.get("problems", ())]
    counts = {name: kept.get(name, 0) for name in COUNTS}
    return Summary(**counts, problems=problems, study_uids=list(study_uids))
