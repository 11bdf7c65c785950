"""Codes of a scheme with their parents, so that a parent finds its children."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["SCHEME_NAMES", "Code", "CodeTable", "Codes", "Named"]

MAX_DEPTH: Final = 40

SCHEME_NAMES: Final[Mapping[str, str]] = {
    "radlex": "RADLEX",
    "icd10": "ICD10",
    "icd10cm": "ICD10",
    "icd11": "ICD11",
    "icdo3": "ICDO3",
    "acr": "ACR",
    "sct": "SCT",
    "snomed": "SCT",
    "loinc": "LN",
    "mesh": "MSH",
}
"""How people name a scheme, hyphens apart, and what the catalogue calls it."""

# A code that says by its form what it is: any other needs its scheme before it, or
# must be all that is asked, for "T12" is a vertebra and "8.2" a number.
PLAIN: Final = re.compile(r"RID\d{1,7}|[A-Z]\d[0-9A-Z]\.[0-9A-Z]{1,4}", re.IGNORECASE)
WRITTEN: Final = re.compile(
    r"(?<![\w.])(?:(?P<scheme>radlex|icd-?10(?:-?cm)?|icd-?11|icd-?o-?3|acr|sct|snomed"
    r"|loinc|mesh)\s{0,3}[\s:]\s{0,3})?(?P<value>[a-z0-9]{1,18}(?:[./-][a-z0-9]{1,6})?)"
    r"(?![\w.]*\w)",
    re.IGNORECASE,
)
NESTED: Final = frozenset({"ICD10", "ICD11", "ACR", "ICDO3"})
"""Schemes whose longer codes are children of the shorter ones they begin with."""


class Code(NamedTuple):
    """A code of a scheme, its name, what it is also called, and its parents' codes."""

    value: str
    name: str
    parents: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()


class Named(NamedTuple):
    """A code as it was written in a text, and where."""

    scheme: str
    code: Code
    start: int
    end: int


@dataclass(frozen=True)
class CodeTable:
    """The codes of one scheme.

    Examples
    --------
    >>> CodeTable.of("ICD10", [Code("C34", "Lung"), Code("C34.1", "Top")]).under("C34")
    ('C34.1',)
    """

    scheme: str
    codes: Mapping[str, Code] = field(default_factory=dict)

    @classmethod
    def of(cls, scheme: str, codes: Iterable[Code]) -> CodeTable:
        """Return the table of *codes*; where parents are nested in codes, found so."""
        known: dict[str, Code] = {}
        for code in codes:
            same = known.get(code.value)
            known[code.value] = _both(same, code) if same else code
        if scheme in NESTED:
            known = {value: _nested(code, known) for value, code in known.items()}
        return cls(scheme, known)

    @cached_property
    def children(self) -> Mapping[str, tuple[str, ...]]:
        """The codes directly below each, in the order of the table."""
        found: dict[str, list[str]] = {}
        for code in self.codes.values():
            for parent in code.parents:
                if parent != code.value:
                    found.setdefault(parent, []).append(code.value)
        return {parent: tuple(below) for parent, below in found.items()}

    @cached_property
    def by_folded(self) -> Mapping[str, str]:
        """The values by their lower case."""
        return {value.casefold(): value for value in self.codes}

    def under(self, value: str, most: int | None = None) -> tuple[str, ...]:
        """Return at most *most* codes below *value*, the nearest first.

        A table may say that a code is below itself; each is named once.
        """
        seen: dict[str, None] = {value: None}
        waiting = deque([(value, 0)])
        while waiting and (most is None or len(seen) <= most):
            parent, depth = waiting.popleft()
            for child in self.children.get(parent, ()):
                if child not in seen and depth < MAX_DEPTH:
                    seen[child] = None
                    waiting.append((child, depth + 1))
        return tuple(seen)[1 : None if most is None else most + 1]


@dataclass(frozen=True)
class Codes:
    """The tables of a site, by scheme.

    Examples
    --------
    >>> lung = CodeTable.of("ICD10", [Code("C34", "Lung"), Code("C34.1", "Upper lobe")])
    >>> codes = Codes({"ICD10": lung})
    >>> codes.under(("ICD10:C34", "RADLEX:RID1"))
    ('ICD10:C34', 'RADLEX:RID1', 'ICD10:C34.1')
    >>> [one.code.name for one in codes.named("mass, ICD-10 C34")]
    ['Lung']
    """

    tables: Mapping[str, CodeTable] = field(default_factory=dict)

    def under(self, values: Iterable[str]) -> tuple[str, ...]:
        """Return *values*, written ``SCHEME:VALUE``, and all codes below them."""
        given = tuple(values)
        found = dict.fromkeys(given)
        for one in given:
            scheme, _, value = one.partition(":")
            table = self.tables.get(scheme)
            for below in table.under(value) if table else ():
                found[f"{scheme}:{below}"] = None
        return tuple(found)

    def named(self, text: str) -> Iterator[Named]:
        """Yield the codes of these tables that *text* names."""
        if not self.tables:
            return
        for found in WRITTEN.finditer(text):
            said = (found["scheme"] or "").replace("-", "").casefold()
            alone = found[0].strip() == text.strip()
            if not (said or alone or PLAIN.fullmatch(found["value"])):
                continue
            schemes = [SCHEME_NAMES[said]] if said else list(self.tables)
            for scheme in schemes:
                table = self.tables.get(scheme)
                value = table and table.by_folded.get(found["value"].casefold())
                if table and value:
                    yield Named(scheme, table.codes[value], *found.span())
                    break


def _both(one: Code, other: Code) -> Code:
    """Return what two lines say of one code."""
    return one._replace(
        parents=tuple(dict.fromkeys((*one.parents, *other.parents))),
        synonyms=tuple(dict.fromkeys((*one.synonyms, *other.synonyms))),
    )


def _nested(code: Code, known: Mapping[str, Code]) -> Code:
    if code.parents:
        return code
    shorter = code.value[:-1]
    while shorter and shorter not in known:
        shorter = shorter[:-1]
    return code._replace(parents=(shorter,)) if shorter else code
