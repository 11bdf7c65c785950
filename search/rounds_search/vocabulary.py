"""The words a house knows: sets of synonyms and tables of codes, its own beside ours.

A folder of a site has files of synonyms (``*.txt``, in the form of our own
``data/medical.txt``) and tables of codes as ``rounds vocabulary load`` writes them
(``codes/RADLEX.tsv``). What changes there is known to the next search of every process;
nothing is indexed anew.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rounds_search.code_files import read_table
from rounds_search.codes import Codes, CodeTable
from rounds_search.errors import TableError
from rounds_search.requests import Request, Term
from rounds_search.thesaurus import Thesaurus, medical

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Shelf", "Vocabulary", "narrower"]

CODES: Final = "codes"
MAX_SET_FILE: Final = 32 * 2**20

Made = TypeVar("Made", Request, Term)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Vocabulary:
    """Sets of synonyms, and codes with their parents.

    Examples
    --------
    >>> from rounds_search.queries import words_of
    >>> known = Vocabulary()
    >>> request = Request(text="MRI", audience=frozenset({"everyone"}))
    >>> "磁共振" in words_of(known.widened(request)).expansions()["MRI"]
    True
    """

    thesaurus: Thesaurus = field(default_factory=medical)
    codes: Codes = field(default_factory=Codes)

    def widened(self, request: Request) -> Request:
        """Return *request* with the codes below each that it filters by."""
        if not self.codes.tables or all(one.field != "code" for one in request.where):
            return request
        where = tuple(
            narrower(term, self.codes.under(term.values))
            if term.field == "code"
            else term
            for term in request.where
        )
        return _changed(request, where=where)

    @cached_property
    def spellings(self) -> tuple[str, ...]:
        """Every word and every term in ideographs that the sets have, once."""
        found: dict[str, None] = {}
        for senses in self.thesaurus.terms.values():
            for sense in senses:
                for term in sense.terms:
                    whole = not term.isascii()
                    found.update(dict.fromkeys([term] if whole else term.split()))
        return tuple(found)


def narrower(term: Term, values: tuple[str, ...]) -> Term:
    """Return *term* with *values*, which may be more than a person can give."""
    return _changed(term, values=values)


def _changed(value: Made, **fields: Any) -> Made:  # noqa: ANN401 - what came in, changed
    """Return a copy of a frozen value, not checked again: its parts have been."""
    made = object.__new__(type(value))
    for name in type(value).__slots__:
        object.__setattr__(made, name, fields.get(name, getattr(value, name)))
    return made


class Shelf:
    """The vocabulary of a folder, read again where a file of it has changed.

    Parameters
    ----------
    folder
        Where a site has its own files; None or a missing one: what comes with Rounds.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Remember where; the files are read when the first search needs them."""
        self._folder = folder
        self._lock = threading.Lock()
        self._seen: tuple[object, ...] | None = None
        self._known = Vocabulary()

    def vocabulary(self) -> Vocabulary:
        """Return what is known now; a file that cannot be read is logged, left out."""
        if self._folder is None:
            return self._known
        files = sorted(self._files())
        seen = tuple(_state(file) for file in files)
        with self._lock:
            if seen != self._seen:
                self._known = _read(files)
                self._seen = seen
            return self._known

    def _files(self) -> Iterator[Path]:
        if self._folder is not None:
            yield from self._folder.glob("*.txt")
            yield from (self._folder / CODES).glob("*.tsv")


def _state(file: Path) -> tuple[object, ...]:
    try:
        told = file.stat()
    except OSError:
        return (file.name, None)
    return (file.name, told.st_mtime_ns, told.st_size)


def _read(files: list[Path]) -> Vocabulary:
    thesaurus, tables = medical(), dict[str, CodeTable]()
    for file in files:
        try:
            if file.suffix == ".tsv":
                tables[file.stem] = read_table(file, file.stem)
                thesaurus = thesaurus.joined(_sets(tables[file.stem]))
            elif file.stat().st_size <= MAX_SET_FILE:
                lines = file.read_text(encoding="utf-8-sig", errors="replace")
                thesaurus = thesaurus.joined(Thesaurus.of(lines.splitlines()))
        except (OSError, TableError) as error:
            # Whoever runs the house reads it in the log; search goes on without.
            log.warning("vocabulary %s: %s", file.name, type(error).__name__)
    return Vocabulary(thesaurus, Codes(tables))


def _sets(table: CodeTable) -> Thesaurus:
    """Return the names of each code that has several."""
    return Thesaurus.of(
        " | ".join(
            name.replace("|", " ").replace("#", " ").replace("[", "(") for name in names
        )
        for names in ((code.name, *code.synonyms) for code in table.codes.values())
        if len(names) > 1
    )
