"""Bring listed files, archives and NIfTI volumes in, batch by batch."""

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
    from rounds_hub.archive.sources import Found, Listing
    from rounds_hub.house import House

__all__ = [
    "MODALITIES",
    "Plan",
    "Problem",
    "Progress",
    "Summary",
    "check_modality",
    "import_listing",
]

BATCH_FILES = 250
BATCH_BYTES = 256 * 2**20
LONGEST_DESCRIPTION = 64
"""Of a Long String (PS3.5, 6.2)."""
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


@dataclass(frozen=True, slots=True)
class Plan:
    """How to import: the modality of NIfTI volumes, whom to tell, where to go on.

    *summary* and *done* are those of an import that was interrupted: so many files, in
    the order of the listing, are not looked at again. *batch* files are stored at a
    time.
    """

    modality: str = ""
    progress: Callable[[Progress], None] = lambda _: None
    summary: Summary = field(default_factory=Summary)
    done: int = 0
    batch: int = BATCH_FILES


def check_modality(modality: str) -> None:
    """Refuse a modality that no NIfTI volume is of; none at all may be declared.

    Raises
    ------
    InvalidError
        With those that are known.
    """
    if modality and modality not in MODALITIES:
        msg = f"No modality {modality!r}. Known: {', '.join(sorted(MODALITIES))}."
        raise InvalidError(msg, {"modality": msg})


def import_listing(
    house: House, principal: Principal, listing: Listing, plan: Plan
) -> Summary:
    """Bring what was listed into the archive and return what became of it.

    Files go in by batches; what the plan's *progress* was told is there for good, also
    if the process is killed. Done again, it goes on: what is there changes nothing.

    Raises
    ------
    ForbiddenError
        If *principal* may not bring anything.
    InvalidError
        If the modality is none that NIfTI volumes can be of.
    NoSpaceError
        If the disk would be filled; what was counted before is there.
    """
    check_modality(plan.modality)
    house.store.sweep_temporaries()
    work = _Import(house, principal, plan, total=listing.total)
    work.files(listing.files)
    for archive in listing.archives:
        work.archive(archive)
    return plan.summary


@dataclass(slots=True)
class _Batch:
    """Files that wait to be stored together, in the order in which they came."""

    most: int
    files: list[Found] = field(default_factory=list)
    size: int = 0

    @property
    def full(self) -> bool:
        """Whether it is time to store them."""
        return len(self.files) >= self.most or self.size >= BATCH_BYTES

    def take(self) -> list[Found]:
        """Return the files and begin again."""
        files, self.files, self.size = self.files, [], 0
        return files


@dataclass(slots=True)
class _Import:
    """One import on its way; what is done is always a beginning of the listing."""

    house: House
    principal: Principal
    plan: Plan
    total: int = 0
    done: int = 0

    def archive(self, archive: Found) -> None:
        """Bring what is in a zip or tar."""
        bounds = sources.Bounds(size=self.house.settings.max_upload_bytes)
        try:
            with sources.opened(archive, self.house.store, bounds) as found:
                self.files(self._totalled(found))
        except (InvalidError, TooLargeError) as error:
            self.total += 1
            self._count([Outcome(archive.name, Status.REFUSED, str(error))])

    def _totalled(self, found: Iterable[Found]) -> Iterator[Found]:
        """Count the entries of an archive as they come."""
        for one in found:
            self.total += 1
            yield one

    def files(self, found: Iterable[Found]) -> None:
        """Bring files, some hundred at a time."""
        batch = _Batch(self.plan.batch)
        try:
            for one in found:
                if one.name.lower().endswith(NIFTI) and not one.why:
                    self._store(batch.take())
                    self._nifti(one)
                else:
                    batch.files.append(one)
                    batch.size += one.size
                if batch.full:
                    self._store(batch.take())
        except (InvalidError, TooLargeError):  # an archive that breaks off
            self._store(batch.take())
            raise
        self._store(batch.take())

    def _store(self, batch: list[Found]) -> None:
        """Bring one batch of files, leaving out what was done before."""
        before = min(len(batch), max(0, self.plan.done - self.done))
        self.done += before
        rest = batch[before:]
        if not rest:
            return
        offers = [Offer(one.name, _source(one)) for one in rest if not one.why]
        stored = iter(store(self.house, self.principal, offers) if offers else ())
        self._count([_refused(one) if one.why else next(stored) for one in rest])

    def _count(self, outcomes: list[Outcome]) -> None:
        """Count what is done, and tell."""
        new = max(0, self.plan.done - self.done)
        self.done += len(outcomes)
        for outcome in outcomes[new:]:
            self.plan.summary.add(outcome)
        if outcomes[new:]:
            self.plan.progress(Progress(self.done, self.total, self.plan.summary))

    def _nifti(self, found: Found) -> None:
        """Bring a NIfTI volume as a series of instances; it counts as one file."""
        if self.done < self.plan.done:
            self.done += 1
            return
        try:
            made = self._as_dicom(found)
        except (InvalidError, TooLargeError, KernelError) as error:
            self._count([Outcome(found.name, Status.REFUSED, str(error))])
            return
        offers = [Offer(found.name, one) for one in made]
        self._count([_worst(store(self.house, self.principal, offers))])

    def _as_dicom(self, found: Found) -> list[Dataset]:
        """Return a NIfTI volume as DICOM, unpacked within bounds first."""
        if not self.plan.modality:
            known = ", ".join(sorted(MODALITIES))
            msg = f"A NIfTI volume does not say its modality; declare it: {known}."
            raise InvalidError(msg)
        from rounds_kernels import nifti  # noqa: PLC0415 (loads nibabel, rarely needed)

        kept_in, most = self.house.store, self.house.settings.max_volume_bytes
        packed = kept_in.stage(_source(found), most)
        plain = kept_in.scratch().with_suffix(".nii")
        name = found.name.rsplit("/", 1)[-1].split(".nii")[0][:LONGEST_DESCRIPTION]
        try:
            if found.name.lower().endswith(".gz"):
                bounds = sources.Bounds(size=most)
                sources.unpacked(packed.path, plain, kept_in, bounds)
            else:
                packed.path.rename(plain)
            return nifti.to_dicom(
                plain, modality=self.plan.modality, description=name, limit=most
            )
        finally:
            plain.unlink(missing_ok=True)
            kept_in.drop(packed)


def _refused(found: Found) -> Outcome:
    """Return the outcome of what is not even looked at."""
    status = Status.SKIPPED if found.skipped else Status.REFUSED
    return Outcome(found.name, status, found.why)


def _source(found: Found) -> Path | Iterator[bytes]:
    """Return the path of *found*, or its bytes where it is in an archive."""
    return found.source if isinstance(found.source, Path) else found.source()


def _worst(outcomes: list[Outcome]) -> Outcome:
    """Return one outcome for all slices of a volume: the one that needs a look."""
    order = [Status.REFUSED, Status.ASIDE, Status.TAKEN, Status.SAME, Status.SKIPPED]
    return min(outcomes, key=lambda outcome: order.index(outcome.status))
