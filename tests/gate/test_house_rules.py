"""What no file of the repository may say, and what every folder must hold."""

from __future__ import annotations

import re
import subprocess
from importlib import import_module
from inspect import isclass, isfunction
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("rounds_hub", "rounds_search", "rounds_kernels", "rounds")

REGISTRIES = re.compile(
    r"pypi\.org|files\.pythonhosted|registry\.npmjs|repo1?\.mav"
    r"en|deb\.debian\.org|proxy\.golang"
)
MACHINE_PATHS = re.compile(r"(?<![\w./])/(?:work|root|farm)/")
CHANGE_NOTE = re.compile(r"[a-z0-9-]+\.(added|changed|fixed)\.md")


def tracked() -> list[Path]:
    """Return the text files that the repository holds, or that git would take."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    paths = [ROOT / line for line in listed.stdout.decode().splitlines()]
    binary = {".png", ".jpg", ".woff2", ".ico", ".gz", ".dcm", ".nii", ".mo"}
    return [p for p in paths if p.suffix not in binary and p.is_file()]


def test_no_file_names_the_host_of_a_registry() -> None:
    named = [p for p in tracked() if REGISTRIES.search(p.read_text(errors="ignore"))]
    assert named == []


def test_no_file_names_a_path_of_one_machine() -> None:
    own = Path(__file__)
    found = {
        str(path.relative_to(ROOT)): match.group()
        for path in tracked()
        if path != own
        and (match := MACHINE_PATHS.search(path.read_text(errors="ignore")))
    }
    assert found == {}


def test_a_change_note_is_one_sentence() -> None:
    notes = sorted((ROOT / "changes").iterdir())
    wrong = [
        note.name
        for note in notes
        if not CHANGE_NOTE.fullmatch(note.name)
        or len(note.read_text().strip().splitlines()) != 1
    ]
    assert (bool(notes), wrong) == (True, [])


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_what_it_is(package: str) -> None:
    assert (import_module(package).__doc__ or "").strip()


def modules_with_all() -> list[str]:
    """Return every module of ours that says which names are public."""
    roots = [ROOT / "hub", ROOT / "search", ROOT / "kernels", ROOT / "extensions"]
    found = []
    for root in roots:
        for package in PACKAGES:
            for path in (root / package).rglob("*.py"):
                if "__all__" in path.read_text() and "migrations" not in path.parts:
                    dotted = ".".join(path.relative_to(root).with_suffix("").parts)
                    found.append(dotted.removesuffix(".__init__"))
    return sorted(found)


@pytest.mark.parametrize("name", modules_with_all())
def test_every_public_name_is_there_and_documented(name: str) -> None:
    module = import_module(name)
    undocumented = [
        public
        for public in module.__all__
        if (isfunction(found := getattr(module, public)) or isclass(found))
        and not found.__doc__
    ]
    assert undocumented == []


def test_every_noqa_names_its_rule() -> None:
    bare = re.compile(r"#\s*noqa(?!:)|#\s*type:\s*ignore(?!\[)")
    python = [p for p in tracked() if p.suffix == ".py" and p != Path(__file__)]
    assert [p for p in python if bare.search(p.read_text())] == []
