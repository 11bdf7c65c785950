"""The folder of a run: made for its notebook, and kept small afterwards."""

from __future__ import annotations

import errno
import json
import os
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rounds_hub.access.principal import SYSTEM
from rounds_hub.archive.store import free_space
from rounds_hub.archive.volumes import volume_folder
from rounds_hub.errors import HubError, NoSpaceError
from rounds_hub.runs import templates
from rounds_hub.runs.faults import Fault
from rounds_hub.runs.states import run_folder
from rounds_hub.runs.supervise import Limits, kill_all
from rounds_kernels.keeping import GROUP

if TYPE_CHECKING:
    from pathlib import Path

    from rounds_hub.house import House
    from rounds_hub.runs.models import Run
    from rounds_hub.runs.states import Attempt
    from rounds_hub.runs.templates import Template

__all__ = ["limits_of", "prepare", "start_clean", "tidy"]

KEPT = frozenset(
    {"figures", "masks", "measurements.csv", "measurements.json", "notebook.ipynb"}
)
"""What stays of a run's folder when it has ended."""


def limits_of(house: House, template: Template) -> Limits:
    """Return what a run of *template* may take: its own wish within the house's."""
    wish, most = template.resources, house.settings
    return Limits(
        min(wish.seconds or most.run_seconds, most.run_seconds),
        min(wish.memory_bytes or most.run_memory_bytes, most.run_memory_bytes),
        min(wish.cpus, os.cpu_count() or 1),
        most.free_space_bytes,
    )


def prepare(house: House, attempt: Attempt, run: Run) -> Fault | None:
    """Make the folder of *attempt* with all its notebook needs; return what is wrong.

    What an earlier attempt left, its processes included, is removed.
    """
    folder = run_folder(house.settings, attempt)
    kill_all(folder.parent)
    shutil.rmtree(folder.parent, ignore_errors=True)
    try:
        template = templates.find(house.settings, run.template)
        if template.hash != run.template_hash:
            msg = f"Template {run.template!r} was changed meanwhile; ask again."
            return Fault("input", msg)
        (folder / "inputs").mkdir(parents=True, mode=0o700)
        _refuse_full(house, folder)
        shutil.copyfile(template.notebook, folder / "template.ipynb")
        inputs = {
            given["name"]: _link(house, folder, given["name"], given["series_uid"])
            for given in run.inputs
        }
    except NoSpaceError as error:
        return Fault("disk", str(error))
    except HubError as error:
        return Fault("input", str(error))
    limits = limits_of(house, template)
    _write_job(folder, run, template, {"inputs": inputs, "limits": asdict(limits)})
    start_clean(house, folder)
    return None


def start_clean(house: House, folder: Path) -> None:
    """Remove what an interrupted execution left in a prepared *folder*."""
    kill_all(folder)
    for name in ("figures", "masks", "results", "tmp", "work"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(mode=0o700)
    for path in folder.iterdir():
        if path.is_file() and path.name not in {"job.json", "template.ipynb"}:
            path.unlink()
    fonts = house.settings.data / "cache" / "matplotlib"
    if fonts.is_dir():
        shutil.copytree(fonts, folder / "tmp" / "matplotlib")


def tidy(folder: Path) -> None:
    """Keep the notebook as far as it was executed and the results; remove the rest."""
    live = folder / "live.ipynb"
    if live.is_file() and not (folder / "notebook.ipynb").is_file():
        live.replace(folder / "notebook.ipynb")
    if not folder.is_dir():
        return
    for path in list(folder.iterdir()):
        if path.name in KEPT:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _refuse_full(house: House, folder: Path) -> None:
    """Refuse to begin on a disk that is full."""
    least = house.settings.free_space_bytes
    if free_space(folder) < least:
        msg = f"The disk of the runs is full: {least // 2**20} MiB stay free."
        raise NoSpaceError(msg)


def _write_job(
    folder: Path, run: Run, template: Template, more: dict[str, Any]
) -> None:
    """Write what the notebook may know of the run."""
    said = {
        "run_id": run.id,
        "template": template.name,
        "parameters": run.parameters,
        "outputs": template.outputs.model_dump(mode="json"),
        **more,
    }
    text = json.dumps(said, indent=1, allow_nan=False)
    (folder / "job.json").write_text(text, encoding="utf-8")


def _link(house: House, folder: Path, name: str, series_uid: str) -> dict[str, str]:
    """Put the volume of a series into the folder, without copying it."""
    within = folder / "inputs" / name
    within.mkdir(mode=0o700)
    for _ in range(2):
        kept = volume_folder(house, SYSTEM, series_uid)
        try:
            _link_all(kept / GROUP, within / GROUP)
        except FileNotFoundError:  # evicted from the cache at this moment
            continue
        return {"series_uid": series_uid, "folder": f"inputs/{name}"}
    msg = f"The volume of input {name!r} cannot be kept: its cache is too small."
    raise HubError(msg)


def _link_all(source: Path, target: Path) -> None:
    """Give every file below *source* a second name below *target*."""
    if not (source / "zarr.json").is_file():
        raise FileNotFoundError
    for path in sorted(source.rglob("*")):
        within = target / path.relative_to(source)
        if path.is_file():
            within.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _link_or_copy(path, within)


def _link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name; on another disk copy it."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK}:
            raise
        shutil.copyfile(source, target)
