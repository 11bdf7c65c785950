"""The form in which an instance is kept: as it came, or smaller by ``Rounds.reencode``.

What is kept in another form is another file than was sent, so it is off by default. It
is done once, before the hash is taken: nothing that depends on the hash ever changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from rounds_hub.archive import decoding
from rounds_hub.archive.checking import examine_file
from rounds_hub.archive.intake import Ready
from rounds_hub.archive.reencoding import SYNTAXES
from rounds_hub.archive.walking import Limits
from rounds_hub.errors import BusyError, InvalidError

if TYPE_CHECKING:
    from rounds_hub.archive.incoming import Staged
    from rounds_hub.house import House

__all__ = ["kept_form"]

NATIVE: Final = frozenset(
    {ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian}
)
MOST_BYTES: Final = 256 * 2**20
"""Larger files stay as they came: the proof holds both forms in memory."""


def kept_form(house: House, ready: Ready) -> Ready:
    """Return *ready* as the house keeps it: as it came, or re-encoded and smaller.

    Where another form is returned, the staged file of the first is dropped. What
    cannot be proved, or ends the process that tries it, is kept as it came.
    """
    syntax = SYNTAXES.get(house.settings.reencode, "")
    native = ready.examined.transfer_syntax in NATIVE
    if not syntax or not native or ready.staged.size > MOST_BYTES:
        return ready
    staged = _encoded(house, ready.staged, syntax)
    if staged is None:
        return ready
    try:
        limits = Limits(size=house.settings.max_instance_bytes)
        form = Ready(ready.name, staged, examine_file(staged.path, limits))
    except InvalidError:
        house.store.drop(staged)
        return ready
    house.store.drop(ready.staged)
    return form


def _encoded(house: House, came: Staged, syntax: str) -> Staged | None:
    """Return the smaller form of what *came*, staged; None where there is none."""
    target = house.store.scratch()
    try:
        if not decoding.reencode(came.path, syntax, target):
            return None
        if target.stat().st_size >= came.size:
            return None
        return house.store.stage(target)
    except (InvalidError, BusyError):
        return None
    finally:
        target.unlink(missing_ok=True)
