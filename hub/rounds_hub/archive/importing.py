"""Import: from paths here and now, or from an upload when a worker comes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rounds_hub.archive import sources
from rounds_hub.archive.bringing import (
    Plan,
    Problem,
    Progress,
    Summary,
    import_listing,
)
from rounds_hub.archive.imports import run_import

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

__all__ = ["Problem", "Progress", "Summary", "import_paths", "run_import"]


def import_paths(
    house: House,
    principal: Principal,
    paths: Iterable[Path],
    *,
    modality: str = "",
    progress: Callable[[Progress], None] | None = None,
) -> Summary:
    """Bring what is at *paths* into the archive and return what became of it.

    Files go in by batches; what *progress* has counted is there for good, also if the
    process is killed. Done again, it goes on: what is there already changes nothing.

    Parameters
    ----------
    house
        The opened house.
    principal
        Who brings it.
    paths
        Files, folders, zips and tars. Symbolic links inside folders are not followed.
    modality
        What NIfTI volumes are of, as DICOM writes it: ``CT``, ``MR``, ``PT``...
    progress
        Called after each batch.

    Raises
    ------
    ForbiddenError
        If *principal* may not bring anything.
    InvalidError
        If *modality* is none that NIfTI volumes can be of.
    NoSpaceError
        If the disk would be filled; what was counted before is there.
    """
    plan = Plan(modality, progress) if progress else Plan(modality)
    return import_listing(house, principal, sources.look(paths), plan)
