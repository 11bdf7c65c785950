"""What pytest must know before it collects anything."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    Reports = Generator[None, pytest.TestReport, pytest.TestReport]

# The contract's assertions explain themselves, whichever folder imports them first.
pytest.register_assert_rewrite("rounds_search.testing")

# Hypothesis keeps what it found outside the tree, so that a checkout stays as it is.
os.environ.setdefault(
    "HYPOTHESIS_STORAGE_DIRECTORY", str(Path(tempfile.gettempdir()) / "hypothesis")
)

# pynetdicom brings a findscu, a storescp and so on of its own; the peers of the tests
# are DCMTK's: the machine's programs come before those of this environment.
_OURS = str(Path(sys.executable).parent)
_THEIRS = [one for one in os.environ["PATH"].split(os.pathsep) if one != _OURS]
os.environ["PATH"] = os.pathsep.join([*_THEIRS, _OURS])

MAY_BE_MISSING = ("no GPU", "real series", "the real files", "root")
"""What CI may lack, by the reason of its skip: hardware, data of others, a user."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    """Fail, in CI, a test that skips because of a part that CI can install."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        reason = str(report.longrepr)
        if not any(word in reason for word in MAY_BE_MISSING):
            report.outcome = "failed"
            report.longrepr = f"CI may not skip this: {reason}"
    return report


SHARED = {
    "demo": "demo",
    "jupyter": "notebooks",
    "elasticsearch": "elasticsearch",
}
"""What is started once for all tests, by its fixture, and the group of those tests."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Try a test in a browser once more where it fails: a busy machine draws late.

    Where two processes share the tests, those of one file stay in one of them, and so
    do all that share a house or a notebook server; these long groups begin first.
    """
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: _group(item) not in SHARED.values())


def _group(item: pytest.Item) -> str:
    """Return what runs in the same process as *item*."""
    for fixture in getattr(item, "fixturenames", ()):
        if fixture in SHARED:
            return SHARED[fixture]
    return item.nodeid.split("::")[0]
