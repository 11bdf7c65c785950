"""What is kept of the package of OHIF, how it is changed, and what is refused."""

from __future__ import annotations

import gzip
import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from rounds_hub.viewer.build import PUBLIC_PATH, BuildError, unpack, wanted

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = "package/dist/app.bundle.0f.js"


def packed(folder: Path, more: str = "", *, public_paths: int = 8) -> Path:
    """Return a package like OHIF's, with so many scripts that say where they are."""
    files = {f"package/dist/{n}.js": PUBLIC_PATH for n in range(public_paths - 1)}
    files |= {ENTRY: PUBLIC_PATH, "package/LICENSE": b"MIT"}
    files |= {more: b"x"} if more else {}
    path = folder / "package.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_scripts_find_each_other_where_they_are(tmp_path: Path) -> None:
    made = unpack(packed(tmp_path), tmp_path / "dist")
    kept = gzip.decompress((tmp_path / "dist" / "app.bundle.0f.js.gz").read_bytes())
    assert (b'"/"' in kept, b"currentScript.src" in kept) == (False, True)
    assert made["entry"] == "app.bundle.0f.js"


def test_a_package_that_is_built_otherwise_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"not built as .* 7 public paths"):
        unpack(packed(tmp_path, public_paths=7), tmp_path / "dist")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("package/dist/../../evil.js", id="a way out"),
        pytest.param("package/dist/app.js.map", id="a map"),
        pytest.param("package/dist/ort/ort.wasm", id="a network that is not used"),
        pytest.param("package/dist/sw.js", id="a service worker"),
        pytest.param("elsewhere/dist/a.js", id="another root"),
    ],
)
def test_what_no_browser_asks_for_is_left_out(tmp_path: Path, name: str) -> None:
    made = unpack(packed(tmp_path, name), tmp_path / "dist")
    files = made["files"]
    assert isinstance(files, dict)
    assert len(files) == 9
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 10


def test_the_licence_is_kept() -> None:
    assert wanted("LICENSE")
