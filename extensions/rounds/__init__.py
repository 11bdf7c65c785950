"""Find, open, show and recompute cases from a notebook.

Examples
--------
::

    import rounds

    rounds.find("brain", modality="MR")
    case = rounds.open("t1-brain")
    case.show()
    rounds.run("brain_tissue", series=case.series[0]).measurements
"""

from __future__ import annotations

from rounds.cases import Case, Series
from rounds.cases import open_case as open  # noqa: A004 - `rounds.open` is what people say
from rounds.errors import RoundsError
from rounds.hits import find
from rounds.job import job
from rounds.people import me
from rounds.runs import Run, run

__all__ = ["Case", "RoundsError", "Run", "Series", "find", "job", "me", "open", "run"]
