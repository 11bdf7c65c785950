"""A house of an older version answers as a new one, once its headers were read."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text
from tests.querying.library import ADMIN, Library, made_library

from rounds_hub.archive.models import Instance, Series, Study
from rounds_hub.archive.rereading import read_again
from rounds_hub.querying.keys import Level
from rounds_hub.querying.service import Query, find

if TYPE_CHECKING:
    from rounds_hub.house import House

OLDER = (
    "UPDATE instance SET attributes = '{}', keys_version = 0",
    "UPDATE series SET attributes = '{}'",
    "UPDATE study SET attributes = '{}', time = '', moment = '', study_id = ''",
    "UPDATE study SET birth_date = '', issuer = '', name_words = ''",
    "UPDATE study SET name_alphabetic = '', name_ideographic = '', name_phonetic = ''",
)


def older(library: Library) -> None:
    """Leave of the catalogue what an older version wrote."""
    with library.house.sessions.begin() as session:
        for statement in OLDER:
            session.execute(text(statement))


def columns(house: House) -> list[Any]:
    """Return every study, series and instance with its columns."""
    with house.sessions.begin(write=False) as session:
        return [
            session.execute(select(table.__table__).order_by(table.uid)).all()
            for table in (Study, Series, Instance)
        ]


def made(house: House) -> Library:
    return made_library(house, random.Random(2), 4)  # noqa: S311 (the same each time)


def test_reading_again_fills_what_a_new_house_has(any_house: House) -> None:
    library = made(any_house)
    new = columns(any_house)
    older(library)
    assert columns(any_house) != new
    assert read_again(any_house) == len(library.instances)
    assert columns(any_house) == new
    assert read_again(any_house) == 0


def test_a_query_says_that_headers_are_not_read_yet(house: House) -> None:
    library = made(house)
    older(library)
    assert find(house, ADMIN, Query(Level.STUDY)).unread
    read_again(house)
    assert not find(house, ADMIN, Query(Level.STUDY)).unread


def test_bytes_that_are_gone_do_not_hold_up_the_others(house: House) -> None:
    library = made(house)
    older(library)
    with house.sessions.begin(write=False) as session:
        lost = session.scalars(select(Instance)).all()[0]
    house.store.path(lost.sha256).unlink()
    assert read_again(house) == len(library.instances)
    assert not find(house, ADMIN, Query(Level.STUDY)).unread
