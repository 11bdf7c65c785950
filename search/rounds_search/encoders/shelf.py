"""The encoders that a process knows: the built-in one, and those in folders.

A folder of encoders has a folder for each, with ``encoder.json`` and the files that it
names. An encoder is added by putting its folder there, and changed by adding another
with another id: pictures are found by the old one until all are embedded with the new.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rounds_search.encoders.gist import ENCODER, Gist
from rounds_search.encoders.network import Headed, Network
from rounds_search.encoders.sidecar import SIDECAR, Sidecar, read_sidecar
from rounds_search.errors import EncoderError, UnknownEncoderError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rounds_search.encoders.base import Encoder

__all__ = ["ENCODERS", "Shelf", "load", "open_folder"]

MOST: Final = 200


class Shelf(Mapping[str, "Encoder"]):
    """Encoders by name; a folder that is opened is looked through again when asked.

    Two threads may use one shelf.
    """

    def __init__(self) -> None:
        """Hold the built-in encoder."""
        self._built_in: dict[str, Encoder] = {ENCODER: Gist()}
        self._folders: list[Path] = []
        self._loaded: dict[str, tuple[str, Encoder]] = {}
        self._lock = threading.RLock()

    def open_folder(self, folder: Path) -> None:
        """Know the encoders in *folder*, too; those that come later as well."""
        with self._lock:
            if folder not in self._folders:
                self._folders.append(folder)

    def close_folder(self, folder: Path) -> None:
        """Know the encoders in *folder* no longer."""
        with self._lock:
            self._folders = [one for one in self._folders if one != folder]

    def __getitem__(self, name: str) -> Encoder:
        """Return the encoder called *name*; KeyError where there is none."""
        if name in self._built_in:
            return self._built_in[name]
        with self._lock:
            for folder in self._folders:
                place = folder / name
                if name in _names(folder):
                    return self._once(place)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        """Yield the names, the built-in one first."""
        with self._lock:
            found = [name for folder in self._folders for name in _names(folder)]
        yield from dict.fromkeys([*self._built_in, *found])

    def __len__(self) -> int:
        """Return how many there are."""
        return len(list(iter(self)))

    def named(self, name: str) -> Encoder:
        """Return the encoder called *name*.

        Raises
        ------
        UnknownEncoderError
            There is none; the message names those there are.
        EncoderError
            Its folder cannot be used.
        """
        try:
            return self[name]
        except KeyError:
            raise UnknownEncoderError(name, self) from None

    def _once(self, place: Path) -> Encoder:
        """Return the encoder of a folder, read again only where its sidecar changed."""
        found = (place / SIDECAR).stat()
        stamp = f"{place} {found.st_mtime_ns} {found.st_size}"
        kept = self._loaded.get(place.name)
        if kept is None or kept[0] != stamp:
            kept = (stamp, load(place, self))
            self._loaded[place.name] = kept
        return kept[1]


def load(folder: Path, among: Mapping[str, Encoder]) -> Encoder:
    """Return the encoder of *folder*; one that it goes on from is *among* others.

    Raises
    ------
    EncoderError
        The sidecar cannot be used, has another id than the folder's name, or names a
        base that there is not.
    """
    sidecar = read_sidecar(folder)
    if sidecar.id != folder.name:
        msg = f"The folder {folder.name!r} has the encoder {sidecar.id!r}: rename it."
        raise EncoderError(msg)
    if not sidecar.base:
        return Network(folder, sidecar)
    return Headed(folder, sidecar, _base(sidecar, among))


def _base(sidecar: Sidecar, among: Mapping[str, Encoder]) -> Encoder:
    if sidecar.base == sidecar.id or sidecar.base not in among:
        msg = f"Encoder {sidecar.id!r} needs {sidecar.base!r}, which is not there."
        raise EncoderError(msg)
    base = among[sidecar.base]
    if isinstance(base, Headed):
        msg = f"Encoder {sidecar.id!r} goes on from {sidecar.base!r}, which has a base."
        raise EncoderError(msg)
    return base


def _names(folder: Path) -> list[str]:
    """Return the names of the encoders in *folder*; none where it is not there."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return []
    whole = (one.name for one in entries if (Path(one.path) / SIDECAR).is_file())
    return [name for name in whole if not name.startswith(".")][:MOST]


ENCODERS: Final = Shelf()
"""What this process knows."""


def open_folder(folder: Path) -> None:
    """Know the encoders in *folder* in this process."""
    ENCODERS.open_folder(folder)
