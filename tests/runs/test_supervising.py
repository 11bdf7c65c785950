"""The process of a run: whatever ends it, its end is named and nothing is left."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from tests.runs.conftest import write_notebook

from rounds_hub.runs.supervise import Limits, processes_of, supervise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rounds_hub.runs.faults import Fault

LIMITS = Limits(seconds=60, memory_bytes=2**31)


class Execution:
    """One execution of some cells, and what it left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[dict[str, Any]] = []

    def run(
        self,
        *cells: str,
        limits: Limits = LIMITS,
        wanted: Callable[[], bool] = lambda: True,
        parameters: dict[str, Any] | None = None,
    ) -> Fault | None:
        """Execute *cells* and return what went wrong."""
        for name in ("figures", "masks", "tmp", "work"):
            (self.folder / name).mkdir(parents=True)
        write_notebook(self.folder / "template.ipynb", {}, cells)
        limit = {"memory_bytes": limits.memory_bytes}
        said = {"parameters": parameters or {}, "limits": limit, "template": "trial"}
        (self.folder / "job.json").write_text(json.dumps(said))
        return supervise(self.folder, limits, self.lines.extend, wanted)

    @property
    def cells(self) -> list[Any]:
        """The cells of the notebook as it was left."""
        path = self.folder / "live.ipynb"
        notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        return list(notebook.cells)

    @property
    def printed(self) -> str:
        """All that the cells printed."""
        outputs = [one for cell in self.cells for one in cell.get("outputs", [])]
        return "".join(one.get("text", "") for one in outputs)

    @property
    def states(self) -> list[tuple[str, str]]:
        """What was told of which cell."""
        return [(line["name"], line["state"]) for line in self.lines]


@pytest.fixture
def execution(tmp_path: Path) -> Execution:
    return Execution(tmp_path / "run")


def test_a_notebook_that_ends_well_leaves_no_fault(execution: Execution) -> None:
    assert execution.run("print(parameters)", parameters={"a": 1}) is None
    assert execution.printed == '{"a": 1}\n'


def test_progress_names_each_cell(execution: Execution) -> None:
    execution.run("# Read the series\n1", "# Measure\n2")
    assert execution.states == [
        ("Read the series", "waiting"),
        ("Measure", "waiting"),
        ("Read the series", "running"),
        ("Read the series", "done"),
        ("Measure", "running"),
        ("Measure", "done"),
    ]


VALUES = {
    "three quotes": '"""; import os; os._exit(3) #',
    "a quote": "'; import os; os._exit(3) #",
    "an escaped quote": "\\'; import os; os._exit(3) #",
    "a magic after a line": "\n%%bash\nexit 3",
    "a shell line": "!exit 3",
    "a format": "{__import__('os')._exit(3)}",
    "escapes": "\\N{BULLET}\\x41\\u0041",
    "scripts beyond ASCII": "naïve 肺 \U0001fac1",
    "other ends of lines": "\u2028\u2029\x85",
    "markup": "</script><script>",
    "a = 1\nimport os; os._exit(3)\nb": "a name that is code",
    "{x.__class__}": "a name that is a format",
}


def test_no_name_and_no_value_becomes_code_or_changes(execution: Execution) -> None:
    check = "import json\nprint(ascii(json.loads(parameters)))"
    assert execution.run(check, parameters=VALUES) is None
    assert execution.printed == f"{VALUES!a}\n"


def test_a_failing_cell_is_named_with_its_error(execution: Execution) -> None:
    fault = execution.run("# Fine\n1", "# Divide\n1 / 0", "# Never\n2")
    assert fault is not None
    assert (fault.kind, fault.cell) == ("cell", "Divide")
    assert fault.message == "ZeroDivisionError: division by zero"
    assert "1 / 0" in fault.traceback


def test_what_follows_a_failing_cell_does_not_run(execution: Execution) -> None:
    execution.run("1 / 0", "print('never')")
    assert execution.printed == ""
    assert execution.states[-1] == ("Cell 1", "failed")


def test_an_error_names_no_folder_of_the_machine(execution: Execution) -> None:
    fault = execution.run("import os\nraise ValueError(os.getcwd())")
    assert fault is not None
    assert str(execution.folder.parent) not in fault.message + fault.traceback


def test_a_long_traceback_is_cut(execution: Execution) -> None:
    fault = execution.run("raise ValueError('x' * 10_000_000)")
    assert fault is not None
    assert len(fault.message) + len(fault.traceback) < 25_000


def test_a_kernel_that_dies_is_named(execution: Execution) -> None:
    fault = execution.run("# Leave\nimport os\nos._exit(1)")
    assert fault is not None
    assert (fault.kind, fault.cell) == ("kernel", "Leave")


def test_a_dead_kernel_is_not_called_completed(execution: Execution) -> None:
    execution.run("import os\nos._exit(1)")
    states = [cell.metadata.papermill.status for cell in execution.cells]
    assert states == ["completed", "completed", "failed"]


