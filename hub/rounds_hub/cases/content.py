"""What a case may hold: bounded text, checked codes, levels, audiences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rounds_hub.access import audience
from rounds_hub.cases.codes import checked_codes
from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "BODY_PARTS",
    "FIELDS",
    "LEVELS",
    "LONGEST_TEXT",
    "LONGEST_TITLE",
    "TEXTS",
    "SeriesChoice",
    "body_part",
    "checked",
]

TEXTS: Final = (
    "title",
    "history",
    "findings",
    "diagnosis",
    "differential",
    "discussion",
)
LEVELS: Final = ("primary", "intermediate", "advanced")
BODY_PARTS: Final = frozenset(
    [
        "abdomen",
        "ankle",
        "aorta",
        "bladder",
        "brain",
        "breast",
        "chest",
        "elbow",
        "eye",
        "face",
        "femur",
        "finger",
        "foot",
        "forearm",
        "hand",
        "head",
        "heart",
        "hip",
        "humerus",
        "kidney",
        "knee",
        "larynx",
        "leg",
        "liver",
        "lung",
        "neck",
        "orbit",
        "pancreas",
        "pelvis",
        "prostate",
        "shoulder",
        "skull",
        "spine",
        "thorax",
        "thyroid",
        "tibia",
        "uterus",
        "wrist",
    ]
)
"""Words by which a body part is recognised in a description."""
LONGEST_TITLE: Final = 200
LONGEST_TEXT: Final = 20_000
MOST_SERIES: Final = 100
MOST_LANGUAGES: Final = 8
MOST_AUDIENCES: Final = 100

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_UID = re.compile(r"[0-9.]{1,64}")
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_BODY_PART_WORDS = {
    "thorax": "chest",
    "lung": "chest",
    "head": "head",
    "c spine": "cervical spine",
    "cspine": "cervical spine",
    "t spine": "thoracic spine",
    "tspine": "thoracic spine",
    "l spine": "lumbar spine",
    "lspine": "lumbar spine",
    "whole body": "whole body",
    "wholebody": "whole body",
}


@dataclass(frozen=True, slots=True)
class SeriesChoice:
    """A series that a case shows, and what the case calls it."""

    uid: str
    label: str = ""


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return *fields* of a case, trimmed and checked.

    Raises
    ------
    InvalidError
        If any cannot be kept; its ``problems`` names each by its field.

    Examples
    --------
    >>> checked({"title": "  Normal  brain ", "level": "primary"})
    {'title': 'Normal brain', 'level': 'primary'}
    >>> checked({"level": "easy"})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    rounds_hub.errors.InvalidError: level: 'easy' is none of ...
    """
    kept: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, value in fields.items():
        check = FIELDS.get(name)
        if check is None:
            problems[name] = f"a case has no such field; known: {', '.join(FIELDS)}."
            continue
        try:
            kept[name] = check(value)
        except (InvalidError, TypeError) as error:
            problems[name] = str(error)
    if problems:
        told = " ".join(f"{name}: {why}" for name, why in problems.items())
        raise InvalidError(told, problems)
    return kept


def body_part(said: str) -> str:
    """Return a body part in the words that cases use, from DICOM's or a person's.

    Examples
    --------
    >>> body_part("CHEST"), body_part("THORAX"), body_part("Left_Knee")
    ('chest', 'chest', 'left knee')
    """
    words = " ".join(said.replace("_", " ").lower().split())
    return _BODY_PART_WORDS.get(words, words)


def _string(value: object, longest: int) -> str:
    """Return *value* trimmed, refusing what is no text or too long."""
    if not isinstance(value, str):
        msg = f"must be text, got {type(value).__name__}."
        raise TypeError(msg)
    if _NO_TEXT.search(value):
        msg = "has characters that are no text (control characters)."
        raise InvalidError(msg)
    trimmed = value.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(trimmed) > longest:
        msg = f"has {len(trimmed)} characters; at most {longest} are kept."
        raise InvalidError(msg)
    return trimmed


def _title(value: object) -> str:
    """Return a title: one line."""
    return " ".join(_string(value, LONGEST_TITLE).split())


def _text(value: object) -> str:
    """Return a text of several lines."""
    return _string(value, LONGEST_TEXT)


def _level(value: object) -> str:
    """Return one of the levels."""
    if value not in LEVELS:
        msg = f"{value!r} is none of {', '.join(LEVELS)}."
        raise InvalidError(msg)
    return str(value)


