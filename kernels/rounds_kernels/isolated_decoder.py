"""The process behind `rounds_kernels.isolated`: frames in, pixels out.

A message is its length in eight bytes and its bytes. A request is a byte that is 1
where colours are wanted as they were packed, then a DICOM file of one frame. An
answer is a JSON description with its own length before it, then the pixels.
"""

from __future__ import annotations

import contextlib
import json
import resource
import selectors
import struct
import sys
from io import BytesIO
from typing import TYPE_CHECKING, Final

from pydicom import dcmread
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import JPEGExtended12Bit

from rounds_kernels.extended_jpeg import decode as decode_extended

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["answer", "serve"]

_LENGTH: Final = struct.Struct("<Q")
_MEMORY: Final = 8 << 30
_IDLE_SECONDS: Final = 60.0
_BYTE: Final = 8


def answer(request: bytes, *, raw: bool = False) -> bytes:
    """Return the description and the pixels of the one frame in *request*."""
    try:
        dataset = dcmread(BytesIO(request))
        syntax = dataset.file_meta.TransferSyntaxUID
        if syntax == JPEGExtended12Bit and int(dataset.BitsStored) > _BYTE:
            array, colour = decode_extended(dataset, 0), "MONOCHROME2"
        else:
            decoder = get_decoder(syntax)
            array, found = decoder.as_array(
                dataset, index=0, raw=raw, decoding_plugin="gdcm"
            )
            colour = str(found["photometric_interpretation"])
    except Exception as error:  # noqa: BLE001 - the asking process tells whoever waits
        return _described({"error": type(error).__name__})
    head: dict[str, object] = {
        "dtype": array.dtype.str,
        "shape": array.shape,
        "colour": colour,
    }
    return _described(head) + array.tobytes()


def _described(head: dict[str, object]) -> bytes:
    words = json.dumps(head).encode()
    return _LENGTH.pack(len(words)) + words


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests until *source* ends or nobody asks for a while."""
    with selectors.DefaultSelector() as selector:
        selector.register(source, selectors.EVENT_READ)
        while selector.select(_IDLE_SECONDS):
            head = source.read(_LENGTH.size)
            if len(head) < _LENGTH.size:
                return
            request = source.read(_LENGTH.unpack(head)[0])
            told = answer(request[1:], raw=request[:1] == b"\x01")
            sink.write(_LENGTH.pack(len(told)) + told)
            sink.flush()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    serve(sys.stdin.buffer, sys.stdout.buffer)
