"""Templates are folders: a notebook, its schema, a README, a picture and a test."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import ValidationError

from rounds_hub.errors import InvalidError, NotFoundError
from rounds_hub.runs import parameters
from rounds_hub.runs.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rounds_hub.runs.schema import Input, Outputs, Parameter, Resources, Value
    from rounds_hub.settings import Rounds

__all__ = [
    "Template",
    "find",
    "load",
    "load_all",
    "parse_form",
    "template_dirs",
    "validate",
]

PARAMETERS = "parameters"
"""The one name that papermill puts into a template: a JSON text with all values."""

log = structlog.get_logger()


@dataclass(frozen=True, eq=False)
class Template:
    """A template as it lies in its folder; *hash* is the SHA-256 over its files."""

    folder: Path
    schema: Schema
    hash: str

    @property
    def name(self) -> str:
        """The name by which people ask for it."""
        return self.schema.name

    @property
    def organ(self) -> str:
        """The organ it is about: the folder above its own."""
        return self.schema.organ

    @property
    def parameters(self) -> list[Parameter]:
        """The typed parameters, in the order in which a form shows them."""
        return self.schema.parameters

    @property
    def inputs(self) -> list[Input]:
        """The series that it needs."""
        return self.schema.inputs

    @property
    def outputs(self) -> Outputs:
        """What it gives back."""
        return self.schema.outputs

    @property
    def resources(self) -> Resources:
        """What a run may take."""
        return self.schema.resources

    @property
    def notebook(self) -> Path:
        """The notebook's file."""
        return self.folder / "notebook.ipynb"

    @property
    def picture(self) -> Path:
        """The picture's file: what a run gives, at a glance."""
        return self.folder / "picture.png"

    @cached_property
    def readme(self) -> str:
        """What it does, how, and from which source, in Markdown."""
        return (self.folder / "README.md").read_text(encoding="utf-8")

    def title(self, language: str = "en") -> str:
        """Return the title in *language*, or in English."""
        return self.schema.title.get(language) or self.schema.title["en"]

    def summary(self, language: str = "en") -> str:
        """Return one sentence about it in *language*, or in English."""
        return self.schema.summary.get(language) or self.schema.summary["en"]

    def describe(self) -> dict[str, Any]:
        """Return the whole declaration as JSON has it."""
        return {**self.schema.model_dump(mode="json"), "hash": self.hash}


def validate(template: Template, given: Mapping[str, Any]) -> dict[str, Value]:
    """Return the values of all parameters of *template*, defaults filled in.

    Raises
    ------
    InvalidError
        If a name is unknown or a value does not fit; *problems* has each by its name.
    """
    return parameters.validate(template.schema, given)


def parse_form(
    template: Template, form: Mapping[str, Any], prefix: str = ""
) -> dict[str, Any]:
    """Return the values that the text fields of a submitted *form* stand for.

    Raises
    ------
    InvalidError
        If a text is no number; *problems* has each by the parameter's name.
    """
    return parameters.parse_form(template.schema, form, prefix)


def template_dirs(settings: Rounds) -> list[Path]:
    """Return the folders with templates: those set, or those that come with Rounds."""
    if settings.template_dirs:
        return [Path(one).expanduser().absolute() for one in settings.template_dirs]
    checkout = Path(__file__).parents[3] / "notebooks"
    installed = Path(sys.prefix) / "share" / "jupyter" / "rounds" / "notebooks"
    return [checkout if checkout.is_dir() else installed]


_KNOWN: dict[Path, tuple[tuple[Any, ...], Template]] = {}


def load_all(settings: Rounds) -> dict[str, Template]:
    """Return every template of the house by its name.

    A folder that is no good is left out, and the log says why; an earlier folder of
    `Rounds.template_dirs` goes before a later one.
    """
    found: dict[str, Template] = {}
    for top in template_dirs(settings):
        for schema in sorted(top.glob("*/*/schema.json")):
            try:
                template = _load_cached(schema.parent)
            except InvalidError as error:
                log.warning(
                    "template left out", template=schema.parent.name, why=str(error)
                )
                continue
            found.setdefault(template.name, template)
    return found


def find(settings: Rounds, name: str) -> Template:
    """Return the template *name*.

    Raises
    ------
    NotFoundError
        If there is none, with those that there are.
    """
    known = load_all(settings)
    if name not in known:
        kind = "template"
        raise NotFoundError(kind, name[:80], known)
    return known[name]