def _language(value: object) -> str:
    """Return a BCP 47 language tag."""
    tag = _string(value, 35)
    if not _LANGUAGE.fullmatch(tag):
        msg = f"{tag!r} is no language tag; 'en' and 'zh' are some."
        raise InvalidError(msg)
    return tag


def _body_part(value: object) -> str:
    """Return a body part in small letters."""
    return body_part(_string(value, 64))


def _translations(value: object) -> dict[str, dict[str, str]]:
    """Return the texts by language, empty ones left out."""
    if not isinstance(value, dict) or len(value) > MOST_LANGUAGES:
        msg = f"must map up to {MOST_LANGUAGES} languages to their texts."
        raise InvalidError(msg)
    told: dict[str, dict[str, str]] = {}
    for tag, texts in value.items():
        found = _translation(texts)
        if found:
            told[_language(tag)] = found
    return told


def _translation(texts: object) -> dict[str, str]:
    """Return the texts of one language, empty ones left out."""
    if not isinstance(texts, dict) or not set(texts) <= set(TEXTS):
        msg = f"a translation has only {', '.join(TEXTS)}."
        raise InvalidError(msg)
    made = {
        name: _title(text) if name == "title" else _text(text)
        for name, text in texts.items()
    }
    return {name: text for name, text in made.items() if text}


def _audience(value: object) -> list[str]:
    """Return audience strings, sorted and once each."""
    if not isinstance(value, list | tuple | set | frozenset):
        msg = "must be a list of audience strings."
        raise InvalidError(msg)
    if len(value) > MOST_AUDIENCES:
        msg = f"has {len(value)} entries; at most {MOST_AUDIENCES} are kept."
        raise InvalidError(msg)
    return audience.checked([_string(one, 200) for one in value])


def _series(value: object) -> list[SeriesChoice]:
    """Return the chosen series in their order."""
    if not isinstance(value, list | tuple) or len(value) > MOST_SERIES:
        msg = f"must be a list of at most {MOST_SERIES} series."
        raise InvalidError(msg)
    chosen = [_choice(one) for one in value]
    if len({one.uid for one in chosen}) < len(chosen):
        msg = "names a series twice."
        raise InvalidError(msg)
    return chosen


def _choice(value: object) -> SeriesChoice:
    """Return one chosen series from a UID, a mapping or a choice."""
    if isinstance(value, SeriesChoice):
        value = {"uid": value.uid, "label": value.label}
    if isinstance(value, str):
        value = {"uid": value}
    if not isinstance(value, dict) or not set(value) <= {"uid", "label"}:
        msg = "each series is a UID, or has 'uid' and 'label'."
        raise InvalidError(msg)
    uid = _string(value.get("uid"), 64)
    if not _UID.fullmatch(uid):
        msg = f"{uid!r} is no series UID: digits and dots, 64 at most."
        raise InvalidError(msg)
    label = " ".join(_string(value.get("label", ""), LONGEST_TITLE).split())
    return SeriesChoice(uid, label)


def _yes_or_no(value: object) -> bool:
    """Return a choice of two."""
    if not isinstance(value, bool):
        msg = f"must be true or false, got {type(value).__name__}."
        raise TypeError(msg)
    return value


def _moment(value: object) -> datetime | None:
    """Return a moment of ISO 8601, by default of UTC; nothing means never."""
    if isinstance(value, datetime):
        value = value.isoformat()
    said = _string(value, 40)
    if not said:
        return None
    try:
        moment = datetime.fromisoformat(said)
        aware = moment.replace(tzinfo=moment.tzinfo or UTC)
        return aware.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        msg = f"{said!r} is no day or time; '2027-01-31' and '2027-01-31T08:00Z' are."
        raise InvalidError(msg) from error


FIELDS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "title": _title,
    "history": _text,
    "findings": _text,
    "diagnosis": _text,
    "differential": _text,
    "discussion": _text,
    "level": _level,
    "language": _language,
    "body_part": _body_part,
    "codes": checked_codes,
    "translations": _translations,
    "source": lambda value: _string(value, 2_000),
    "audience": _audience,
    "unknown": _yes_or_no,
    "unknown_until": _moment,
    "series": _series,
}
"""What a case has that an author writes, and how each is checked."""
