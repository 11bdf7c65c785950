"""The installed files of OHIF: which there are, and how each is sent."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from starlette.responses import FileResponse, Response

from rounds_hub.errors import BusyError, NotFoundError
from rounds_hub.viewer.build import DIST

__all__ = ["Installed", "installed", "is_installed", "sent"]

FOR_EVER: Final = "public, max-age=31536000, immutable"
KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}
WORKER_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval'; "
    "connect-src 'self' data: blob:"
)
"""What a worker may do; decoders compiled to WebAssembly name functions by eval."""


@dataclass(frozen=True, slots=True)
class Installed:
    """The build that is here: its files by name, and the script it starts with.

    *key* stands in the address of each file, so that a browser may keep it for ever.
    """

    key: str
    entry: str
    files: dict[str, str]


def installed() -> Installed:
    """Return the build that is here.

    Raises
    ------
    BusyError
        If none is installed.
    """
    try:
        return _read((DIST / "manifest.json").stat().st_mtime_ns)
    except (OSError, ValueError, KeyError) as error:
        msg = (
            "The viewer OHIF is not installed. "
            "Install it with: python -m rounds_hub.viewer.build"
        )
        raise BusyError(msg) from error


def is_installed() -> bool:
    """Return whether there is a viewer to open."""
    try:
        installed()
    except BusyError:
        return False
    return True


def sent(key: str, name: str, accepted: str) -> Response:
    """Return the answer with the file *name*, compressed where that is *accepted*.

    Raises
    ------
    NotFoundError
        If the build called *key* is not here, or has no such file.
    """
    here = installed() if is_installed() else None
    if here is None or key != here.key or name not in here.files:
        kind = "file"
        raise NotFoundError(kind, name[:200])
    path = DIST / here.files[name]
    headers = {
        "Cache-Control": FOR_EVER,
        "Content-Security-Policy": WORKER_POLICY,
        "Vary": "Accept-Encoding",
    }
    kind = KINDS.get(Path(name).suffix, "text/plain; charset=utf-8")
    if path.suffix != ".gz":
        return FileResponse(path, headers=headers, media_type=kind)
    if "gzip" not in accepted:
        return Response(gzip.decompress(path.read_bytes()), 200, headers, kind)
    headers["Content-Encoding"] = "gzip"
    return FileResponse(path, headers=headers, media_type=kind)


@lru_cache(maxsize=2)
def _read(written_at: int) -> Installed:
    """Return what the manifest of *written_at* says."""
    del written_at
    said = json.loads((DIST / "manifest.json").read_text())
    return Installed(str(said["stamp"])[:12], str(said["entry"]), dict(said["files"]))
