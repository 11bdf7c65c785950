"""Every table of the house in one place, for migrations and their test."""

from __future__ import annotations

from rounds_hub.access.models import AuditEntry
from rounds_hub.archive.models import Aside, Import, Instance, Series, Study
from rounds_hub.cases.models import Case, CaseSeries
from rounds_hub.catalogue.models import Base, OutboxEvent
from rounds_hub.gateway.models import Node
from rounds_hub.runs.models import Run, RunRequest

__all__ = [
    "Aside",
    "AuditEntry",
    "Case",
    "CaseSeries",
    "Import",
    "Instance",
    "Node",
    "OutboxEvent",
    "Run",
    "RunRequest",
    "Series",
    "Study",
    "metadata",
]

metadata = Base.metadata
