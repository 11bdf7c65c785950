"""Part the pictures of a series into stacks: pictures that may lie on each other.

A hospital's series may hold three orientations (localizers), several echoes, b-values
or time points at each place, pictures of several sizes, or the same picture twice. None
of these makes one volume; each stack does.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_kernels.attributes import text
from rounds_kernels.geometry import orientation_name, slice_normal
from rounds_kernels.planes import TRAITS, Plane

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    import numpy.typing as npt

__all__ = ["Group", "part"]

_SAME_PLACE_MM: Final = 0.01
_SAME_COSINE: Final = 1e-3
_ENOUGH: Final = 3
_ALWAYS: Final = frozenset({"ReferencedSegmentNumber", "StackID"})


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures that make one stack, in order, and what was noticed while parting them.

    Attributes
    ----------
    planes
        In the order along the normal, or by instance number where nothing has a place.
    places
        Millimetres along the normal, (n,) float64, or None where unknown.
    label
        What tells this stack from others of its series, e.g. «b-value (s/mm2) 1000».
    remarks
        One sentence each.
    """

    planes: tuple[Plane, ...]
    places: npt.NDArray[np.float64] | None
    label: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return a name that a person can choose by."""
        first = self.planes[0]
        lies = orientation_name(first.orientation) if first.orientation else "unplaced"
        size = " x ".join(str(item) for item in first.shape[:2])
        count = "1 picture" if len(self.planes) == 1 else f"{len(self.planes)} pictures"
        return ", ".join(
            part for part in (f"{lies}, {count} of {size}", self.label) if part
        )


def part(planes: Iterable[Plane]) -> list[Group]:
    """Return the stacks of a series, the one with most pictures first."""
    unique, twice = _once(planes)
    groups: list[Group] = []
    for family in _families(unique):
        groups += _unplaced(family) if family[0].position is None else _placed(family)
    if twice:
        remark = (
            f"{twice} pictures were given twice with the same UID; the first counts."
        )
        groups = [replace(group, remarks=(remark, *group.remarks)) for group in groups]
    return sorted(groups, key=lambda group: -len(group.planes))


def _once(planes: Iterable[Plane]) -> tuple[list[Plane], int]:
    """Return pictures whose UID and frame are new, and how many were not."""
    seen: dict[tuple[str, int], Plane] = {}
    count = 0
    for count, plane in enumerate(planes, 1):
        seen.setdefault((plane.uid or f"unnamed {count}", plane.frame), plane)
    return list(seen.values()), count - len(seen)


def _families(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Return pictures of one size, spacing, direction and meaning together."""
    families: dict[Hashable, list[Plane]] = defaultdict(list)
    directions: list[tuple[float, ...]] = []
    for plane in planes:
        key = (
            plane.shape,
            tuple(round(step, 4) for step in plane.spacing),
            _direction_number(plane.orientation, directions),
            plane.position is None,
            plane.units,
            text(plane.attributes, "PhotometricInterpretation") == "MONOCHROME1",
        )
        families[key].append(plane)
    return list(families.values())


def _direction_number(
    orientation: tuple[float, ...] | None, known: list[tuple[float, ...]]
) -> int:
    """Return which of the *known* directions this is, adding it where it is new."""
    if orientation is None:
        return -1
    for index, other in enumerate(known):
        if (
            max(abs(a - b) for a, b in zip(orientation, other, strict=True))
            < _SAME_COSINE
        ):
            return index
    known.append(orientation)
    return len(known) - 1


def _unplaced(planes: list[Plane]) -> list[Group]:
    """Return pictures without a place as they follow each other."""
    ordered = tuple(sorted(planes, key=lambda plane: plane.order))
    if len(ordered) == 1:
        return [Group(ordered, None)]
    remark = (
        f"The {len(ordered)} pictures have no position in the patient: they follow "
        "each other by number and make no volume in space."
    )
    return [Group(ordered, None, "", (remark,))]


