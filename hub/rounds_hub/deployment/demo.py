"""The demo's accounts and their passwords."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DEMO_ACCOUNTS", "DemoAccount", "demo_passwords"]

_FILE = "accounts.json"


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """One account of the demo: its name, its group and what it shows."""

    name: str
    group: str
    shows: str

    @property
    def admin(self) -> bool:
        """Whether the account may change the hub itself."""
        return not self.group


DEMO_ACCOUNTS = (
    DemoAccount("student", "students", "learn from published cases"),
    DemoAccount("doctor", "doctors", "look, search, open, run"),
    DemoAccount("researcher", "researchers", "run templates over series"),
    DemoAccount("teacher", "teachers", "write and publish cases"),
    DemoAccount("admin", "", "see the hub, its servers and its audit trail"),
)


def demo_passwords(data: Path) -> dict[str, str]:
    """Return the password of every demo account, made once for a data folder.

    They lie in a file that only the owner of the folder can read.
    """
    file = data / _FILE
    try:
        known: dict[str, str] = json.loads(file.read_text())
    except (OSError, ValueError):
        known = {}
    names = [account.name for account in DEMO_ACCOUNTS]
    if known.keys() >= set(names):
        return {name: known[name] for name in names}
    made = {name: known.get(name) or secrets.token_urlsafe(9) for name in names}
    fresh = data / f"{_FILE}.new"
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(made))
    fresh.replace(file)
    return made
