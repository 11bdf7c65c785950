"""The program as a person starts it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from rounds_hub import __version__
from rounds_hub.cli.program import VERBS, main
from rounds_hub.deployment.lock import data_folder

if TYPE_CHECKING:
    from pathlib import Path


def rounds(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``rounds`` with *arguments*."""
    return subprocess.run(
        [sys.executable, "-m", "rounds_hub.cli", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"NO_COLOR": "1"} | environment,
    )


def test_help_names_every_verb() -> None:
    said = rounds("--help").stdout
    assert [verb for verb in VERBS if verb not in said] == []


def test_the_version_is_said() -> None:
    assert rounds("--version").stdout.strip() == __version__


def test_help_loads_neither_the_hub_nor_arrays() -> None:
    source = (
        "import sys; from rounds_hub.cli.program import program; program(['--help']);"
        "print([m for m in ('jupyterhub', 'numpy', 'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(VERBS))
def test_a_verb_has_its_command(name: str) -> None:
    module = import_module(f"rounds_hub.cli.{VERBS[name].module}")
    assert module.command.__doc__.strip()


@pytest.mark.parametrize("name", sorted(VERBS))
def test_a_verb_has_its_help(name: str) -> None:
    assert rounds(name, "--help").returncode == 0


def test_an_unknown_verb_is_refused() -> None:
    assert rounds("fly").returncode == 2


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = rounds("demo", "--data", str(tmp_path), "--port", port, "--no-samples")
    assert done.stderr == (
        f"rounds: Port {port} is taken by another program; "
        "--port takes another one, 0 any free one.\n"
    )


def test_a_second_house_on_the_same_data_is_one_sentence(tmp_path: Path) -> None:
    with data_folder(tmp_path):
        done = rounds("demo", "--data", str(tmp_path), "--port", "0", "--no-samples")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "A house already runs on the data folder" in done.stderr


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    inside = str(tmp_path / "file" / "house")
    done = rounds("demo", "--data", inside, "--port", "0", "--no-samples")
    assert done.stderr.startswith("rounds: The data folder 'house' cannot be written")


def test_a_missing_settings_file_is_one_sentence(tmp_path: Path) -> None:
    done = rounds("up", "--config", str(tmp_path / "none.py"))
    assert done.stderr.startswith("rounds: There is no configuration file 'none.py'")


def test_demo_accounts_are_refused_off_loopback(tmp_path: Path) -> None:
    file = tmp_path / "open.py"
    file.write_text("c.Deployment.host = '0.0.0.0'\n")
    done = rounds("demo", "--data", str(tmp_path / "d"), ROUNDS_CONFIG=str(file))
    assert "Demo accounts are for this machine alone" in done.stderr


@pytest.mark.parametrize("verb", [["search", "lung"], ["index", "state"]])
def test_a_verb_without_a_house_says_so(tmp_path: Path, verb: list[str]) -> None:
    done = rounds(*verb, "--data", str(tmp_path / "none"))
    assert done.stderr.startswith("rounds: There is no house in 'none'")


def test_the_rows_of_the_bench_are_listed() -> None:
    assert "spawn" in rounds("bench", "--list").stdout.split()


def test_an_unknown_row_names_the_known_ones() -> None:
    done = rounds("bench", "nothing")
    assert done.stderr.startswith("rounds: No benchmark 'nothing'. Known: ")


def test_an_unknown_stage_names_the_known_ones() -> None:
    done = rounds("test", "--only", "nothing")
    assert done.stderr.startswith("rounds: No stage 'nothing'. Known: ")


def test_doctor_looks_at_every_part(tmp_path: Path) -> None:
    done = rounds("doctor", "--json", "--data", str(tmp_path / "none"))
    parts = {finding["part"] for finding in json.loads(done.stdout)}
    assert {"Rounds", "jupyterhub", "front end", "disk", "user servers"} <= parts


def test_an_error_that_is_ours_is_no_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit):
        main(["search", "--data", str(tmp_path / "none")])
    assert "Traceback" not in capsys.readouterr().err
