"""Name what went wrong in a run: one kind, one sentence, where it happened."""

from __future__ import annotations

import errno
import re
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Fault", "cell_fault", "scrubbed"]

MESSAGE_LENGTH = 2000
TRACEBACK_LENGTH = 20_000

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_FULL = re.compile(rf"\[Errno ({errno.ENOSPC}|{errno.EDQUOT}|{errno.EFBIG})\]")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a run ended without a result.

    *kind* is one of

    ============= =======================================================
    ``cell``      the code of a cell raised an error
    ``memory``    it took more memory than it may have
    ``disk``      the disk was full
    ``kernel``    the kernel died
    ``deadline``  it took longer than it may
    ``cancelled`` somebody cancelled it
    ``input``     a series it needs is gone or cannot be read
    ``result``    what it left is not what the template declares
    ``worker``    the workers of the house ended again and again
    ``engine``    the engine itself failed
    ============= =======================================================
    """

    kind: str
    message: str
    cell: str = ""
    traceback: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as the row of the run keeps it."""
        return {key: value for key, value in asdict(self).items() if value}


def cell_fault(name: str, value: str, lines: list[str], cell: str) -> Fault:
    """Return the fault behind an error called *name* that a cell raised.

    Examples
    --------
    >>> cell_fault("ZeroDivisionError", "division by zero", [], "Measure").kind
    'cell'
    >>> cell_fault("_ArrayMemoryError", "Unable to allocate 1 TiB", [], "Read").kind
    'memory'
    >>> cell_fault("OSError", "[Errno 28] No space left on device", [], "Draw").kind
    'disk'
    """
    message = f"{name}: {value}"[:MESSAGE_LENGTH]
    traceback = _ANSI.sub("", "\n".join(lines))[-TRACEBACK_LENGTH:]
    kind = "cell"
    if name.endswith("MemoryError") or name == "OutOfMemoryError":
        kind = "memory"
    elif _FULL.search(value):
        kind = "disk"
    return Fault(kind, message, cell, traceback)


def scrubbed(text: str, folder: Path) -> str:
    """Return *text* without the places of this machine's folders."""
    for path, shown in ((str(folder), "run"), (sys.prefix, "python")):
        text = text.replace(path, shown)
    return text
