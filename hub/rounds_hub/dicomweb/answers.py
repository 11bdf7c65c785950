"""What the answers of DICOMweb have in common: errors, tags, keeping, multipart."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response, StreamingResponse

from rounds_hub.errors import BadRequestError, InvalidError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator

    from starlette.requests import Request

__all__ = [
    "CACHED",
    "DicomwebRoute",
    "Part",
    "base_of",
    "multipart",
    "not_modified",
    "tag_of",
    "warned",
]

CACHED = {
    "Cache-Control": "private, max-age=0, must-revalidate",
    "Vary": "Cookie, Authorization, Accept",
}
Part = tuple[dict[str, str], "Iterable[bytes]"]
"""The headers of a part, and its bytes."""


class DicomwebRoute(APIRoute):
    """Says 400 where PS3.18 (8.5) wants it: for what cannot be understood."""

    def get_route_handler(
        self,
    ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with its errors put into DICOMweb's words."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await inner(request)
            except RequestValidationError as error:
                places = (".".join(map(str, one["loc"][1:])) for one in error.errors())
                msg = f"Not understood: {', '.join(sorted(places))}."
                raise BadRequestError(msg) from error
            except InvalidError as error:
                raise BadRequestError(str(error)) from error

        return handle


def base_of(request: Request) -> str:
    """Return the address of DICOMweb as who asks knows it, without a slash after it."""
    prefix = str(request.app.state.prefix)
    return f"{request.url.scheme}://{request.url.netloc}{prefix}dicomweb"


def tag_of(*said: object) -> str:
    """Return an entity tag (RFC 9110, 8.8.3) that changes when any of *said* does."""
    words = "\n".join(map(str, said)).encode()
    return f'"{hashlib.sha256(words).hexdigest()[:32]}"'


def not_modified(request: Request, tag: str) -> Response | None:
    """Return 304 if who asks has what *tag* names (RFC 9110, 13.1.2), else None."""
    known = request.headers.get("if-none-match", "").split(",")
    if tag not in {one.strip().removeprefix("W/") for one in known}:
        return None
    return Response(status_code=304, headers={**CACHED, "ETag": tag})


def warned(text: str) -> dict[str, str]:
    """Return the header that tells what was passed over (PS3.18, 8.4.2)."""
    return {"Warning": f'299 rounds "{text}"'} if text else {}


def multipart(
    parts: Iterable[Part], kind: str, headers: dict[str, str], status: int = 200
) -> Response:
    """Return *parts* as multipart/related (RFC 2387), while they come.

    The first part is made before the answer begins, so that what is wrong with it is
    an error of its own; what goes wrong later cuts the answer short.
    """
    boundary = secrets.token_hex(16)
    body = _written(iter(parts), boundary)
    first = next(body)
    media_type = f'multipart/related; type="{kind}"; boundary={boundary}'

    def all_of_it() -> Iterator[bytes]:
        yield first
        yield from body

    return StreamingResponse(
        all_of_it(), status_code=status, headers=headers, media_type=media_type
    )


def _written(parts: Iterator[Part], boundary: str) -> Iterator[bytes]:
    """Give the bytes of a multipart body (RFC 2046, 5.1.1)."""
    before = ""
    for headers, content in parts:
        said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        yield f"{before}--{boundary}\r\n{said}\r\n".encode()
        yield from content
        before = "\r\n"
    yield f"{before}--{boundary}--\r\n".encode()
