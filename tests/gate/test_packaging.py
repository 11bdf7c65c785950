"""A wheel made from the sources holds all that a person needs."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Build a wheel and return the names of its files."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "uv", "build", "--wheel", "--no-build-isolation"]
    subprocess.run([*command, "-o", folder, ROOT], check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as packed:
        return packed.namelist()


@pytest.mark.parametrize(
    "end",
    [
        "rounds_hub/web.py",
        "rounds_hub/catalogue/migrations/versions/0001_the_first_tables.py",
        "rounds_hub/portal/static/dist/manifest.json",
        "rounds_hub/viewer/dist/manifest.json",
        "rounds_hub/viewer/dist/LICENSE",
        "rounds_hub/portal/locale/zh/LC_MESSAGES/rounds.po",
        "rounds_search/__init__.py",
        "rounds_kernels/py.typed",
        "rounds/__init__.py",
        "labextensions/@rounds/lab/package.json",
        "jupyter_server_config.d/rounds.json",
        "rounds/notebooks/lung/lung_volume/notebook.ipynb",
    ],
)
def test_the_wheel_holds(wheel: list[str], end: str) -> None:
    assert [name for name in wheel if name.endswith(end)]


@pytest.mark.parametrize(
    "path",
    [
        "share/jupyter/labextensions/@rounds/lab/package.json",
        "etc/jupyter/jupyter_server_config.d/rounds.json",
        "share/jupyter/rounds/notebooks/neuro/brain_tissue/notebook.ipynb",
    ],
)
def test_what_is_shared_was_installed(path: str) -> None:
    assert (Path(sysconfig.get_path("data")) / path).is_file()


def licences(found: metadata.PackageMetadata) -> list[str]:
    """Return what a distribution says of its licence."""
    said = [
        *(found.get_all("License-Expression") or []),
        *(found.get_all("Classifier") or []),
    ]
    return [str(line) for line in said if line]


def only_gpl(said: list[str]) -> bool:
    """Return whether GPL is all that is offered; LGPL may be linked."""
    strict = [s for s in said if "GPL" in s.replace("LGPL", "") and "Lesser" not in s]
    return bool(strict) and not any(kind in s for s in said for kind in ("BSD", "MIT"))


def test_nothing_that_we_link_is_gpl() -> None:
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    ours = {line.split("==")[0] for line in lock if "==" in line}
    there = {(d.metadata["Name"] or "").lower(): d for d in metadata.distributions()}
    known = {name: licences(d.metadata) for name, d in there.items() if name in ours}
    assert [name for name, said in known.items() if only_gpl(said)] == []
