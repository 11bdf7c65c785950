"""Who the house takes this notebook's person for."""

from __future__ import annotations

from dataclasses import dataclass

from rounds.client import default_service

__all__ = ["Me", "me"]


@dataclass(frozen=True, slots=True)
class Me:
    """A person, with roles and groups, as the house knows them."""

    name: str
    roles: tuple[str, ...]
    groups: tuple[str, ...]


def me() -> Me:
    """Return who the house takes you for.

    Raises
    ------
    NotSignedInError
        If the house does not know this server's sign-in.
    """
    said = default_service().get("api/me")
    return Me(
        name=str(said.get("name") or ""),
        roles=tuple(sorted(said.get("roles") or ())),
        groups=tuple(sorted(said.get("groups") or ())),
    )
