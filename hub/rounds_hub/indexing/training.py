"""Train the heads of an encoder on what the archive's own cases are said to show.

Labels are what a published case says of itself: its body part and its codes, and what
its series are: modality and kind of sequence. What a case set to «unknown» shows is not
used: who may not know it must not be able to read it out of likenesses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import structlog
from sqlalchemy import select

from rounds_hub.access.policy import HOUSE, Action, require
from rounds_hub.archive.models import Series
from rounds_hub.cases.content import body_part
from rounds_hub.cases.models import Case
from rounds_hub.errors import InvalidError
from rounds_hub.indexing.encoding import shelf
from rounds_hub.indexing.vectors import looks_of
from rounds_search.encoders import ENCODER, ENCODERS
from rounds_search.encoders.headed import put_on_shelf
from rounds_search.encoders.heads import train
from rounds_search.encoders.lite0 import LITE0, make_lite0
from rounds_search.errors import SearchError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

__all__ = ["Seen", "labelled_series", "sequence_of", "train_on_archive"]

LABELS: Final = ("region", "modality", "sequence", "diagnosis")
SEQUENCES: Final = (
    ("DWI", r"dwi|diff|adc|trace"),
    ("FLAIR", r"flair|dark.?fluid"),
    ("T2*", r"t2\*|t2_?star|swi|gre|hemo"),
    ("angiography", r"angio|tof|cta|mra"),
    ("T1 with contrast", r"t1.*(gd|gad|contrast|post|ce\b|\+c)"),
    ("T1", r"t1|mprage|spgr"),
    ("T2", r"t2|tse|haste|ciss"),
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One series of a case: its vectors by an encoder, and its labels."""

    case: str
    vectors: npt.NDArray[np.float32]
    labels: dict[str, str]


def train_on_archive(house: House, principal: Principal, base: str = "") -> str:
    """Train heads on the published cases and return the name of the new encoder.

    Parameters
    ----------
    base
        The encoder to go on from; empty: the one of the extra ``pictures``, or the
        built-in one where that is not installed.

    Raises
    ------
    ForbiddenError
        If *principal* is no administrator.
    InvalidError
        If the cases have too few labels, or *base* cannot be used.
    """
    folder = shelf(house)
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.HOUSE_ADMIN, HOUSE)
    try:
        chosen = base or _best(folder)
        ENCODERS.named(chosen)
        seen = list(labelled_series(house, chosen))
        rows = [row for one in seen for row in one.vectors]
        of = [one for one in seen for _ in one.vectors]
        vectors = np.array(rows, np.float32) if rows else np.zeros((0, 1), np.float32)
        labels = {name: [one.labels[name] for one in of] for name in LABELS}
        trained = train(vectors, labels, [one.case for one in of])
        name = put_on_shelf(folder, chosen, trained)
    except SearchError as error:
        raise InvalidError(str(error)) from error
    heads = [head.label for head in trained.heads]
    log.info("heads trained", encoder=name, pictures=len(rows), heads=heads)
    return name


def labelled_series(house: House, encoder: str) -> Iterator[Seen]:
    """Yield what *encoder* makes of each series of the published, known cases."""
    wanted = select(Case).where(Case.status == "published", Case.unknown.is_(False))
    with house.sessions.begin(write=False) as session:
        cases = [
            (case.id, _labels(case), [one.series_uid for one in case.series])
            for case in session.scalars(wanted.order_by(Case.id))
        ]
    for case_id, labels, uids in cases:
        for uid in uids:
            with house.sessions.begin(write=False) as session:
                series = session.get(Series, uid)
            looks = looks_of(house, series, encoder) if series is not None else None
            if series is not None and looks is not None:
                yield Seen(case_id, looks.vectors, labels | _of_series(series))


def sequence_of(modality: str, description: str) -> str:
    """Return what kind of MR sequence *description* tells of, ``""`` where of none.

    Examples
    --------
    >>> sequence_of("MR", "t1_mprage_sag_p2"), sequence_of("CT", "T1")
    ('T1', '')
    """
    if modality != "MR":
        return ""
    found = (
        name
        for name, words in SEQUENCES
        if re.search(words, description, re.IGNORECASE)
    )
    return next(found, "")


def _labels(case: Case) -> dict[str, str]:
    codes = [f"{code['scheme']}:{code['value']}" for code in case.codes]
    return {"region": body_part(case.body_part), "diagnosis": codes[0] if codes else ""}


def _of_series(series: Series) -> dict[str, str]:
    sequence = sequence_of(series.modality, series.description)
    return {"modality": series.modality, "sequence": sequence}


def _best(folder: Path) -> str:
    """Return the best encoder that is installed."""
    try:
        make_lite0(folder)
    except UnsupportedError:
        return ENCODER
    return LITE0
