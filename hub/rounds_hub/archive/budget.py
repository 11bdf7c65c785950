"""What a process that decodes pixels may take: memory by the job, and no core dump."""

from __future__ import annotations

import resource
from pathlib import Path

__all__ = ["CEILING", "PLAIN", "allow", "begin"]

PLAIN = 192 * 2**20
"""Bytes of memory that any job may take beyond what the process has at its start."""

CEILING = 4 * 2**30
"""Bytes that one picture may take at the most, whatever it says it needs."""

_STATM = Path("/proc/self/statm")
_base: list[int] = []


def begin() -> None:
    """Take what this process has now as the ground on which jobs are allowed more."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _STATM.exists():
        pages = int(_STATM.read_text("ascii").split()[0])
        _base[:] = [pages * resource.getpagesize()]
        allow(0)


def allow(more: int) -> None:
    """Let the process take :data:`PLAIN` and *more* bytes from now on.

    Where the platform does not say what a process has, nothing is limited; before
    :func:`begin`, as in a test that decodes by itself, likewise.
    """
    if not _base:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = _base[0] + PLAIN + max(0, more)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
