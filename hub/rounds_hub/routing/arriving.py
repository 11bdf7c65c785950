"""What senders say of what they send: how many instances, and that they have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rounds_hub.access.policy import Action, require, series_resource
from rounds_hub.archive.models import Series
from rounds_hub.archive.texts import clean
from rounds_hub.errors import NotFoundError
from rounds_hub.routing import noting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

__all__ = ["ended", "expect_by", "expect_of"]


def expect_by(house: House, principal: Principal, series_uid: str, count: int) -> None:
    """Note that *principal* says how many instances a series will have.

    Raises
    ------
    NotFoundError
        If there is no such series, or none that *principal* may see.
    ForbiddenError
        If they did not bring it and are no administrator.
    InvalidError
        If *count* is no number that a series can have.
    """
    with house.sessions.begin() as session:
        series = session.get(Series, series_uid[:64])
        if series is None:
            kind = "series"
            raise NotFoundError(kind, clean(series_uid)[:64])
        resource = series_resource(session, series)
        require(session, principal, Action.SERIES_EXPECT, resource)
        noting.expect(session, series.uid, count, principal.name)


def expect_of(
    house: House, principal: Principal, counts: Mapping[str, int], by: str
) -> None:
    """Note how many instances the series in *counts* will have, as *by* says.

    They may not have begun yet; series of others are passed over.
    """
    with house.sessions.begin() as session:
        for uid, count in counts.items():
            series = session.get(Series, uid)
            if series is None or series.owner == principal.name:
                noting.expect(session, uid, count, by)


def ended(house: House, series_uids: Iterable[str]) -> None:
    """Note that the association ended which brought instances of *series_uids*."""
    with house.sessions.begin() as session:
        noting.association_ended(session, series_uids)
