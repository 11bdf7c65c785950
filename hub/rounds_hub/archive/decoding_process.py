"""The process behind :mod:`decoding`: it reads what may be built to do harm.

A message is its length in eight bytes and its bytes. A request is JSON: the name of a
job and what it takes. An answer is JSON with its own length before it, then bytes.
The process has none of the house's secrets, takes no more memory than a job may, ends
itself when a job takes too long, and ends when nobody can ask it any more.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pydicom.config
from pydicom import dcmread

from rounds_hub.archive import budget
from rounds_hub.archive.jsonmodel import metadata, write_bulk
from rounds_hub.archive.layout import layout_of
from rounds_hub.archive.reencoding import reencode
from rounds_hub.archive.rendering import Drawing, draw
from rounds_hub.archive.transcoding import encode_frame, refuse_target, transcode
from rounds_hub.archive.unpacking import open_image
from rounds_hub.cases.pictures import read_picture
from rounds_hub.errors import HubError, InvalidError, NotFoundError, TooLargeError
from rounds_kernels import isolated, isolated_decoder, pictures
from rounds_kernels.errors import KernelError, SeriesTooLargeError
from rounds_kernels.volumes import open_volume, read_series, read_stacks, write_volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydicom import Dataset

__all__ = ["JOBS", "WAITING", "answer", "serve"]

WAITING = 3
"""How often longer than it may compute a job may take: others want the machine, too."""

LENGTH = struct.Struct("<Q")
DECODERS = ("openjpeg", "jpeg_ls", "openjpeg.utils", "PIL.JpegImagePlugin")
STRAYS = "It is damaged, or was built to do harm: it cannot be read."
HEAVY = "It needs more memory than one job may take."

Answer = tuple[Any, bytes]


def _layout(path: str) -> Answer:
    """Return where the frames lie."""
    budget.allow(Path(path).stat().st_size + 2**31)
    found = layout_of(Path(path))
    return (None if found is None else found.described()), b""


def _frame(path: str, number: int, syntax: str) -> Answer:
    """Return one frame in another transfer syntax."""
    refuse_target(syntax)
    with open_image(Path(path)) as image:
        return None, encode_frame(image, number, syntax)


def _packed(path: str, number: int) -> Answer:
    """Return a frame of a deflated data set, or one that begins inside a byte."""
    with open_image(Path(path)) as image:
        if image.layout.fragments is None and not image.layout.aligned:
            return None, bytes(image.single(number).PixelData)
        return None, image.packed(number)


def _transcode(path: str, syntax: str, target: str) -> Answer:
    """Write an instance in another transfer syntax."""
    transcode(Path(path), syntax, Path(target))
    return None, b""


def _reencode(path: str, syntax: str, target: str) -> Answer:
    """Write an instance with its pixels encoded, if that is proved to be the same."""
    budget.allow(8 * Path(path).stat().st_size + 2**30)
    return reencode(Path(path), syntax, Path(target)), b""


def _metadata(path: str) -> Answer:
    """Return what an instance says of itself, as JSON."""
    return None, metadata(Path(path))


def _bulk(path: str, place: str, target: str) -> Answer:
    """Write one large value to a file."""
    write_bulk(Path(path), place, Path(target))
    return None, b""


def _draw(path: str, number: int, drawing: dict[str, Any]) -> Answer:
    """Return one frame as a picture."""
    for name in ("window", "size", "region"):
        if drawing[name] is not None:
            drawing[name] = tuple(drawing[name])
    with open_image(Path(path)) as image:
        return None, draw(image, number, Drawing(**drawing))


def _thumbnail(path: str, size: int, limit: int) -> Answer:
    """Return a small picture of one instance."""
    budget.allow(2 * Path(path).stat().st_size + 2**30)
    drawn = pictures.thumbnail(read_series([Path(path)], limit=limit), size)
    return list(drawn.shape), np.ascontiguousarray(drawn).tobytes()


def _raster(path: str) -> Answer:
    """Return the grey values of a PNG or JPEG."""
    budget.allow(2**30)
    grey = read_picture(Path(path).read_bytes())
    return list(grey.shape), np.ascontiguousarray(grey, np.float32).tobytes()


def _volumes(paths: list[str], folder: str, limit: int) -> Answer:
    """Write the volumes of a series as the cache has them."""
    budget.allow(4 * limit + 2**30)
    where = Path(folder)
    stacks = read_stacks([Path(path) for path in paths], limit=limit)
    for number, stack in enumerate(stacks):
        write_volume(stack, where / "stacks" / str(number) if number else where)
    return len(stacks), b""


def _labels(path: str, folder: str) -> Answer:
    """Return which segment each voxel of the volume in *folder* belongs to."""
    # The client's own way to lay segments on a grid; its import is for this alone.
    from rounds.errors import RoundsError  # noqa: PLC0415
    from rounds.segmentations import segmentation_on  # noqa: PLC0415

    budget.allow(budget.CEILING)
    volume = open_volume(Path(folder))
    try:
        found = segmentation_on(_spread(dcmread(path)), volume).labels
    except RoundsError as error:
        raise InvalidError(str(error)) from error
    labels = np.ascontiguousarray(found, np.uint8)
    return list(labels.shape), labels.tobytes()


def _spread(read: Dataset) -> Dataset:
    """Give each frame the functional groups that all share (PS3.3, C.7.6.16.1.1)."""
    shared = (read.get("SharedFunctionalGroupsSequence") or [()])[0]
    for own in read.PerFrameFunctionalGroupsSequence:
        for element in shared:
            if element.tag not in own:
                own.add(element)
    return read


JOBS: dict[str, Callable[..., Answer]] = {
    "layout": _layout,
    "frame": _frame,
    "packed": _packed,
    "transcode": _transcode,
    "reencode": _reencode,
    "metadata": _metadata,
    "bulk": _bulk,
    "draw": _draw,
    "thumbnail": _thumbnail,
    "raster": _raster,
    "volumes": _volumes,
    "labels": _labels,
}


def answer(request: bytes) -> bytes:
    """Return the answer to one *request*, whatever comes of it."""
    try:
        asked = json.loads(request)
        _give(float(asked["seconds"]))
        budget.allow(0)
        said, content = JOBS[asked["job"]](**asked["given"])
    except Exception as error:  # noqa: BLE001 (who asked is told, and logs the kind)
        return _message(_told(error))
    else:
        return _message({"said": said}) + content
    finally:
        _give(0)


def _give(seconds: float) -> None:
    """Let the process compute for so long, and wait as often on top; 0: for ever."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, WAITING * seconds)


