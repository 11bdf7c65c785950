"""Frames on their way out: packed as they are stored, or unpacked (PS3.18, 8.7.3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response, StreamingResponse

from rounds_hub.archive import decoding
from rounds_hub.archive.checking import DEFLATED, EXPLICIT_BIG
from rounds_hub.archive.pixels import NATIVE, VIDEO
from rounds_hub.archive.transcoding import ENCODED
from rounds_hub.dicomweb.answers import (
    CACHED,
    base_of,
    multipart,
    not_modified,
    tag_of,
)
from rounds_hub.dicomweb.instances import EXPLICIT
from rounds_hub.dicomweb.negotiation import accepted
from rounds_hub.dicomweb.selecting import layout_at, path_of
from rounds_hub.errors import InvalidError, NotAcceptableError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import Request

    from rounds_hub.archive.layout import Layout
    from rounds_hub.archive.reading import StoredInstance
    from rounds_hub.dicomweb.answers import Part
    from rounds_hub.dicomweb.negotiation import Accepted
    from rounds_hub.dicomweb.selecting import Place
    from rounds_hub.house import House

__all__ = ["KINDS", "Form", "Wanted", "answer_frames", "form_of"]

OCTETS = "application/octet-stream"
RLE, JPEG_LS, JPEG_2000 = (
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
)
_JPEG = "1.2.840.10008.1.2.4."
KINDS: dict[str, tuple[str, ...]] = {
    "image/dicom-rle": (RLE,),
    "image/x-dicom-rle": (RLE,),
    "image/jls": (JPEG_LS, f"{_JPEG}81"),
    "image/x-jls": (JPEG_LS, f"{_JPEG}81"),
    "image/jp2": (JPEG_2000, f"{_JPEG}91"),
    "image/jpx": (f"{_JPEG}92", f"{_JPEG}93"),
    "image/jpeg": (f"{_JPEG}70", f"{_JPEG}50", f"{_JPEG}51", f"{_JPEG}57"),
    "image/jphc": (f"{_JPEG}201", f"{_JPEG}202", f"{_JPEG}203"),
    "image/jxl": (f"{_JPEG}110", f"{_JPEG}111", f"{_JPEG}112"),
}
"""Media types of single frames, with their transfer syntaxes (PS3.18, 8.7.3.3.2)."""

PIECE = 2**20


@dataclass(frozen=True, slots=True)
class Wanted:
    """Frames of an instance, counted from 0; None: all of them."""

    instance: StoredInstance
    numbers: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Form:
    """How frames are given: media type, transfer syntax, one part or many."""

    kind: str
    syntax: str
    multipart: bool
    packed: bool
    """Whether frames leave as they are stored."""


def answer_frames(request: Request, place: Place, wanted: Wanted) -> Response:
    """Return the frames that are *wanted* in the form that is liked best.

    Raises
    ------
    NotFoundError
        If there is no such frame.
    NotAcceptableError
        If they cannot be given in any form that is accepted.
    """
    one = wanted.instance
    forms = accepted(request)
    layout = layout_at(place, one)
    numbers = wanted.numbers or tuple(range(layout.frames))
    beyond = [number for number in numbers if number >= layout.frames]
    if beyond:
        kind = "frame"
        raise NotFoundError(kind, str(beyond[0] + 1), [f"1 to {layout.frames}"])
    form = form_of(forms, one.transfer_syntax, single=len(numbers) == 1)
    tag = tag_of(one.sha256, form, numbers)
    known = not_modified(request, tag)
    if known is not None:
        return known
    giver = _Giver(place.house, one, layout, form)
    headers = {**CACHED, "ETag": tag}
    media_type = f"{form.kind}; transfer-syntax={form.syntax}"
    if not form.multipart:
        pieces = giver.pieces(numbers[0])
        return StreamingResponse(pieces, media_type=media_type, headers=headers)
    base = f"{base_of(request)}{place.path}/frames"
    return multipart(_parts(giver, numbers, base, media_type), form.kind, headers)


def _parts(
    giver: _Giver, numbers: tuple[int, ...], base: str, media_type: str
) -> Iterator[Part]:
    """Give a frame a part."""
    for number in numbers:
        headers = {
            "Content-Type": media_type,
            "Content-Location": f"{base}/{number + 1}",
        }
        yield headers, giver.pieces(number)


def form_of(every: list[Accepted], stored: str, *, single: bool) -> Form:
    """Return the form that is liked best for frames *stored* in a transfer syntax.

    Raises
    ------
    NotAcceptableError
        With what there is, where nothing fits.

    Examples
    --------
    >>> from rounds_hub.dicomweb.negotiation import parse
    >>> form_of(parse("image/jls"), "1.2.840.10008.1.2.1", single=True).syntax
    '1.2.840.10008.1.2.4.80'
    """
    as_stored_first = sorted(KINDS, key=lambda kind: stored not in KINDS[kind])
    for one in every:
        if one.multipart is False and not single:
            continue
        for kind in (OCTETS, *as_stored_first):
            syntax = _syntax(kind, one.syntax, stored) if one.allows(kind) else None
            if syntax is not None:
                packed = syntax == _unswapped(stored)
                return Form(kind, syntax, one.multipart is not False, packed)
    msg = (
        f"These frames are stored as {stored}. They are given as {OCTETS}, unpacked or "
        f"with transfer-syntax=*, and as image/jls, image/jp2 or image/dicom-rle; one "
        f"alone also without multipart/related. A video is only given as it is stored."
    )
    raise NotAcceptableError(msg)


def _unswapped(stored: str) -> str:
    """Return the syntax whose frames have the same bytes as those *stored*."""
    if stored == EXPLICIT_BIG:
        return ""
    return EXPLICIT if stored in NATIVE else stored


def _syntax(kind: str, asked: str, stored: str) -> str | None:
    """Return the syntax of frames given as *kind*, None where they are not."""
    same = _unswapped(stored)
    video = stored.startswith(VIDEO)
    if kind == OCTETS:
        if asked == "*":
            return same or EXPLICIT
        if asked in {stored, same} and asked:
            return same or EXPLICIT
        asked = asked or EXPLICIT
        return asked if not video and asked in {EXPLICIT, *ENCODED} else None
    fit = [one for one in KINDS[kind] if asked in {"", "*", one}]
    if stored in fit:
        return stored
    return next((one for one in fit if one in ENCODED and not video), None)


@dataclass(frozen=True, slots=True)
class _Giver:
    """Gives the frames of one instance in one form."""

    house: House
    instance: StoredInstance
    layout: Layout
    form: Form

    def pieces(self, number: int) -> Iterator[bytes]:
        """Return the bytes of a frame; what is wrong with it is said at once."""
        path = path_of(self.house, self.instance)
        try:
            if not self.form.packed:
                return iter((decoding.frame(path, number, self.form.syntax),))
            whole = self.layout.fragments is not None or self.layout.aligned
            if self.instance.transfer_syntax == DEFLATED or not whole:
                return iter((decoding.packed_frame(path, number),))
        except InvalidError as error:
            raise NotAcceptableError(str(error)) from error
        return self._from_file(number)

    def _from_file(self, number: int) -> Iterator[bytes]:
        """Give a frame from where it lies in the file."""
        with path_of(self.house, self.instance).open("rb") as file:
            for start, size in self.layout.parts(number):
                file.seek(start)
                left = size
                while left and (piece := file.read(min(left, PIECE))):
                    left -= len(piece)
                    yield piece
