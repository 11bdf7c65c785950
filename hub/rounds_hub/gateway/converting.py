"""Bring an instance into a transfer syntax that a node takes, every pixel kept."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom import dcmread
from pydicom.uid import UID

from rounds_hub.archive import decoding
from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rounds_hub.house import House

__all__ = ["UNCOMPRESSED", "Parcel", "converted", "sweep_leftovers"]

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
UNCOMPRESSED = (EXPLICIT, IMPLICIT)
"""The transfer syntaxes in which every receiver is offered what it may not decode."""
LEFT_SECONDS = 24 * 3600.0
_REWRITTEN = {EXPLICIT, IMPLICIT, DEFLATED}


@dataclass(frozen=True, slots=True)
class Parcel:
    """An instance that is sent somewhere, and under which hash its bytes are kept."""

    uid: str
    sop_class: str
    transfer_syntax: str
    sha256: str


@contextmanager
def converted(
    house: House, instance: Parcel, taken: Sequence[str]
) -> Iterator[tuple[Path, str]]:
    """Give a file of *instance* in one of the transfer syntaxes *taken*, and which.

    Every pixel stays what it is. What is compressed is decoded in a process of its
    own.

    Raises
    ------
    InvalidError
        If it cannot be brought into any of them.
    """
    wanted = next((one for one in UNCOMPRESSED if one in taken), None)
    if wanted is None:
        kept = UID(instance.transfer_syntax).name
        msg = f"It is kept as {kept}, and the node takes nothing that it can become."
        raise InvalidError(msg)
    folder = house.settings.data / "transfers"
    folder.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as own:
        path = Path(own) / "instance"
        source = house.store.path(instance.sha256)
        if instance.transfer_syntax not in _REWRITTEN:
            plain = Path(own) / "decoded"
            decoding.transcode(source, EXPLICIT, plain)
            source = plain
        if wanted == EXPLICIT and instance.transfer_syntax not in _REWRITTEN:
            path = source
        else:
            _rewrite(source, path, wanted)
        yield path, wanted


def sweep_leftovers(house: House) -> None:
    """Remove what a killed process left of conversions, a day old or older."""
    old = time.time() - LEFT_SECONDS
    for left in (house.settings.data / "transfers").glob("*"):
        with contextlib.suppress(OSError):
            if left.stat().st_mtime < old:
                shutil.rmtree(left, ignore_errors=True)


def _rewrite(source: Path, target: Path, wanted: str) -> None:
    """Write *source* again with another encoding of its elements (PS3.5, annex A)."""
    dataset = dcmread(source)
    dataset.file_meta.TransferSyntaxUID = UID(wanted)
    dataset.save_as(
        target,
        implicit_vr=wanted == IMPLICIT,
        little_endian=True,
        enforce_file_format=True,
    )
