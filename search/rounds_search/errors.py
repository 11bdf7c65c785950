"""What can go wrong in a search, and with which HTTP status.

SearchError                     500
├── RequestError                400
│   ├── UnknownFieldError       400
│   ├── LimitError              400
│   ├── CursorError             400
│   ├── UnknownEncoderError     400
│   ├── UnlikePictureError      400
│   ├── TableError              400
│   └── DimensionError          400
├── UnknownDocumentError        404
├── UnsupportedError            501
├── EncoderError                500
├── IndexUnavailableError       503
│   └── IndexBusyError          503
├── NewerIndexError             500
└── DamagedIndexError           500
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CursorError",
    "DamagedIndexError",
    "DimensionError",
    "EncoderError",
    "IndexBusyError",
    "IndexUnavailableError",
    "LimitError",
    "NewerIndexError",
    "RequestError",
    "SearchError",
    "TableError",
    "UnknownDocumentError",
    "UnknownEncoderError",
    "UnknownFieldError",
    "UnlikePictureError",
    "UnsupportedError",
]

SHOWN = 60


def shown(value: object) -> str:
    """Return *value* for a message, cut to a length that fits a line.

    Examples
    --------
    >>> shown("lung")
    "'lung'"
    """
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


class SearchError(Exception):
    """Anything that the search room tells its callers went wrong."""

    status: ClassVar[int] = 500


class RequestError(SearchError):
    """The request cannot be answered as it stands."""

    status = 400


class UnknownFieldError(RequestError):
    """A name in the request is none that the index has."""

    def __init__(self, what: str, name: object, known: Iterable[str]) -> None:
        """Name *what* was wrong and the names that exist."""
        super().__init__(f"No {what} {shown(name)}. Known: {', '.join(sorted(known))}.")


class LimitError(RequestError):
    """Something is larger, smaller or longer than a request may have it."""

    def __init__(self, what: str, value: object, allowed: str) -> None:
        """Say *what* has which *value*, and what is *allowed*."""
        super().__init__(f"{what} must be {allowed}, got {shown(value)}.")


class TableError(RequestError):
    """A table of codes, or a file of synonyms, is not in a form that is known."""


class CursorError(RequestError):
    """The place to go on after is not one that an answer gave out."""

    def __init__(self) -> None:
        """Say what to do instead; the cursor itself means nothing to people."""
        super().__init__(
            "This 'after' does not belong to this search. Start again without it."
        )


class UnknownEncoderError(RequestError):
    """No picture was indexed with the encoder that was asked for."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        """Name the encoder that is missing and the ones that exist."""
        names = ", ".join(sorted(known)) or "none yet"
        super().__init__(f"No encoder {shown(name)}. Known: {names}.")


class DimensionError(RequestError):
    """A vector has another length than its encoder makes."""

    def __init__(self, encoder: str, got: int, wanted: int) -> None:
        """Give both lengths."""
        super().__init__(
            f"A vector of {encoder!r} has {wanted} numbers, got one of {got}."
        )


class UnlikePictureError(RequestError):
    """A picture is unlike everything that an encoder was made or trained for."""

    def __init__(self, encoder: str, distance: float, limit: float) -> None:
        """Say how far away the picture is, and how far away one may be."""
        self.distance, self.limit = distance, limit
        super().__init__(
            "The picture is unlike every medical image that is known here "
            f"({encoder}: distance {distance:.2f}, at most {limit:.2f}). Ask with a "
            "slice of a study, without other things around it."
        )


class UnknownDocumentError(SearchError):
    """The asker can see no document of this name."""

    status = 404

    def __init__(self, name: str) -> None:
        """Say the same whether it is missing or hidden."""
        super().__init__(f"No document {shown(name)}.")


class UnsupportedError(SearchError):
    """A backend was asked for what it cannot do."""

    status = 501


class EncoderError(SearchError):
    """The folder of an encoder cannot be used; the message says what is wrong."""


class IndexUnavailableError(SearchError):
    """The index cannot be reached now."""

    status = 503


class IndexBusyError(IndexUnavailableError):
    """Another writer holds the index."""

    def __init__(self, seconds: float) -> None:
        """Say how long was waited."""
        super().__init__(
            f"Another writer kept the index for {seconds:g} s. Try again later."
        )


class NewerIndexError(SearchError):
    """The index was written by a newer version of Rounds."""

    def __init__(self, found: str, known: str) -> None:
        """Give both schema numbers."""
        super().__init__(
            f"The index has schema {found}, this version reads {known}. "
            "Update Rounds, or rebuild the index from the catalogue."
        )


class DamagedIndexError(SearchError):
    """The index contradicts itself."""

    def __init__(self, finding: str) -> None:
        """Say what was found, and that a rebuild repairs it."""
        super().__init__(f"{finding} Rebuild the index from the catalogue.")


def require(condition: bool, what: str, value: object, allowed: str) -> None:  # noqa: FBT001 - an assertion
    """Refuse *value* of *what* unless *condition* holds.

    Raises
    ------
    LimitError
        It does not; the message says what is *allowed*.

    Examples
    --------
    >>> require(3 < 2, "size", 3, "less than 2")
    Traceback (most recent call last):
    rounds_search.errors.LimitError: size must be less than 2, got 3.
    """
    if not condition:
        raise LimitError(what, value, allowed)


def check_known(what: str, name: object, known: Iterable[str]) -> None:
    """Refuse a *name* that is none of *known*.

    Raises
    ------
    UnknownFieldError
        The message names *what* it should have been, and all that exist.
    """
    names = tuple(known)
    if name not in names:
        raise UnknownFieldError(what, name, names)


def well_formed(text: str) -> str:
    """Return *text* with halves of surrogate pairs, which are no text, as ``?``.

    Examples
    --------
    >>> well_formed("lung" + chr(0xD800))
    'lung?'
    """
    return text.encode("utf-8", "replace").decode("utf-8")


def check_tuple(what: str, value: object, most: int) -> None:
    """Refuse a *value* that is no tuple or longer than *most*.

    Raises
    ------
    LimitError
        Most often a string was given where a tuple of strings is meant.
    """
    fits = isinstance(value, tuple | list) and len(value) <= most
    require(fits, what, value, f"a tuple of at most {most}")


def check_audience(value: object, most: int) -> None:
    """Refuse an audience that is no frozenset, or a huge one.

    Raises
    ------
    TypeError
        It is another type: a mistake of the caller, not of the asker.
    """
    if not isinstance(value, frozenset):
        msg = f"audience must be a frozenset of strings, got {type(value).__name__}."
        raise TypeError(msg)
    require(len(value) <= most, "The size of an audience", len(value), f"up to {most}")
