"""Every pair of colours that carries text can be read in both themes."""

from __future__ import annotations

import re

import pytest

from rounds_hub.portal.build import FRONT

TOKENS = (FRONT / "css" / "tokens.css").read_text()
THEMES = {
    "light": TOKENS.split('[data-bs-theme="dark"]')[0],
    "dark": TOKENS.split('[data-bs-theme="dark"]')[1],
}
TEXT = [
    ("--bs-body-color", "--bs-body-bg"),
    ("--bs-body-color", "--rounds-surface"),
    ("--bs-body-color", "--rounds-sunk"),
    ("--rounds-muted", "--bs-body-bg"),
    ("--rounds-muted", "--rounds-surface"),
    ("--rounds-muted", "--rounds-sunk"),
    ("--bs-link-color", "--bs-body-bg"),
    ("--bs-link-color", "--rounds-surface"),
    ("--bs-link-hover-color", "--rounds-surface"),
    ("--rounds-on-soft", "--rounds-soft"),
    ("--rounds-on-primary", "--bs-primary"),
    ("--rounds-on-primary", "--rounds-primary-over"),
    ("--rounds-on-notebook", "--rounds-notebook"),
    ("--rounds-on-notebook", "--rounds-notebook-over"),
    ("--rounds-danger", "--rounds-surface"),
    ("--rounds-on-danger-soft", "--rounds-danger-soft"),
    ("--rounds-on-warn-soft", "--rounds-warn-soft"),
    ("--rounds-on-mark", "--rounds-mark"),
]
EDGES = [
    ("--bs-primary", "--bs-body-bg"),
    ("--bs-primary", "--rounds-surface"),
    ("--rounds-control", "--rounds-surface"),
]


def colour(theme: str, name: str) -> str:
    """Return the hexadecimal colour that *name* has in *theme*."""
    found = re.search(rf"{name}: #([0-9a-f]{{6}});", THEMES[theme])
    assert found is not None, f"{name} is no plain colour in the {theme} theme"
    return found.group(1)


def luminance(hexadecimal: str) -> float:
    """Return the relative luminance (WCAG 2.2)."""
    parts = [int(hexadecimal[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(theme: str, pair: tuple[str, str]) -> float:
    """Return the contrast ratio of a pair of colours (WCAG 2.2, 1.4.3)."""
    dark, light = sorted(luminance(colour(theme, name)) for name in pair)
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_is_the_whole_range() -> None:
    assert (luminance("ffffff") + 0.05) / (luminance("000000") + 0.05) == 21


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("pair", TEXT, ids=" on ".join)
def test_text_can_be_read(theme: str, pair: tuple[str, str]) -> None:
    assert contrast(theme, pair) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("pair", EDGES, ids=" on ".join)
def test_an_edge_can_be_seen(theme: str, pair: tuple[str, str]) -> None:
    assert contrast(theme, pair) >= 3