def load(folder: Path) -> Template:
    """Return the template in *folder*, checked against its notebook.

    Raises
    ------
    InvalidError
        If a file is missing or the schema and the notebook disagree; the message
        names the file and the value.
    """
    for name in ("notebook.ipynb", "schema.json", "README.md", "picture.png"):
        if not (folder / name).is_file():
            raise _wrong(folder, name, "the file is missing")
    schema = _read_schema(folder)
    if schema.name != folder.name or schema.organ != folder.parent.name:
        there = f"{folder.parent.name}/{folder.name}"
        why = f"{schema.organ}/{schema.name} must lie in such a folder, not {there}"
        raise _wrong(folder, "schema.json", why)
    _check_defaults(folder, schema)
    _check_notebook(folder, schema)
    return Template(folder, schema, _hash(folder))


def _load_cached(folder: Path) -> Template:
    """Return the template in *folder*, read again when a file of it changed."""
    state = tuple(
        (str(path), found.st_mtime_ns, found.st_size)
        for path in _files(folder)
        for found in (path.stat(),)
    )
    kept = _KNOWN.get(folder)
    if kept is None or kept[0] != state:
        kept = _KNOWN[folder] = (state, load(folder))
    return kept[1]


def _files(folder: Path) -> Iterator[Path]:
    """Return the files that make up a template, in a fixed order."""
    for path in sorted(folder.rglob("*")):
        within = path.relative_to(folder).parts
        if path.is_file() and not any(one.startswith((".", "__")) for one in within):
            yield path


def _hash(folder: Path) -> str:
    """Return the SHA-256 over the names and bytes of the files in *folder*."""
    digest = hashlib.sha256()
    for path in _files(folder):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def _read_schema(folder: Path) -> Schema:
    """Return the schema in *folder*."""
    try:
        text = (folder / "schema.json").read_text(encoding="utf-8")
        schema = Schema.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "schema"
        why = f"{place} = {first['input']!r:.200}: {first['msg']}"
        raise _wrong(folder, "schema.json", why) from error
    for texts in _texts(schema.model_dump()):
        if "en" not in texts:
            raise _wrong(folder, "schema.json", f"{texts!r} has no English text")
    return schema


def _texts(part: object, name: str = "") -> Iterator[dict[str, str]]:
    """Return every text by language within *part* of a schema."""
    if isinstance(part, list):
        for one in part:
            yield from _texts(one)
    elif isinstance(part, dict):
        if name in {"title", "summary", "label", "help"}:
            yield part
            return
        for key, one in part.items():
            yield from _texts(one, str(key))


def _check_defaults(folder: Path, schema: Schema) -> None:
    """Refuse a default that its own parameter would not take."""
    try:
        parameters.validate(schema, {})
    except InvalidError as error:
        name, why = next(iter(error.problems.items()))
        raise _wrong(folder, "schema.json", f"default of {name!r}: {why}") from error


def _check_notebook(folder: Path, schema: Schema) -> None:
    """Refuse a notebook whose parameters cell is not what the schema declares."""
    import nbformat  # noqa: PLC0415 (with papermill it takes a second to import)
    from papermill import inspect_notebook  # noqa: PLC0415 (as above)

    try:
        notebook = nbformat.read(  # type: ignore[no-untyped-call]
            folder / "notebook.ipynb", as_version=4
        )
        nbformat.validate(notebook)
    except (ValueError, nbformat.ValidationError) as error:
        raise _wrong(folder, "notebook.ipynb", f"it cannot be read: {error}") from error
    language = notebook.metadata.get("kernelspec", {}).get("language", "")
    if language != "python":
        raise _wrong(
            folder, "notebook.ipynb", f"its language is {language!r}, not Python"
        )
    declared = inspect_notebook(notebook)
    if list(declared) != [PARAMETERS]:
        why = f"its parameters cell must set {PARAMETERS!r} alone, not {list(declared)}"
        raise _wrong(folder, "notebook.ipynb", why)
    there = _json_literal(folder, declared[PARAMETERS]["default"])
    defaults = parameters.validate(schema, {})
    if list(there) != list(defaults) or parameters.validate(schema, there) != defaults:
        why = f"its parameters cell has {there!r}, the schema {defaults!r}"
        raise _wrong(folder, "notebook.ipynb", why)


def _json_literal(folder: Path, source: str) -> dict[str, Any]:
    """Return what the JSON text in the Python literal *source* stands for."""
    try:
        return dict(json.loads(ast.literal_eval(source)))
    except (ValueError, SyntaxError, TypeError) as error:
        why = f"{PARAMETERS} = {source[:200]} is no JSON text"
        raise _wrong(folder, "notebook.ipynb", why) from error


def _wrong(folder: Path, file: str, why: str) -> InvalidError:
    """Return the error that names *file* of a template and what is wrong there."""
    return InvalidError(f"Template {folder.name!r}, {file}: {why}.")
