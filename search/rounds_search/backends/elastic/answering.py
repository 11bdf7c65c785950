"""Answer a request from one generation of a cluster's indices.

Permission comes first: it is a filter of every query and inside every clause of nearest
neighbours, and each document that is shown is read once more and checked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rounds_search.backends.elastic import fused, listed
from rounds_search.backends.elastic.asked import Asked
from rounds_search.cursors import write_cursor
from rounds_search.documents import Answer, Hit
from rounds_search.highlights import highlights
from rounds_search.suggestions import suggestions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rounds_search.backends.elastic.asking import Asking
    from rounds_search.backends.elastic.pages import Page
    from rounds_search.documents import Document, Pair
    from rounds_search.requests import Request

    Led = Mapping[str, Mapping[str, tuple[str, tuple[Pair, ...]]]]

__all__ = ["answer"]


def answer(asking: Asking, request: Request) -> Answer:
    """Return what *request* finds."""
    asked = Asked(asking, request)
    page = (fused if request.vectors else listed).page(asked)
    wanted = list(dict.fromkeys([*page.ids, *page.first]))
    documents = asking.documents(wanted, request.audience)
    shown = [name for name in page.ids if name in documents]
    led = {
        one.leg.name: one.led(shown, request.where)
        for one in (asked.legs if request.vectors else ())
    }
    titles = [documents[name].title for name in page.first if name in documents]
    return Answer(
        hits=tuple(_hit(asked, page, documents[name], led) for name in shown),
        total=page.total,
        facets=page.facets,
        after=write_cursor(page.after) if page.after else None,
        suggestions=suggestions(request.prefix, titles) if titles else (),
        expansions=asked.query.expansions(),
        relaxed=page.relaxed,
    )


def _hit(asked: Asked, page: Page, document: Document, led: Led) -> Hit:
    name = document.id
    found = {leg: by_id[name] for leg, by_id in led.items() if name in by_id}
    return Hit(
        id=name,
        score=page.scores.get(name, 0.0),
        document=document,
        ranks={leg: at[name] for leg, at in page.ranks.items() if name in at},
        highlights=_highlights(asked, document, relaxed=page.relaxed),
        pictures={leg: picture for leg, (picture, _) in found.items()},
        pairs={leg: pairs for leg, (_, pairs) in found.items()},
    )


def _highlights(asked: Asked, document: Document, *, relaxed: bool) -> dict[str, str]:
    if not (asked.request.highlight and asked.query):
        return {}
    marked = asked.query.marked(relaxed=relaxed)
    return highlights(document.fields(), marked, asked.query.begun())
