"""A template folder is checked when it is loaded; what is wrong is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from rounds_hub.errors import InvalidError, NotFoundError
from rounds_hub.runs import templates
from rounds_hub.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runs.conftest import Shelf

WORDS = {"label": {"en": "n"}, "help": {"en": "n"}}
COUNT = {"name": "count", "type": "int", "default": 3, **WORDS}


def change(folder: Path, **changes: object) -> None:
    path = folder / "schema.json"
    schema = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps(schema))


def test_a_template_knows_its_declaration(shelf: Shelf) -> None:
    loaded = templates.load(shelf.add("trial", "1 + 1", parameters=[COUNT]))
    assert (loaded.name, loaded.organ) == ("trial", "test")
    assert templates.validate(loaded, {}) == {"count": 3}


def test_a_title_falls_back_to_english(shelf: Shelf) -> None:
    both = {"en": "Trial", "zh": "试验"}
    loaded = templates.load(shelf.add("trial", title=both))
    assert [loaded.title(one) for one in ("zh", "en", "de")] == [
        "试验",
        "Trial",
        "Trial",
    ]


def test_the_same_folder_has_the_same_hash(shelf: Shelf) -> None:
    folder = shelf.add("trial", "1 + 1")
    assert templates.load(folder).hash == templates.load(folder).hash


@pytest.mark.parametrize("name", ["notebook.ipynb", "schema.json", "README.md"])
def test_any_changed_file_changes_the_hash(shelf: Shelf, name: str) -> None:
    folder = shelf.add("trial", "1 + 1")
    before = templates.load(folder).hash
    path = folder / name
    path.write_text(path.read_text() + "\n")
    assert templates.load(folder).hash != before


def test_caches_and_hidden_files_do_not_count(shelf: Shelf) -> None:
    folder = shelf.add("trial", "1 + 1")
    before = templates.load(folder).hash
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_bytes(b"x")
    (folder / ".notes").write_text("x")
    assert templates.load(folder).hash == before


@pytest.mark.parametrize("name", ["notebook.ipynb", "schema.json", "README.md"])
def test_a_missing_file_is_named(shelf: Shelf, name: str) -> None:
    folder = shelf.add("trial")
    (folder / name).unlink()
    with pytest.raises(InvalidError, match=f"'trial', {name}: the file is missing"):
        templates.load(folder)


BAD_SCHEMAS = [
    pytest.param({"extra": 1}, "extra = 1", id="an undeclared field"),
    pytest.param({"title": {"zh": "试验"}}, "no English text", id="no English title"),
    pytest.param({"version": "one"}, "version = 'one'", id="a version that is none"),
    pytest.param({"inputs": []}, r"inputs = \[\]", id="no input"),
    pytest.param({"name": "other"}, "test/other must lie", id="another name"),
    pytest.param(
        {"parameters": [COUNT, COUNT]}, "'count' is declared twice", id="a name twice"
    ),
    pytest.param(
        {"parameters": [{**COUNT, "name": "class"}]}, "word of Python", id="a keyword"
    ),
    pytest.param(
        {"parameters": [{**COUNT, "name": "a b"}]}, "a b", id="a name with a space"
    ),
    pytest.param(
        {"parameters": [{**COUNT, "minimum": 5, "maximum": 4}]}, "range", id="no range"
    ),
    pytest.param(
        {"parameters": [{**COUNT, "minimum": 5}]},
        "default of 'count': 3 is outside",
        id="a default outside the range",
    ),
    pytest.param(
        {"parameters": [{**COUNT, "type": "choice"}]},
        "choices go together",
        id="no choice",
    ),
    pytest.param(
        {"parameters": [{**COUNT, "default": 4}]},
        "its parameters cell has",
        id="another default than the notebook",
    ),
    pytest.param({"parameters": []}, "its parameters cell has", id="a parameter less"),
]


@pytest.mark.parametrize(("changes", "said"), BAD_SCHEMAS)
def test_a_wrong_schema_is_named(
    shelf: Shelf, changes: dict[str, Any], said: str
) -> None:
    folder = shelf.add("trial", parameters=[COUNT])
    change(folder, **changes)
    with pytest.raises(InvalidError, match=said):
        templates.load(folder)


def rewrite(folder: Path, source: str, **metadata: object) -> None:
    path = folder / "notebook.ipynb"
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    notebook.cells[0].source = source
    notebook.metadata.update(metadata)
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]


BAD_CELLS = [
    pytest.param("count = 3", "must set 'parameters' alone", id="a name of its own"),
    pytest.param("parameters = 3", "is no JSON text", id="no text"),
    pytest.param("parameters = '[1]'", "is no JSON text", id="no object"),
    pytest.param("parameters = '{'", "is no JSON text", id="broken JSON"),
    pytest.param("parameters = open('x')", "is no JSON text", id="code"),
    pytest.param("", "must set 'parameters' alone", id="nothing"),
]


@pytest.mark.parametrize(("source", "said"), BAD_CELLS)
def test_a_wrong_parameters_cell_is_named(shelf: Shelf, source: str, said: str) -> None:
    folder = shelf.add("trial", parameters=[COUNT])
    rewrite(folder, source)
    with pytest.raises(InvalidError, match=said):
        templates.load(folder)


def test_another_language_is_refused(shelf: Shelf) -> None:
    folder = shelf.add("trial", parameters=[COUNT])
    kernel = {"name": "ir", "language": "R", "display_name": "R"}
    rewrite(folder, "parameters = '{\"count\": 3}'", kernelspec=kernel)
    with pytest.raises(InvalidError, match="its language is 'R'"):
        templates.load(folder)


def test_a_broken_folder_does_not_hide_the_others(shelf: Shelf) -> None:
    shelf.add("good")
    (shelf.add("broken") / "README.md").unlink()
    settings = load_settings(template_dirs=[str(shelf.folder)])
    assert list(templates.load_all(settings)) == ["good"]


def test_a_changed_template_is_seen_without_a_restart(shelf: Shelf) -> None:
    folder = shelf.add("trial")
    settings = load_settings(template_dirs=[str(shelf.folder)])
    before = templates.find(settings, "trial").hash
    change(folder, version="2")
    assert templates.find(settings, "trial").hash != before


def test_an_unknown_template_is_answered_with_the_known_ones(shelf: Shelf) -> None:
    shelf.add("good")
    settings = load_settings(template_dirs=[str(shelf.folder)])
    with pytest.raises(NotFoundError, match=r"No template 'bad'\. Known: good"):
        templates.find(settings, "bad")
