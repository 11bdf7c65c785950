"""Every folder under notebooks/ is a template that a person can be given."""

from __future__ import annotations

import struct
from pathlib import Path

import nbformat
import pytest

from rounds_hub.runs import templates

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
FOLDERS = sorted(path.parent for path in NOTEBOOKS.glob("*/*/schema.json"))
LANGUAGES = {"en", "zh"}
SCHEMES = {"SCT", "DCM", "RADLEX", "99ROUNDS"}
UNITS = {"ml", "%", "mm", "[hnsf'U]", "1"}

every = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)


def test_there_are_templates() -> None:
    assert {path.name for path in FOLDERS} >= {"lung_volume", "brain_tissue"}


def test_no_folder_of_a_notebook_lacks_a_schema() -> None:
    assert sorted(path.parent for path in NOTEBOOKS.glob("*/*/*.ipynb")) == FOLDERS


@every
def test_it_loads(folder: Path) -> None:
    assert templates.load(folder).name == folder.name


@every
def test_it_speaks_english_and_chinese(folder: Path) -> None:
    schema = templates.load(folder).schema
    texts = [schema.title, schema.summary, *(one.label for one in schema.inputs)]
    texts += [text for one in schema.parameters for text in (one.label, one.help)]
    texts += [one.label for one in schema.outputs.measurements]
    texts += [one.label for one in schema.outputs.figures]
    assert [text for text in texts if set(text) != LANGUAGES] == []


@every
def test_its_results_are_coded(folder: Path) -> None:
    outputs = templates.load(folder).outputs
    codes = [one.code for one in outputs.measurements]
    for made in outputs.segmentations:
        codes += [code for one in made.segments for code in (one.code, one.category)]
    assert {code.scheme for code in codes} <= SCHEMES
    assert {one.unit for one in outputs.measurements} <= UNITS


@every
def test_its_numbers_have_ranges_and_its_units_are_ucum(folder: Path) -> None:
    for parameter in templates.load(folder).parameters:
        if parameter.type in {"float", "int"}:
            assert None not in (parameter.minimum, parameter.maximum)
        assert parameter.unit in {*UNITS, ""}


@every
def test_its_notebook_is_kept_without_outputs(folder: Path) -> None:
    notebook = nbformat.read(folder / "notebook.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in cells if cell.outputs] == []
    assert {cell.execution_count for cell in cells} == {None}


@every
def test_each_step_has_a_name_of_its_own(folder: Path) -> None:
    notebook = nbformat.read(folder / "notebook.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"][1:]
    names = [cell.metadata.get("rounds", {}).get("step") for cell in cells]
    assert None not in names
    assert len(names) == len(set(names))


@every
def test_its_readme_says_what_a_reader_needs(folder: Path) -> None:
    readme = templates.load(folder).readme
    for word in ("Question", "Input", "Parameters", "How far to trust it", "Sources"):
        assert f"**{word}" in readme


@every
def test_its_picture_is_a_picture_of_some_size(folder: Path) -> None:
    content = templates.load(folder).picture.read_bytes()
    width, height = struct.unpack(">II", content[16:24])
    assert content.startswith(b"\x89PNG")
    assert width >= 800
    assert height >= 300
    assert len(content) < 600_000


@every
def test_it_has_a_test_beside_it(folder: Path) -> None:
    text = (folder / f"test_{folder.name}.py").read_text()
    assert "phantoms." in text
    assert "shared_data" in text
