"""Make, renew and replace the indices; a search finds the old ones or the new ones.

::

    rounds-cases   ─► rounds-cases-1a2b3c4d      both aliases move in one step
    rounds-images  ─► rounds-images-1a2b3c4d

What is written while a rebuild fills its indices goes into the old ones, and is carried
over before the aliases move, with the gravestones, so that nothing is lost and what was
deleted stays deleted.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from elasticsearch import BadRequestError

from rounds_search.backends.elastic.filling import Filling, add_encoders, make_graphs
from rounds_search.backends.elastic.reading import entry, scanned
from rounds_search.backends.elastic.schema import (
    CASES,
    IMAGES,
    SCHEMA,
    cases_mapping,
    images_mapping,
    settings,
)
from rounds_search.backends.elastic.state import State, aliases, look
from rounds_search.backends.elastic.writing import actions, check_dimensions, send
from rounds_search.documents import Delete, ImageDocument
from rounds_search.errors import IndexUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from elasticsearch import Elasticsearch

    from rounds_search.backends.base import Entry
    from rounds_search.documents import WriteReport

__all__ = ["Generations"]

FIRST: Final = "first"
EXISTS: Final = "resource_already_exists_exception"
MAPPINGS: Final = {CASES: cases_mapping, IMAGES: images_mapping}
# What a killed rebuild left behind goes away after a day.
LEFT_MS: Final = 24 * 3_600_000
MISSING: Final = 404


class Generations:
    """The indices of one prefix in one cluster.

    Parameters
    ----------
    graph_above
        With more vectors of one encoder than this, they are put into a graph.
    """

    def __init__(self, client: Elasticsearch, prefix: str, graph_above: int) -> None:
        """Remember where; nothing is asked yet."""
        self.client = client
        self.aliases = aliases(prefix)
        self.prefix = prefix
        self.graph_above = graph_above

    def current(self) -> State:
        """Return what the aliases lead to, whatever version wrote it.

        Raises
        ------
        IndexUnavailableError
            There is no index yet.
        """
        found = self.there()
        if found is None:
            msg = "There is no index yet. Make one with 'rounds index rebuild'."
            raise IndexUnavailableError(msg)
        return found

    def there(self) -> State | None:
        """Return what the aliases lead to, or None before the first ``ensure``."""
        return look(self.client, self.prefix)

    def ensure(self) -> None:
        """Make the indices, or renew older ones from their own documents."""
        found = self.there()
        if found is None:
            self._make_first()
            return
        # A rebuild that was killed at its end may have left them closed for writing.
        self._open_for_writing(found)
        if found.schema < SCHEMA:
            self.fill(self._entries(found), found)
        found.newer_refused()

    def write(self, entries: Sequence[Entry | Delete], known: State) -> WriteReport:
        """Write *entries*, so that the next search finds them."""
        new = check_dimensions(entries, known.dimensions)
        add_encoders(self.client, self.aliases[IMAGES], new)
        # Through the alias, which must be there: an index that a rebuild took away
        # would be made again by a write to its own name.
        report = send(self.client, actions(entries, self.aliases), require_alias=True)
        self.client.indices.refresh(index=list(self.aliases.values()))
        if any(isinstance(one, ImageDocument) for one in entries):
            dimensions = {**known.dimensions, **new}
            flat = {n: d for n, d in dimensions.items() if n not in known.graphs}
            make_graphs(self.client, self.aliases[IMAGES], flat, self.graph_above)
        return report

    def fill(self, entries: Iterable[Entry], before: State | None) -> WriteReport:
        """Fill new indices with *entries* and put them in the place of *before*."""
        self._forget_left()
        made = self._make()
        try:
            filling = Filling(self.client, made, self.graph_above)
            began = self._marks(before)
            if before is not None:
                # First, so that what was deleted is not written.
                for part, index in before.names.items():
                    filling.pour(self._since(part, index, None))
            report = filling.pour(entries)
            filling.end()
            self._put_in_place(filling, before, began)
        except BaseException:
            # Whoever called hears of it; the old indices are still in use.
            self._drop(made.values())
            raise
        return report

    def _make_first(self) -> None:
        """Make empty indices with their aliases; whoever comes second finds them."""
        for part in (IMAGES, CASES):
            alias = self.aliases[part]
            try:
                self.client.indices.create(
                    index=f"{alias}-{FIRST}",
                    settings=settings(filling=False),
                    mappings=MAPPINGS[part](),
                    aliases={alias: {}},
                )
            except BadRequestError as error:
                if EXISTS not in str(error):
                    raise

    def _make(self) -> dict[str, str]:
        mark = secrets.token_hex(4)
        names = {part: f"{alias}-{mark}" for part, alias in self.aliases.items()}
        for part, name in names.items():
            self.client.indices.create(
                index=name,
                settings=settings(filling=True),
                mappings=MAPPINGS[part](),
            )
        return names

    def _marks(self, before: State | None) -> dict[str, int]:
        """Return the number of the last write into each index of *before*."""
        marks = {}
        for part, index in before.names.items() if before else ():
            self.client.indices.refresh(index=index)
            told = self.client.search(
                index=index, size=0, aggs={"last": {"max": {"field": "_seq_no"}}}
            )
            last = told["aggregations"]["last"]["value"]
            marks[part] = -1 if last is None else int(last)
        return marks

    def _put_in_place(
        self, filling: Filling, before: State | None, began: Mapping[str, int]
    ) -> None:
        moves: list[dict[str, Any]] = [
            {"add": {"index": filling.names[part], "alias": alias}}
            for part, alias in self.aliases.items()
        ]
        if before is None:
            self.client.indices.update_aliases(actions=moves)
            return
        self._carry(filling, before, began)
        try:
            for index in before.names.values():
                self.client.indices.add_block(index=index, block="write")
            # What came between the last look and the block.
            self._carry(filling, before, began)
            moves += [{"remove_index": {"index": one}} for one in before.names.values()]
            self.client.indices.update_aliases(actions=moves)
        except BaseException:
            # Whoever called hears of it; the old indices take writes again.
            self._open_for_writing(before)
            raise

    def _carry(self, filling: Filling, before: State, began: Mapping[str, int]) -> None:
        """Pour in what came into *before* since *began*."""
        for part, index in before.names.items():
            self.client.indices.refresh(index=index)
            filling.pour(self._since(part, index, began[part]))
        filling.end()

    def _since(
        self, part: str, index: str, mark: int | None
    ) -> Iterable[Entry | Delete]:
        """Return what came after *mark*, or, without one, every gravestone."""
        wanted: dict[str, Any] = {"term": {"gone": True}}
        if mark is not None:
            wanted = {"range": {"_seq_no": {"gt": mark}}}
        return (entry(one, part) for one in scanned(self.client, index, wanted))

    def _entries(self, found: State) -> Iterable[Entry]:
        """Yield everything that a generation holds."""
        for part, index in found.names.items():
            for one in scanned(self.client, index, {"term": {"gone": False}}):
                made = entry(one, part)
                if not isinstance(made, Delete):
                    yield made

    def _forget_left(self) -> None:
        """Remove indices of ours that no alias has led to for a day."""
        now = time.time() * 1000
        for alias in self.aliases.values():
            found = self.client.indices.get(index=f"{alias}-*", allow_no_indices=True)
            left = [
                name
                for name, told in found.body.items()
                if not told["aliases"]
                and now - int(told["settings"]["index"]["creation_date"]) > LEFT_MS
            ]
            if left:
                self._drop(left)

    def _drop(self, names: Iterable[str]) -> None:
        self.client.indices.delete(index=list(names), ignore_unavailable=True)

    def _open_for_writing(self, state: State) -> None:
        self.client.options(ignore_status=MISSING).indices.put_settings(
            index=list(state.names.values()), settings={"index.blocks.write": None}
        )
