"""The index for a site: an Elasticsearch cluster that answers as SQLite does."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from elasticsearch import NotFoundError

from rounds_search.backends.elastic.answering import answer
from rounds_search.backends.elastic.asking import HEAD, Asking
from rounds_search.backends.elastic.connection import connect, translated
from rounds_search.backends.elastic.generations import Generations
from rounds_search.backends.elastic.schema import CASES, IMAGES
from rounds_search.backends.elastic.writing import key
from rounds_search.errors import (
    DimensionError,
    IndexBusyError,
    SearchError,
    UnknownEncoderError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rounds_search.backends.base import Entry, Health
    from rounds_search.backends.elastic.connection import Cluster
    from rounds_search.backends.elastic.state import State
    from rounds_search.documents import Answer, Delete, WriteReport
    from rounds_search.requests import Request

__all__ = ["ElasticBackend"]

# For so long a process believes what it knows of the indices of others.
KNOWN_SECONDS: Final = 1.0
PAUSE_SECONDS: Final = 0.2
TURNS: Final = 3
GRAPH_ABOVE: Final = 200_000


class ElasticBackend:
    """A search index in an Elasticsearch 9 cluster.

    A write is done when the cluster has it on disk and the next search sees it. One
    that is cut off half-way raises and may have been taken in part; the same write
    again makes it whole, and never brings back what is older.

    Parameters
    ----------
    cluster
        Where, and how to sign in.
    graph_above
        With more vectors of one encoder than this, nearest neighbours are found by a
        graph (``int8_hnsw``) instead of comparing all.
    patience
        Seconds that a write waits for a rebuild that puts its indices in place.
    head
        How many of the best documents of a question of words are put into the exact
        order of bm25; behind them it is Elasticsearch's own.

    Examples
    --------
    >>> from rounds_search.backends.elastic import Cluster
    >>> index = ElasticBackend(Cluster("http://localhost:9200", prefix="example"))
    >>> index.close()
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        graph_above: int = GRAPH_ABOVE,
        patience: float = 30.0,
        head: int = HEAD,
    ) -> None:
        """Remember where; nothing is asked yet."""
        self._client = connect(cluster)
        self._generations = Generations(self._client, cluster.prefix, graph_above)
        self._patience = patience
        self._head = head
        self._lock = threading.Lock()
        self._known: tuple[float, State] | None = None

    def ensure(self) -> None:
        """Make the index, or renew one of an older version from its own documents.

        Raises
        ------
        NewerIndexError
            A newer version of Rounds wrote it.
        """
        with translated(), self._lock:
            self._known = None
            self._generations.ensure()

    def write(
        self, documents: Iterable[Entry] = (), deletes: Iterable[Delete] = ()
    ) -> WriteReport:
        """Put *documents* in and take *deletes* out, durably."""
        entries = [*documents, *deletes]
        names = {key(entry.id): entry.id for entry in entries}
        deadline = time.monotonic() + self._patience
        while True:
            try:
                with translated(), self._lock:
                    report = self._generations.write(entries, self._state(fresh=True))
            except IndexBusyError:
                if time.monotonic() > deadline:
                    raise IndexBusyError(self._patience) from None
                time.sleep(PAUSE_SECONDS)
            else:
                self._known = None
                stale = tuple(names[one] for one in report.stale)
                return replace(report, stale=stale)

    def search(self, request: Request) -> Answer:
        """Return what *request* finds, for its audience only."""
        with translated():
            for turn in range(TURNS):
                state = self._state(fresh=turn > 0)
                try:
                    return answer(Asking(self._client, state, self._head), request)
                except (NotFoundError, UnknownEncoderError, DimensionError):
                    # A rebuild took the indices away, or another process brought an
                    # encoder: what is there now decides.
                    if turn and state == self._state(fresh=True):
                        raise
            state = self._state(fresh=True)
            return answer(Asking(self._client, state, self._head), request)

    def rebuild(self, documents: Iterable[Entry]) -> WriteReport:
        """Fill new indices with *documents* and put them in the place of the old ones.

        Searches go on in the old ones. When *documents* fails on the way, they stay.
        """
        with translated(), self._lock:
            self._known = None
            before = self._generations.there()
            return self._generations.fill(documents, before)

    def health(self) -> Health:
        """Return the index's size and whether the cluster answers."""
        try:
            with translated():
                return self._counted(self._state(fresh=True))
        except SearchError as error:
            return {"ok": False, "backend": "elasticsearch", "problem": str(error)}

    def close(self) -> None:
        """Free what is held; closing twice changes nothing."""
        self._client.close()

    def _state(self, *, fresh: bool = False) -> State:
        known = self._known
        if fresh or known is None or known[0] < time.monotonic():
            found = self._generations.current().checked()
            known = (time.monotonic() + KNOWN_SECONDS, found)
            self._known = known
        return known[1]

    def _counted(self, state: State) -> Health:
        there = {"term": {"gone": False}}
        cases = self._client.count(index=state.names[CASES], query=there)["count"]
        images = self._client.search(
            index=state.names[IMAGES],
            size=0,
            query=there,
            track_total_hits=True,
            aggs={"vectors": {"sum": {"field": "count"}}},
        )
        told = self._client.cluster.health(index=list(state.names.values()))
        return {
            "ok": told["status"] != "red",
            "backend": "elasticsearch",
            "version": str(self._client.info()["version"]["number"]),
            "schema": f"{state.schema[0]}.{state.schema[1]}",
            "status": str(told["status"]),
            "documents": int(cases),
            "pictures": int(images["hits"]["total"]["value"]),
            "vectors": int(images["aggregations"]["vectors"]["value"]),
            "graphs": len(state.graphs),
        }
