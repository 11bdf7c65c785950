"""Look at every instance once, in the background, and write down what was found.

Which instances wait is a question to the catalogue: those without a report. So nothing
is lost when a worker is killed, and looking twice changes nothing. The looking is done
in a process with limits; see :mod:`conformance_process`.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

import structlog
from sqlalchemy import func, select

from rounds_hub.archive.conformance_findings import Finding
from rounds_hub.archive.growing import insert_new
from rounds_hub.archive.models import Conformance, ConformanceFinding, Instance
from rounds_hub.catalogue.models import OutboxEvent, utc_now
from rounds_hub.errors import HubError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable
    from pathlib import Path

    from rounds_hub.house import House

__all__ = ["Inspector", "check_waiting", "loop"]

BATCH = 50
LOOK_SECONDS = 2.0
PATIENCE_SECONDS = 300.0
"""How long one instance may take; the process has the least claim to a processor."""

ANSWER = 2**20
KEPT = ("PATH", "LANG", "TMPDIR")
GAVE_UP = "It could not be looked at: reading it took too long or too much memory."

log = structlog.get_logger()


class Inspector:
    """A process that looks at instances, started when needed and again after it died.

    Parameters
    ----------
    idle
        Whether it works only while nobody else wants the processor.

    Examples
    --------
    >>> with Inspector() as inspector:
    ...     pass
    """

    def __init__(self, *, idle: bool = False) -> None:
        """Start nothing yet."""
        self._idle = idle
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.end()

    def look(self, path: Path) -> dict[str, Any]:
        """Return ``tools`` and ``findings`` of the file at *path*, or a ``problem``."""
        if self._process is None:
            self._process = _started(idle=self._idle)
        try:
            return _asked(self._process, path)
        except (OSError, TimeoutError, ValueError) as error:
            self.end()
            log.warning("an instance could not be looked at", kind=type(error).__name__)
            return {"tools": [], "findings": [], "problem": GAVE_UP}

    def end(self) -> None:
        """Kill the process; a second time changes nothing."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def _started(*, idle: bool) -> subprocess.Popen[bytes]:
    """Start a process, with nothing of ours but where its modules are."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    modules = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    module = "rounds_hub.archive.conformance_process"
    command = [sys.executable, "-P", "-m", module, *(["--idle"] if idle else [])]
    return subprocess.Popen(  # noqa: S603 (our own interpreter and module)
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=kept | modules,
    )


def _asked(process: subprocess.Popen[bytes], path: Path) -> dict[str, Any]:
    """Send one path and return the answer.

    Raises
    ------
    OSError
        If the process came to an end over it.
    TimeoutError
        If it takes too long.
    """
    if process.stdin is None or process.stdout is None:
        msg = "The process was started without pipes."
        raise OSError(msg)
    process.stdin.write(json.dumps(str(path)).encode() + b"\n")
    process.stdin.flush()
    until, said = time.monotonic() + PATIENCE_SECONDS, b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not said.endswith(b"\n"):
            if not selector.select(max(0.0, until - time.monotonic())):
                raise TimeoutError
            piece = os.read(process.stdout.fileno(), 2**16)
            if not piece or len(said) > ANSWER:
                raise OSError
            said += piece
    answer: dict[str, Any] = json.loads(said)
    return answer


def loop(house: House, closing: threading.Event) -> None:
    """Look at what is new until *closing* is set."""
    seen = -1
    with Inspector(idle=True) as inspector:
        while not closing.wait(LOOK_SECONDS):
            newest = _newest_event(house)
            if newest == seen:
                continue
            while not closing.is_set() and check_waiting(house, inspector):
                pass
            seen = newest


def _newest_event(house: House) -> int:
    """Return the number of the newest event: it grows with every change."""
    with house.sessions.begin(write=False) as session:
        return session.scalar(select(func.max(OutboxEvent.id))) or 0


def check_waiting(house: House, inspector: Inspector) -> int:
    """Look at some instances that have no report yet; return how many they were."""
    waiting = (
        select(Instance.uid, Instance.series_uid, Instance.sha256)
        .outerjoin(Conformance, Conformance.instance_uid == Instance.uid)
        .where(Conformance.instance_uid.is_(None))
        .order_by(Instance.created_at, Instance.uid)
        .limit(BATCH)
    )
    with house.sessions.begin(write=False) as session:
        found = session.execute(waiting).all()
    for uid, series_uid, sha256 in found:
        said = _looked_at(house, inspector, sha256)
        _write(house, uid, series_uid, said)
    return len(found)


def _looked_at(house: House, inspector: Inspector, sha256: str) -> dict[str, Any]:
    """Return what is found in the bytes *sha256*, or why nothing could be."""
    try:
        path = house.store.path(sha256)
    except (OSError, HubError):
        return {"tools": [], "findings": [], "problem": "Its bytes are not at hand."}
    return inspector.look(path)


def _write(house: House, uid: str, series_uid: str, said: dict[str, Any]) -> None:
    """Write the report of an instance, if the instance is still there."""
    findings = [Finding(**one) for one in said["findings"]]
    row = {
        "instance_uid": uid,
        "series_uid": series_uid,
        "tools": said["tools"],
        "findings": [one.id for one in findings],
        "problem": said.get("problem", ""),
        "at": utc_now(),
    }
    with house.sessions.begin() as session:
        if session.get(Instance, uid) is not None:
            insert_new(session, ConformanceFinding, _rows(findings))
            insert_new(session, Conformance, [row])


def _rows(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return the rows of *findings*."""
    return [
        {
            "id": one.id,
            "level": one.level,
            "tool": one.tool,
            "kind": one.kind,
            "text": one.text,
        }
        for one in findings
    ]
