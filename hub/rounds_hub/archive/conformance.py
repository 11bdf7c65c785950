"""What was found wrong with the instances of a series: one list, how often each.

The looking itself is done in the background by :mod:`conformance_work`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from rounds_hub.archive.models import Conformance, ConformanceFinding
from rounds_hub.archive.reading import get_series, open_instance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

__all__ = ["Found", "Report", "instance_report", "series_report"]

SOME = 500


@dataclass(frozen=True, slots=True)
class Found:
    """A finding, in how many instances it is, and one of them."""

    level: str
    tool: str
    kind: str
    text: str
    instances: int
    example: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in some instances, *checked* of which were looked at."""

    instances: int
    checked: int
    unreadable: int
    tools: tuple[str, ...]
    findings: tuple[Found, ...]

    @property
    def errors(self) -> int:
        """How many different errors there are."""
        return sum(one.level == "error" for one in self.findings)

    @property
    def warnings(self) -> int:
        """How many different warnings there are."""
        return sum(one.level == "warning" for one in self.findings)


def series_report(house: House, principal: Principal, series_uid: str) -> Report:
    """Return what was found in the instances of a series, errors first.

    Raises
    ------
    NotFoundError
        If there is no such series, or none that *principal* may see.
    """
    series = get_series(house, principal, series_uid)
    wanted = select(Conformance).where(Conformance.series_uid == series_uid)
    with house.sessions.begin(write=False) as session:
        rows = session.scalars(wanted.order_by(Conformance.instance_uid)).all()
        return _report(session, rows, series.instance_count)


def instance_report(house: House, principal: Principal, uid: str) -> Report:
    """Return what was found in one instance.

    Raises
    ------
    NotFoundError
        If there is no such instance, or none that *principal* may see.
    """
    instance = open_instance(house, principal, uid)
    with house.sessions.begin(write=False) as session:
        row = session.get(Conformance, instance.uid)
        return _report(session, [row] if row else [], 1)


def _report(session: Session, rows: Sequence[Conformance], instances: int) -> Report:
    """Return the report over *rows*."""
    counts = Counter(one for row in rows for one in row.findings)
    examples = {one: row.instance_uid for row in reversed(rows) for one in row.findings}
    findings = [
        Found(one.level, one.tool, one.kind, one.text, counts[one.id], examples[one.id])
        for one in _named(session, sorted(counts))
    ]
    return Report(
        instances,
        len(rows),
        sum(bool(row.problem) for row in rows),
        tuple(sorted({tool for row in rows for tool in row.tools})),
        tuple(sorted(findings, key=lambda one: (one.level, -one.instances, one.text))),
    )


def _named(session: Session, ids: Sequence[str]) -> list[ConformanceFinding]:
    """Return the findings called *ids*."""
    found: list[ConformanceFinding] = []
    for start in range(0, len(ids), SOME):
        some = ConformanceFinding.id.in_(ids[start : start + SOME])
        found += session.scalars(select(ConformanceFinding).where(some))
    return found