def test_too_large_an_array_is_named_memory(execution: Execution) -> None:
    fault = execution.run("# Allocate\nheld = bytearray(2**36)")
    assert fault is not None
    assert (fault.kind, fault.cell) == ("memory", "Allocate")


def test_processes_that_take_too_much_together_are_ended(execution: Execution) -> None:
    child = "import time\nheld = bytearray(b'1') * 400_000_000\ntime.sleep(60)"
    cell = (
        "# Fill\nimport subprocess, sys, time\n"
        f"for _ in range(3): subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "time.sleep(60)"
    )
    fault = execution.run(cell, limits=Limits(seconds=50, memory_bytes=2**30))
    assert fault is not None
    assert (fault.kind, fault.cell) == ("memory", "Fill")
    assert list(processes_of(execution.folder)) == []


def test_a_full_disk_is_named(execution: Execution) -> None:
    fault = execution.run(
        "# Write\nwith open('/dev/full', 'w') as file:\n    file.write('x')"
    )
    assert fault is not None
    assert (fault.kind, fault.cell) == ("disk", "Write")


def test_a_run_that_fills_the_disk_is_ended(execution: Execution) -> None:
    limits = Limits(60, 2**31, free_bytes=2**62)
    fault = execution.run("import time\ntime.sleep(60)", limits=limits)
    assert fault is not None
    assert (fault.kind, fault.message) == ("disk", "The disk of the runs is full.")


def test_what_takes_too_long_is_ended_and_named(execution: Execution) -> None:
    began = time.monotonic()
    fault = execution.run(
        "# Wait\nimport time\ntime.sleep(60)", limits=Limits(20, 2**31)
    )
    assert fault is not None
    assert (fault.kind, fault.cell) == ("deadline", "Wait")
    assert time.monotonic() - began < 25
    assert list(processes_of(execution.folder)) == []


def test_a_notebook_that_ignores_signals_is_ended(execution: Execution) -> None:
    stubborn = (
        "import signal, subprocess, sys, time\n"
        "for one in (2, 15): signal.signal(one, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'],"
        " start_new_session=True)\n"
        "time.sleep(60)"
    )
    fault = execution.run(stubborn, limits=Limits(20, 2**31))
    assert fault is not None
    assert fault.kind == "deadline"
    assert list(processes_of(execution.folder)) == []


def test_endless_output_is_cut_and_the_notebook_stays_small(
    execution: Execution,
) -> None:
    endless = "for _ in range(400): print('x' * 100_000, flush=True)\nprint('end')"
    assert execution.run(endless, "print('after')") is None
    assert (execution.folder / "live.ipynb").stat().st_size < 1_500_000
    assert "[Output cut: a cell may say 1 MB" in execution.printed
    assert execution.printed.endswith("after\n")


def test_output_without_end_ends_at_the_deadline(execution: Execution) -> None:
    fault = execution.run("while True: print('x' * 1000)", limits=Limits(20, 2**31))
    assert fault is not None
    assert fault.kind == "deadline"


def test_twenty_thousand_flushed_lines_are_no_error(execution: Execution) -> None:
    assert execution.run("for i in range(20_000): print(i, flush=True)") is None


def test_a_cancelled_run_is_gone_within_two_seconds(execution: Execution) -> None:
    wanted = threading.Event()
    wanted.set()
    cancelled: list[float] = []

    def cancel() -> None:
        while ("Wait", "running") not in execution.states:
            time.sleep(0.05)
        cancelled.append(time.monotonic())
        wanted.clear()

    threading.Thread(target=cancel).start()
    fault = execution.run("# Wait\nimport time\ntime.sleep(60)", wanted=wanted.is_set)
    assert time.monotonic() - cancelled[0] < 2
    assert fault is not None
    assert (fault.kind, fault.cell) == ("cancelled", "Wait")
    assert list(processes_of(execution.folder)) == []


def test_the_kernel_sees_no_secret(
    execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JUPYTERHUB_API_TOKEN", "ROUNDS_DATA", "PGPASSWORD", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "x-4711-x")
    seen = "import os\nprint([n for n, v in os.environ.items() if '4711' in v])"
    execution.run(seen)
    assert execution.printed == "[]\n"


def test_the_kernel_works_in_its_own_folder(execution: Execution) -> None:
    execution.run("import os, tempfile\nprint(os.getcwd(), tempfile.gettempdir())")
    own = [str(execution.folder / name) for name in ("work", "tmp")]
    assert execution.printed.split() == own


def test_the_kernel_speaks_over_sockets_of_its_own_folder(execution: Execution) -> None:
    said = "ipykernel.get_connection_info(unpack=True)['transport']"
    execution.run(f"import ipykernel\nprint({said})")
    assert execution.printed == "ipc\n"
