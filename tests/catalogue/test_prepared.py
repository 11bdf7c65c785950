"""Statements that the driver gets as they are, on SQLite and on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import bindparam, insert, select

from rounds_hub.archive.models import Series, Study
from rounds_hub.catalogue.models import OutboxEvent, utc_now
from rounds_hub.catalogue.prepared import Prepared, bare_transaction

if TYPE_CHECKING:
    from rounds_hub.catalogue.sessions import Sessions

EVENTS: Any = OutboxEvent.__table__
SERIES: Any = Series.__table__
SAY = Prepared(insert(EVENTS), ("kind", "key"))
FIND = Prepared(select(EVENTS.c.key).where(EVENTS.c.kind == bindparam("asked")))
BEGIN = Prepared(insert(SERIES), ("uid", "study_uid", "audience", "attributes"))


def test_columns_that_are_not_given_get_their_defaults(sessions: Sessions) -> None:
    before = utc_now()
    with bare_transaction(sessions.engine) as bare:
        bare.run(SAY, kind="series", key="1.2")
    with sessions.begin(write=False) as session:
        event = session.scalars(select(OutboxEvent)).one()
    assert before <= event.at <= utc_now()
    assert (event.kind, event.key, event.tries) == ("series", "1.2", 0)


def test_json_is_written_as_the_orm_reads_it(sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.add(Study(uid="1"))
    columns = {"audience": ["everyone"], "attributes": {"Laterality": "左"}}
    with bare_transaction(sessions.engine) as bare:
        bare.run(BEGIN, uid="1.1", study_uid="1", **columns)
    with sessions.begin(write=False) as session:
        series = session.scalars(select(Series)).one()
    assert (series.audience, series.attributes) == tuple(columns.values())


def test_rows_are_found_in_the_same_transaction(sessions: Sessions) -> None:
    with bare_transaction(sessions.engine) as bare:
        bare.run_each(SAY, [{"kind": "run", "key": key} for key in "ab"])
        assert sorted(bare.rows(FIND, asked="run")) == [("a",), ("b",)]


def test_an_error_undoes_what_was_run(sessions: Sessions) -> None:
    def fail_half_way() -> None:
        with bare_transaction(sessions.engine) as bare:
            bare.run(SAY, kind="run", key="a")
            msg = "half way"
            raise RuntimeError(msg)

    with pytest.raises(RuntimeError):
        fail_half_way()
    with sessions.begin(write=False) as session:
        assert not session.scalars(select(OutboxEvent)).all()
