"""A backend that knows a site's words and codes, and says what was perhaps meant."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rounds_search.corrections import corrections

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rounds_search.answers import Answer, WriteReport
    from rounds_search.backends.base import Backend, Entry, Health
    from rounds_search.documents import Delete
    from rounds_search.requests import Request
    from rounds_search.vocabulary import Shelf

__all__ = ["WordedBackend"]


class WordedBackend:
    """*backend*, asked with the words and codes of *shelf*."""

    def __init__(self, backend: Backend, shelf: Shelf) -> None:
        """Put the two together."""
        self._backend = backend
        self._shelf = shelf

    def ensure(self) -> None:
        """Make the index ready."""
        self._backend.ensure()

    def write(
        self, documents: Iterable[Entry] = (), deletes: Iterable[Delete] = ()
    ) -> WriteReport:
        """Put *documents* in and take *deletes* out, all or nothing."""
        return self._backend.write(documents, deletes)

    def search(self, request: Request) -> Answer:
        """Return what *request* finds, and, where not all its words do, corrections."""
        known = self._shelf.vocabulary()
        asked = known.widened(replace(request, known=known))
        answer = self._backend.search(asked)
        if not _may_be_misspelt(asked, answer):
            return answer
        told = corrections(asked, known.spellings, self._backend.search)
        return replace(answer, corrections=told)

    def rebuild(self, documents: Iterable[Entry]) -> WriteReport:
        """Fill a new index with *documents* and swap it in."""
        return self._backend.rebuild(documents)

    def health(self) -> Health:
        """Return whether the index answers and agrees with itself, and its size."""
        return self._backend.health()

    def close(self) -> None:
        """Free what is held."""
        self._backend.close()


def _may_be_misspelt(request: Request, answer: Answer) -> bool:
    if not request.text.strip() or request.after is not None or request.vectors:
        return False
    return answer.relaxed or answer.total == 0
