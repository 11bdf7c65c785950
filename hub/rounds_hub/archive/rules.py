"""The stores of the archive and the rules that say what lies where, from settings."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rounds_hub.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rounds_hub.settings import Rounds

__all__ = ["LOCAL", "Place", "Rule", "places_of", "rules_of"]

LOCAL = "local"
"""The store that a house has where no other is named."""


@dataclass(frozen=True, slots=True)
class Place:
    """One store: a folder of this machine, or a bucket.

    *url* is a path or ``s3://bucket/path``.
    """

    name: str
    url: str
    endpoint: str = ""
    region: str = "us-east-1"

    @property
    def in_bucket(self) -> bool:
        """Whether it is object storage."""
        return self.url.startswith("s3://")

    @property
    def folder(self) -> Path:
        """The folder of a store on this machine."""
        return Path(self.url.removeprefix("file://")).expanduser().absolute()

    def secret(self, part: str) -> str:
        """Return the ``KEY`` or ``SECRET`` of the store from the environment."""
        name = "".join(sign if sign.isalnum() else "_" for sign in self.name)
        return os.environ.get(f"ROUNDS_STORE_{name.upper()}_{part}", "")


@dataclass(frozen=True, slots=True)
class Rule:
    """Where objects lie that are at least *after_days* old.

    *stores* has each of them; of new objects, the first *copies* of them have to have
    one before the sender is told, and the worker makes the others.
    """

    after_days: float
    stores: tuple[str, ...]
    copies: int = 1


def places_of(settings: Rounds) -> dict[str, Place]:
    """Return the stores of the house by name; one, on this machine, by default.

    Raises
    ------
    SettingsError
        If a store has no URL, or a key that is none.
    """
    named: Mapping[str, Any] = settings.archive_stores
    if not named:
        return {LOCAL: Place(LOCAL, str(settings.data / "archive"))}
    return {name: _place(name, given) for name, given in named.items()}


def rules_of(settings: Rounds) -> tuple[Rule, ...]:
    """Return the rules, that for new objects first.

    Raises
    ------
    SettingsError
        If a rule names a store that is not there, or none is for new objects.
    """
    places = places_of(settings)
    given = settings.archive_rules or [{"stores": [next(iter(places))]}]
    rules = tuple(
        sorted((_rule(one, places) for one in given), key=lambda one: one.after_days)
    )
    if rules[0].after_days:
        msg = "Rounds.archive_rules: one rule has to be for new objects: after_days 0."
        raise SettingsError(msg)
    if any(one.after_days == other.after_days for one, other in pairwise(rules)):
        msg = "Rounds.archive_rules: two rules are for the same age."
        raise SettingsError(msg)
    return rules


def _place(name: str, given: object) -> Place:
    """Return one store of the settings."""
    known = {"url", "endpoint", "region"}
    if not isinstance(given, dict) or not given.get("url") or set(given) - known:
        msg = (
            f"Rounds.archive_stores[{name!r}]: say url (a folder or s3://bucket/path), "
            "and endpoint and region where they are needed."
        )
        raise SettingsError(msg)
    return Place(name, **{key: str(value) for key, value in given.items()})


def _rule(given: object, places: Mapping[str, Place]) -> Rule:
    """Return one rule of the settings."""
    try:
        rule = _read(given)
    except (KeyError, TypeError, ValueError) as error:
        msg = (
            f"Rounds.archive_rules: {given!r} is no rule. "
            'Say {"after_days": 90, "stores": ["cold"]}.'
        )
        raise SettingsError(msg) from error
    unknown = set(rule.stores) - set(places)
    if unknown or not 1 <= rule.copies <= len(rule.stores):
        known = ", ".join(places)
        msg = (
            f"Rounds.archive_rules: {given!r} cannot be. Stores: {known}; copies are "
            "at least 1 and at most as many as its stores."
        )
        raise SettingsError(msg)
    return rule


def _read(given: Any) -> Rule:  # noqa: ANN401 (whatever stands in the settings)
    """Read one rule; what is none raises one of Python's own errors."""
    stores = tuple(str(name) for name in given["stores"])
    if not stores or len(set(stores)) < len(stores):
        raise ValueError(stores)
    return Rule(float(given.get("after_days", 0)), stores, int(given.get("copies", 1)))
