"""Add instances to series that grow already, in as few statements as there can be.

A scanner sends a series instance by instance, and waits for each. When its rows are
there, and its sender is in the audit trail, there is nothing left to decide: what came
is inserted, the series is brought up to it, and the event is written. Whatever is
unusual is undone here and left to :mod:`rounds_hub.archive.intake`.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, insert, select, update

from rounds_hub.archive.growing import (
    GROWN,
    INSTANCES,
    OUTBOX,
    SERIES,
    Growing,
    grown,
    remembered,
)
from rounds_hub.catalogue.prepared import Prepared, bare_transaction
from rounds_hub.routing.noting import CHANGED, changed_columns, state_upsert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rounds_hub.archive.intake import Ready
    from rounds_hub.catalogue.prepared import Bare
    from rounds_hub.catalogue.sessions import Sessions

__all__ = ["append", "instance_row"]

_FIELDS: Final = tuple(one.name for one in fields(Growing))
_HOLD: Final = Prepared(
    select(*(SERIES.c[name] for name in _FIELDS))
    .where(SERIES.c.uid == bindparam("series"))
    .with_for_update()
)
_ADD: Final = Prepared(
    insert(INSTANCES),
    (
        "uid", "series_uid", "sop_class", "transfer_syntax", "number", "frames",
        "sha256", "size", "attributes", "keys_version",
    ),
)  # fmt: skip
_GROW: Final = Prepared(
    update(SERIES)
    .where(SERIES.c.uid == bindparam("series"))
    .values({name: bindparam(f"new_{name}") for name in GROWN})
)
_SAY: Final = Prepared(insert(OUTBOX), ("kind", "key"))
_STATES: Final = {
    name: Prepared(state_upsert(CHANGED, postgresql=name == "postgresql"), CHANGED)
    for name in ("sqlite", "postgresql")
}


class _UnusualError(Exception):
    """Something has to be decided first."""


def append(sessions: Sessions, brought: Mapping[str, Sequence[Ready]]) -> bool:
    """Add what each of some people *brought* to series of theirs that are there.

    Their bytes are on the disk, and these people may bring what they brought.

    Returns
    -------
    bool
        Whether all of it was written, in one transaction. If not, nothing was: a
        series or its study is new or another's, an instance is known, or the database
        was busy.
    """
    by_series: dict[str, tuple[str, list[Ready]]] = {}
    for owner, batch in brought.items():
        for ready in batch:
            uid = ready.examined.series_uid
            known, some = by_series.setdefault(uid, (owner, []))
            if known != owner:
                return False
            some.append(ready)
    engine = sessions.engine
    dbapi: Any = engine.dialect.dbapi
    try:
        with bare_transaction(engine) as bare:
            for uid in sorted(by_series):
                _add(bare, _STATES[engine.dialect.name], uid, *by_series[uid])
    except (_UnusualError, dbapi.Error):
        return False
    return True


def instance_row(ready: Ready) -> dict[str, Any]:
    """Return the row of a new instance."""
    found = ready.examined
    return {
        "uid": found.sop_uid,
        "series_uid": found.series_uid,
        "sop_class": found.sop_class,
        "transfer_syntax": found.transfer_syntax,
        "number": found.instance_number,
        "frames": found.frames,
        "sha256": ready.staged.sha256,
        "size": ready.staged.size,
        **found.kept.instance,
    }


def _add(
    bare: Bare, state: Prepared, uid: str, owner: str, some: Sequence[Ready]
) -> None:
    """Add instances to one series."""
    there = bare.rows(_HOLD, series=uid)
    series = Growing(*there[0]) if there else None
    if series is None or series.run_id is not None or series.owner != owner:
        raise _UnusualError
    hashes = remembered.taken(series)
    if hashes is None or any(
        one.examined.study_uid != series.study_uid for one in some
    ):
        raise _UnusualError
    rows = [instance_row(one) for one in some]
    bare.run_each(_ADD, sorted(rows, key=lambda row: str(row["uid"])))
    new = [(one.staged.sha256, one.examined) for one in some]
    values = grown(series, hashes, new)
    bare.run(_GROW, series=uid, **{f"new_{name}": values[name] for name in GROWN})
    bare.run(_SAY, kind="series", key=uid)
    bare.run(state, series_uid=uid, **changed_columns(series))
