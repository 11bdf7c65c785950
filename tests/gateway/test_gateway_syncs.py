"""What the system is asked for: files and catalogue are synced before success."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.gateway.speaking import free_port, gateway_process, storescu, write_slices

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

CALLS = "trace=fsync,fdatasync,rename,renameat,renameat2,sendto,sendmsg,pwrite64"
BYTE = re.compile(r"\\x([0-9a-f]{2})")
RESPONSE = "\0\0\0\1\2\0\0\0\1\x80"
"""The element of a command set that says C-STORE-RSP (PS3.7, E.1)."""

SUCCESS = "\0\0\0\x09\2\0\0\0\0\0"
CALL = re.compile(r"(fsync|fdatasync|rename\w*|sendto|pwrite64)\((.*)", re.DOTALL)
PROMISE = [
    "the file is synced",
    "it gets its name",
    "its folder is synced",
    "the catalogue is synced",
    "success is said",
]


def step(line: str) -> str:
    """Return which step a line of strace is, empty if none."""
    found = CALL.search(BYTE.sub(lambda byte: chr(int(byte[1], 16)), line))
    if found is None:
        return ""
    call, asked = found.groups()
    if call.startswith("rename"):
        return "it gets its name" if "/objects/" in asked else ""
    if call == "sendto":
        good = RESPONSE in asked and SUCCESS in asked
        return "success is said" if good else ""
    if "sync" not in call:
        return ""
    for piece, name in (
        ("/temporary/", "the file is synced"),
        ("/objects/", "its folder is synced"),
        ("catalogue.sqlite-wal", "the catalogue is synced"),
    ):
        if piece in asked:
            return name
    return ""


def test_each_success_comes_after_file_folder_and_catalogue_are_synced(
    tmp_path: Path,
) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not here: install the package strace")
    trace = tmp_path / "trace"
    options = [
        "-D",
        "-f",
        "--seccomp-bpf",
        "-y",
        "-xx",
        "-s",
        "400",
        "-e",
        CALLS,
        "-o",
        str(trace),
    ]
    with gateway_process(tmp_path / "house", free_port(), strace, *options) as running:
        paths = write_slices(tmp_path / "in", range(3))
        assert storescu(running.port, *paths).count("(Success)") == 3
    seen = [step(line) for line in trace.read_text().splitlines()]
    told: list[list[str]] = [[]]
    for one in filter(None, seen):
        told[-1].append(one)
        if one == "success is said":
            told.append([])
    assert [in_order(some) for some in told[:3]] == [PROMISE] * 3


def in_order(steps: list[str]) -> list[str]:
    """Return the steps of the promise as far as they follow each other in *steps*."""
    found: list[str] = []
    for one in steps:
        if len(found) < len(PROMISE) and one == PROMISE[len(found)]:
            found.append(one)
    return found
