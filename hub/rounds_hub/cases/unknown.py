"""An unknown case as those see it who are to find out what it is.

They see the pictures and the history, which are the question; they are not told the
title, what was found, the diagnosis and all that names it, and the reports, masks and
names of series, which may. In the index it is two documents: see
:mod:`rounds_hub.access.unknown`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from rounds_hub.cases.content import TEXTS
from rounds_hub.cases.models import Case
from rounds_hub.catalogue.models import OutboxEvent, utc_now
from rounds_kernels.modalities import NO_PICTURES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.archive.models import Series
    from rounds_hub.house import House

__all__ = [
    "case_id_of",
    "document_id",
    "hides",
    "masked",
    "masked_id",
    "masked_title",
    "pictures_of",
    "reveal_due",
]

_MASK: Final = "~"  # no id of a case may have it
_ASKS: Final = frozenset({"history"})
_CALLED: Final = {"en": "Unknown case", "zh": "待诊断病例"}


def hides(case: Case, principal: Principal) -> bool:
    """Return whether *case* is not told to *principal*; its owner always knows it."""
    return case.unknown and not principal.knows and principal.name != case.owner


def masked_id(case_id: str) -> str:
    """Return under which id the index has what learners see of an unknown case.

    Examples
    --------
    >>> masked_id("c7"), case_id_of(masked_id("c7")), case_id_of("c7")
    ('c7~', 'c7', 'c7')
    """
    return f"{case_id}{_MASK}"


def case_id_of(document_id: str) -> str:
    """Return of which case a document of the index is, whole or masked."""
    return document_id.removesuffix(_MASK)


def document_id(case: Case, principal: Principal) -> str:
    """Return under which id *principal* finds *case* in the index."""
    return masked_id(case.id) if case.unknown and not principal.knows else case.id


def masked_title(
    modalities: Iterable[str], body_part: str = "", language: str = "en"
) -> str:
    """Return what an unknown case is called, in *language* or else in English.

    Examples
    --------
    >>> masked_title(["MR"], "brain"), masked_title(["CT"], "chest", "zh-Hans")
    ('Unknown case (MR, brain)', '待诊断病例 (CT)')
    """
    tag = language.partition("-")[0]
    parts = [*modalities, *([body_part] if tag not in _CALLED or tag == "en" else [])]
    called = _CALLED.get(tag, _CALLED["en"])
    said = ", ".join(dict.fromkeys(filter(None, parts)))
    return f"{called} ({said})" if said else called


def masked(case: Case, modalities: Iterable[str]) -> dict[str, Any]:
    """Return the fields of *case* as a learner sees them, where they differ."""
    kept = tuple(modalities)
    told: dict[str, Any] = {name: "" for name in TEXTS if name not in _ASKS}
    told["title"] = masked_title(kept, case.body_part, case.language)
    told["translations"] = {
        tag: {name: text for name, text in texts.items() if name in _ASKS}
        | {"title": masked_title(kept, case.body_part, tag)}
        for tag, texts in (case.translations or {}).items()
    }
    return told | {"codes": [], "source": ""}


def pictures_of(series: Iterable[Series]) -> list[Series]:
    """Return those of *series* that are pictures, which ask and do not answer."""
    return [one for one in series if one.modality not in NO_PICTURES]


def reveal_due(house: House) -> int:
    """Tell the cases whose day has come, and return how many those are."""
    with house.sessions.begin(write=False) as session:
        if not _due(session):
            return 0
    with house.sessions.begin() as session:
        told = _due(session)
        for case in told:
            case.unknown, case.unknown_until = False, None
            case.revision += 1
            case.updated_at = utc_now()
            session.add(OutboxEvent(kind="case", key=case.id))
    return len(told)


def _due(session: Session) -> list[Case]:
    """Return the unknown cases whose day has come."""
    due = select(Case).where(Case.unknown, Case.unknown_until <= utc_now())
    return list(session.scalars(due.order_by(Case.id)))
