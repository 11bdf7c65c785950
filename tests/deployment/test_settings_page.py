"""Every setting of the hub has its heading."""

from __future__ import annotations

from pathlib import Path

import pytest

from rounds_hub.deployment.accounts import DemoAuthenticator, LimitedGuesses
from rounds_hub.deployment.hub import RoundsHub
from rounds_hub.deployment.traits import Deployment
from rounds_hub.spawning.local import RoundsLocalSpawner

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
CLASSES = (
    Deployment,
    DemoAuthenticator,
    LimitedGuesses,
    RoundsHub,
    RoundsLocalSpawner,
)


@pytest.mark.parametrize(
    "setting",
    [
        f"{each.__name__}.{name}"
        for each in CLASSES
        for name in sorted(each.class_own_traits(config=True))
    ],
)
def test_a_setting_has_its_heading(setting: str) -> None:
    assert f"## {setting}\n" in PAGE
