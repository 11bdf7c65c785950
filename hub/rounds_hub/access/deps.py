"""What route functions ask FastAPI for: the house, and who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Request

from rounds_hub.access.principal import Principal
from rounds_hub.house import House

if TYPE_CHECKING:
    from rounds_hub.access.signin import SignIn

__all__ = ["HouseDep", "PrincipalDep"]


async def _principal(request: Request) -> Principal:
    """Return who asks; changes from another site's pages are refused here."""
    sign_in = cast("SignIn", request.app.state.sign_in)
    found = await sign_in.identify(request)
    request.state.principal = found
    return found


async def _house(request: Request) -> House:
    """Return the house that the app was made for."""
    return cast("House", request.app.state.house)


PrincipalDep = Annotated[Principal, Depends(_principal)]
HouseDep = Annotated[House, Depends(_house)]
