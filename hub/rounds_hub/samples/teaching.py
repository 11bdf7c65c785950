"""The sample cases as their files tell them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["SampleCase", "SampleImages", "sample_cases"]

FOLDER: Final = Path(__file__).parent / "cases"


@dataclass(frozen=True, slots=True)
class SampleImages:
    """Where the images of a series come from.

    *kind* is ``dicom`` (a file of a package, taken as it is), ``nifti`` (one that is
    converted) or ``phantom``.
    """

    kind: str
    label: str
    package: str = ""
    file: str = ""
    phantom: str = ""
    modality: str = ""
    body_part: str = ""
    study: str = ""


@dataclass(frozen=True, slots=True)
class SampleCase:
    """A sample case: its id, what it says, its images, whether it is a draft."""

    id: str
    fields: dict[str, Any]
    images: tuple[SampleImages, ...]
    draft: bool = False

    @property
    def title(self) -> str:
        """Its title in English."""
        return str(self.fields["title"])


def sample_cases(folder: Path = FOLDER) -> tuple[SampleCase, ...]:
    """Return the sample cases of *folder*, by name.

    Examples
    --------
    >>> sample_cases()[0].id
    'sample-bone-scan'
    """
    return tuple(_read(path) for path in sorted(folder.glob("*.toml")))


def _read(path: Path) -> SampleCase:
    """Return the case that the file at *path* tells."""
    told = tomllib.loads(path.read_text(encoding="utf-8"))
    images = tuple(SampleImages(**one) for one in told.pop("images"))
    draft = bool(told.pop("draft", False))
    return SampleCase(f"sample-{path.stem}", told, images, draft)
