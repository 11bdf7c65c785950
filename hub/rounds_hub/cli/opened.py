"""Open the house that a verb works on, and close it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rounds_hub.deployment.lock import plain_words, private_files
from rounds_hub.errors import SettingsError
from rounds_hub.house import House
from rounds_hub.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["opened_house"]


@contextmanager
def opened_house(config: Path | None, data: Path | None) -> Iterator[House]:
    """Open the house that *config* and *data* name; it may run meanwhile.

    Raises
    ------
    SettingsError
        If there is no house at all where one was named.
    """
    overrides = {"data_dir": str(data)} if data else {}
    settings = load_settings(str(config.absolute()) if config else None, **overrides)
    if not settings.data.is_dir():
        msg = (
            f"There is no house in {settings.data.name!r}; "
            "start one with «rounds demo» or «rounds up», or name another with --data."
        )
        raise SettingsError(msg)
    with private_files(), plain_words(settings.data):
        house = House.open(settings)
        try:
            yield house
        finally:
            house.close()
