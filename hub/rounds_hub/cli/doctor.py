"""``rounds doctor``: look at every part, and say how to get what is missing."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from rounds_hub import __version__
from rounds_hub.archive.inspecting import Look, inspect
from rounds_hub.cli.options import Config, Data, Json  # noqa: TC001 (Typer reads it)
from rounds_hub.cli.progress import progress_bar
from rounds_hub.deployment.lock import plain_words
from rounds_hub.deployment.ports import is_free
from rounds_hub.deployment.traits import load_deployment
from rounds_hub.errors import HubError
from rounds_hub.house import House
from rounds_hub.settings import load_settings
from rounds_hub.spawning.choose import choose_spawner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rounds_hub.settings import Rounds

__all__ = ["Finding", "command", "look_at_parts"]

_MIB, _GIB = 2**20, 2**30
_HOW_TO_REPAIR = (
    "«rounds doctor --repair» copies from another store; else bring it in again with "
    "«rounds import», or restore a copy of the data"
)
_PROGRAMS = {
    "dciodvfy": "dicom3tools",
    "chromium": "chromium",
    "dcmdump": "dcmtk",
}
_PACKAGES = ("jupyterhub", "jupyterlab", "ipyniivue", "papermill", "dbos", "pydicom")


@dataclass(frozen=True, slots=True)
class Finding:
    """One part: whether it is there, what it is, and how to get it where it is not.

    *needed* tells a part that the house cannot be without; *details* are for programs.
    """

    part: str
    good: bool
    what: str
    how: str = ""
    needed: bool = True
    details: tuple[dict[str, object], ...] = ()


Deep = Annotated[
    bool, typer.Option("--deep", help="Read every kept byte and compare its hash.")
]
Repair = Annotated[
    bool,
    typer.Option(
        "--repair",
        help="Copy what is missing or damaged from another store, and set extra "
        "objects aside.",
    ),
]
Rate = Annotated[
    float,
    typer.Option(min=0, metavar="MIB", help="MiB read in a second at most; 0: any."),
]


@dataclass(frozen=True, slots=True)
class Ways:
    """How to look at the parts: the archive how closely, and where progress is told."""

    look: Look = Look()  # noqa: RUF009 (it is frozen)
    quiet: bool = True


def command(  # noqa: PLR0913 (each option of a verb is an argument)
    *,
    deep: Deep = False,
    repair: Repair = False,
    rate: Rate = 0.0,
    data: Data = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Look at every part, and say how to get what is missing.

    Leaves with 1 where a part is missing that the house cannot be without.
    """
    overrides = {"data_dir": str(data)} if data else {}
    settings = load_settings(str(config.absolute()) if config else None, **overrides)
    look = Look(deep, repair, rate * _MIB)
    findings = list(look_at_parts(settings, Ways(look, quiet=as_json)))
    if as_json:
        said = [asdict(finding) for finding in findings]
        sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
    else:
        _show(findings)
    good = all(finding.good for finding in findings if finding.needed)
    raise typer.Exit(0 if good else 1)


def look_at_parts(settings: Rounds, ways: Ways | None = None) -> Iterator[Finding]:
    """Look at every part of the house at *settings*, one after the other."""
    yield Finding("Rounds", good=True, what=f"{__version__} on Python {_python()}")
    for name in _PACKAGES:
        yield _package(name)
    yield _front_end()
    yield _space(settings)
    yield _port(settings)
    yield _spawner(settings)
    yield _gpu()
    if settings.data.is_dir():
        yield _archive(settings, ways or Ways())
    yield _index(settings)
    for program, package in _PROGRAMS.items():
        yield _program(program, package)


def _python() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def _package(name: str) -> Finding:
    """Look for one of our packages."""
    try:
        return Finding(name, good=True, what=version(name))
    except PackageNotFoundError:
        how = "./rounds installs it"
        return Finding(name, good=False, what="not installed", how=how)


def _index(settings: Rounds) -> Finding:
    """Look whether the index answers and agrees with itself."""
    # Its packages take a second to import, which the other verbs need not wait for.
    from rounds_search.backends.base import open_backend  # noqa: PLC0415

    place = settings.search_location
    if "://" not in place and not Path(place).exists():
        return Finding("index", good=True, what="none yet; the first start makes it")
    with closing(open_backend(place, **settings.search_options)) as index:
        said = index.health()
    good = bool(said.pop("ok"))
    problem = said.pop("problem", "")
    told = ", ".join(f"{value} {name}" for name, value in said.items())
    how = f"{problem} See «Elasticsearch» in docs/search.md, or «rounds index rebuild»"
    return Finding("index", good, told, "" if good else how)


