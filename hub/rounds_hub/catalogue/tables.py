"""Every table of the house in one place, for migrations and their test."""

from __future__ import annotations

from rounds_hub.access.models import AuditEntry, Sight
from rounds_hub.archive.models import (
    Aside,
    Conformance,
    ConformanceFinding,
    Import,
    Instance,
    ObjectPlace,
    Removal,
    RemovedObject,
    Series,
    Study,
)
from rounds_hub.cases.models import Case, CaseSeries, SavedHit, SavedSearch
from rounds_hub.catalogue.models import Base, OutboxEvent
from rounds_hub.federation.models import Peer, PeerMessage
from rounds_hub.gateway.models import Node, Pull, RemovedNode, Sending, SendingItem
from rounds_hub.indexing.models import PictureEncoder, RetrievalNight
from rounds_hub.routing.models import (
    Firing,
    ProcedureStep,
    Route,
    RouteVersion,
    SeriesLabel,
    SeriesState,
)
from rounds_hub.runs.models import Run, RunRequest

__all__ = [
    "Aside",
    "AuditEntry",
    "Case",
    "CaseSeries",
    "Conformance",
    "ConformanceFinding",
    "Firing",
    "Import",
    "Instance",
    "Node",
    "ObjectPlace",
    "OutboxEvent",
    "Peer",
    "PeerMessage",
    "PictureEncoder",
    "ProcedureStep",
    "Pull",
    "Removal",
    "RemovedNode",
    "RemovedObject",
    "RetrievalNight",
    "Route",
    "RouteVersion",
    "Run",
    "RunRequest",
    "SavedHit",
    "SavedSearch",
    "Sending",
    "SendingItem",
    "Series",
    "SeriesLabel",
    "SeriesState",
    "Sight",
    "Study",
    "metadata",
]

metadata = Base.metadata
