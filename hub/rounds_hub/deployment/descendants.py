"""The processes below this one: adopt those that lose their parent, end them all."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress

__all__ = ["adopt_orphans", "bury", "end_descendants"]

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_GENTLY = 3.0
_FIRMLY = 5.0


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends (Linux)."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def bury(kept: int) -> None:
    """Take the status of adopted processes that ended; that of *kept* stays.

    A hub that came back looks for its servers by their number: one that has ended
    must not look alive.
    """
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid == kept:
            return
        with suppress(ChildProcessError):
            os.waitpid(ended.si_pid, os.WNOHANG)


def end_descendants() -> int:
    """End what still runs below this process; return how many there were."""
    import psutil  # noqa: PLC0415 (not before the end)

    first = len(psutil.Process().children(recursive=True))
    for number, seconds in ((signal.SIGTERM, _GENTLY), (signal.SIGKILL, _FIRMLY)):
        left = psutil.Process().children(recursive=True)
        for process in left:
            with suppress(psutil.Error):
                process.send_signal(number)
        psutil.wait_procs(left, timeout=seconds)
    return first
