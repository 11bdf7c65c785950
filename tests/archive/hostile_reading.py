"""Bring the hostile corpus in, read what was taken by every door, and say what it cost.

Run as a program with a folder and a door, in a process of its own: ``python -m
tests.archive.hostile_reading FOLDER store|stow``. Each line of its output is a
:class:`Told`. What would crash, hang or grow is this process, and the test that started
it sees that. By the door ``store`` everything that was taken is read as well.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from tests.archive.hostile import corpus, whole_corpus
from tests.conftest import SignInByHeader, open_house, serving
from tests.servers import free_port

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.service import Offer, Status, open_instance, store
from rounds_hub.web import create_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI
    from tests.archive.hostile_blocks import Hostile

    from rounds_hub.archive.service import Outcome
    from rounds_hub.house import House

WHO = Principal("dora", frozenset({Role.DOCTOR}))
PREFIX = "/services/rounds/"
KINDS = {"studies": "study", "series": "series", "instances": "instance"}
MORE = {"frames": "0", "stacks": "0"}
ASKED = ("?size=64&axis=coronal", "?size=300&center=0&width=1")
DRAWN = ("geometry", "shape", "table", "packed", "segment", "good")
"""Families of files whose pictures are asked for in every way."""

ONCE = re.compile(r"rendered|thumbnail$|/frames/\{numbers\}|npy$")
"""What draws the same pixels again, which other families need not."""


@dataclass(slots=True)
class Told:
    """What became of a file: its status, what was said, how reading it went.

    *seconds* are those of the processor, so that a busy machine changes nothing.
    """

    name: str
    status: str = ""
    why: str = ""
    exact: bool = True
    seconds: float = 0.0
    megabytes: int = 0
    slowest: str = ""
    failed: list[str] = field(default_factory=list)


def main(folder: Path, door: str) -> None:
    """Tell of every file of the corpus, a line each."""
    house = open_house(folder)
    app = create_app(house, SignInByHeader(), PREFIX)
    port = free_port()
    with (
        serving(app, port),
        httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"x-person": "dora doctor"},
            timeout=60,
        ) as client,
    ):
        templates = reading_paths(app)
        client.get(f"{PREFIX}api/me")
        for hostile in corpus():
            if door == "stow":
                told = _sent(client, hostile)
            else:
                told = _told_of(house, client, templates, hostile)
            sys.stdout.write(json.dumps(asdict(told)) + "\n")
    house.close()


def reading_paths(app: FastAPI) -> list[str]:
    """Return every GET path of the service that is about one thing of the archive."""
    paths = app.openapi()["paths"]
    named = (path for path, how in paths.items() if "get" in how)
    return sorted(path for path in named if _filled(path, {}) is not None)


def _filled(path: str, uids: dict[str, str]) -> str | None:
    """Return *path* with UIDs for its names, None where it names something else."""
    parts = path.split("/")
    if not any("{" in part for part in parts):
        return None
    for at, part in enumerate(parts):
        if "{" not in part:
            continue
        before = parts[at - 1]
        if before not in KINDS and before not in MORE:
            return None
        value = uids.get(KINDS.get(before, ""), MORE.get(before, "1"))
        parts[at] = re.sub(r"\{\w+(:\w+)?\}", value, part)
    return "/".join(parts)


def _told_of(
    house: House, client: httpx.Client, templates: list[str], hostile: Hostile
) -> Told:
    """Bring one file and read it by every path."""
    told = Told(hostile.name)
    before = forget_peak()
    with _timed(told, "store"):
        (outcome,) = store(house, WHO, [Offer("a file", hostile.data)])
    told.status, told.why = outcome.status.value, outcome.why
    if outcome.status == Status.TAKEN:
        _read(client, templates, outcome, told)
        told.exact = _bytes_of(house, outcome) == hostile.data
    told.megabytes = peak() - before
    return told


def _sent(client: httpx.Client, hostile: Hostile) -> Told:
    """Send one file by STOW-RS."""
    told = Told(hostile.name)
    before = forget_peak()
    with _timed(told, "stow"):
        answer = client.post(
            f"{PREFIX}dicomweb/studies",
            content=hostile.data,
            headers={"content-type": "application/dicom"},
        )
    told.status = "taken" if answer.status_code == 200 else "refused"
    if answer.status_code >= 500:
        told.failed.append(f"{answer.status_code}")
    told.megabytes = peak() - before
    return told


def _bytes_of(house: House, outcome: Outcome) -> bytes:
    """Return the bytes that the archive has of what it took."""
    return open_instance(house, WHO, outcome.sop_uid).path.read_bytes()


def _read(
    client: httpx.Client, templates: list[str], outcome: Outcome, told: Told
) -> None:
    """Ask every path for what was taken; an answer below 500 is one."""
    uids = {
        "study": outcome.study_uid,
        "series": outcome.series_uid,
        "instance": outcome.sop_uid,
    }
    drawn = told.name.startswith(DRAWN)
    more = ASKED if drawn else ()
    for template in templates:
        if ONCE.search(template) and not drawn:
            continue
        path = _filled(template, uids) or ""
        for query in ("", *(more if path.endswith(".png") else ())):
            with _timed(told, template):
                answer = client.get(path + query)
            if answer.status_code in {500, 502, 504}:
                told.failed.append(f"{template}{query}: {answer.status_code}")


@contextlib.contextmanager
def _timed(told: Told, step: str) -> Iterator[None]:
    """Note the step that took longest."""
    begun = time.process_time()
    yield
    took = time.process_time() - begun
    if took > told.seconds:
        told.seconds, told.slowest = round(took, 3), step


def peak() -> int:
    """Return the most memory that this process had since it was forgotten, in MiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) // 1024


def told_by(folder: Path, door: str) -> list[Told]:
    """Run the program for *door* in *folder* and return what it told."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.archive.hostile_reading", str(folder), door],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=590,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    lines = done.stdout.splitlines()
    return [Told(**json.loads(line)) for line in lines if line.startswith("{")]


def otherwise(told: list[Told]) -> list[Told]:
    """Return what was neither refused nor taken as the corpus says."""
    rules = {hostile.name: hostile.rule for hostile in whole_corpus()}
    return [one for one in told if (one.status == "taken") == bool(rules[one.name])]


def forget_peak() -> int:
    """Forget how much memory was used, and return how much is used now, in MiB."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
