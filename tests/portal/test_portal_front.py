"""The front end: its types hold, its build is reproducible, nothing runs inline."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from rounds_hub.errors import BusyError
from rounds_hub.portal import assets
from rounds_hub.portal.build import (
    DIST,
    ENTRIES,
    FRONT,
    BuildError,
    build,
    check_types,
    sprite_of,
    used_icons,
)
from rounds_hub.portal.rendering import TEMPLATES

if TYPE_CHECKING:
    from pathlib import Path

HOST = re.compile(r"https?://(?!www\.w3\.org)")
PAGES = sorted(TEMPLATES.rglob("*.html"))


def test_the_types_of_the_scripts_hold() -> None:
    check_types()


def test_a_build_is_not_done_twice() -> None:
    assert build() is False


def test_the_manifest_names_every_entry_with_its_hash() -> None:
    files = json.loads((DIST / "manifest.json").read_text())["files"]
    assert set(files) == {*ENTRIES, "icons.svg"}
    assert all(
        re.search(r"-[0-9A-Z]{8}\.(js|css|svg)$", name) for name in files.values()
    )
    assert all((DIST / name).is_file() for name in files.values())


def test_every_icon_of_a_template_is_in_the_sprite() -> None:
    sprite = assets.asset_path("icons.svg").read_text()
    assert set(re.findall(r'<symbol id="([^"]+)"', sprite)) == used_icons()


def test_an_icon_that_is_no_picture_is_refused() -> None:
    with pytest.raises(BuildError, match=r"'nothing' is no SVG"):
        sprite_of({"nothing": "<p>no</p>"})


@pytest.mark.parametrize("name", [*ENTRIES, "icons.svg"])
def test_no_built_file_asks_another_host_for_anything(name: str) -> None:
    text = assets.asset_path(name).read_text()
    fetched = re.findall(
        r"(?:url\(|@import|src=|href=)[\"' ]*(https?://[^\"')]+)", text
    )
    assert [one for one in fetched if "www.w3.org" not in one] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_template_has_nothing_inline_and_no_other_host(page: Path) -> None:
    source = page.read_text()
    inline = re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", source)
    assert (inline, HOST.findall(source)) == ([], [])


def test_the_lock_names_no_host() -> None:
    lock = json.loads((FRONT / "package-lock.json").read_text())
    assert [one for one in lock["packages"].values() if "resolved" in one] == []


def test_every_package_is_pinned() -> None:
    wanted = json.loads((FRONT / "package.json").read_text())["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())


def test_without_a_build_it_is_said_how_to_build(
    tmp_path: Path,
) -> None:
    with pytest.raises(BusyError, match=r"python -m rounds_hub\.portal\.build"):
        assets.read_manifest(tmp_path)
