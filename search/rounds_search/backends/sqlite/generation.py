"""One generation, open for reading by many threads at once."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from rounds_search.backends.sqlite.answering import View
from rounds_search.backends.sqlite.columns import Snapshot, refreshed
from rounds_search.backends.sqlite.scanning import Sidecar
from rounds_search.backends.sqlite.schema import SCHEMA, connect, schema_of
from rounds_search.errors import IndexUnavailableError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Generation"]


class Generation:
    """Reads one generation; connections are lent to one search at a time."""

    def __init__(self, folder: Path) -> None:
        """Open *folder*.

        Raises
        ------
        IndexUnavailableError
            An older version of Rounds wrote it; ``ensure`` makes it new.
        NewerIndexError
            A newer version wrote it.
        """
        self.folder = folder
        self._lock = threading.Lock()
        self._free: list[sqlite3.Connection] = []
        self._retired = False
        self._snapshot = Snapshot()
        self._mapped: dict[str, Sidecar] = {}
        with closing(connect(folder, write=False)) as connection:
            found = schema_of(connection)
        if found != SCHEMA:
            msg = "The index is of an older version: restart Rounds to renew it."
            raise IndexUnavailableError(msg)

    @contextmanager
    def view(self) -> Iterator[View]:
        """Lend one moment of the index, the newest there is."""
        connection, snapshot = self._begin()
        try:
            yield View(connection, snapshot, lambda name: self._sidecar(snapshot, name))
        finally:
            connection.execute("ROLLBACK")
            with self._lock:
                if self._retired:
                    connection.close()
                else:
                    self._free.append(connection)

    def retire(self) -> None:
        """Close what is free now, and the rest when its searches end."""
        with self._lock:
            self._retired = True
            while self._free:
                self._free.pop().close()
            self._mapped.clear()

    def _begin(self) -> tuple[sqlite3.Connection, Snapshot]:
        # Inside the lock no later transaction can have been taken up before this one,
        # so that the snapshot and what the connection reads are the same moment.
        with self._lock:
            connection = (
                self._free.pop() if self._free else connect(self.folder, write=False)
            )
            try:
                connection.execute("BEGIN")
                self._snapshot = refreshed(self._snapshot, connection)
            except BaseException:
                connection.close()
                raise
            return connection, self._snapshot

    def _sidecar(self, snapshot: Snapshot, encoder: str) -> Sidecar:
        stand = snapshot.encoders[encoder]
        with self._lock:
            found = self._mapped.get(encoder)
            if found is None or found.stand != stand:
                found = Sidecar.of(self.folder, stand, found)
                if snapshot is self._snapshot:
                    self._mapped[encoder] = found
        return found