def _placed(planes: list[Plane]) -> list[Group]:
    """Return stacks with one picture at each place."""
    first = planes[0]
    if first.orientation is None:
        return []
    positions = np.asarray([plane.position for plane in planes], np.float64)
    along = positions @ slice_normal(first.orientation)
    order = np.argsort(along, kind="stable")
    places = along[order]
    sites = np.concatenate(([0], np.cumsum(np.diff(places) > _SAME_PLACE_MM)))
    located = [
        _Located(planes[index], float(place), int(site))
        for index, place, site in zip(order, places, sites, strict=True)
    ]
    return [_group(*each) for each in _apart(located, "")]


@dataclass(frozen=True, slots=True)
class _Located:
    plane: Plane
    place: float
    site: int


_Labelled = tuple[list[_Located], str, tuple[str, ...]]


def _group(located: list[_Located], label: str, remarks: tuple[str, ...]) -> Group:
    places = np.asarray([each.place for each in located])
    return Group(tuple(each.plane for each in located), places, label, remarks)


def _crowding(located: Sequence[_Located]) -> int:
    """Return how many pictures have another one at their place before them."""
    return len(located) - len({each.site for each in located})


def _apart(located: list[_Located], label: str) -> list[_Labelled]:
    """Part pictures by the attributes that tell those at one place apart."""
    if _crowding(located) == 0:
        return [(located, label, ())]
    for trait, word in TRAITS.items():
        parts = _by_trait(located, trait)
        if _helps(trait, located, parts):
            told: list[_Labelled] = []
            for value, members in parts.items():
                told += _apart(
                    members, ", ".join(filter(None, (label, f"{word} {value}")))
                )
            return told
    return _by_turn(located, label)


def _by_trait(located: list[_Located], trait: str) -> dict[str, list[_Located]]:
    parts: dict[str, list[_Located]] = defaultdict(list)
    for each in located:
        parts[text(each.plane.attributes, trait) or "not stated"].append(each)
    return dict(sorted(parts.items(), key=lambda item: _natural(item[0])))


def _natural(value: str) -> tuple[float, str]:
    try:
        return float(value), value
    except ValueError:
        return float("inf"), value


def _helps(trait: str, whole: list[_Located], parts: dict[str, list[_Located]]) -> bool:
    """Tell whether *parts* separate pictures at one place and remain stacks."""
    if len(parts) < 2 or sum(map(_crowding, parts.values())) >= _crowding(whole):  # noqa: PLR2004
        return False
    if trait in _ALWAYS:
        return True
    most = max(Counter(each.site for each in whole).values())
    return len(parts) <= most or min(map(len, parts.values())) >= _ENOUGH


def _by_turn(located: list[_Located], label: str) -> list[_Labelled]:
    """Part pictures that nothing tells apart: first at each place, second, ..."""
    sites: dict[int, list[_Located]] = defaultdict(list)
    for each in sorted(located, key=lambda one: one.plane.order):
        sites[each.site].append(each)
    same = 0
    turns: dict[int, list[_Located]] = defaultdict(list)
    for members in sites.values():
        different = _different(members)
        same += len(members) - len(different)
        for turn, each in enumerate(different):
            turns[turn].append(each)
    remarks = []
    if same:
        remarks.append(
            f"{same} pictures lie at the place of an equal one and are left out."
        )
    if len(turns) > 1:
        remarks.append(
            f"At some places lie up to {len(turns)} different pictures, and no "
            "attribute tells them apart: they were parted by acquisition and instance "
            "number."
        )
    several = len(turns) > 1
    return [
        (
            sorted(members, key=lambda each: each.place),
            ", ".join(
                filter(
                    None, (label, f"picture {turn + 1} at its place" if several else "")
                )
            ),
            tuple(remarks),
        )
        for turn, members in turns.items()
    ]


def _different(members: list[_Located]) -> list[_Located]:
    """Return pictures of one place without those equal to one before."""
    kept: list[tuple[_Located, npt.NDArray[Any]]] = []
    if len(members) == 1:
        return members
    for each in members:
        picture = each.plane.picture()
        meaning = (each.plane.slope, each.plane.intercept)
        if not any(
            meaning == (other.plane.slope, other.plane.intercept)
            and np.array_equal(picture, known)
            for other, known in kept
        ):
            kept.append((each, picture))
    return [each for each, _ in kept]
