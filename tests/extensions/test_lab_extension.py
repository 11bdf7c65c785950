"""The prebuilt extension holds what JupyterLab looks for; git holds only ours."""

from __future__ import annotations

import json
import runpy
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

LAB = Path(__file__).parent.parent.parent / "extensions" / "lab"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the extension once, elsewhere."""
    target = tmp_path_factory.mktemp("lab") / "labextension"
    build: Callable[[Path], int] = runpy.run_path(str(LAB / "build.py"))["build"]
    assert build(target) > 5
    return target


def described(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "package.json").read_text("utf-8"))
    return found


def test_the_script_that_is_named_is_there(built: Path) -> None:
    load = described(built)["jupyterlab"]["_build"]["load"]
    assert (built / load).read_bytes() == (LAB / "src/remoteEntry.js").read_bytes()


def test_a_changed_script_gets_another_name(built: Path) -> None:
    named = described(built)["jupyterlab"]["_build"]["load"]
    assert len(named.removeprefix("static/remoteEntry.").removesuffix(".js")) == 20


def test_the_bundle_of_itkwidgets_comes_with_its_licence(built: Path) -> None:
    bundle = built / "static/nbextensions/itkwidgets"
    names = {path.name for path in bundle.rglob("*") if path.is_file()}
    assert {"LICENSE", "index.js", "Pipeline.worker.js"} <= names


def test_what_only_debuggers_read_stays_out(built: Path) -> None:
    assert list(built.rglob("*.map")) == []


def test_building_again_leaves_nothing_old(tmp_path: Path) -> None:
    build = runpy.run_path(str(LAB / "build.py"))["build"]
    (tmp_path / "static").mkdir()
    (tmp_path / "static/remoteEntry.old.js").write_text("")
    build(tmp_path)
    assert len(list((tmp_path / "static").glob("remoteEntry.*.js"))) == 1


def test_the_repository_holds_nothing_built() -> None:
    command = ["git", "ls-files", "labextension"]
    listed = subprocess.run(command, cwd=LAB, check=True, capture_output=True)
    assert listed.stdout == b""


def test_nobody_is_asked_about_news_from_the_internet(built: Path) -> None:
    disabled = described(built)["jupyterlab"]["disabledExtensions"]
    assert disabled == ["@jupyterlab/apputils-extension:announcements"]


def test_the_versions_are_one() -> None:
    from rounds_hub import __version__

    assert described(LAB / "src")["version"] == __version__