def _front_end() -> Finding:
    """Look whether the pages and the extension of JupyterLab are built."""
    from rounds_hub.portal.assets import DIST  # noqa: PLC0415 (after the packages)

    lab = Path(sys.prefix) / "share" / "jupyter" / "labextensions" / "@rounds" / "lab"
    missing = [
        name
        for name, there in (
            ("the pages", (DIST / "manifest.json").exists()),
            ("the extension of JupyterLab", (lab / "package.json").exists()),
        )
        if not there
    ]
    what = f"{' and '.join(missing)} not built" if missing else "built"
    return Finding("front end", not missing, what, "./rounds builds it")


def _space(settings: Rounds) -> Finding:
    """Look how much room the disk with the data has."""
    folder = settings.data
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    what = f"{free / _GIB:.1f} GiB free"
    how = "make room, or move the data folder to a larger disk"
    return Finding("disk", free > settings.low_space_bytes, what, how)


def _port(settings: Rounds) -> Finding:
    """Look whether the port of the house is free."""
    deployment = load_deployment(settings)
    free = not deployment.port or is_free(deployment.port, deployment.host)
    what = f"{deployment.port} is {'free' if free else 'taken (by this house?)'}"
    return Finding("port", free, what, "--port takes another", needed=False)


def _spawner(settings: Rounds) -> Finding:
    """Say where user servers would run, and why."""
    deployment = load_deployment(settings)
    try:
        choice = choose_spawner(deployment.spawner, deployment.user_image)
    except HubError as error:
        how = "set Deployment.spawner to auto"
        return Finding("user servers", good=False, what=str(error), how=how)
    return Finding("user servers", good=True, what=f"{choice.kind}: {choice.reason}")


def _gpu() -> Finding:
    """Look for a GPU; a house works without one."""
    from rounds_kernels.device import gpu_available  # noqa: PLC0415 (loads NumPy)

    there = gpu_available()
    what = "there, and CuPy works" if there else "none, or CuPy is not installed"
    how = "templates run on the processor; for a GPU: pip install rounds[gpu]"
    return Finding("GPU", there, what, how, needed=False)


def _archive(settings: Rounds, ways: Ways) -> Finding:
    """Look whether everything that the catalogue knows is in the archive."""
    with plain_words(settings.data):
        house = House.open(settings)
        try:
            title = "Reading the archive" if ways.look.deep else "Listing the archive"
            with progress_bar(title, quiet=ways.quiet) as progress:
                report = inspect(house, ways.look, progress)
        finally:
            house.close()
    what = f"{report.known} objects, {'hashes' if ways.look.deep else 'sizes'} compared"
    counts = Counter(one.kind for one in report.problems)
    for kind, count in sorted(counts.items()):
        said = [one.sha256[:12] for one in report.problems if one.kind == kind][:5]
        what = f"{what}; {count} {kind}: {', '.join(said)}"
    for name, why in report.silent.items():
        what = f"{what}; store {name!r}: {why}"
    repaired = sum(one.repaired for one in report.problems)
    if repaired:
        what = f"{what}; {repaired} repaired"
    details = tuple(asdict(one) for one in report.problems)
    good = not report.unrepaired and not report.silent
    return Finding("archive", good, what, _HOW_TO_REPAIR, details=details)


def _program(program: str, package: str) -> Finding:
    """Look for a program that the tests use."""
    there = shutil.which(program) is not None
    what = "there" if there else "not there; its tests are skipped"
    how = f"apt-get install {package}"
    return Finding(program, there, what, how, needed=False)


def _show(findings: list[Finding]) -> None:
    """Print the findings as a table, what is missing with its remedy."""
    table = Table("", "part", "", box=None, pad_edge=False, show_header=False)
    for finding in findings:
        mark = "ok" if finding.good else ("MISSING" if finding.needed else "-")
        how = "" if finding.good else f" → {finding.how}"
        table.add_row(mark, finding.part, f"{finding.what}{how}")
    Console(highlight=False).print(table)
