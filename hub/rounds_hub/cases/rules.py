"""When a case may be changed and shown, and what a study says about one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rounds_hub.access import audience
from rounds_hub.archive.models import Series
from rounds_hub.cases.content import (
    BODY_PARTS,
    LEVELS,
    LONGEST_TITLE,
    SeriesChoice,
    body_part,
)
from rounds_hub.cases.views import has_pictures
from rounds_hub.errors import ConflictError, InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from rounds_hub.archive.models import Study
    from rounds_hub.cases.models import Case

__all__ = ["check_revision", "guessed", "refuse_incomplete", "shown"]


def shown(case: Case) -> list[tuple[str, str]]:
    """Return the UID and label of each series of *case* in its order."""
    return [(one.series_uid, one.label) for one in case.series]


def check_revision(case: Case, kept: Mapping[str, Any], revision: int) -> None:
    """Refuse a change that was made on an older state, saying what differs."""
    if revision == case.revision:
        return
    stands = {"series": [SeriesChoice(*one) for one in shown(case)]}
    differing = [
        name
        for name, value in kept.items()
        if value != stands.get(name, getattr(case, name, None))
    ]
    what = (
        f"differs from yours in: {', '.join(differing)}"
        if differing
        else "says the same"
    )
    msg = (
        f"Somebody changed case {case.id!r} meanwhile (it is at revision "
        f"{case.revision}, yours was {revision}). What stands there now {what}. "
        "Nothing was saved; compare, and save again on the new revision."
    )
    raise ConflictError(msg)


def refuse_incomplete(session: Session, case: Case) -> None:
    """Refuse to show a case that lacks something, naming each missing thing."""
    problems: dict[str, str] = {}
    if not case.title:
        problems["title"] = "A title is missing."
    if case.level not in LEVELS:
        problems["level"] = f"The level is none of {', '.join(LEVELS)}."
    if not _has_pictures(session, case):
        problems["series"] = "At least one series with pictures is needed."
    if not case.audience:
        problems["audience"] = "Who may see it is not said."
    else:
        audience.checked(case.audience)
    if problems:
        told = " ".join(problems.values())
        msg = f"Case {case.id!r} cannot be published yet. {told}"
        raise InvalidError(msg, problems)


def guessed(study: Study, pictures: Sequence[Series]) -> dict[str, Any]:
    """Return what a study says about the case that it could be."""
    part = _guessed_part(study, pictures)
    modality = pictures[0].modality
    title = " ".join(study.description.split())[:LONGEST_TITLE]
    return {
        "title": title or " ".join(word for word in (modality, part) if word) or "Case",
        "body_part": part[:64],
        "series": [
            {"uid": series.uid, "label": series.description[:LONGEST_TITLE]}
            for series in pictures
        ],
    }


def _guessed_part(study: Study, pictures: Sequence[Series]) -> str:
    """Return the body part that most series name, else one that descriptions name."""
    said = [body_part(series.body_part) for series in pictures if series.body_part]
    if said:
        return max(said, key=said.count)
    told = [study.description, *(series.description for series in pictures)]
    words = " ".join(told).replace("_", " ").lower().split()
    return next((body_part(word) for word in words if word in BODY_PARTS), "")


def _has_pictures(session: Session, case: Case) -> bool:
    """Return whether any series of *case* is there and has pictures."""
    found = (session.get(Series, uid) for uid, _ in shown(case))
    return any(
        series is not None and has_pictures(series) and series.instance_count > 0
        for series in found
    )
