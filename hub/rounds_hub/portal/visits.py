"""A visit: a request for a page, the house that answers, and who asks."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, Response

from rounds_hub.access.deps import HouseDep, PrincipalDep
from rounds_hub.access.principal import Principal
from rounds_hub.errors import NotSignedInError
from rounds_hub.house import House
from rounds_hub.portal.languages import Language
from rounds_hub.portal.rendering import go_to, language_for, page
from rounds_hub.runs import service as runs

if TYPE_CHECKING:
    from rounds_hub.access.signin import SignIn

__all__ = ["Visit", "VisitDep", "recognised"]


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a page by somebody who is signed in."""

    request: Request
    house: House
    principal: Principal

    @property
    def language(self) -> Language:
        """The language of the pages."""
        return language_for(self.request)

    @property
    def prefix(self) -> str:
        """The path of this service."""
        return cast("str", self.request.app.state.prefix)

    @property
    def partial(self) -> bool:
        """Whether htmx asks for a part of a page."""
        return self.request.headers.get("hx-request") == "true"

    def page(self, name: str, status: int = 200, /, **shown: object) -> HTMLResponse:
        """Return the page that the template *name* makes of what is *shown*."""
        return page(self.request, name, status, **shown)

    def go_to(self, path: str) -> Response:
        """Return the answer that sends the browser to the page *path*."""
        return go_to(self.request, path)

    def titles(self) -> dict[str, str]:
        """Return what each template is called in the visitor's language, by name."""
        known = runs.list_templates(self.house, self.principal)
        return {one.name: one.title(self.language.tag) for one in known}


async def recognised(request: Request) -> Principal | None:
    """Return who asks, or None for a stranger, for the pages that are open to all."""
    sign_in = cast("SignIn", request.app.state.sign_in)
    try:
        request.state.principal = await sign_in.identify(request)
    except NotSignedInError:
        return None
    return cast("Principal", request.state.principal)


def _visit(request: Request, house: HouseDep, principal: PrincipalDep) -> Visit:
    """Return the visit that *request* is."""
    return Visit(request, house, principal)


VisitDep = Annotated[Visit, Depends(_visit)]
