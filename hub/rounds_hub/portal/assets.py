"""Where the built files are: the hashed name of each, from the build's manifest."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from rounds_hub.errors import BusyError

__all__ = ["DIST", "asset", "asset_path", "read_manifest"]

DIST = Path(__file__).parent / "static" / "dist"


def read_manifest(folder: Path) -> dict[str, str]:
    """Return the hashed name of every built file in *folder*.

    Raises
    ------
    BusyError
        If nothing is built there.
    """
    try:
        said = json.loads((folder / "manifest.json").read_text())
        files: dict[str, str] = said["files"]
    except (OSError, ValueError, KeyError) as error:
        msg = (
            "The front end is not built. "
            "Build it with: python -m rounds_hub.portal.build"
        )
        raise BusyError(msg) from error
    return files


@lru_cache(maxsize=2)
def _manifest(built_at: int) -> dict[str, str]:
    """Return the names of the files that were built at *built_at*."""
    del built_at
    return read_manifest(DIST)


def _built_at() -> int:
    """Return when the front end was built, so that a new build is seen at once."""
    try:
        return (DIST / "manifest.json").stat().st_mtime_ns
    except OSError:
        return 0


def asset(name: str) -> str:
    """Return the name under which the built file *name* is served now.

    Raises
    ------
    BusyError
        If the front end is not built.
    """
    return _manifest(_built_at())[name]


def asset_path(name: str) -> Path:
    """Return where the built file *name* lies; ``hub.css`` is for the hub's pages."""
    return DIST / asset(name)
