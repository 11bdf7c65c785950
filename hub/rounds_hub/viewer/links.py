"""Where in the viewer a case, a study or a result is: exactly its series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

from rounds_hub.archive.reading import get_series, get_study
from rounds_hub.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rounds_hub.access.principal import Principal
    from rounds_hub.archive.reading import SeriesRecord
    from rounds_hub.house import House
    from rounds_hub.runs.models import Run

__all__ = ["MADE_OF_PICTURES", "MOST_SERIES", "Shown", "made_by", "made_in"]
__all__ += ["viewer_path"]

MADE_OF_PICTURES = frozenset({"SEG", "SR", "PR", "KO", "RTSTRUCT"})
"""Modalities of what is made when pictures are read."""

MOST_SERIES = 40
"""How many series one address names, so that no server finds it too long."""


class Shown(Protocol):
    """A series as the archive and the cases hand it out."""

    @property
    def uid(self) -> str:
        """The SeriesInstanceUID."""

    @property
    def study_uid(self) -> str:
        """The StudyInstanceUID."""


def viewer_path(shown: Iterable[Shown], first: str = "") -> str:
    """Return the address, below the service's prefix, where the viewer shows *shown*.

    It begins with the series *first*: a segmentation lies over its pictures then. With
    none, it begins with the first of *shown*. It is empty where nothing is shown.

    Examples
    --------
    >>> from types import SimpleNamespace as Series
    >>> viewer_path([Series(uid="1.2.3", study_uid="1.2")])
    'ohif/viewer?StudyInstanceUIDs=1.2&SeriesInstanceUIDs=1.2.3&initialSeriesInstanceUID=1.2.3'
    """
    named = list({one.uid: one for one in shown}.values())[:MOST_SERIES]
    if not named:
        return ""
    words = {
        "StudyInstanceUIDs": ",".join(dict.fromkeys(one.study_uid for one in named)),
        "SeriesInstanceUIDs": ",".join(one.uid for one in named),
        "initialSeriesInstanceUID": first or named[0].uid,
    }
    return f"ohif/viewer?{urlencode(words, safe=',')}"


def made_by(house: House, principal: Principal, run: Run) -> tuple[SeriesRecord, ...]:
    """Return the series that *run* put into the archive: masks first, then reports.

    What *principal* may not see, or is gone, is not among them.
    """
    uids = [one["series_uid"] for one in run.results.get("segmentations", [])]
    uids.append(run.results.get("report_series_uid", ""))
    found: list[SeriesRecord] = []
    for uid in dict.fromkeys(one for one in uids if one):
        try:
            found.append(get_series(house, principal, uid))
        except NotFoundError:
            continue  # nothing to open then
    return tuple(found)


def made_in(
    house: House, principal: Principal, study_uids: Sequence[str]
) -> tuple[SeriesRecord, ...]:
    """Return what was saved with studies as somebody read them, and no run made.

    The newest come first; what *principal* may not see is not among them.
    """
    found: list[SeriesRecord] = []
    for uid in dict.fromkeys(study_uids):
        try:
            study = get_study(house, principal, uid)
        except NotFoundError:
            continue  # its pictures may not be seen, nor what was made of them
        found += [
            series
            for series in study.series
            if series.modality in MADE_OF_PICTURES and series.run_id is None
        ]
    return tuple(sorted(found, key=lambda one: one.created_at, reverse=True))
