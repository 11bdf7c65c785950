"""Which encoder describes the pictures of the house, and how another takes its place.

The built-in encoder always describes them. Another one is asked for by name: all series
are embedded with it by a durable workflow, while the one before answers; once the new
one is whole it answers, and what the one before wrote leaves the index.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import structlog
from sqlalchemy import select

from rounds_hub.access.policy import HOUSE, Action, require
from rounds_hub.catalogue.models import utc_now
from rounds_hub.errors import ConflictError, InvalidError
from rounds_hub.indexing.models import PictureEncoder
from rounds_search.encoders import ENCODER, ENCODERS, open_folder
from rounds_search.encoders.knowing import Known
from rounds_search.encoders.lite0 import LITE0, make_lite0
from rounds_search.encoders.network import Network
from rounds_search.errors import SearchError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

__all__ = [
    "EncoderState",
    "beside",
    "current",
    "embed",
    "encoders",
    "kept_known",
    "key_of",
    "known_path",
    "probe",
    "shelf",
]

WRITTEN: Final = ("embedding", "current")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class EncoderState:
    """An encoder, and how far the house has come with it.

    *state* is ``built in``, ``there`` (not asked for), ``embedding``, ``current``,
    ``retired`` or ``failed``.
    """

    name: str
    state: str
    answers: bool
    series: int = 0
    done: int = 0
    skipped: int = 0
    problem: str = ""
    finished_at: datetime | None = None


def shelf(house: House) -> Path:
    """Return the folder of the house's encoders, which this process then knows."""
    folder = house.settings.data / "encoders"
    open_folder(folder)
    return folder


def current(house: House) -> str:
    """Return the name of the encoder that answers.

    Where its folder is gone or damaged, or what runs it is not installed here, that is
    the built-in one, and the log says so.
    """
    shelf(house)
    asked = select(PictureEncoder.name).where(PictureEncoder.state == "current")
    with house.sessions.begin(write=False) as session:
        name = session.scalars(asked).first()
    if name is None:
        return ENCODER
    try:
        ENCODERS.named(name)
    except SearchError as error:
        log.warning("encoder cannot be used", encoder=name, why=str(error))
        return ENCODER
    return name


def beside(session: Session) -> dict[str, bool]:
    """Return the encoders beside the built-in one, and whether the index has theirs."""
    rows = session.scalars(select(PictureEncoder).order_by(PictureEncoder.name))
    return {row.name: row.state in WRITTEN for row in rows}


def encoders(house: House, principal: Principal) -> list[EncoderState]:
    """Return every encoder that is there or was asked for, the built-in one first.

    Raises
    ------
    ForbiddenError
        If *principal* is no administrator.
    """
    shelf(house)
    answering = current(house)
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.HOUSE_ADMIN, HOUSE)
        rows = {row.name: row for row in session.scalars(select(PictureEncoder))}
    names = dict.fromkeys([*ENCODERS, LITE0, *sorted(rows)])
    return [_state(name, rows.get(name), answering) for name in names]


def _state(name: str, row: PictureEncoder | None, answering: str) -> EncoderState:
    answers = name == answering
    if row is None:
        state = "built in" if name == ENCODER else "there"
        return EncoderState(name, state, answers)
    return EncoderState(
        name=name,
        state=row.state,
        answers=answers,
        series=row.series,
        done=row.done,
        skipped=row.skipped,
        problem=row.problem,
        finished_at=row.finished_at,
    )


def embed(house: House, principal: Principal, name: str) -> str:
    """Ask for all pictures to be embedded with *name*; return the key of the work.

    The one of the extra ``pictures`` is made out of its package where it is not there.

    Raises
    ------
    ForbiddenError
        If *principal* is no administrator.
    InvalidError
        If there is no such encoder, or it cannot be used; the sentence says why.
    ConflictError
        If that goes on already, or another one is being embedded with.
    """
    with house.sessions.begin(write=False) as session:
        require(session, principal, Action.HOUSE_ADMIN, HOUSE)
    _ready(house, name)
    with house.sessions.begin() as session:
        key = key_of(_asked(session, principal, name))
    house.work.enqueue("embed", key)
    log.info("embedding asked for", encoder=name)
    return key


def key_of(row: PictureEncoder) -> str:
    """Return the key of the work on *row*: a new one for each attempt."""
    return f"{row.name}:{row.attempt}"


def _ready(house: House, name: str) -> None:
    """Refuse an encoder that is not there or cannot be used."""
    folder = shelf(house)
    if name == ENCODER:
        msg = f"{name!r} is built in: all pictures are embedded with it already."
        raise InvalidError(msg)
    try:
        if name == LITE0:
            make_lite0(folder)
        ENCODERS.named(name).encode(np.add.outer(np.arange(64), np.arange(64)))
    except SearchError as error:
        raise InvalidError(str(error)) from error


def _asked(session: Session, principal: Principal, name: str) -> PictureEncoder:
    """Write down that *name* is wanted, once at a time."""
    busy = select(PictureEncoder).where(PictureEncoder.state == "embedding")
    other = session.scalars(busy).first()
    if other is not None:
        msg = f"All pictures are being embedded with {other.name!r}. Wait for its end."
        raise ConflictError(msg)
    row = session.get(PictureEncoder, name)
    if row is None:
        row = PictureEncoder(name=name, attempt=0, asked_by=principal.name)
        session.add(row)
    row.state, row.attempt, row.problem = "embedding", row.attempt + 1, ""
    row.series = row.done = row.skipped = 0
    row.last, row.finished_at = "", None
    row.asked_by, row.asked_at = principal.name, utc_now()
    session.flush()
    return row


def probe(house: House, encoder: str) -> tuple[Known, str] | None:
    """Return what is known here, and of which encoder's vectors; None where nothing is.

    That is what *encoder* was trained with, or else what it made of the house's own
    series, where these were looked through.
    """
    made = ENCODERS.get(encoder)
    if isinstance(made, Network) and made.known is not None:
        return made.known, made.knower
    kept = kept_known(house, encoder)
    return None if kept is None else (kept, encoder)


def kept_known(house: House, encoder: str) -> Known | None:
    """Return what *encoder* made of the house's series, None where nobody looked."""
    path = known_path(house, encoder)
    try:
        return _read_known(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return None
    except SearchError:
        log.warning("what is known is damaged", encoder=encoder)
        return None


def known_path(house: House, encoder: str) -> Path:
    """Return where it is kept what *encoder* made of the house's series."""
    return house.settings.data / "vectors" / encoder / "known.npz"


@lru_cache(maxsize=8)
def _read_known(path: Path, changed: int) -> Known:
    """Return what is kept at *path* since it was *changed*."""
    del changed
    return Known.read(path.read_bytes())
