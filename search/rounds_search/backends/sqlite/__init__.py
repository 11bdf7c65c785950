"""SQLite's FTS5 for words and memory-mapped vectors for pictures, in one folder."""

from rounds_search.backends.sqlite.backend import SqliteBackend

__all__ = ["SqliteBackend"]
