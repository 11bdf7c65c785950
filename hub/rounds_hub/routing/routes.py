"""The API of routes: write them, try them, see what they did."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from rounds_hub.access.deps import HouseDep, PrincipalDep
from rounds_hub.routing import arriving, firings, holding, names, service, trying
from rounds_hub.routing.matching import RouteRecord
from rounds_hub.routing.parsing import ConditionError, parse
from rounds_hub.routing.views import (
    ChangedRoute,
    ConditionModel,
    DryRunView,
    ExpectedModel,
    FiringView,
    HeldView,
    MoveModel,
    NameView,
    NewRoute,
    PreviewView,
    RouteModel,
    RouteView,
    SaidOfCondition,
    SwitchModel,
    TryModel,
    VersionView,
    dry_run_view,
    route_view,
)

__all__ = ["router"]

router = APIRouter(tags=["routes"])


@router.get("/api/routes")
def list_routes(
    house: HouseDep, principal: PrincipalDep, *, deleted: bool = False
) -> list[RouteView]:
    """Return the routes in their order with what they did, or the deleted ones."""
    found = service.list_routes(house, principal, deleted=deleted)
    return [route_view(one.route, one) for one in found]


@router.post("/api/routes", status_code=201)
def create_route(
    house: HouseDep, principal: PrincipalDep, asked: NewRoute
) -> RouteView:
    """Make a route, after all others."""
    made = service.create(house, principal, _draft(asked), enabled=asked.enabled)
    return route_view(made)


@router.post("/api/routes/check")
def check_condition(
    house: HouseDep, principal: PrincipalDep, asked: ConditionModel
) -> SaidOfCondition:
    """Say whether a condition can be read, and where not, why and where it stops."""
    with house.sessions.begin(write=False) as session:
        service.may_look(session, principal)
    try:
        parse(asked.condition)
    except ConditionError as error:
        return SaidOfCondition(
            readable=False, why=error.why, place=error.place, length=error.length
        )
    return SaidOfCondition(readable=True)


@router.get("/api/routes/names")
def list_names(
    house: HouseDep,
    principal: PrincipalDep,
    start: Annotated[str, Query(max_length=64)] = "",
) -> list[NameView]:
    """Return names for somebody who has written *start* so far."""
    with house.sessions.begin(write=False) as session:
        service.may_look(session, principal)
    return [NameView(**asdict(one)) for one in names.beginning_with(start)]


@router.post("/api/routes/preview")
def preview_condition(
    house: HouseDep, principal: PrincipalDep, asked: ConditionModel
) -> PreviewView:
    """Say for which of the newest series a condition is true; nothing is done."""
    found = trying.preview(house, principal, asked.condition)
    return PreviewView.model_validate(found)


@router.post("/api/routes/dry-run")
def dry_run(house: HouseDep, principal: PrincipalDep, asked: TryModel) -> DryRunView:
    """Say what would come of a series, route by route; nothing is done."""
    draft = None
    if asked.condition is not None:
        draft = RouteRecord("", "", "", asked.condition, (), True, 0, 0)  # noqa: FBT003 (a record)
    return dry_run_view(trying.dry_run(house, principal, asked.series, draft=draft))


@router.get("/api/routes/{route_id}")
def get_route(house: HouseDep, principal: PrincipalDep, route_id: str) -> RouteView:
    """Return a route, also a deleted one."""
    return route_view(service.get(house, principal, route_id))


@router.put("/api/routes/{route_id}")
def change_route(
    house: HouseDep, principal: PrincipalDep, route_id: str, asked: ChangedRoute
) -> RouteView:
    """Change a route that still stands at the version that was read."""
    changed = service.change(
        house, principal, route_id, _draft(asked), version=asked.version
    )
    return route_view(changed)


@router.delete("/api/routes/{route_id}")
def delete_route(house: HouseDep, principal: PrincipalDep, route_id: str) -> RouteView:
    """Put a route away; it can be brought back."""
    return route_view(service.delete(house, principal, route_id))


@router.post("/api/routes/{route_id}/undelete")
def undelete_route(
    house: HouseDep, principal: PrincipalDep, route_id: str
) -> RouteView:
    """Bring a deleted route back, switched off."""
    return route_view(service.undelete(house, principal, route_id))


@router.post("/api/routes/{route_id}/switch")
def switch_route(
    house: HouseDep, principal: PrincipalDep, route_id: str, asked: SwitchModel
) -> RouteView:
    """Switch a route on or off."""
    switched = service.switch(house, principal, route_id, enabled=asked.enabled)
    return route_view(switched)


@router.post("/api/routes/{route_id}/move")
def move_route(
    house: HouseDep, principal: PrincipalDep, route_id: str, asked: MoveModel
) -> list[RouteView]:
    """Put a route before another one, or at the end; return all in their order."""
    order = service.move(house, principal, route_id, before=asked.before)
    return [route_view(one) for one in order]


@router.get("/api/routes/{route_id}/versions")
def list_versions(
    house: HouseDep, principal: PrincipalDep, route_id: str
) -> list[VersionView]:
    """Return the versions of a route, the newest first."""
    found = service.history(house, principal, route_id)
    return [VersionView.model_validate(one) for one in found]


@router.post("/api/routes/{route_id}/versions/{version}/restore")
def restore_version(
    house: HouseDep, principal: PrincipalDep, route_id: str, version: int
) -> RouteView:
    """Make a route what it was in an older version, as a new one."""
    return route_view(service.restore_version(house, principal, route_id, version))


@router.get("/api/firings")
def list_firings(
    house: HouseDep,
    principal: PrincipalDep,
    route: Annotated[str, Query(max_length=64)] = "",
    series: Annotated[str, Query(max_length=64)] = "",
    limit: Annotated[int, Query(ge=1, le=firings.MOST_LISTED)] = 50,
) -> list[FiringView]:
    """Return what routes did, the newest first."""
    found = firings.list_firings(
        house, principal, route_id=route, series_uid=series, limit=limit
    )
    return [FiringView.model_validate(one) for one in found]


@router.post("/api/firings/{firing_id}/retry", status_code=204)
def retry_firing(house: HouseDep, principal: PrincipalDep, firing_id: int) -> None:
    """Do an action again that failed."""
    firings.retry(house, principal, firing_id)


@router.get("/api/held")
def list_held(house: HouseDep, principal: PrincipalDep) -> list[HeldView]:
    """Return the series that only administrators see."""
    return [HeldView.model_validate(one) for one in holding.list_held(house, principal)]


@router.post("/api/series/{uid}/hold", status_code=204)
def hold_series(house: HouseDep, principal: PrincipalDep, uid: str) -> None:
    """Hide a series from all but administrators."""
    holding.hold(house, principal, uid)


@router.post("/api/series/{uid}/release", status_code=204)
def release_series(house: HouseDep, principal: PrincipalDep, uid: str) -> None:
    """Let a held series be seen again."""
    holding.release(house, principal, uid)


@router.put("/api/series/{uid}/expected", status_code=204)
def expect_series(
    house: HouseDep, principal: PrincipalDep, uid: str, asked: ExpectedModel
) -> None:
    """Say how many instances a series will have; whoever brought it may."""
    arriving.expect_by(house, principal, uid, asked.instances)


def _draft(asked: RouteModel) -> service.Draft:
    """Return what was sent as a draft."""
    return service.Draft(asked.name, asked.condition, asked.actions, asked.note)
