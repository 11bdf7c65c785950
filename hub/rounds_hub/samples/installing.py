"""Put the sample cases into a house, once."""

from __future__ import annotations

import hashlib
import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import structlog
from sqlalchemy import select

from rounds_hub.access.principal import Principal, Role
from rounds_hub.cases.models import Case
from rounds_hub.samples.teaching import FOLDER, SampleCase, sample_cases

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rounds_hub.house import House

    Progress = Callable[[str], None]

__all__ = ["AUTHOR", "install"]

AUTHOR: Final = Principal("teacher", frozenset({Role.TEACHER}), frozenset({"teachers"}))
"""Who the sample cases belong to."""

STAMP: Final = "samples.json"

log = structlog.get_logger()


def install(
    house: House, progress: Progress | None = None, *, author: Principal = AUTHOR
) -> tuple[str, ...]:
    """Put the sample cases into *house* and its index; return their ids.

    Cases that are there stay as they are, for somebody may have changed them. A second
    time costs next to nothing. Cases whose images come from a package that is not
    installed are left out, and *progress* says which.

    Parameters
    ----------
    progress
        Is told one sentence a case.
    author
        To whom the cases belong.
    """
    tell = progress or (lambda _: None)
    stamp = _stamp()
    ids = _stamped(house, stamp)
    if ids is not None:
        tell(f"{len(ids)} sample cases are there.")
        return ids
    there: list[str] = []
    left_out: list[str] = []
    for sample in sample_cases():
        if _install_one(house, author, sample, tell):
            there.append(sample.id)
        else:
            left_out.append(sample.id)
    _index(house, tell)
    _write_stamp(house, {"stamp": stamp, "ids": there, "left_out": left_out})
    return tuple(there)


def _install_one(
    house: House, author: Principal, sample: SampleCase, tell: Progress
) -> bool:
    """Put one sample case into *house*; return whether it is there."""
    from rounds_hub.cases import service  # noqa: PLC0415 (a second start needs none)
    from rounds_hub.samples.images import MissingPackageError  # noqa: PLC0415

    if _known(house, [sample.id]):
        tell(f"«{sample.title}» is there.")
        return True
    try:
        series = _stored(house, author, sample)
    except MissingPackageError as error:
        tell(f"«{sample.title}» is left out: {error}.")
        log.warning("sample case left out", case=sample.id, why=str(error))
        return False
    fields = {**sample.fields, "series": series}
    service.create(house, author, fields, case_id=sample.id)
    if not sample.draft:
        service.publish(house, author, sample.id)
    tell(f"«{sample.title}» is ready.")
    return True


def _stored(
    house: House, author: Principal, sample: SampleCase
) -> list[dict[str, str]]:
    """Put the images of *sample* into the archive; return the series it shows."""
    from rounds_hub.archive.service import Status, store  # noqa: PLC0415 (as above)
    from rounds_hub.samples.images import offers_of  # noqa: PLC0415

    shown: list[dict[str, str]] = []
    for images in sample.images:
        outcomes = store(house, author, offers_of(images))
        refused = [
            one for one in outcomes if one.status not in {Status.TAKEN, Status.SAME}
        ]
        if refused:
            msg = f"The images of {sample.id!r} were not taken: {refused[0].why}"
            raise ValueError(msg)
        shown.append({"uid": outcomes[0].series_uid, "label": images.label})
    return shown


def _index(house: House, tell: Progress) -> None:
    """Bring what was written into the index, unless a worker does so already."""
    from rounds_hub.indexing.consumer import run_once  # noqa: PLC0415 (as above)

    tell("Indexing words and images.")
    while run_once(house):
        pass


def _stamp() -> str:
    """Return what decides what is installed: the texts, and which packages are here."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.glob("*.toml")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    for package in ("data_store", "dipy", "nilearn", "pydicom"):
        digest.update(f"{package} {find_spec(package) is not None}".encode())
    return digest.hexdigest()


def _stamped(house: House, stamp: str) -> tuple[str, ...] | None:
    """Return the ids of an earlier installation, if it holds."""
    try:
        told = json.loads((house.settings.data / STAMP).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    ids = tuple(told["ids"])
    return ids if told["stamp"] == stamp and _known(house, ids) == set(ids) else None


def _write_stamp(house: House, told: dict[str, Any]) -> None:
    """Write what was installed, under its name only when it is whole."""
    path = house.settings.data / STAMP
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(told, indent=2), encoding="utf-8")
    temporary.replace(path)


def _known(house: House, ids: Sequence[str]) -> set[str]:
    """Return which of *ids* are cases of *house*, deleted ones too."""
    with house.sessions.begin(write=False) as session:
        return set(session.scalars(select(Case.id).where(Case.id.in_(ids))))
