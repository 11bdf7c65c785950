"""What is wrong with the instances of a study is opened on its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import TEACHER

from rounds_hub.archive.conformance_work import Inspector, check_waiting
from rounds_hub.archive.service import list_studies

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.house import House

    Visit = Callable[..., Page]

pytestmark = pytest.mark.browser


def test_findings_are_folded_and_open_with_what_they_mean(
    visit: Visit, house: House, chest: str
) -> None:
    assert chest
    with Inspector() as inspector:
        check_waiting(house, inspector)
    study = list_studies(house, TEACHER).studies[-1]
    page = visit("teacher", f"studies/{study.uid}")
    report = page.locator("#conformance details").first
    expect(report.get_by_text("Checked with")).to_be_hidden()
    report.locator("summary").click()
    expect(report.get_by_text("Checked with")).to_be_visible()
