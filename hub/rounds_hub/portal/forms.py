"""Read what a form sent, within bounds, before any of it is looked at."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from rounds_hub.errors import InvalidError

__all__ = ["FormDep", "many", "one", "upload", "uploads"]

MOST_FILES = 10_000
MOST_FIELDS = 2_000
MOST_IN_A_FIELD = 2**20


async def _form(request: Request) -> AsyncIterator[FormData]:
    """Give the fields of the form that *request* sends; its files end with it."""
    try:
        async with request.form(
            max_files=MOST_FILES,
            max_fields=MOST_FIELDS,
            max_part_size=MOST_IN_A_FIELD,
        ) as form:
            yield form
    except (MultiPartException, HTTPException) as error:
        msg = "The form did not come over whole; send it again."
        raise InvalidError(msg) from error


FormDep = Annotated[FormData, Depends(_form)]


def one(form: FormData, name: str, default: str = "") -> str:
    """Return the text of the field *name*, the last one where there are several.

    Examples
    --------
    >>> one(FormData([("title", "Brain")]), "title")
    'Brain'
    """
    found = form.get(name)
    return found if isinstance(found, str) else default


def many(form: FormData, name: str) -> list[str]:
    """Return the texts of all fields *name*, in the order of the page."""
    return [found for found in form.getlist(name) if isinstance(found, str)]


def upload(form: FormData, name: str) -> UploadFile | None:
    """Return the file of the field *name*, or None where none was chosen."""
    found = form.get(name)
    return found if isinstance(found, UploadFile) and found.filename else None


def uploads(form: FormData, name: str) -> list[UploadFile]:
    """Return the files of all fields *name*, in the order in which they came."""
    found = form.getlist(name)
    return [one for one in found if isinstance(one, UploadFile) and one.filename]
