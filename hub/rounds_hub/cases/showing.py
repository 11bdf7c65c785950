"""Make an answer of the index ready to be shown: checked once more, with its reasons.

What the index found is looked up in the catalogue as it is now, so that an index that
lags behind shows nothing hidden: no case, no result, and no slice of a series.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from rounds_hub.access.policy import (
    Action,
    case_resource,
    decide,
    run_resource,
    series_resource,
)
from rounds_hub.archive.models import Series
from rounds_hub.cases.found import Found, FoundHit, Shown, SlicePair
from rounds_hub.cases.models import Case, CaseSeries
from rounds_hub.cases.unknown import case_id_of, document_id, hides, masked_title
from rounds_hub.cases.views import texts
from rounds_hub.indexing.vectors import places_of
from rounds_hub.runs.models import Run
from rounds_kernels.modalities import NO_PICTURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.cases.examples import Asked
    from rounds_hub.house import House
    from rounds_search.answers import Answer, Hit, Pair
    from rounds_search.documents import Document

__all__ = ["RESULT", "Showing"]

RESULT: Final = "run-"
"""What the id of a result begins with in the index."""
MOST_PAIRS: Final = 3
"""How many pairs of slices are shown of each leg of a hit."""


@dataclass
class Showing:
    """One answer on its way to *principal*.

    *asked* are the examples by the name of their leg.
    """

    house: House
    principal: Principal
    language: str
    asked: Mapping[str, Asked] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)

    def found(self, answer: Answer) -> Found:
        """Return *answer* with titles, pictures and reasons, without what is hidden."""
        with self.house.sessions.begin(write=False) as session:
            hits = self._hits(session, answer)
        hidden = len(answer.hits) - len(hits)
        return Found(
            hits=tuple(hits),
            total=max(0, answer.total - hidden),
            facets=answer.facets,
            after=answer.after,
            suggestions=answer.suggestions,
            expansions=answer.expansions,
            relaxed=answer.relaxed,
            corrections=answer.corrections,
            weights=dict(self.weights),
            asked=tuple(one for asked in self.asked.values() for one in asked.shown),
        )

    def _hits(self, session: Session, answer: Answer) -> list[FoundHit]:
        """Return the hits that *principal* may see by now."""
        cases = _cases(session, answer)
        runs = _runs(session, answer)
        self._series = self._readable(session, answer)
        hits: list[FoundHit] = []
        for hit in answer.hits:
            if hit.document.kind == "result":
                run = runs.get(hit.id.removeprefix(RESULT))
                if run and decide(
                    self.principal, Action.RUN_READ, run_resource(session, run)
                ):
                    case_id = self._case_of(session, run)
                    hits.append(self._result_hit(hit, run, case_id))
            else:
                case = cases.get(case_id_of(hit.id))
                if case and self._may_be_shown(case, hit):
                    hits.append(self._case_hit(hit, case))
        return hits

    def _may_be_shown(self, case: Case, hit: Hit) -> bool:
        """Return whether *principal* may see *case* by now, found as *hit*.

        One that was found by what is not told to them any more is not shown.
        """
        may = decide(self.principal, Action.CASE_READ, case_resource(case))
        return may and hit.id == document_id(case, self.principal)

    def _readable(self, session: Session, answer: Answer) -> dict[str, Series]:
        """Return the series that led to hits, or stand for them, and may be seen."""
        wanted = {
            _series_of(name) for hit in answer.hits for name in hit.pictures.values()
        }
        wanted |= {hit.document.thumbnail for hit in answer.hits}
        rows = session.scalars(select(Series).where(Series.uid.in_(sorted(wanted))))
        return {
            series.uid: series
            for series in rows
            if decide(
                self.principal, Action.SERIES_READ, series_resource(session, series)
            )
        }

    def _case_hit(self, hit: Hit, case: Case) -> FoundHit:
        """Return a found case as it is shown."""
        told = texts(case, self.language)
        title = told.title
        if hides(case, self.principal):
            modality = hit.document.values("modality")
            title = masked_title(modality, case.body_part, told.language)
        return FoundHit(
            id=case.id,
            kind="case",
            title=title,
            case_id=case.id,
            level=case.level,
            language=told.language,
            **self._common(hit),
        )

    def _result_hit(self, hit: Hit, run: Run, case_id: str) -> FoundHit:
        """Return a found result as it is shown."""
        return FoundHit(
            id=hit.id,
            kind="result",
            title=hit.document.title,
            case_id=case_id,
            run_id=run.id,
            language=hit.document.language,
            **self._common(hit),
        )

    def _common(self, hit: Hit) -> dict[str, Any]:
        """Return what cases and results are shown with alike."""
        document: Document = hit.document
        same = self._same_codes(document)
        pairs = tuple(pair for leg in hit.pairs for pair in self._pairs(hit, leg))
        led = pairs[0].found.series_uid if pairs else document.thumbnail
        series = self._series.get(led)
        seen = series is not None and series.modality not in NO_PICTURES
        return {
            "why": (*_ranked(hit), *(("same code",) if same else ())),
            "modality": document.values("modality"),
            "body_part": document.values("body_part"),
            "score": hit.score,
            "ranks": dict(hit.ranks),
            "same_codes": same,
            "pairs": pairs,
            "highlights": dict(hit.highlights),
            "thumbnail": document.thumbnail,
            "series_uid": led if seen else "",
            "frames": series.frame_count if series is not None and seen else 0,
        }

    def _same_codes(self, document: Document) -> tuple[str, ...]:
        """Return the codes that *document* shares with the cases asked with."""
        codes = frozenset[str]().union(*(one.codes for one in self.asked.values()))
        return tuple(code for code in document.codes if code in codes)

    def _pairs(self, hit: Hit, leg: str) -> list[SlicePair]:
        """Return the likest slices of one leg, those that can be shown."""
        asked = self.asked.get(leg)
        series = self._series.get(_series_of(hit.pictures.get(leg, "")))
        if asked is None or series is None:
            return []
        places = places_of(self.house, series, asked.encoder)
        shown = (_pair(leg, asked.shown, series, places, one) for one in hit.pairs[leg])
        return [pair for pair in shown if pair is not None][:MOST_PAIRS]

    def _case_of(self, session: Session, run: Run) -> str:
        """Return the id of a case with an input of *run* that *principal* may see."""
        inputs = [given["series_uid"] for given in run.inputs]
        holds = select(CaseSeries.case_id).where(CaseSeries.series_uid.in_(inputs))
        cases = session.scalars(
            select(Case)
            .where(Case.id.in_(holds), Case.status != "deleted")
            .order_by(Case.created_at, Case.id)
        )
        may = (
            case.id
            for case in cases
            if decide(self.principal, Action.CASE_READ, case_resource(case))
        )
        return next(may, "")


def _series_of(image_id: str) -> str:
    """Return of which series a picture document is."""
    return image_id.partition(":")[0]


def _pair(
    leg: str,
    asked: Sequence[Shown],
    series: Series,
    places: Sequence[tuple[int, tuple[float, float, float, float] | None]],
    pair: Pair,
) -> SlicePair | None:
    """Return one pair as it is shown, None where it is not known of what it is."""
    if not (pair.asked < len(asked) and pair.row < len(places)):
        return None
    index, region = places[pair.row]
    found = Shown(
        series_uid=series.uid,
        slice=index,
        region=region,
        columns=series.columns,
        rows=series.rows,
    )
    return SlicePair(leg, pair.score, asked[pair.asked], found)


def _ranked(hit: Hit) -> tuple[str, ...]:
    """Return in words what led to *hit*, as in ``text 1``."""
    return tuple(
        f"{leg} {rank}" for leg, rank in sorted(hit.ranks.items(), reverse=True)
    )


def _cases(session: Session, answer: Answer) -> dict[str, Case]:
    """Return the found cases as the catalogue has them now."""
    wanted = [case_id_of(hit.id) for hit in answer.hits if hit.document.kind == "case"]
    alive = select(Case).where(Case.id.in_(wanted), Case.status != "deleted")
    return {case.id: case for case in session.scalars(alive)}


def _runs(session: Session, answer: Answer) -> dict[str, Run]:
    """Return the runs of the found results as the catalogue has them now."""
    wanted = [
        hit.id.removeprefix(RESULT)
        for hit in answer.hits
        if hit.document.kind == "result"
    ]
    found = select(Run).where(Run.id.in_(wanted)).options(selectinload(Run.requests))
    return {run.id: run for run in session.scalars(found)}
