"""Who asks: a user with roles and groups, or the system itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rounds_hub.access.unknown import derived

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PEERS", "SYSTEM", "Principal", "Role", "principal_of"]


class Role(StrEnum):
    """What a person is in the house; a person can be several."""

    STUDENT = "student"
    DOCTOR = "doctor"
    RESEARCHER = "researcher"
    TEACHER = "teacher"
    ADMIN = "admin"
    NODE = "node"
    PEER = "peer"
    SYSTEM = "system"


_BY_GROUP: tuple[Role, ...] = (
    Role.STUDENT,
    Role.DOCTOR,
    Role.RESEARCHER,
    Role.TEACHER,
)


_KNOWING = frozenset(Role) - {Role.STUDENT, Role.PEER}
PEERS = "peers"
"""The audience of other hubs; nobody of this one belongs to it."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or part of the house that asks for something.

    Examples
    --------
    >>> ada = Principal("ada", frozenset({Role.STUDENT}))
    >>> sorted(one for one in ada.audiences if "learns" not in one)
    ['everyone', 'role:student', 'user:ada']
    """

    name: str
    roles: frozenset[Role] = frozenset()
    groups: frozenset[str] = frozenset()

    @property
    def audiences(self) -> frozenset[str]:
        """The audience strings that this principal belongs to."""
        if Role.PEER in self.roles:
            # Another hub sees what was opened to other hubs, and not what everyone
            # of this one sees.
            return frozenset({PEERS, f"user:{self.name}"}) | derived(
                [PEERS], knows=False
            )
        own = {"everyone", f"user:{self.name}"}
        own.update(f"role:{role.value}" for role in self.roles)
        own.update(f"group:{group}" for group in self.groups)
        return derived(own, knows=self.knows) | own

    @property
    def knows(self) -> bool:
        """Whether they are told what an «unknown» case is: all but learners are.

        Somebody without a role is a learner; a student who is a doctor, too, is none.
        """
        return not self.roles.isdisjoint(_KNOWING)

    def has(self, *roles: Role) -> bool:
        """Return whether the principal has any of *roles*."""
        return not self.roles.isdisjoint(roles)


SYSTEM = Principal("system", frozenset({Role.SYSTEM, Role.ADMIN}))


def principal_of(name: str, groups: Iterable[str], *, admin: bool) -> Principal:
    """Return the principal of a hub user; the group ``students`` gives the role.

    Examples
    --------
    >>> principal_of("ben", ["doctors", "ward-3"], admin=False).has(Role.DOCTOR)
    True
    """
    member_of = frozenset(groups)
    roles = {role for role in _BY_GROUP if f"{role.value}s" in member_of}
    if admin:
        roles.add(Role.ADMIN)
    return Principal(name, frozenset(roles), member_of)
