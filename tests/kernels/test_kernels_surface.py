"""What the kernels offer is documented, and the documents say what is offered."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import rounds_kernels
from rounds_kernels import errors
from rounds_kernels.errors import KernelError

MODULES = sorted(
    module.name for module in pkgutil.iter_modules(rounds_kernels.__path__)
)
PAGE = (Path(__file__).parents[2] / "docs/kernels.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    module = importlib.import_module(f"rounds_kernels.{name}")
    assert inspect.getdoc(module)
    for public in module.__all__:
        thing = getattr(module, public)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), public


@pytest.mark.parametrize(("module", "offers"), ROWS, ids=[row[0] for row in ROWS])
def test_the_page_names_what_is_there(module: str, offers: str) -> None:
    loaded = importlib.import_module(f"rounds_kernels.{module}")
    for name in re.findall(r"`(\w+)`", offers):
        assert hasattr(loaded, name), name


def test_the_page_has_a_row_for_what_people_use() -> None:
    assert {"volumes", "phantoms", "masks", "results", "nifti"} <= {
        module for module, _ in ROWS
    }


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    drawn = re.findall(r"(\w+Error)\b", errors.__doc__ or "")
    assert sorted(set(drawn)) == sorted(errors.__all__)


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_belongs_to_the_tree(name: str) -> None:
    assert issubclass(getattr(errors, name), KernelError)


def test_nothing_of_a_server_is_known_here() -> None:
    sources = Path(rounds_kernels.__file__).parent.glob("*.py")
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    assert not re.search(r"import (rounds_hub|rounds_search|rounds\b)", text)
