"""What a template declares in its ``schema.json``: parameters, inputs, outputs."""

from __future__ import annotations

import keyword
import math
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

__all__ = [
    "Choice",
    "Code",
    "Figure",
    "Input",
    "Measurement",
    "Outputs",
    "Parameter",
    "Resources",
    "Schema",
    "Segment",
    "Segmentation",
    "Value",
]

Value: TypeAlias = float | int | bool | str
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Texts: TypeAlias = dict[Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")], Text]
"""A text by language (``en``, ``zh``); English is always there."""


class _Declared(BaseModel):
    """What all parts of a schema share: nothing undeclared, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Code(_Declared):
    """A coded concept, as DICOM has it."""

    value: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    scheme: Annotated[str, StringConstraints(min_length=1, max_length=16)]
    meaning: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Choice(_Declared):
    """One value that a parameter of type ``choice`` may have."""

    value: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    label: Texts


class Parameter(_Declared):
    """A typed parameter: what it means, which values it may have."""

    name: Name
    type: Literal["float", "int", "bool", "choice", "string"]
    default: Value
    minimum: float | int | None = None
    maximum: float | int | None = None
    unit: Annotated[str, StringConstraints(max_length=32)] = ""
    """A UCUM unit; empty where there is none."""
    choices: list[Choice] = Field(default_factory=list)
    max_length: Annotated[int, Field(ge=0, le=4000)] = 200
    label: Texts
    help: Texts

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Refuse a name that is a word of Python, and bounds that do not fit."""
        if keyword.iskeyword(self.name):
            msg = f"parameter {self.name!r} is a word of Python"
            raise ValueError(msg)
        if (self.type == "choice") != bool(self.choices):
            msg = f"parameter {self.name!r}: type 'choice' and choices go together"
            raise ValueError(msg)
        bounds = [one for one in (self.minimum, self.maximum) if one is not None]
        if bounds and self.type not in {"float", "int"}:
            msg = f"parameter {self.name!r} of type {self.type!r} cannot have a range"
            raise ValueError(msg)
        if not all(math.isfinite(one) for one in bounds) or bounds != sorted(bounds):
            msg = f"parameter {self.name!r} has the range {bounds}, which is none"
            raise ValueError(msg)
        return self


class Input(_Declared):
    """A series that the template needs; *body_part* empty: any."""

    name: Name
    modality: Annotated[list[str], Field(min_length=1)]
    minimum_slices: Annotated[int, Field(ge=1)] = 1
    body_part: list[str] = Field(default_factory=list)
    optional: bool = False
    label: Texts


class Measurement(_Declared):
    """A number that the template reports; *segment* names what it is measured on."""

    name: Name
    label: Texts
    unit: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    code: Code
    segment: Name | None = None


class Segment(_Declared):
    """One label of a segmentation: its number in the mask and what it is."""

    number: Annotated[int, Field(ge=1, le=255)]
    name: Name
    label: Texts
    code: Code
    category: Code


class Segmentation(_Declared):
    """A mask that the template makes on the grid of *input*."""

    name: Name
    input: Name
    label: Texts
    segments: Annotated[list[Segment], Field(min_length=1)]


class Figure(_Declared):
    """A picture that the template draws."""

    name: Name
    label: Texts


class Outputs(_Declared):
    """All that the template gives back."""

    measurements: list[Measurement] = Field(default_factory=list)
    segmentations: list[Segmentation] = Field(default_factory=list)
    figures: list[Figure] = Field(default_factory=list)


class Resources(_Declared):
    """What a run may take; 0: as much as the house allows."""

    seconds: Annotated[int, Field(ge=0)] = 0
    memory_bytes: Annotated[int, Field(ge=0)] = 0
    cpus: Annotated[int, Field(ge=1, le=64)] = 1
    gpu_memory_bytes: Annotated[int, Field(ge=0)] = 0


class Schema(_Declared):
    """The whole declaration of a template."""

    name: Name
    version: Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)*$")]
    organ: Name
    title: Texts
    summary: Texts
    parameters: list[Parameter] = Field(default_factory=list)
    inputs: Annotated[list[Input], Field(min_length=1)]
    outputs: Outputs
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        """Refuse names that are there twice, and names that point nowhere."""
        made = self.outputs.segmentations
        _once("parameter", [one.name for one in self.parameters])
        _once("input", [one.name for one in self.inputs])
        _once("measurement", [one.name for one in self.outputs.measurements])
        _once("segmentation", [one.name for one in made])
        _once("figure", [one.name for one in self.outputs.figures])
        segments = [segment.name for mask in made for segment in mask.segments]
        _once("segment", segments)
        for measured in self.outputs.measurements:
            _known("segment", measured.segment, [*segments, None])
        for mask in made:
            _known("input", mask.input, [one.name for one in self.inputs])
            _once("segment number", [str(one.number) for one in mask.segments])
        return self


def _once(kind: str, names: list[str]) -> None:
    """Refuse a name that is there twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"{kind} {twice[0]!r} is declared twice"
        raise ValueError(msg)


def _known(kind: str, name: str | None, known: list[str] | list[str | None]) -> None:
    """Refuse a name that points at nothing."""
    if name not in known:
        msg = f"there is no {kind} {name!r}"
        raise ValueError(msg)