def _told(error: Exception) -> dict[str, Any]:
    """Return what is said of *error*: our own sentences, and no other ones."""
    told: dict[str, Any] = {"error": STRAYS, "status": InvalidError.status}
    if isinstance(error, NotFoundError):
        told["missing"] = [error.kind, error.name]
    elif isinstance(error, HubError):
        told |= {"error": str(error), "status": error.status}
    elif isinstance(error, SeriesTooLargeError):
        told |= {"error": str(error), "status": TooLargeError.status}
    elif isinstance(error, KernelError):
        told["error"] = str(error)
    elif isinstance(error, (MemoryError, RecursionError)):
        told["error"] = HEAVY
    else:
        told["kind"] = type(error).__name__
    return told


def _message(said: dict[str, Any]) -> bytes:
    words = json.dumps(said).encode()
    return LENGTH.pack(len(words)) + words


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests until *source* ends."""
    while len(head := source.read(LENGTH.size)) == LENGTH.size:
        told = answer(source.read(LENGTH.unpack(head)[0]))
        budget.allow(len(told))
        sink.write(LENGTH.pack(len(told)))
        sink.write(told)
        sink.flush()


def _prepare() -> None:
    """Load what jobs need, so that it counts as the ground of the process."""
    isolated.decode_here()
    isolated_decoder.answer(b"")
    for name in DECODERS:
        __import__(name)
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    budget.begin()


if __name__ == "__main__":
    _prepare()
    serve(sys.stdin.buffer, sys.stdout.buffer)
