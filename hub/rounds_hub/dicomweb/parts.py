"""Take a multipart/related body apart while it comes (RFC 2046, 5.1; RFC 2387)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from rounds_hub.errors import BadRequestError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DICOM", "Parts", "Sink", "parts_of"]

DICOM = "application/dicom"
MOST_HEADER = 8192
MOST_PARTS = 100_000
LONGEST_BOUNDARY = 200
"""RFC 2046 says 70; some senders do not."""


class Sink(Protocol):
    """What the parts of a body are given to."""

    def begin(self, kind: str) -> None:
        """Begin a part of media type *kind*, empty where none is named."""

    def write(self, piece: bytes) -> None:
        """Take a piece of the part."""

    def end(self) -> None:
        """End the part."""


class Parts(Protocol):
    """A body that is taken apart."""

    def write(self, piece: bytes) -> None:
        """Take the next piece of the body."""

    def finish(self) -> None:
        """End the body; raise BadRequestError if it was cut short."""


def parts_of(content_type: str, sink: Sink) -> Parts:
    """Return what takes a body of *content_type* apart and fills *sink*.

    Raises
    ------
    UnsupportedError
        If it is of a kind that is not taken; the sentence says which is.
    BadRequestError
        If its boundary is missing or cannot be one.
    """
    kind, options = parse_options_header(content_type)
    inner = options.get(b"type", DICOM.encode()).decode("latin-1").lower()
    if kind == DICOM.encode():
        return _Single(sink)
    if kind != b"multipart/related" or inner != DICOM:
        msg = (
            f'Send instances as multipart/related; type="{DICOM}", each a part, or a '
            f"single one as {DICOM}. Metadata with bulk data apart are not taken."
        )
        raise UnsupportedError(msg)
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= LONGEST_BOUNDARY or not boundary.isascii():
        msg = "The Content-Type of a multipart body must name its boundary."
        raise BadRequestError(msg)
    return _Several(boundary, sink)


class _Single:
    """A body that is one part."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._began = False

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        if not self._began:
            self._began = True
            self._sink.begin(DICOM)
        self._sink.write(piece)

    def finish(self) -> None:
        """End the part."""
        if not self._began:
            msg = "The body is empty."
            raise BadRequestError(msg)
        self._sink.end()


class _Several:
    """A body of many parts."""

    def __init__(self, boundary: bytes, sink: Sink) -> None:
        self._sink = sink
        self._name, self._value = bytearray(), bytearray()
        self._headers: dict[str, str] = {}
        self._count = 0
        self._inside = False
        self._ended = False
        self._parser = MultipartParser(boundary, self._callbacks())

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        if self._ended:
            return  # an epilogue has no meaning (RFC 2046, 5.1.1)
        try:
            self._parser.write(piece)
        except MultipartParseError as error:
            msg = (
                f"The body is not multipart as its boundary says, after "
                f"{self._count} parts: {_first_words(error)}"
            )
            raise BadRequestError(msg) from error

    def finish(self) -> None:
        """Make sure that the last boundary came."""
        if not self._ended or self._inside:
            msg = f"The body was cut short in or after part {self._count}."
            raise BadRequestError(msg)

    def _callbacks(self) -> Any:  # noqa: ANN401 (the parser's own typed dict)
        """Return what the parser calls."""
        calls: dict[str, Callable[..., None]] = {
            "on_part_begin": self._begin,
            "on_header_field": self._field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._all,
        }
        return calls

    def _begin(self) -> None:
        self._count += 1
        if self._count > MOST_PARTS:
            msg = f"A body has {MOST_PARTS} parts at most; send the rest in another."
            raise BadRequestError(msg)
        self._headers = {}
        self._inside = True

    def _field(self, data: bytes, start: int, end: int) -> None:
        _grow(self._name, data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        _grow(self._value, data[start:end])

    def _header_end(self) -> None:
        name = self._name.decode("latin-1").lower()
        self._headers[name] = self._value.decode("latin-1")
        self._name.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        kind, _ = parse_options_header(self._headers.get("content-type", ""))
        self._sink.begin(kind.decode("latin-1"))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._sink.write(data[start:end])

    def _end(self) -> None:
        self._inside = False
        self._sink.end()

    def _all(self) -> None:
        self._ended = True


def _grow(text: bytearray, more: bytes) -> None:
    """Add to a header, up to the limit."""
    if len(text) + len(more) > MOST_HEADER:
        msg = f"A header of a part has more than {MOST_HEADER} letters."
        raise BadRequestError(msg)
    text += more


def _first_words(error: MultipartParseError) -> str:
    """Return what is wrong, without the bytes that were sent."""
    return "a boundary or header stands where none can." if str(error) else ""
