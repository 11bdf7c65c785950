"""The durable workflow ``night``: how well like cases are found, measured each night.

Each series of a case is a question to the series of the other cases, with the vectors
that the index has. A row a label is kept for each night, so that drift is seen: a new
encoder, other scanners, cases with other labels. What is known here is renewed, too.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import structlog
from dbos import DBOS
from sqlalchemy import func, select

from rounds_hub.access.policy import HOUSE, Action, require
from rounds_hub.catalogue.models import utc_now
from rounds_hub.indexing.encoding import current, known_path
from rounds_hub.indexing.models import RetrievalNight
from rounds_hub.indexing.training import LABELS, labelled_series
from rounds_search.encoders.knowing import Known
from rounds_search.evaluation import average_precision, precision

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    import numpy.typing as npt
    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House
    from rounds_hub.indexing.training import Seen

__all__ = ["Night", "loop", "measure_night", "nights", "register"]

MOST_RECOVERIES: Final = 3
HOURS: Final = range(2, 5)
"""When it is night, in UTC."""
LOOK_SECONDS: Final = 300.0
MOST_SERIES: Final = 300
MOST_NIGHTS: Final = 60
BEFORE: Final = timedelta(days=7)
FEWEST: Final = 2

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Night:
    """How well one label was found one night, and how that differs from the week."""

    night: str
    label: str
    encoder: str
    series: int
    precision_1: float
    precision_10: float
    mean_average_precision: float
    drift: float


def register(house: House) -> None:
    """Register the workflow with DBOS, before it is launched."""

    @DBOS.step(name="night.measure")
    def measure(key: str) -> int:
        return measure_night(house, key)

    @DBOS.workflow(name="night", max_recovery_attempts=MOST_RECOVERIES)
    def night(key: str) -> int:
        return measure(key)

    del night  # registered by its name


def loop(house: House, closing: threading.Event) -> None:
    """Ask for the work of each night, until the worker ends."""
    asked = ""
    while not closing.wait(LOOK_SECONDS):
        now = utc_now()
        tonight = now.date().isoformat()
        if now.hour in HOURS and tonight != asked:
            house.work.enqueue("night", tonight)
            asked = tonight


def measure_night(house: House, night: str) -> int:
    """Measure and keep the rows of *night*; return how many labels there were.

    A night that was measured stays.
    """
    with house.sessions.begin(write=False) as session:
        measured = select(func.count()).select_from(RetrievalNight)
        if session.scalar(measured.where(RetrievalNight.night == night)):
            return 0
    encoder = current(house)
    seen = list(labelled_series(house, encoder))
    _keep_known(house, encoder, seen)
    chosen = _some(seen)
    nearness = _nearness(chosen)
    with house.sessions.begin() as session:
        rows = [
            row
            for label in LABELS
            if (row := _row(chosen, nearness, label, night)) is not None
        ]
        for row in rows:
            row.encoder = encoder
            row.drift = _drift(session, row)
            session.add(row)
    log.info("night measured", night=night, labels=len(rows), series=len(chosen))
    return len(rows)


def nights(house: House, principal: Principal) -> list[Night]:
    """Return what was measured lately, the newest first.

    Raises
    ------
    ForbiddenError
        If *principal* is no administrator.
    """
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.HOUSE_ADMIN, HOUSE)
        newest = select(RetrievalNight).order_by(
            RetrievalNight.night.desc(), RetrievalNight.label
        )
        rows = session.scalars(newest.limit(MOST_NIGHTS * len(LABELS)))
        names = Night.__dataclass_fields__
        return [Night(**{name: getattr(row, name) for name in names}) for row in rows]


def _some(seen: Sequence[Seen]) -> list[Seen]:
    """Return all series, or as many as are measured, drawn by chance."""
    if len(seen) <= MOST_SERIES:
        return list(seen)
    drawn = np.random.default_rng(0).permutation(len(seen))[:MOST_SERIES]
    return [seen[int(at)] for at in sorted(drawn)]


def _nearness(seen: Sequence[Seen]) -> npt.NDArray[np.float32]:
    """Return ``(n, n)``: the mean over the slices of one of the best of the other.

    Series of the same case are not compared.
    """
    near = np.full((len(seen), len(seen)), -np.inf, np.float32)
    for row, one in enumerate(seen):
        for column, other in enumerate(seen):
            if one.case != other.case:
                best = (one.vectors @ other.vectors.T).max(axis=1)
                near[row, column] = best.mean()
    return near


def _row(
    seen: Sequence[Seen], near: npt.NDArray[np.float32], label: str, night: str
) -> RetrievalNight | None:
    """Return the row of one label, None where it tells nothing apart."""
    named = [at for at, one in enumerate(seen) if one.labels[label]]
    if len({seen[at].labels[label] for at in named}) < FEWEST:
        return None
    scores = [found for at in named if (found := _scores(seen, near, label, at, named))]
    if not scores:
        return None
    means = np.mean(scores, axis=0)
    return RetrievalNight(
        night=night,
        label=label,
        series=len(scores),
        precision_1=float(means[0]),
        precision_10=float(means[1]),
        mean_average_precision=float(means[2]),
    )


def _scores(
    seen: Sequence[Seen],
    near: npt.NDArray[np.float32],
    label: str,
    at: int,
    named: Sequence[int],
) -> tuple[float, float, float] | None:
    """Return precision and average precision of one question, None without others."""
    others = [other for other in named if seen[other].case != seen[at].case]
    relevant = {
        str(other)
        for other in others
        if seen[other].labels[label] == seen[at].labels[label]
    }
    if not relevant:
        return None
    ranked = [str(other) for other in sorted(others, key=lambda one: -near[at, one])]
    deep = min(10, len(ranked))
    return (
        precision(ranked, relevant, 1),
        precision(ranked, relevant, deep),
        average_precision(ranked, relevant),
    )


def _drift(session: Session, row: RetrievalNight) -> float:
    """Return by how much the precision differs from the mean of the week before."""
    since = datetime.fromisoformat(row.night).date() - BEFORE
    before = session.scalar(
        select(func.avg(RetrievalNight.precision_1)).where(
            RetrievalNight.label == row.label,
            RetrievalNight.night >= since.isoformat(),
            RetrievalNight.night < row.night,
        )
    )
    return 0.0 if before is None else float(row.precision_1 - before)


def _keep_known(house: House, encoder: str, seen: Sequence[Seen]) -> None:
    """Keep what *encoder* made of the series; what has the name is whole."""
    rows = [row for one in seen for row in one.vectors]
    known = Known.of(np.array(rows), [one.case for one in seen for _ in one.vectors])
    if known is None:
        return
    path = known_path(house, encoder)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{uuid.uuid4().hex}")
    with temporary.open("wb") as file:
        file.write(known.written())
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
