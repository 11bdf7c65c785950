"""The tables of the conformance statement, made of what the code itself decides by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from fastapi import FastAPI
from pydicom.uid import UID
from pynetdicom.sop_class import (  # type: ignore[attr-defined] # made at run time
    Verification,
)

from rounds_hub.archive.structure import Limits
from rounds_hub.archive.transcoding import TARGETS
from rounds_hub.dicomweb import drawing, frames, retrieving, searching, storing
from rounds_hub.dicomweb.routes import router
from rounds_hub.gateway.asking import ROOTS
from rounds_hub.gateway.commitment import COMMITMENT
from rounds_hub.gateway.fetching import GET, MOVE
from rounds_hub.gateway.messages import Status
from rounds_hub.gateway.services import OTHER, load_services
from rounds_hub.gateway.storing import STORAGE_CLASSES
from rounds_hub.querying.keys import KEYS, LEVELS, UNIQUE, Level, Matching

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rounds_hub.gateway.services import Service

__all__ = [
    "Offered",
    "addresses",
    "asked_for",
    "limits",
    "media_types",
    "named",
    "offered",
    "query_keys",
    "statuses",
    "storage_classes",
    "table",
    "targets",
]

STORED: Final = "every storage SOP class below"
_METHODS: Final = ("get", "post", "delete")


class Offered(NamedTuple):
    """A SOP class for which the gateway is the SCP, and its transfer syntaxes."""

    sop_class: str
    service: str
    transfer_syntaxes: tuple[str, ...]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table.

    Examples
    --------
    >>> table(["a", "b"], [["1", "2"]])
    ['| a | b |', '|---|---|', '| 1 | 2 |']
    """
    lines = [head, *rows]
    written = ["| " + " | ".join(line) + " |" for line in lines]
    return [written[0], "|" + "---|" * len(head), *written[1:]]


def named(uid: str) -> str:
    """Return what *uid* is called in PS3.6.

    Examples
    --------
    >>> named("1.2.840.10008.1.2.1")
    'Explicit VR Little Endian'
    """
    return str(UID(uid).name)


def offered() -> list[Offered]:
    """Return every SOP class but those of storage, in the order of their UIDs."""
    services = load_services()
    others = sorted(set(services) - STORAGE_CLASSES - {OTHER})
    return [_offered(uid, services[uid]) for uid in others]


def storage_classes() -> list[Offered]:
    """Return every storage SOP class, in the order of their UIDs."""
    services = load_services()
    return [
        _offered(uid, services[uid]) for uid in sorted(STORAGE_CLASSES, key=_numbers)
    ]


def _offered(uid: str, service: Service) -> Offered:
    """Return what *service* offers for *uid*."""
    syntaxes = sorted(service.transfer_syntaxes, key=_numbers)
    return Offered(uid, type(service).__name__, tuple(syntaxes))


def _numbers(uid: str) -> tuple[int, ...]:
    """Return a UID so that it is sorted by its numbers."""
    return tuple(map(int, uid.split(".")))


def asked_for() -> list[tuple[str, str]]:
    """Return name and UID of every SOP class for which the house is the SCU."""
    every = [Verification, *ROOTS, *GET, *MOVE]
    return [(named(str(uid)), str(uid)) for uid in every] + [
        (STORED, ""),
        (f"{named(COMMITMENT)}: the report alone", COMMITMENT),
    ]


def query_keys() -> list[list[str]]:
    """Return a row for each key: its level, tag, VR and how it is matched."""
    order = {level: index for index, level in enumerate(LEVELS)}
    every = sorted(KEYS.values(), key=lambda key: (order[key.level], key.tag))
    return [
        [
            str(key.level),
            key.keyword,
            f"({key.tag >> 16:04X},{key.tag & 0xFFFF:04X})",
            key.vr,
            "unique" if _is_unique(key.keyword, key.level) else "optional",
            "returned" if key.matching == Matching.NONE else str(key.matching.value),
        ]
        for key in every
    ]


def _is_unique(keyword: str, level: Level) -> bool:
    """Return whether *keyword* is the unique key of its level (PS3.4, C.6.1.1)."""
    return UNIQUE[level] == keyword


def statuses() -> list[list[str]]:
    """Return a row for each status that the gateway answers with."""
    return [
        [f"{status:04X}", status.name.replace("_", " ").lower()] for status in Status
    ]


def addresses() -> list[list[str]]:
    """Return a row for each address of DICOMweb: method, path and what it does."""
    described = FastAPI()
    described.include_router(router)
    paths = described.openapi()["paths"]
    return [
        [method.upper(), f"`{path}`", _first(how[method]["description"])]
        for path, how in sorted(paths.items())
        for method in _METHODS
        if method in how
    ]


def _first(description: str) -> str:
    """Return the first sentence of a description, on one line."""
    return " ".join(description.split("\n\n", maxsplit=1)[0].split())


def media_types() -> list[list[str]]:
    """Return a row for each resource: the media types in which it is given or taken."""
    pictures = [drawing.JPEG, drawing.PNG]
    packed = [kind for kind in frames.KINDS if "x-" not in kind]
    return [
        ["search", ", ".join(searching.KINDS)],
        ["study, series, instance", f"multipart/related; type={retrieving.DICOM}"],
        ["instance alone", retrieving.DICOM],
        ["metadata", f"{retrieving.JSON}, application/json"],
        ["frames", ", ".join([frames.OCTETS, *packed])],
        ["bulk data", frames.OCTETS],
        ["rendered, thumbnail", ", ".join(pictures)],
        ["store", f"multipart/related; type={retrieving.DICOM}, {retrieving.DICOM}"],
        ["answer of store", storing.JSON],
    ]


def targets() -> list[str]:
    """Return the transfer syntaxes into which an instance is transcoded."""
    return sorted(TARGETS, key=_numbers)


def limits() -> list[list[str]]:
    """Return a row for each bound on a data set."""
    most = Limits()
    return [
        ["sequences inside each other", f"{most.depth}"],
        ["elements, nested ones included", f"{most.elements:,}"],
        ["items of sequences", f"{most.items:,}"],
        ["fragments of pixel data", f"{most.fragments:,}"],
        ["bytes of an inflated data set by those of the file", f"{most.inflate_ratio}"],
        ["bytes of a value that is searched for", "65,536"],
        ["bytes of one frame", "268,435,456"],
    ]
