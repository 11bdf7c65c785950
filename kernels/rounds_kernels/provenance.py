"""Which template made a result, from what, with which parameters: inside the result.

The record is one line of JSON in AlgorithmParameters of a segmentation (PS3.3 10.16)
and in the Algorithm Parameters item of a report (PS3.16 TID 4019), so that a result can
be computed again from itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rounds_kernels.errors import ResultError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

__all__ = ["Provenance", "read_provenance"]

_RECORD: Final = "rounds-provenance-1"
_ALGORITHM_PARAMETERS: Final = "111002"
_LONGEST: Final = 10_240
_DEPTH: Final = 12


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a result comes from.

    Attributes
    ----------
    template, template_hash
        Name of the notebook template and hash of its folder.
    parameters
        As they were validated; JSON values.
    run_id
        Of the run; the UIDs of its results follow from it.
    image_digest
        Of the environment it ran in, e.g. a container's digest.
    software
        Name and version of what ran it.
    created
        When, as ISO 8601 without zone; "" takes the time of writing. With it the same
        run gives the same bytes.

    Examples
    --------
    >>> made = Provenance("lung_volume", "ab12", {"threshold": -400}, run_id="77")
    >>> Provenance.from_json(made.to_json()) == made
    True
    """

    template: str
    template_hash: str
    parameters: dict[str, Any] = field(default_factory=dict)
    run_id: str = ""
    image_digest: str = ""
    software: str = ""
    created: str = ""

    def to_json(self) -> str:
        """Return the record as one line of JSON.

        Raises
        ------
        ResultError
            When a parameter is no JSON value, or the record is too long for DICOM.
        """
        record = {"record": _RECORD} | {name: getattr(self, name) for name in _NAMES}
        try:
            line = json.dumps(record, sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            msg = f"A parameter of {self.template!r} is no JSON value: {error}."
            raise ResultError(msg) from error
        if len(line) > _LONGEST:
            msg = (
                f"The record of {self.template!r} is longer than {_LONGEST} characters."
            )
            raise ResultError(msg)
        return line

    @classmethod
    def from_json(cls, line: str) -> Provenance:
        """Return the provenance in a line that `to_json` gave.

        Raises
        ------
        ResultError
            When it is another kind of line.
        """
        try:
            record = json.loads(line)
            texts = {name: str(record[name]) for name in _NAMES if name != "parameters"}
            readable = record["record"] == _RECORD
            parameters = dict(record["parameters"])
        except (KeyError, TypeError, ValueError) as error:
            msg = "The result holds no provenance that Rounds can read."
            raise ResultError(msg) from error
        if not readable:
            msg = f"The provenance is a {record['record']!r}, not a {_RECORD!r}."
            raise ResultError(msg)
        return cls(parameters=parameters, **texts)


_NAMES: Final = tuple(Provenance.__slots__)


def read_provenance(result: Dataset) -> Provenance:
    """Return the provenance inside a segmentation or a report.

    Raises
    ------
    ResultError
        When it was not made by Rounds.
    """
    for line in _lines(result, _DEPTH):
        if _RECORD in line:
            return Provenance.from_json(line)
    msg = "The object holds no provenance: it was not made by a template of Rounds."
    raise ResultError(msg)


def _lines(dataset: Dataset, depth: int) -> Iterator[str]:
    """Yield the algorithm parameters in a data set and its sequences."""
    for name in ("SegmentSequence", "SegmentationAlgorithmIdentificationSequence"):
        for item in dataset.get(name) or ():
            yield from _lines(item, depth - 1)
    if "AlgorithmParameters" in dataset:
        yield str(dataset.AlgorithmParameters)
    for item in dataset.get("ContentSequence") or () if depth else ():
        concept = item.get("ConceptNameCodeSequence")
        if concept and concept[0].get("CodeValue") == _ALGORITHM_PARAMETERS:
            yield str(item.get("TextValue", ""))
        yield from _lines(item, depth - 1)
