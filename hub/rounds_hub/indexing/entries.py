"""What of the index a change touches: the thing, and what its audience reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import select

from rounds_hub.archive.models import Series
from rounds_hub.cases.models import Case, CaseSeries
from rounds_hub.cases.related import runs_on
from rounds_hub.indexing import encoding
from rounds_hub.indexing.documents import (
    case_entry,
    cases_of,
    image_entry,
    image_id,
    masked_entry,
    run_entry,
)
from rounds_hub.indexing.meanings import meaning_entry, means
from rounds_hub.indexing.vectors import looks_of
from rounds_hub.runs.models import Run
from rounds_search.documents import Delete, Document, ImageDocument
from rounds_search.encoders import ENCODER
from rounds_search.errors import SearchError
from rounds_search.regions import REGIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy.orm import Session

    from rounds_hub.house import House
    from rounds_search.backends.base import Backend

__all__ = ["Changes", "Entries"]

Changes = dict[tuple[str, str], Document | ImageDocument | Delete]
"""What is written, by what it is of: ``("case", id)``, ``("run", id)``, …

``("masked", id)`` is what learners find of an unknown case, ``("parts", uid)`` are the
parts of the slices of a series, ``("meaning", id)`` vectors of a case's words."""

KINDS: Final = ("series", "case", "run")
MORE: Final = {"case": ("masked",), "series": ("parts",)}
MEANT: Final = {"meaning": "case", "masked meaning": "masked"}
"""The vectors of words, and the document whose words they are of."""

log = structlog.get_logger()


class Entries:
    """The entries of the index as the catalogue makes them in one session.

    Parameters
    ----------
    revision
        The number of the newest event that the session sees.
    """

    def __init__(self, house: House, session: Session, revision: int) -> None:
        """Make entries from what *session* sees."""
        self._house = house
        self._session = session
        self._revision = revision
        self._made: Changes = {}
        self._beside = encoding.beside(session)
        encoding.shelf(house)

    def changed_by(self, kind: str, key: str) -> Changes:
        """Return all that has to be written because of an event.

        A case reaches the images of its series and the results computed on them,
        because who may see those follows from who may see the case.

        Raises
        ------
        ValueError
            If *kind* is none that events have.
        """
        if kind not in KINDS:
            msg = f"No event of kind {kind!r}. Known: {', '.join(KINDS)}."
            raise ValueError(msg)
        things = [(kind, key)]
        if kind == "case":
            things += self._around_case(key)
        if kind == "series":
            things += self._around_series(key)
        return {thing: self._entry(*thing) for thing in self._with_more(things)}

    def everything(self) -> Iterator[Document | ImageDocument]:
        """Yield every entry that the catalogue makes, one after the other."""
        things: list[tuple[str, str]] = []
        for kind, key in (
            ("case", Case.id),
            ("run", Run.id),
            ("series", CaseSeries.series_uid),
        ):
            found = self._session.scalars(select(key).distinct().order_by(key))
            things += [(kind, name) for name in found]
        for thing in self._with_more(things):
            try:
                entry = self._entry(*thing)
            except Exception:  # the log tells of it; the rest is indexed
                log.exception("indexing", kind=thing[0], key=thing[1])
                continue
            finally:
                self._made.clear()
            if not isinstance(entry, Delete):
                yield entry

    @staticmethod
    def write(index: Backend, changes: Mapping[tuple[str, str], object]) -> None:
        """Put *changes* into *index*, all or nothing."""
        entries = list(changes.values())
        index.write(
            [one for one in entries if isinstance(one, Document | ImageDocument)],
            [one for one in entries if isinstance(one, Delete)],
        )

    def _around_case(self, case_id: str) -> list[tuple[str, str]]:
        """Return the series of a case and the runs on them."""
        shown = select(CaseSeries.series_uid).where(CaseSeries.case_id == case_id)
        uids = list(self._session.scalars(shown))
        runs = runs_on(self._session, uids, case_id=case_id)
        return [*(("series", uid) for uid in uids), *(("run", run.id) for run in runs)]

    def _around_series(self, uid: str) -> list[tuple[str, str]]:
        """Return the cases that show a series and the runs on it."""
        cases = cases_of(self._session, uid)
        runs = runs_on(self._session, [uid])
        return [
            *(("case", one.id) for one in cases),
            *(("run", one.id) for one in runs),
        ]

    def _entry(self, kind: str, key: str) -> Document | ImageDocument | Delete:
        """Return one entry, made once."""
        thing = (kind, key)
        if thing not in self._made:
            self._made[thing] = self._make(kind, key)
        return self._made[thing]

    def _make(self, kind: str, key: str) -> Document | ImageDocument | Delete:
        """Return one entry as the catalogue makes it now."""
        if kind == "case":
            return case_entry(self._session, key, self._revision)
        if kind == "masked":
            return masked_entry(self._session, key, self._revision)
        if kind == "run":
            return run_entry(self._session, key, self._revision)
        if kind in MEANT:
            return meaning_entry(self._entry(MEANT[kind], key))
        if kind in self._beside:
            return self._images_beside(key, kind)
        return self._images(key, REGIONS if kind == "parts" else ENCODER)

    def _images_beside(self, uid: str, encoder: str) -> ImageDocument | Delete:
        """Return the images of a series by an encoder that is not built in."""
        gone = Delete(image_id(uid, encoder), self._revision, pictures=True)
        if not self._beside[encoder]:
            return gone
        try:
            return self._images(uid, encoder)
        except SearchError as error:
            # The built-in encoder still finds the series.
            log.warning("encoder cannot be used", encoder=encoder, why=str(error))
            return gone

    def _images(self, uid: str, encoder: str) -> ImageDocument | Delete:
        """Return the images of a series that a case shows, or that there are none."""
        gone = Delete(image_id(uid, encoder), self._revision, pictures=True)
        series = self._session.get(Series, uid)
        if series is None or not cases_of(self._session, uid):
            return gone
        looks = looks_of(self._house, series, encoder)
        if looks is None:
            return gone
        return image_entry(self._session, series, looks, self._revision, encoder)

    def _with_more(self, things: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return *things*, each with what else the index has of it.

        That is of a case what learners find of it and, where that is wanted, what its
        words mean; of a series its parts and what other encoders make of it.
        """
        meant = tuple(MEANT) if means(self._house) else ()
        more = {
            "case": (*MORE["case"], *meant),
            "series": (*MORE["series"], *self._beside),
        }
        return [
            one
            for kind, key in things
            for one in [(kind, key), *((name, key) for name in more.get(kind, ()))]
        ]
