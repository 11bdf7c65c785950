"""Bring files, folders, zips, tars and NIfTI volumes into the archive."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rounds_hub.archive import sources
from rounds_hub.archive.intake import Outcome, Status
from rounds_hub.archive.service import Offer, store
from rounds_hub.errors import InvalidError, TooLargeError
from rounds_kernels.errors import KernelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pydicom import Dataset

    from rounds_hub.access.principal import Principal
    from rounds_hub.archive.sources import Found
    from rounds_hub.house import House

__all__ = ["Problem", "Progress", "Summary", "import_paths"]

BATCH_FILES = 250
BATCH_BYTES = 256 * 2**20
NIFTI = (".nii", ".nii.gz")
MODALITIES = frozenset({"CT", "MR", "PT", "NM", "US", "OT"})


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that was not taken, by the name it was given, and why."""

    file: str
    why: str
    status: str = Status.REFUSED.value


@dataclass(slots=True)
class Summary:
    """What became of the files of one import.

    *problems* names what was refused, kept aside, or passed over.

    Examples
    --------
    >>> Summary(taken=80, refused=20).exit_code
    3
    """

    taken: int = 0
    same: int = 0
    aside: int = 0
    refused: int = 0
    skipped: int = 0
    problems: list[Problem] = field(default_factory=list)
    study_uids: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 if everything is in the archive, 3 if a part is, 1 if nothing is."""
        if not self.refused + self.aside:
            return 0
        return 3 if self.taken + self.same else 1

    def add(self, outcome: Outcome) -> None:
        """Count one file."""
        name = outcome.status.value
        setattr(self, name, getattr(self, name) + 1)
        if outcome.status not in {Status.TAKEN, Status.SAME}:
            self.problems.append(Problem(outcome.name, outcome.why, name))
        elif outcome.study_uid not in self.study_uids:
            self.study_uids.append(outcome.study_uid)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is; what *summary* counts is in the archive for good."""

    done: int
    total: int
    summary: Summary


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
    if modality and modality not in MODALITIES:
        msg = f"No modality {modality!r}. Known: {', '.join(sorted(MODALITIES))}."
        raise InvalidError(msg, {"modality": msg})
    house.store.sweep_temporaries()
    listing = sources.look(paths)
    told = progress or (lambda _: None)
    work = _Import(house, principal, modality, told, total=len(listing.files))
    work.files(listing.files)
    for archive in listing.archives:
        work.archive(archive)
    return work.summary


@dataclass(slots=True)
class _Batch:
    """Files that wait to be stored together."""

    files: list[Found] = field(default_factory=list)
    size: int = 0

    @property
    def full(self) -> bool:
        """Whether it is time to store them."""
        return len(self.files) >= BATCH_FILES or self.size >= BATCH_BYTES

    def take(self) -> list[Found]:
        """Return the files and begin again."""
        files, self.files, self.size = self.files, [], 0
        return files


@dataclass(slots=True)
class _Import:
    """One import on its way."""

    house: House
    principal: Principal
    modality: str
    progress: Callable[[Progress], None]
    total: int = 0
    done: int = 0
    summary: Summary = field(default_factory=Summary)

    def archive(self, archive: Found) -> None:
        """Bring what is in a zip or tar."""
        bounds = sources.Bounds(size=self.house.settings.max_upload_bytes)
        try:
            with sources.opened(archive, self.house.store, bounds) as found:
                self.files(self._counted(found))
        except (InvalidError, TooLargeError) as error:
            self.total += 1
            self._count([Outcome(archive.name, Status.REFUSED, str(error))])

    def _counted(self, found: Iterable[Found]) -> Iterator[Found]:
        """Count the entries of an archive as they come."""
        for one in found:
            self.total += 1
            yield one

    def files(self, found: Iterable[Found]) -> None:
        """Bring single files, some hundred at a time."""
        batch = _Batch()
        try:
            for one in found:
                self._one(one, batch)
                if batch.full:
                    self._store(batch.take())
        except (InvalidError, TooLargeError):  # an archive that breaks off
            self._store(batch.take())
            raise
        self._store(batch.take())

    def _one(self, one: Found, batch: _Batch) -> None:
        """Put one file into *batch*, or say at once what becomes of it."""
        if one.why:
            status = Status.SKIPPED if one.skipped else Status.REFUSED
            self._count([Outcome(one.name, status, one.why)])
        elif one.name.lower().endswith(NIFTI):
            self._nifti(one)
        else:
            batch.files.append(one)
            batch.size += one.size

    def _store(self, batch: list[Found]) -> None:
        """Bring one batch of files."""
        if batch:
            offers = [Offer(one.name, _source(one)) for one in batch]
            self._count(store(self.house, self.principal, offers))

    def _count(self, outcomes: list[Outcome]) -> None:
        """Count what is done, and tell."""
        for outcome in outcomes:
            self.summary.add(outcome)
        self.done += len(outcomes)
        self.progress(Progress(self.done, self.total, self.summary))

    def _nifti(self, found: Found) -> None:
        """Bring a NIfTI volume as a series of instances; it counts as one file."""
        try:
            made = self._as_dicom(found)
        except (InvalidError, TooLargeError, KernelError) as error:
            self._count([Outcome(found.name, Status.REFUSED, str(error))])
            return
        outcomes = store(
            self.house, self.principal, [Offer(found.name, one) for one in made]
        )
        self._count([_worst(outcomes)])

    def _as_dicom(self, found: Found) -> list[Dataset]:
        """Return a NIfTI volume as DICOM, unpacked within bounds first."""
        if not self.modality:
            known = ", ".join(sorted(MODALITIES))
            msg = f"A NIfTI volume does not say its modality; declare it: {known}."
            raise InvalidError(msg)
        from rounds_kernels import nifti  # noqa: PLC0415 (loads nibabel, rarely needed)

        store = self.house.store
        most = self.house.settings.max_volume_bytes
        kept = store.stage(_source(found), most)
        plain = store.scratch().with_suffix(".nii")
        try:
            if found.name.lower().endswith(".gz"):
                sources.unpacked(kept.path, plain, store, sources.Bounds(size=most))
            else:
                kept.path.rename(plain)
            name = found.name.rsplit("/", 1)[-1].split(".nii")[0]
            return list(
                nifti.to_dicom(plain, modality=self.modality, description=name[:64])
            )
        finally:
            plain.unlink(missing_ok=True)
            store.drop(kept)


def _source(found: Found) -> Path | Iterator[bytes]:
    """Return the path of *found*, or its bytes where it is in an archive."""
    return found.source if isinstance(found.source, Path) else found.source()


def _worst(outcomes: list[Outcome]) -> Outcome:
    """Return one outcome for all slices of a volume: the one that needs a look."""
    order = [Status.REFUSED, Status.ASIDE, Status.TAKEN, Status.SAME, Status.SKIPPED]
    return min(outcomes, key=lambda outcome: order.index(outcome.status))
