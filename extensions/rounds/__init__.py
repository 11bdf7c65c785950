"""Find, open, show and recompute cases from a notebook.

Examples
--------
::

    import rounds

    rounds.search("brain", modality="MR")
    case = rounds.open("t1-brain")
    case.show()
    rounds.run("brain_tissue", series=case.series[0]).measurements
"""

from __future__ import annotations

from typing import Any

from rounds.cases import Case, Series
from rounds.cases import open_case as open  # noqa: A004 - `rounds.open` is what people say
from rounds.errors import RoundsError
from rounds.hits import find, search
from rounds.job import job
from rounds.people import me
from rounds.runs import Run, run

__all__ = [
    "Case",
    "RoundsError",
    "Run",
    "Series",
    "explore",
    "find",
    "job",
    "me",
    "open",
    "run",
    "search",
]


def explore(words: str = "") -> Any:  # noqa: ANN401 - widgets have no types
    """Return a widget to search with: words, facets, a gallery, a region to draw.

    Examples
    --------
    ::

        found = rounds.explore("abscess")
        found            # search, look, draw; then
        found.case       # the case that was opened last
    """
    from rounds.finder import Finder  # noqa: PLC0415 - widgets take a while to import

    return Finder(words)
