"""Check that the series somebody names fit what a template needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rounds_hub.access.policy import Action, require, series_resource
from rounds_hub.archive.models import Series
from rounds_hub.errors import InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from rounds_hub.access.principal import Principal
    from rounds_hub.runs.schema import Input
    from rounds_hub.runs.templates import Template

__all__ = ["checked_inputs", "fits", "misfit"]


def checked_inputs(
    session: Session,
    principal: Principal,
    template: Template,
    given: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Return the inputs of a run: name, series and the hash of its content.

    Raises
    ------
    NotFoundError
        If *principal* may not see a series, or there is none.
    InvalidError
        If a name is unknown, a series is missing or does not fit; *problems* has each
        by the input's name.
    """
    known = {one.name: one for one in template.inputs}
    problems = {
        name[:80]: f"There is no such input. Known: {', '.join(known)}."
        for name in given
        if name not in known
    }
    inputs: list[dict[str, Any]] = []
    for name, wanted in known.items():
        uid = given.get(name, "")
        if not uid:
            if not wanted.optional:
                problems[name] = f"A series is needed: {_words(wanted)}."
            continue
        series = _readable(session, principal, uid)
        why = misfit(wanted, series)
        if why:
            problems[name] = why
            continue
        inputs.append(
            {"name": name, "series_uid": uid, "content_hash": series.content_hash}
        )
    if problems:
        named = " ".join(f"{name}: {why}" for name, why in sorted(problems.items()))
        msg = f"The series do not fit. {named}"
        raise InvalidError(msg, {f"inputs.{key}": why for key, why in problems.items()})
    return inputs


def fits(template: Template, series: Series) -> bool:
    """Return whether *series* can be an input of *template*, for a page's choices."""
    return any(not misfit(wanted, series) for wanted in template.inputs)


def misfit(wanted: Input, series: Series) -> str:
    """Return why *series* cannot be the input *wanted*; empty where it can."""
    if series.modality not in wanted.modality:
        known = " or ".join(wanted.modality)
        return f"The series has modality {series.modality!r}; {known} is needed."
    slices = max(series.frame_count, series.instance_count)
    if slices < wanted.minimum_slices:
        return f"The series has {slices} slices; {wanted.minimum_slices} are needed."
    parts = {one.upper() for one in wanted.body_part}
    if parts and series.body_part and series.body_part.upper() not in parts:
        known = " or ".join(wanted.body_part)
        return f"The series shows {series.body_part!r}; {known} is needed."
    if not series.content_hash:
        return "The series has not arrived yet. Try again in a moment."
    return ""


def _readable(session: Session, principal: Principal, uid: str) -> Series:
    """Return the series *uid* if *principal* may see it."""
    series = session.get(Series, uid)
    if series is None:
        kind = "series"
        raise NotFoundError(kind, uid[:80])
    require(session, principal, Action.SERIES_READ, series_resource(session, series))
    return series


def _words(wanted: Input) -> str:
    """Say in words which series an input needs."""
    part = f" of {' or '.join(wanted.body_part).lower()}" if wanted.body_part else ""
    return (
        f"{' or '.join(wanted.modality)}{part}, {wanted.minimum_slices} slices or more"
    )
