"""``rounds eval text``: measure how well cases are found by what is known of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rounds_search.case_texts import checked_parts, rank_texts, read_cases
from rounds_search.meaning import MEANING, has_meaning
from rounds_search.retrieval import qualities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from rounds_search.retrieval import Quality, Ranking

    Told = Callable[[Iterator[Ranking]], Iterator[Ranking]]

__all__ = ["text_figures"]


def text_figures(
    gallery: Path, queries: Path, asked: Sequence[str], told: Told
) -> tuple[str, int, list[Quality]]:
    """Return what was asked with, how many queries there were, and the figures.

    Each ranking goes through *told* on its way. A case that is in both folders is
    never found by itself.

    Raises
    ------
    RequestError
        A folder has no cases, or *asked* names a text that cases have not.
    """
    parts = checked_parts(asked)
    known, questions = read_cases(gallery), read_cases(queries)
    found = list(told(rank_texts(known, questions, parts)))
    name = f"bm25 + {MEANING}" if has_meaning() else "bm25"
    return name, len(found), qualities(found, [case.labelled() for case in known])
