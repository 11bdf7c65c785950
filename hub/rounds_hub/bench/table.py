"""The rows of ``rounds bench``, and running them."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

from rounds_hub.bench.base import THREAD_VARIABLES, Row, run
from rounds_hub.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["ROWS", "run_rows"]

ROWS = {
    "series-read": "series_read",
    "first-picture": "first_picture",
    "header": "header_index",
    "import": "import_instances",
    "search": "search_cases",
    "knn": "knn",
    "knn-million": "knn_million",
    "hybrid": "hybrid",
    "index": "index_documents",
    "index-cluster": "index_cluster",
    "spawn": "spawn_server",
    "run": "run_notebook",
    "qido": "query_studies",
    "stow": "stow",
    "c-store": "c_store",
}


def run_rows(ids: Sequence[str] = (), *, quick: bool = False) -> Iterator[Row]:
    """Run the rows called *ids*, or all, and give each as it is done.

    Parameters
    ----------
    ids
        Keys of ``ROWS``; empty means all.
    quick
        Whether to do a small piece of the work, to see that the row runs.

    Raises
    ------
    NotFoundError
        If there is no row of that name.
    """
    for wanted in ids:
        if wanted not in ROWS:
            kind = "benchmark"
            raise NotFoundError(kind, wanted, known=ROWS)
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, str(os.cpu_count() or 1))
    for wanted in ids or ROWS:
        module = import_module(f"rounds_hub.bench.{ROWS[wanted]}")
        for race in module.races(quick=quick):
            yield run(race)
