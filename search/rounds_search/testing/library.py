"""Documents, pictures and requests for tests, with what matters named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_search.documents import Document, ImageDocument
from rounds_search.requests import Request

if TYPE_CHECKING:
    import numpy.typing as npt

    from rounds_search.backends.base import Backend

__all__ = ["ENCODER", "EVERYONE", "ask", "axis", "case", "found", "pictures"]

EVERYONE: Final = frozenset({"everyone"})
ENCODER: Final = "contract-3"


def case(name: str, title: str = "A case", **changed: Any) -> Document:  # noqa: ANN401 - any field
    """Return a case that everyone may see, with fields *changed*."""
    known: dict[str, Any] = {
        "id": name,
        "kind": "case",
        "revision": 1,
        "title": title,
        "audience": EVERYONE,
    }
    return Document(**(known | changed))


def axis(number: int, size: int = 3) -> npt.NDArray[np.float32]:
    """Return the unit vector along *number*.

    Examples
    --------
    >>> axis(1).tolist()
    [0.0, 1.0, 0.0]
    """
    made = np.zeros(size, np.float32)
    made[number] = 1
    return made


def pictures(
    case_id: str,
    vectors: npt.ArrayLike,
    **changed: Any,  # noqa: ANN401 - any field
) -> ImageDocument:
    """Return the pictures of *case_id* that everyone may see, with fields *changed*."""
    known: dict[str, Any] = {
        "id": f"series-of-{case_id}:{ENCODER}",
        "case_ids": (case_id,),
        "revision": 1,
        "encoder": ENCODER,
        "vectors": np.atleast_2d(np.asarray(vectors, np.float32)),
        "audience": EVERYONE,
    }
    return ImageDocument(**(known | changed))


def ask(text: str = "", **changed: Any) -> Request:  # noqa: ANN401 - any field
    """Return a request of everyone for *text*, with fields *changed*."""
    return Request(**({"text": text, "audience": EVERYONE} | changed))


def found(index: Backend, request: Request) -> list[str]:
    """Return the ids of the hits, the best first."""
    return [hit.id for hit in index.search(request).hits]
