"""Find or make the images of sample cases, the same bytes each time."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rounds_hub.archive.service import Offer

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from rounds_hub.samples.teaching import SampleImages

__all__ = ["MissingPackageError", "locate", "offers_of"]


class MissingPackageError(Exception):
    """A package that a sample's images come from is not installed."""

    def __init__(self, package: str) -> None:
        """Name the *package*, and how to have it."""
        super().__init__(
            f"the package {package!r} with its images is not here; "
            "install rounds with the extra 'demo'"
        )
        self.package = package


def locate(package: str, file: str) -> Path:
    """Return where *file* of an installed *package* is, without importing it.

    Raises
    ------
    MissingPackageError
        If the package is not installed, or does not have the file.
    """
    spec = find_spec(package)
    for place in (spec.submodule_search_locations if spec else None) or ():
        path = Path(place) / file
        if path.is_file():
            return path
    raise MissingPackageError(package)


def offers_of(images: SampleImages) -> list[Offer]:
    """Return the DICOM objects of a series, ready for the archive.

    Raises
    ------
    MissingPackageError
        If they come from a package that is not installed.
    ValueError
        If their kind is none that there is.
    """
    if images.kind == "dicom":
        path = locate(images.package, images.file)
        return [Offer(path.name, path)]
    if images.kind == "nifti":
        return _named(_converted(images))
    if images.kind == "phantom":
        return _named(_synthetic(images))
    msg = f"No images of kind {images.kind!r}. Known: dicom, nifti, phantom."
    raise ValueError(msg)


def _converted(images: SampleImages) -> list[Dataset]:
    """Return a NIfTI file of a package as DICOM."""
    path = locate(images.package, images.file)
    # Arrays and DICOM writing load slowly, and are needed the first time alone.
    from rounds_kernels import nifti  # noqa: PLC0415

    made = nifti.to_dicom(path, modality=images.modality, description=images.study)
    for dataset in made:
        dataset.BodyPartExamined = images.body_part  # NIfTI does not know it
        # The parts that samples show are not paired (PS3.3 C.7.3.1, Laterality).
        dataset.pop("Laterality", None)
    return made


def _synthetic(images: SampleImages) -> list[Dataset]:
    """Return a phantom as DICOM."""
    from rounds_kernels import phantoms  # noqa: PLC0415 (as above)

    return phantoms.to_dicom(getattr(phantoms, images.phantom)())


def _named(datasets: list[Dataset]) -> list[Offer]:
    """Return *datasets* as offers, numbered."""
    return [Offer(f"{n:04d}.dcm", one) for n, one in enumerate(datasets, 1)]
