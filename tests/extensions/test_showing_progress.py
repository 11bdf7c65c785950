"""Progress is a list of named steps: widgets for who looks on, lines elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

from rounds.progress import LARGE, bytes_progress, in_notebook

if TYPE_CHECKING:
    from pathlib import Path

STEPS = """\
from rounds.progress import bytes_progress, in_notebook, steps_progress

cells = [{"index": 0, "name": "Find <lungs>", "state": "running", "seconds": 1.5}]
steps = steps_progress("lung_volume")
steps.show("running", cells, 4)
with bytes_progress("Volume", 64 << 20) as arrived:
    arrived(32 << 20)
print(in_notebook(), steps._bar.max, steps._list.value)
"""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Run a cell with progress in a real kernel and return what it puts out."""
    cell = nbformat.v4.new_code_cell(STEPS)  # type: ignore[no-untyped-call] # nbformat's
    notebook = nbformat.v4.new_notebook(cells=[cell])  # type: ignore[no-untyped-call] # as above
    folder: Path = tmp_path_factory.mktemp("kernel")
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=120, resources=where).execute()
    return list(cell.outputs)


def test_a_notebook_gets_widgets(outputs: list[Any]) -> None:
    shown = [o for o in outputs if o.output_type == "display_data"]
    view = "application/vnd.jupyter.widget-view+json"
    assert len([o for o in shown if view in o.data]) == 1


def test_the_widget_names_the_cells_as_text(outputs: list[Any]) -> None:
    said = "".join(o.text for o in outputs if o.output_type == "stream")
    assert said.startswith("True 4 ")
    assert "◐ Find &lt;lungs&gt;  1.5 s" in said


def test_a_run_has_nobody_in_front_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUNDS_JOB", "job")
    assert not in_notebook()


def test_a_large_stream_is_told_on_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with bytes_progress("Volume", 64 << 20) as arrived:
        arrived(64 << 20)
    assert capsys.readouterr().err == "\rVolume: 64 of 64 MiB\n"


@pytest.mark.parametrize("total", [None, LARGE - 1])
def test_a_small_stream_says_nothing(
    total: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    with bytes_progress("Volume", total) as arrived:
        arrived(1)
    assert capsys.readouterr().err == ""
