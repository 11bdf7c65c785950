#!/usr/bin/env python3
"""Assemble the prebuilt JupyterLab extension `@rounds/lab` in ``labextension/``.

It is our own JavaScript plus a copy of the browser part of the installed itkwidgets
wheel, so that nothing of others is in our repository. Run it before installing rounds:
hatchling then copies the folder to ``share/jupyter/labextensions/@rounds/lab``.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE / "src"
BUILT = HERE / "labextension"
BUNDLE = "share/jupyter/nbextensions/itkwidgets/"
UNUSED = (".map", "/extension.js")
"""Ends of file names that only the classic notebook and debuggers read."""


def build(target: Path = BUILT) -> int:
    """Write the extension into *target*, anew, and return how many files it has."""
    shutil.rmtree(target, ignore_errors=True)
    static = target / "static"
    static.mkdir(parents=True)
    entry = _write_entry(static)
    _write_description(target, f"static/{entry}")
    copied = _copy_itkwidgets(static / "nbextensions" / "itkwidgets")
    return 2 + copied


def _write_entry(static: Path) -> str:
    """Write our JavaScript under a name that changes with it, against stale caches."""
    script = (SOURCE / "remoteEntry.js").read_bytes()
    name = f"remoteEntry.{hashlib.sha256(script).hexdigest()[:20]}.js"
    (static / name).write_bytes(script)
    return name


def _write_description(target: Path, load: str) -> None:
    """Write the package.json by which Jupyter finds the extension."""
    described = json.loads((SOURCE / "package.json").read_text("utf-8"))
    described["jupyterlab"]["_build"] = {"load": load, "extension": "./extension"}
    (target / "package.json").write_text(
        json.dumps(described, indent=2) + "\n", "utf-8"
    )


def _copy_itkwidgets(target: Path) -> int:
    """Copy the bundle and its licence; without itkwidgets there is nothing to copy."""
    try:
        wheel = distribution("itkwidgets")
    except PackageNotFoundError:
        sys.stderr.write(
            "itkwidgets is not installed: the extension is built without it.\n"
        )
        return 0
    files = _bundle(wheel)
    for name, source in files.items():
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
    return len(files)


def _bundle(wheel: Distribution) -> dict[str, Path]:
    """Return the files to copy: where each goes, and where the wheel has put it."""
    files = {}
    for file in wheel.files or ():
        name = file.as_posix()
        if BUNDLE in name and not name.endswith(UNUSED):
            files[name.partition(BUNDLE)[2]] = Path(str(wheel.locate_file(file)))
        elif file.name.startswith("LICENSE"):
            files[file.name] = Path(str(wheel.locate_file(file)))
    return files


if __name__ == "__main__":
    sys.stdout.write(f"@rounds/lab: {build()} files in {BUILT.name}/\n")
