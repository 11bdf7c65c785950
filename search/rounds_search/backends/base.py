"""What every index does, whatever keeps it.

To add a backend: write a class with these six methods beside ``sqlite.py``, name it in
``open_backend``, and let a test class inherit ``rounds_search.testing.SearchContract``.
What a backend cannot do it refuses by name with ``UnsupportedError``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rounds_search.errors import UnsupportedError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rounds_search.documents import (
        Answer,
        Delete,
        Document,
        ImageDocument,
        WriteReport,
    )
    from rounds_search.requests import Request

__all__ = ["Backend", "open_backend"]

if TYPE_CHECKING:
    Entry = Document | ImageDocument
    Health = dict[str, str | int | float | bool]


class Backend(Protocol):
    """An index of cases and their pictures."""

    def ensure(self) -> None:
        """Make the index ready: create it, or rebuild one of an older schema.

        Raises
        ------
        NewerIndexError
            A newer version of Rounds wrote the index.
        """

    def write(
        self, documents: Iterable[Entry] = (), deletes: Iterable[Delete] = ()
    ) -> WriteReport:
        """Put *documents* in and take *deletes* out, all or nothing.

        What is older than the index has is left out and named in the report, so that
        writes may arrive twice or in any order. When this returns it is durable.
        """

    def search(self, request: Request) -> Answer:
        """Return what *request* finds, for its audience only.

        Raises
        ------
        RequestError
            The request names what the index has not.
        """

    def rebuild(self, documents: Iterable[Entry]) -> WriteReport:
        """Fill a new index with *documents* and swap it in; searches go on meanwhile.

        Writers wait. What was deleted stays deleted until a newer revision comes.
        """

    def health(self) -> Health:
        """Return whether the index answers and agrees with itself, and its size."""

    def close(self) -> None:
        """Free what is held; closing twice changes nothing."""


def open_backend(
    place: str | Path,
    *,
    api_key: str = "",
    certificates: str = "",
    prefix: str = "rounds",
) -> Backend:
    """Return the backend for *place*: a folder, ``sqlite:///folder`` or a cluster.

    As elsewhere, three slashes begin a relative folder and four an absolute one. A
    cluster of Elasticsearch has ``http://`` or ``https://`` addresses; the key, the
    certificates and the prefix are those of ``rounds_search.backends.elastic.Cluster``
    and mean nothing to a folder.

    Raises
    ------
    UnsupportedError
        *place* is the address of a server that no backend here speaks to.

    Examples
    --------
    >>> open_backend("http://localhost:9200").close()
    >>> open_backend("redis://localhost")
    Traceback (most recent call last):
    rounds_search.errors.UnsupportedError: No search backend for 'redis' addresses. ...
    """
    from rounds_search.backends.sqlite import SqliteBackend  # noqa: PLC0415 - a cycle

    scheme, separator, rest = str(place).partition("://")
    if not separator:
        return SqliteBackend(Path(place))
    if scheme == "sqlite" and len(rest) > 1 and rest.startswith("/"):
        return SqliteBackend(Path(rest[1:]))
    if scheme in {"http", "https"}:
        # Only who has a cluster waits for its client to be imported.
        from rounds_search.backends.elastic import (  # noqa: PLC0415
            Cluster,
            ElasticBackend,
        )

        return ElasticBackend(Cluster(str(place), api_key, certificates, prefix))
    msg = (
        f"No search backend for {shown(scheme)} addresses. Give a folder, "
        "'sqlite:///folder', or 'https://...' of Elasticsearch."
    )
    raise UnsupportedError(msg)
