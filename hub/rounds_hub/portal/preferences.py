"""The choices of a person that only their browser keeps: language and theme."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from rounds_hub.access.signin import refuse_cross_site, safe_next
from rounds_hub.portal.forms import FormDep, one
from rounds_hub.portal.languages import COOKIE, LANGUAGES
from rounds_hub.portal.rendering import THEME_COOKIE, THEMES

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

A_YEAR = 365 * 86_400
_SEE_OTHER = 303
_KEPT = {"language": (COOKIE, LANGUAGES), "theme": (THEME_COOKIE, THEMES)}


@router.post("/preferences")
def choose(request: Request, form: FormDep) -> Response:
    """Remember the chosen language or theme, and go back to where it was chosen."""
    refuse_cross_site(request)
    prefix = request.app.state.prefix
    where = safe_next(one(form, "next"), prefix)
    answer = RedirectResponse(where, status_code=_SEE_OTHER)
    for name, (cookie, known) in _KEPT.items():
        chosen = one(form, name)
        if chosen in known:
            answer.set_cookie(
                cookie, chosen, max_age=A_YEAR, path=prefix, samesite="lax"
            )
    return answer
