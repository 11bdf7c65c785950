"""The way to a cluster: one client with its retries, and what goes wrong in words."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from elasticsearch import (
    ApiError,
    AuthenticationException,
    AuthorizationException,
    Elasticsearch,
    TransportError,
)

from rounds_search.errors import (
    IndexBusyError,
    IndexUnavailableError,
    LimitError,
    SearchError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Cluster", "connect", "translated"]

PREFIX: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,50}")
PORTS: Final = {"http": 80, "https": 443}
# The cluster answers so while it starts, is overrun, or has no room on its disks.
AGAIN: Final = (429, 502, 503, 504)
RETRIES: Final = 3
BLOCKED: Final = "cluster_block_exception"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a cluster is, and how to speak to it.

    Parameters
    ----------
    url
        ``http://`` or ``https://`` addresses, one or several with commas between.
    api_key
        The key that signs in, as Elasticsearch encodes it; ``""``: none.
    certificates
        PEM file of who signs the cluster's certificate; ``""``: the machine's own.
    prefix
        What the names of our indices begin with, so that several houses can share
        a cluster.
    seconds
        How long one call may take.

    Raises
    ------
    LimitError
        *prefix* could not begin the name of an index.

    Examples
    --------
    >>> Cluster("http://localhost:9200").prefix
    'rounds'
    """

    url: str
    api_key: str = ""
    certificates: str = ""
    prefix: str = "rounds"
    seconds: float = 30.0

    def __post_init__(self) -> None:
        """Refuse a prefix that is no name."""
        if not PREFIX.fullmatch(self.prefix):
            allowed = "1 to 51 characters of a-z 0-9 _ -"
            what = "The prefix of indices"
            raise LimitError(what, self.prefix, allowed)


def connect(cluster: Cluster) -> Elasticsearch:
    """Return a client of *cluster*; nothing is sent yet.

    What may pass (429 and 5xx) is asked again by the client itself.
    """
    options: dict[str, Any] = {}
    if cluster.api_key:
        options["api_key"] = cluster.api_key
    if cluster.certificates:
        options["ca_certs"] = cluster.certificates
    return Elasticsearch(
        [_with_port(one.strip()) for one in cluster.url.split(",")],
        request_timeout=cluster.seconds,
        max_retries=RETRIES,
        retry_on_timeout=True,
        retry_on_status=AGAIN,
        **options,
    )


def _with_port(url: str) -> str:
    """Return *url* with the port that its scheme implies, which the client wants."""
    parts = urlsplit(url)
    if parts.port is not None or parts.scheme not in PORTS:
        return url
    port = PORTS[parts.scheme]
    return parts._replace(netloc=f"{parts.netloc}:{port}").geturl()


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the client says into the errors of this package.

    No address and no key gets into a message.
    """
    try:
        yield
    except (AuthenticationException, AuthorizationException) as error:
        if _kind(error) == BLOCKED:
            raise IndexBusyError(0) from error
        msg = "The search cluster refuses our key: see Rounds.search_api_key."
        raise IndexUnavailableError(msg) from error
    except ApiError as error:
        raise _answered(error) from error
    except TransportError as error:
        msg = f"The search cluster does not answer ({type(error).__name__})."
        raise IndexUnavailableError(msg) from error


def _answered(error: ApiError) -> SearchError:
    kind = _kind(error)
    if error.meta.status in AGAIN or kind == BLOCKED:
        return IndexUnavailableError(f"The search cluster cannot do it now ({kind}).")
    if kind == "index_not_found_exception":
        msg = "There is no index yet. Make one with 'rounds index rebuild'."
        return IndexUnavailableError(msg)
    return SearchError(f"The search cluster refused ({kind}).")


def _kind(error: ApiError) -> str:
    """Return the name that Elasticsearch gives to *error*."""
    body = error.body
    told = body.get("error") if isinstance(body, dict) else None
    kind = told.get("type") if isinstance(told, dict) else None
    return str(kind or error.meta.status)
