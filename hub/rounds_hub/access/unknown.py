"""Tell those who may know a case from those who are to find out.

A case can be set to «unknown»: whoever may see it sees its pictures and its history,
but only those who may write cases are told what it is. In the index it is two
documents, a whole and a masked one, and nobody may find both. An audience is a union,
so «everyone but teachers» cannot be said in it; instead each person belongs to one
more string for each of their own: ``knows everyone`` or ``learns everyone``. Nobody
has both, so two audiences of which one says ``knows`` and the other ``learns`` are
disjoint whatever roles and groups a person has.

These strings are made here alone: :func:`rounds_hub.access.audience.checked` takes
none from outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["derived", "knowing", "learning", "shared"]

_ADMINS: Final = "role:admin"
_KNOWS: Final = "knows "
_LEARNS: Final = "learns "


def derived(own: Iterable[str], *, knows: bool) -> frozenset[str]:
    """Return what somebody belongs to besides their *own* audience strings.

    Examples
    --------
    >>> sorted(derived(["everyone", "user:ada"], knows=False))
    ['learns everyone', 'learns user:ada']
    """
    kind = _KNOWS if knows else _LEARNS
    return frozenset(f"{kind}{string}" for string in own)


def knowing(audience: Iterable[str]) -> frozenset[str]:
    """Return those of *audience* who may know what an unknown case is.

    Administrators know everything. Doing it twice changes nothing.

    Examples
    --------
    >>> sorted(knowing({"everyone", "role:admin"}))
    ['knows everyone', 'knows role:admin', 'role:admin']
    """
    plain = frozenset(audience)
    kept = {one for one in plain if one.startswith((_KNOWS, _LEARNS))}
    told = derived(plain - kept, knows=True)
    return told | kept | (plain & {_ADMINS})


def learning(audience: Iterable[str]) -> frozenset[str]:
    """Return those of *audience* who are to find out what an unknown case is.

    Examples
    --------
    >>> sorted(learning({"everyone", "role:admin"}))
    ['learns everyone']
    """
    return derived(frozenset(audience) - {_ADMINS}, knows=False)


def shared(audiences: Sequence[frozenset[str]]) -> frozenset[str]:
    """Return who belongs to each of *audiences*, of which there is one at least.

    Whoever is of «everyone» and knows is of «knows everyone», too.

    Examples
    --------
    >>> sorted(shared([frozenset({"everyone"}), frozenset({"knows everyone"})]))
    ['knows everyone']
    """
    each = frozenset.intersection(*audiences)
    return each | frozenset.intersection(*map(knowing, audiences)) - knowing(each)
