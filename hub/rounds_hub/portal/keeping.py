"""A search of the page as the API says it, and back: so it is kept and opened again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rounds_hub.cases.searchmodels import SearchRequest
from rounds_hub.errors import InvalidError
from rounds_hub.portal.looking import Looking

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["looking_of", "request_of"]


def request_of(looking: Looking, language: str) -> SearchRequest:
    """Return *looking* as ``POST api/search`` takes it.

    Raises
    ------
    InvalidError
        If it asks with a picture that was sent, or something of it cannot be asked.

    Examples
    --------
    >>> request_of(Looking("lung", {"modality": ("CT",)}), "en").where
    {'modality': ['CT']}
    """
    if not looking.kept:
        msg = (
            "A picture that was sent is not kept, so it cannot be asked with again. "
            "Ask by a case, a series, a slice or a region."
        )
        raise InvalidError(msg, {"picture": msg})
    question = looking.question(language, None)
    said: dict[str, Any] = {
        "text": question.text,
        "where": {name: list(values) for name, values in question.where.items()},
        "like": _example(looking),
        "without": list(question.without),
        "leave_out": sorted(question.leave_out),
        "lean": question.lean,
        "sort": question.sort,
        "language": language,
    }
    return SearchRequest.model_validate(said)


def looking_of(request: Mapping[str, Any]) -> Looking:
    """Return what the page looks for when it opens a search that was kept.

    Of several examples it is the first, and of a polygon the rectangle around it.

    Examples
    --------
    >>> looking_of({"text": "lung", "like": [{"kind": "case", "case_id": "c1"}]}).query
    'q=lung&like=c1'
    """
    asked = SearchRequest.model_validate(request)
    question = asked.question()
    first = next(iter(question.like), None)
    box = first.region.box if first and first.region else ()
    number = first.slice if first else None
    return Looking(
        text=question.text,
        where=dict(question.where),
        sort=question.sort,
        without=question.without,
        like=first.case_id if first else "",
        series=first.series_uid if first else "",
        slice="" if number is None else str(number),
        region=",".join(f"{edge:g}" for edge in box),
        lean=question.lean,
        leave_out=tuple(sorted(question.leave_out)),
    )


def _example(looking: Looking) -> list[dict[str, Any]]:
    """Return the picture that is asked with as the API says it."""
    example = looking.example
    if example is None:
        return []
    said: dict[str, Any] = {"kind": example.kind}
    if example.case_id:
        return [said | {"case_id": example.case_id}]
    said |= {"series_uid": example.series_uid}
    if example.slice is not None:
        said |= {"slice": example.slice}
    if example.region is not None:
        edges = zip(("left", "top", "right", "bottom"), example.region.box, strict=True)
        said |= {"rectangle": dict(edges)}
    return [said]
