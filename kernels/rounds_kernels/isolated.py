"""Unpack frames in a process of their own, which a damaged one may take down alone.

GDCM is the one permissively licensed decoder of JPEG Lossless and of 12-bit JPEG, and
it ends its process on some damaged streams. That process is started when first needed,
serves all threads in turn, and ends with its parent or when nobody asked for a while.
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import struct
import subprocess
import sys
import threading
import time
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import SecondaryCaptureImageStorage

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["FRAME_SECONDS", "decode", "decode_here"]

FRAME_SECONDS: Final = 60.0
"""How long one frame may take to unpack."""

_LENGTH: Final = struct.Struct("<Q")
_DESCRIBED: Final = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)
_KEPT: Final = ("PATH", "LD_LIBRARY_PATH", "LANG")
_turn = threading.Lock()
_here = threading.Event()
_running: list[subprocess.Popen[bytes]] = []
_inherited: list[subprocess.Popen[bytes]] = []


def _forget() -> None:
    """Leave the process to the parent after a fork: two askers would mix answers."""
    global _turn  # noqa: PLW0603 - a lock that another thread held would never open
    _turn = threading.Lock()
    _inherited.extend(_running)
    _running.clear()


os.register_at_fork(after_in_child=_forget)


def decode_here() -> None:
    """Unpack in this process from now on: it is one that a frame may take down."""
    _here.set()


def decode(
    dataset: Dataset, index: int, *, raw: bool = False
) -> tuple[npt.NDArray[Any], str]:
    """Return frame *index* of packed pixels and its photometric interpretation.

    Colours are RGB, or as they were packed where *raw*.

    Raises
    ------
    ValueError
        When the frame cannot be unpacked; OSError and TimeoutError when the process
        came to an end over it or took too long.
    """
    answer = _answer(bytes([raw]) + _one_frame(dataset, index))
    length = _LENGTH.unpack_from(answer)[0]
    described = json.loads(answer[_LENGTH.size : _LENGTH.size + length])
    if "error" in described:
        msg = f"GDCM refuses the frame ({described['error']})."
        raise ValueError(msg)
    flat = np.frombuffer(answer, described["dtype"], offset=_LENGTH.size + length)
    return flat.reshape(described["shape"]), str(described["colour"])


def _answer(request: bytes) -> bytes:
    """Return what the decoder says to *request*."""
    if _here.is_set():
        # GDCM itself is for the decoding process alone: it takes its time to load.
        from rounds_kernels import isolated_decoder  # noqa: PLC0415

        return isolated_decoder.answer(request[1:], raw=bool(request[0]))
    with _turn:
        process = _process()
        try:
            return _ask(process, request)
        except (OSError, TimeoutError):
            _end()
            raise


def _one_frame(dataset: Dataset, index: int) -> bytes:
    """Return one frame as a small file that holds nothing else of its data set."""
    frames = int(dataset.get("NumberOfFrames") or 1)
    small = Dataset()
    for name in _DESCRIBED:
        if name in dataset:
            setattr(small, name, dataset[name].value)
    packed = get_frame(dataset.PixelData, index, number_of_frames=frames)
    small.PixelData = encapsulate([packed])
    small.file_meta = FileMetaDataset()
    small.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    small.SOPClassUID = SecondaryCaptureImageStorage
    small.SOPInstanceUID = "1.2"
    buffer = BytesIO()
    small.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _process() -> subprocess.Popen[bytes]:
    """Return the running process, started where there is none."""
    if _running and _running[0].poll() is not None:
        _end()
    if not _running:
        _running.append(
            subprocess.Popen(
                [sys.executable, "-P", "-m", "rounds_kernels.isolated_decoder"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
            )
        )
    return _running[0]


def _environment() -> dict[str, str]:
    """Return what the process needs to start, without the secrets of this one."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@atexit.register
def _end() -> None:
    """End the process; where there is none this does nothing."""
    while _running:
        process = _running.pop()
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    continue  # what was not yet written is of no use any more
        process.wait()


def _ask(process: subprocess.Popen[bytes], request: bytes) -> bytes:
    """Send one request and return its answer."""
    if process.stdin is None or process.stdout is None:
        msg = "The decoder was started without pipes."
        raise OSError(msg)
    deadline = time.monotonic() + FRAME_SECONDS
    process.stdin.write(_LENGTH.pack(len(request)) + request)
    process.stdin.flush()
    descriptor = process.stdout.fileno()
    length = _LENGTH.unpack(_receive(descriptor, _LENGTH.size, deadline))[0]
    return _receive(descriptor, length, deadline)


def _receive(descriptor: int, count: int, deadline: float) -> bytes:
    """Read *count* bytes before *deadline*."""
    parts: list[bytes] = []
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while count:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                msg = f"A frame took longer than {FRAME_SECONDS:g} s."
                raise TimeoutError(msg)
            part = os.read(descriptor, min(count, 1 << 20))
            if not part:
                msg = "The decoder came to an end over a frame."
                raise OSError(msg)
            parts.append(part)
            count -= len(part)
    return b"".join(parts)
