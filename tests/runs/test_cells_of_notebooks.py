"""What a cell is called, how much it may say, and what is made of its output."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest

from rounds_hub.runs.cells import (
    OutputBudget,
    bounded_error,
    cell_name,
    merge_streams,
)


def cell(source: str, kind: str = "code", **metadata: Any) -> Any:  # noqa: ANN401
    new = getattr(nbformat.v4, f"new_{kind}_cell")
    return new(source, metadata=metadata)


def said(text: str, kind: str = "stream") -> dict[str, Any]:
    content = {"name": "stdout", "text": text} if kind == "stream" else {}
    if kind != "stream":
        content = {"data": {"text/plain": text}}  # type: ignore[dict-item]
    return {"msg_type": kind, "content": content}


@pytest.mark.parametrize(
    ("one", "name"),
    [
        pytest.param(cell("# Read the CT\nx = 1"), "Read the CT", id="a comment"),
        pytest.param(cell("x = 1"), "Cell 3", id="code alone"),
        pytest.param(cell(""), "Cell 3", id="nothing"),
        pytest.param(cell("x = 1\n# later"), "later", id="a later comment"),
        pytest.param(cell("#%% x\n# Real"), "Real", id="a marker is no name"),
        pytest.param(
            cell("# Other", rounds={"step": "Find the lungs"}),
            "Find the lungs",
            id="a step",
        ),
        pytest.param(cell("# Other", rounds={"step": 3}), "Other", id="no step"),
        pytest.param(cell("text\n## A `b`", "markdown"), "A b", id="a heading"),
        pytest.param(cell("# " + "x" * 200), "x" * 80, id="a long comment is cut"),
    ],
)
def test_a_cell_is_called(one: Any, name: str) -> None:  # noqa: ANN401
    assert cell_name(one, 2) == name


def test_what_fits_is_taken() -> None:
    budget = OutputBudget(cell_bytes=1000, notebook_bytes=5000)
    assert all(budget.takes(0, said("x" * 100)) for _ in range(10))


def test_text_that_does_not_fit_keeps_its_beginning() -> None:
    message = said("x" * 300)
    assert not OutputBudget(cell_bytes=200).takes(0, message)
    assert message["content"]["text"] == "x" * 200


def test_a_million_empty_outputs_are_not_free() -> None:
    budget = OutputBudget(cell_bytes=6400)
    assert sum(budget.takes(0, said("")) for _ in range(200)) == 100


def test_a_picture_that_does_not_fit_is_left_out() -> None:
    assert not OutputBudget(cell_bytes=100).takes(0, said("x" * 200, "display_data"))


def test_an_update_of_a_picture_counts_as_well() -> None:
    budget = OutputBudget(cell_bytes=500)
    assert budget.takes(0, said("x" * 400, "update_display_data"))
    assert not budget.takes(0, said("x" * 400, "update_display_data"))


def test_what_was_cleared_does_not_count() -> None:
    budget = OutputBudget(cell_bytes=500)
    budget.takes(0, said("x" * 400))
    budget.clear(0)
    assert budget.takes(0, said("x" * 400))


def test_all_cells_together_have_a_budget() -> None:
    budget = OutputBudget(cell_bytes=1000, notebook_bytes=1500)
    assert [budget.takes(i, said("x" * 900)) for i in range(3)] == [True, False, False]


def test_a_cut_is_noted_once() -> None:
    budget = OutputBudget()
    assert [len(budget.note(0)) for _ in range(3)] == [1, 0, 0]


def test_the_end_of_a_traceback_is_kept() -> None:
    message = {
        "msg_type": "error",
        "content": {"evalue": "v", "traceback": ["a" * 60_000, "the end"]},
    }
    bounded_error(message)
    traceback = message["content"]["traceback"]  # type: ignore[index]
    assert traceback[0] == "[traceback cut]"
    assert traceback[-1] == "the end"


def test_texts_on_the_same_stream_become_one() -> None:
    outputs = [
        {"output_type": "stream", "name": name, "text": text}
        for name, text in [("stdout", "a"), ("stdout", "b"), ("stderr", "c")]
    ]
    one: Any = {"outputs": [*outputs, {"output_type": "display_data"}]}
    merge_streams(one)
    assert [output.get("text") for output in one["outputs"]] == ["ab", "c", None]
