"""What may be found wrong with an instance, and reading it from what dciodvfy says.

A finding has no value of the instance in it, so that nobody's name gets into a list.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rounds_hub.archive.texts import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KINDS", "LEVELS", "Finding", "bounded", "of_dciodvfy"]

LEVELS = ("error", "warning")
LONGEST = 240
MOST = 200
"""So many different findings of one instance are kept."""

_WORDS = (
    ("missing", "missing|not present but required"),
    ("empty", "empty|no value|zero length"),
    ("condition", "condition|shall not be|may not be present"),
    ("extended", "not present in standard|standard extended"),
    ("retired", "retired|deprecated"),
    ("encoding", "value representation|unrecognized tag|creator"),
    ("term", "defined term"),
    ("value", "value|invalid|illegal|dubious|bad"),
    ("other", ""),
)
KINDS = tuple((kind, re.compile(words, re.IGNORECASE)) for kind, words in _WORDS)
"""Kinds of findings, by what is said; the first that fits."""

_LINE = re.compile(r"^(?:(.*?)\s+- )?(Error|Warning) - (.+)$")
_VALUE = re.compile(r"=\s*<[^<>]*>|=\s*<.*$|\"[^\"]*\"|'[^']*'")
_NAMED = re.compile(r"(Element|Module|Macro)=<([^<>]*)>")
_TAG = re.compile(r"\(0x([0-9a-f]{4}),0x([0-9a-f]{4})\)")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is not as the standard wants it; *kind* is one of ``KINDS``."""

    level: str
    tool: str
    kind: str
    text: str

    @property
    def id(self) -> str:
        """A name that the same finding has in every instance."""
        said = f"{self.level}\0{self.tool}\0{self.kind}\0{self.text}"
        return hashlib.sha256(said.encode()).hexdigest()[:16]


def of_dciodvfy(said: str) -> Iterator[Finding]:
    """Give what the verifier *said*, without the values that it repeats.

    Examples
    --------
    >>> said = "Error - Missing attribute Type 2 Required Element=<Sex> Module=<P>"
    >>> [found] = of_dciodvfy(said)
    >>> found.kind, found.text
    ('missing', 'Missing attribute Type 2 Required Sex of P')
    """
    for line in said.splitlines():
        match = _LINE.match(line.strip())
        if match is None:
            continue
        about, level, text = match.groups()
        told = _without_values(text) + (f" - {_without_values(about)}" if about else "")
        yield Finding(level.lower(), "dciodvfy", _kind(text), told[:LONGEST])


def _without_values(text: str) -> str:
    """Return *text* with the names of attributes and without their values."""
    named = _NAMED.sub(
        lambda one: f"of {one[2]}" if one[1] != "Element" else one[2], text
    )
    tagged = _TAG.sub(lambda one: f"({one[1]},{one[2]})".upper(), named)
    return re.sub(r"\s+", " ", clean(_VALUE.sub("", tagged))).strip(" -")


def _kind(text: str) -> str:
    """Return the kind of what is said."""
    return next(kind for kind, words in KINDS if words.search(text))


def bounded(findings: Iterator[Finding]) -> list[Finding]:
    """Return different findings, errors first, and no more than are kept."""
    kept: dict[str, Finding] = {}
    for finding in findings:
        if len(kept) >= 10 * MOST:
            break
        kept.setdefault(finding.id, finding)
    return sorted(kept.values())[:MOST]
