"""The words of a request as an FTS5 expression, and what it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from rounds_search.fields import FIELDS, STEM_FIELDS

if TYPE_CHECKING:
    import sqlite3

    import numpy.typing as npt

    from rounds_search.queries import Alternative, Clause, TextQuery

__all__ = ["expression", "find"]

WEIGHTS: Final = ", ".join(str(weight) for weight in FIELDS.values())
FIND: Final = f"SELECT rowid, -bm25(words, {WEIGHTS}) FROM words WHERE words MATCH ?"  # noqa: S608 - constants

STEMS: Final = f"{{{' '.join(STEM_FIELDS)}}}"
COLUMNS: Final = {"phrase": f"- {{{' '.join((*STEM_FIELDS, 'forms'))}}}", "stem": STEMS}


def expression(query: TextQuery, *, relaxed: bool = False) -> str:
    """Return the FTS5 expression of *query*; *relaxed*, any of its parts will do.

    Examples
    --------
    >>> from rounds_search.queries import parse
    >>> expression(parse("brains*", prefix="hem", expand=False)).partition(" OR ")[2]
    '{heading_stems stems} : "brain") AND (forms : "hem" *)'
    """
    if relaxed:
        return " OR ".join(map(_match, query.loose()))
    return " AND ".join(_clause(clause) for clause in query.clauses)


def find(
    connection: sqlite3.Connection, query: TextQuery, *, relaxed: bool
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the slots that match *query*, and their bm25 scores, best highest."""
    found = connection.execute(FIND, (expression(query, relaxed=relaxed),)).fetchall()
    pairs = np.array(found, np.float64).reshape(-1, 2)
    return pairs[:, 0].astype(np.int64), pairs[:, 1]


def _clause(clause: Clause) -> str:
    return f"({' OR '.join(_match(one) for one in clause.alternatives)})"


def _match(one: Alternative) -> str:
    if one.match == "all":
        parts = (f"{STEMS} : {_quoted((token,))}" for token in one.tokens)
        return f"({' AND '.join(parts)})"
    star = " *" if one.match == "prefix" else ""
    return f"{COLUMNS.get(one.match, 'forms')} : {_quoted(one.tokens)}{star}"


def _quoted(tokens: tuple[str, ...]) -> str:
    # Tokens hold letters, digits and dots only; doubling keeps even a quote inside.
    return '"' + " ".join(tokens).replace('"', '""') + '"'
