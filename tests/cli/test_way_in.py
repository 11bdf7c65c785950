"""``./rounds``: what it says where Python is missing, old or bare."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TOOLS = ("sh", "dirname", "basename", "find", "cksum", "sort", "cat", "sed", "rm")


class Machine:
    """A checkout without an environment, on a machine with the programs given."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.checkout = folder / "a checkout"
        self.bin.mkdir()
        self.checkout.mkdir()
        shutil.copy(ROOT / "rounds", self.checkout)
        for name in ("requirements.lock", "pyproject.toml"):
            shutil.copy(ROOT / name, self.checkout)
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or tool)

    def has(self, name: str, script: str) -> None:
        """Put a program called *name* on the machine."""
        program = self.bin / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def start(self, *, as_nobody: bool = False) -> subprocess.CompletedProcess[str]:
        """Run ``./rounds --version`` there; root may write everywhere, nobody not."""
        ids = ["--reuid=65534", "--regid=65534", "--clear-groups"]
        who = [shutil.which("setpriv") or "", *ids] if os.geteuid() == 0 else []
        return subprocess.run(
            [*(who if as_nobody else []), str(self.checkout / "rounds"), "--version"],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env={"PATH": str(self.bin), "HOME": str(self.bin)},
        )


OLD = 'case "$*" in -V) echo Python 3.9.2;; *) exit 1;; esac'
BARE = 'case "$*" in *ensurepip*) exit 1;; *) exit 0;; esac'


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_missing_python_is_one_line(machine: Machine) -> None:
    done = machine.start()
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "Python 3.11 or newer is needed, none was found" in done.stderr


def test_an_old_python_is_named_in_one_line(machine: Machine) -> None:
    machine.has("python3", OLD)
    done = machine.start()
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "Python 3.11 or newer is needed, found Python 3.9.2" in done.stderr


def test_a_python_without_venv_is_one_line(machine: Machine) -> None:
    machine.has("python3", BARE)
    done = machine.start()
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "apt-get install python3-venv" in done.stderr


def test_a_folder_that_cannot_be_written_is_one_line() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        machine = Machine(Path(folder))
        machine.has("python3", "exit 0")
        machine.checkout.chmod(0o555)
        done = machine.start(as_nobody=True)
    assert "the folder 'a checkout' cannot be written" in done.stderr


def test_an_installation_that_fails_shows_why(machine: Machine) -> None:
    failing = 'case "$*" in *-m*) echo the reason; exit 1;; *) exit 0;; esac'
    machine.has("python3", failing)
    for tool in ("tail", "df", "awk"):
        (machine.bin / tool).symlink_to(shutil.which(tool) or tool)
    done = machine.start()
    assert "the reason" in done.stderr
    assert "making an environment" in done.stderr


def test_a_failed_installation_leaves_no_stamp(machine: Machine) -> None:
    machine.has("python3", 'case "$*" in *-m*) exit 1;; *) exit 0;; esac')
    machine.start()
    assert not (machine.checkout / ".venv" / ".rounds-stamp").exists()


def test_the_way_in_names_no_host() -> None:
    assert "://" not in (ROOT / "rounds").read_text()
