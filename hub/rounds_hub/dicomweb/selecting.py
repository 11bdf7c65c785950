"""Find the instances that an address names, as far as the one who asks may see them."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request

from rounds_hub.access.deps import HouseDep, PrincipalDep
from rounds_hub.archive import decoding
from rounds_hub.archive.reading import (
    get_series,
    get_study,
    instances_of,
    open_instance,
)
from rounds_hub.errors import (
    BadRequestError,
    HubError,
    InvalidError,
    NotAcceptableError,
    NotFoundError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from rounds_hub.access.principal import Principal
    from rounds_hub.archive.layout import Layout
    from rounds_hub.archive.reading import SeriesRecord, StoredInstance
    from rounds_hub.house import House

__all__ = [
    "Place",
    "checked_uid",
    "instance_at",
    "instances_at",
    "layout_at",
    "path_of",
    "place_of",
    "series_at",
]

_UID = re.compile(r"[0-9.]{1,64}")
LAYOUTS = 256
_LAYOUTS: OrderedDict[str, Layout] = OrderedDict()
_LOOKING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Place:
    """Who asks for what: a study, a series of it, or an instance of that."""

    house: House
    principal: Principal
    study: str
    series: str = ""
    instance: str = ""

    @property
    def path(self) -> str:
        """What follows the address of DICOMweb."""
        parts = ("studies", self.study), ("series", self.series)
        every = (*parts, ("instances", self.instance))
        return "".join(f"/{level}/{uid}" for level, uid in every if uid)

    def at(self, one: StoredInstance) -> str:
        """Return the path of an instance at this place."""
        return f"/studies/{self.study}/series/{one.series_uid}/instances/{one.uid}"


def place_of(request: Request, house: HouseDep, principal: PrincipalDep) -> Place:
    """Return the place that the address of a request names.

    Raises
    ------
    BadRequestError
        If it names what is no UID.
    """
    named = request.path_params
    uids = [named.get(level, "") for level in ("study_uid", "series_uid", "sop_uid")]
    for uid in filter(None, uids):
        checked_uid(uid)
    return Place(house, principal, *uids)


def checked_uid(uid: str) -> str:
    """Return *uid* if it can be one.

    Raises
    ------
    BadRequestError
        If it cannot.
    """
    if not _UID.fullmatch(uid):
        msg = "A UID has up to 64 digits and dots."
        raise BadRequestError(msg)
    return uid


def series_at(place: Place) -> tuple[SeriesRecord, ...]:
    """Return the series at *place*: one, or those of the study that may be seen.

    Raises
    ------
    NotFoundError
        If there is nothing there that the principal may see.
    """
    if not place.series:
        return get_study(place.house, place.principal, place.study).series
    found = get_series(place.house, place.principal, place.series)
    if found.study_uid != place.study:
        kind = "series"
        raise NotFoundError(kind, place.series)
    return (found,)


def instances_at(place: Place) -> list[StoredInstance]:
    """Return the instances at *place*, series by series in the order of their numbers.

    Raises
    ------
    NotFoundError
        If there is nothing there that the principal may see.
    """
    if place.instance:
        return [instance_at(place)]
    every = (
        instances_of(place.house, place.principal, one.uid) for one in series_at(place)
    )
    return [instance for some in every for instance in some]


def instance_at(place: Place) -> StoredInstance:
    """Return the instance at *place*.

    Raises
    ------
    NotFoundError
        If there is none, none that the principal may see, or elsewhere.
    """
    series_at(place)
    found = open_instance(place.house, place.principal, place.instance)
    if found.series_uid != place.series:
        kind = "instance"
        raise NotFoundError(kind, place.instance)
    return found


def path_of(house: House, one: StoredInstance) -> Path:
    """Return the file of an instance.

    Raises
    ------
    HubError
        If its bytes are missing.
    """
    if not house.store.has(one.sha256, one.size):
        msg = "The bytes of an instance are missing; tell who runs the house."
        raise HubError(msg)
    return house.store.path(one.sha256)


def layout_at(place: Place, one: StoredInstance) -> Layout:
    """Return where the frames of an instance lie; the last few are remembered.

    Raises
    ------
    NotAcceptableError
        If it has no pixel data, or they cannot be read.
    """
    with _LOOKING:
        known = _LAYOUTS.get(one.sha256)
    if known is None:
        known = _looked(path_of(place.house, one))
        with _LOOKING:
            _LAYOUTS[one.sha256] = known
            while len(_LAYOUTS) > LAYOUTS:
                _LAYOUTS.popitem(last=False)
    return known


def _looked(path: Path) -> Layout:
    """Return the layout of a file, or say that there are no pictures in it."""
    try:
        found = decoding.layout(path)
    except InvalidError as error:
        raise NotAcceptableError(str(error)) from error
    if found is None:
        msg = "This instance has no pictures."
        raise NotAcceptableError(msg)
    return found
