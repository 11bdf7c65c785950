"""Modules and functions stay as small as CONTRIBUTING.md says."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PRODUCT = ("hub", "search", "kernels", "extensions", "notebooks")
MODULE_LINES = 400
FUNCTION_LINES = 60
MOST_FUNCTIONS_LINES = 30


def modules(*folders: str) -> list[Path]:
    """Return the Python modules below *folders* that are ours."""
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    # tests/elasticsearch comes as it is; it is named by the folder that holds it.
    foreign = {"node_modules", "labextension", "migrations", ".ipynb_checkpoints"}
    foreign.add("elasticsearch")
    return sorted(path for path in found if foreign.isdisjoint(path.parts))


def function_lengths(path: Path) -> dict[str, int]:
    """Return how many lines each function of the module at *path* has."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        f"{path.relative_to(ROOT)}:{node.name}": node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, kinds) and node.end_lineno is not None
    }


@pytest.mark.parametrize("path", modules(*PRODUCT, "tests"), ids=str)
def test_a_module_fits_on_a_few_screens(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= MODULE_LINES, f"{lines} lines; divide it by what it does"


@pytest.mark.parametrize("path", modules(*PRODUCT), ids=str)
def test_a_function_fits_on_one_screen(path: Path) -> None:
    long = {k: n for k, n in function_lengths(path).items() if n > FUNCTION_LINES}
    assert long == {}


def test_nine_functions_of_ten_are_short() -> None:
    lengths = [n for p in modules(*PRODUCT) for n in function_lengths(p).values()]
    assert statistics.quantiles(lengths, n=10)[-1] <= MOST_FUNCTIONS_LINES


def test_tests_are_at_least_half_as_much_as_the_code() -> None:
    code = sum(len(p.read_text().splitlines()) for p in modules(*PRODUCT))
    tests = sum(len(p.read_text().splitlines()) for p in modules("tests"))
    assert tests >= 0.5 * code
