"""The processes that decode: what ends them ends nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from pydicom.data import get_testdata_file

from rounds_hub.archive import budget, exporting
from rounds_hub.archive.decoding import Pool
from rounds_hub.errors import InvalidError, NotAcceptableError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CT = str(get_testdata_file("CT_small.dcm", download=False))
EXPLICIT = "1.2.840.10008.1.2.1"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """Return one decoding process."""
    made = Pool(1)
    yield made
    made.close()


def processes() -> list[psutil.Process]:
    """Return the decoding processes of this one."""
    return [one for one in psutil.Process().children() if decodes(one)]


def decodes(process: psutil.Process) -> bool:
    """Return whether *process* is one of ours that lives."""
    with suppress(psutil.Error):  # one that another test left unreaped
        return "rounds_hub.archive.decoding_process" in process.cmdline()
    return False


def test_a_process_that_died_is_started_again(pool: Pool) -> None:
    pool.ask("layout", path=CT)
    for one in processes():
        one.send_signal(signal.SIGKILL)
        one.wait()
    assert pool.ask("layout", path=CT)["shape"]["rows"] == 128


def test_a_job_that_takes_too_long_is_given_up(pool: Pool) -> None:
    pool.ask("layout", path=CT)
    with pytest.raises(InvalidError, match=r"ended the process|longer than"):
        pool.ask("frame", seconds=1e-4, path=CT, number=0, syntax=EXPLICIT)
    assert pool.ask("layout", path=CT)["shape"]["rows"] == 128


def test_what_is_no_dicom_is_said_in_our_words(pool: Pool, tmp_path: Path) -> None:
    letter = tmp_path / "letter"
    letter.write_bytes(b"Dear colleague, " * 100)
    with pytest.raises(InvalidError, match="not a DICOM file"):
        pool.ask("layout", path=str(letter))


def test_a_surprise_says_nothing_of_the_machine(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(InvalidError) as told:
        pool.ask("layout", path=str(tmp_path / "nowhere"))
    assert str(tmp_path) not in str(told.value)


def test_a_frame_that_there_is_not_is_not_found(pool: Pool) -> None:
    with pytest.raises(NotFoundError, match="No frame '8'"):
        pool.ask("frame", path=CT, number=7, syntax=EXPLICIT)


def test_a_syntax_that_there_is_not_is_named(pool: Pool) -> None:
    with pytest.raises(NotAcceptableError, match=r"'1\.2\.3'"):
        pool.ask("frame", path=CT, number=0, syntax="1.2.3")


def test_many_threads_share_one_process(pool: Pool) -> None:
    given: dict[str, Any] = {"path": CT, "number": 0, "syntax": EXPLICIT}
    with ThreadPoolExecutor(8) as threads:
        frames = threads.map(lambda _: pool.fetch("frame", **given)[1], range(24))
    assert {len(frame) for frame in frames} == {128 * 128 * 2}


def test_the_process_knows_no_secret_of_ours(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "secret")
    pool.close()
    pool.ask("layout", path=CT)
    assert "JUPYTERHUB_API_TOKEN" not in processes()[0].environ()


def test_more_memory_than_a_job_may_have_is_not_given() -> None:
    script = (
        "from rounds_hub.archive import budget\n"
        "budget.begin()\n"
        "try: bytes(budget.PLAIN + 2**28)\n"
        "except MemoryError: print('refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    assert done.stdout == "refused\n"


def test_a_process_ends_with_the_one_that_asks_it() -> None:
    script = (
        "import os\n"
        "from rounds_hub.archive.decoding import Pool\n"
        f"pool = Pool(1); pool.ask('layout', path={CT!r})\n"
        "import psutil; print(psutil.Process().children()[0].pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, text=True
    )
    assert has_ended(int(done.stdout))


def has_ended(number: int, seconds: float = 30) -> bool:
    """Return whether a process ends; who adopted it may not have looked at it yet."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if psutil.Process(number).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_memory_is_only_limited_where_that_was_begun() -> None:
    budget.allow(0)
    assert len(bytes(2**28)) == 2**28
    assert os.getpid() == psutil.Process().pid


@pytest.mark.parametrize(
    ("begin", "kept"),
    [
        pytest.param(b"", True, id="zeros"),
        pytest.param(b"II*\x00\x10", True, id="the head of a TIFF picture"),
        pytest.param(b"MZ\x90", False, id="a program of Windows"),
        pytest.param(b"\x7fELF", False, id="a program of Linux"),
        pytest.param(b"#!/bin/sh\n", False, id="a script"),
        pytest.param(b"\xcf\xfa\xed\xfe", False, id="a program of macOS"),
        pytest.param(b"PK\x03\x04", False, id="an archive"),
    ],
)
def test_a_preamble_leaves_harmless(
    tmp_path: Path, begin: bytes, *, kept: bool
) -> None:
    file = tmp_path / "one"
    file.write_bytes(begin.ljust(128, b"\0") + b"DICM" + b"the rest")
    given = b"".join(exporting.export(file))
    assert given[128:] == b"DICMthe rest"
    assert (given == file.read_bytes()) is kept
    assert exporting.is_harmless(file) is kept
