"""The pages say what there is: settings, links, dependencies, pictures."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from rounds_hub.settings import Rounds

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(
    [*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("notebooks/**/*.md")]
)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)]*)?\)")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("name", sorted(Rounds.class_own_traits(config=True)))
def test_a_setting_has_a_heading(name: str) -> None:
    assert f"## Rounds.{name}\n" in (DOCS / "settings.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_link_leads_somewhere(page: Path) -> None:
    targets = [match.group(1) for match in LINK.finditer(page.read_text())]
    local = [t for t in targets if "://" not in t and not t.startswith("mailto:")]
    assert [t for t in local if not (page.parent / t).exists()] == []


def declared() -> list[str]:
    """Return the names of all distributions that we declare."""
    project = PYPROJECT["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    lists += [
        [d for d in g if isinstance(d, str)]
        for g in PYPROJECT["dependency-groups"].values()
    ]
    names = {re.split(r"[\[<>=~; ]", entry)[0] for listed in lists for entry in listed}
    return sorted(names - {"rounds"})


@pytest.mark.parametrize("name", declared())
def test_a_dependency_has_its_reason(name: str) -> None:
    rows = (DOCS / "dependencies.md").read_text().splitlines()
    assert [row for row in rows if row.startswith(f"| {name} |")]


@pytest.mark.parametrize(
    "page",
    [
        "architecture.md",
        "using-as-student.md",
        "using-as-doctor.md",
        "using-as-researcher.md",
        "administrator.md",
        "settings.md",
        "dependencies.md",
    ],
)
def test_a_page_that_people_need_is_there(page: str) -> None:
    assert len((DOCS / page).read_text().split()) > 100


def test_the_readme_shows_the_two_commands_and_the_five_pages() -> None:
    readme = (ROOT / "README.md").read_text()
    pictures = set(re.findall(r"docs/pictures/[\w-]+\.png", readme))
    assert ("./rounds demo" in readme, "./rounds test" in readme) == (True, True)
    assert len(pictures) >= 5
