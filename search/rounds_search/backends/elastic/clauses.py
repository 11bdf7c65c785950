"""Build what is asked of Elasticsearch: pure functions from a request to its JSON.

Nothing of a typed text gets here but tokens of our analyzer, and they become values of
``term``, ``match_phrase`` and ``combined_fields`` clauses, never a query language.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rounds_search.fields import PLAIN_FIELDS, STEM_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rounds_search.queries import Alternative, TextQuery
    from rounds_search.requests import Term

    Query = dict[str, Any]
    Weigh = Callable[[tuple[str, tuple[str, ...]]], float]

__all__ = ["fitting", "having", "phrase", "visible", "words"]

FORMS: Final = "words.forms"
STEMMED: Final = frozenset({"stem", "all"})


def _weighed(fields: Mapping[str, float]) -> list[str]:
    return [f"words.{name}^{weight}" for name, weight in fields.items()]


PLAIN: Final = _weighed(PLAIN_FIELDS)
STEMS: Final = _weighed(STEM_FIELDS)


def visible(audience: Iterable[str]) -> list[Query]:
    """Return the filters that let through what *audience* may see and what is there.

    Examples
    --------
    >>> visible(["everyone"])
    [{'terms': {'audience': ['everyone']}}, {'term': {'gone': False}}]
    """
    return [{"terms": {"audience": sorted(audience)}}, {"term": {"gone": False}}]


def having(term: Term) -> Query:
    """Return the filter for documents that have one of the values of *term*."""
    return {"terms": {f"facets.{term.field}": list(term.values)}}


def fitting(term: Term) -> Query:
    """Return the filter for pictures that fit *term*, or leave it to the document."""
    lacking = {"bool": {"must_not": {"exists": {"field": f"facets.{term.field}"}}}}
    return {"bool": {"should": [having(term), lacking]}}


def words(query: TextQuery, weigh: Weigh, *, relaxed: bool) -> Query:
    """Return the clause for the words of *query*; *relaxed*, any of its parts will do.

    *weigh* says how much each phrase counts.

    Examples
    --------
    >>> from rounds_search.queries import parse
    >>> list(words(parse("x", expand=False), lambda phrase: 1.0, relaxed=False)["bool"])
    ['must']
    """
    if relaxed:
        return _any([_scored(one, weigh) for one in query.loose()])
    parts = [
        _any([_scored(one, weigh) for one in clause.alternatives])
        for clause in query.clauses
    ]
    return {"bool": {"must": parts}}


def phrase(match: str, tokens: Sequence[str], boost: float = 1.0) -> Query:
    """Return the clause that finds *tokens* in a row in one field.

    *match* says in which fields: those of an ``Alternative``.
    """
    joined = " ".join(tokens)
    if match == "prefix":
        return {"prefix": {FORMS: {"value": joined, "boost": boost}}}
    if match == "form":
        return {"match_phrase": {FORMS: {"query": joined, "boost": boost}}}
    fields = STEMS if match in STEMMED else PLAIN
    given = {"query": joined, "fields": fields, "boost": boost}
    if len(tokens) == 1:
        return {"combined_fields": given}
    return {"multi_match": given | {"type": "phrase"}}


def _scored(one: Alternative, weigh: Weigh) -> Query:
    if one.match != "all":
        return phrase(one.match, one.tokens, weigh((one.match, one.tokens)))
    each = [("stem", (token,)) for token in one.tokens]
    return {"bool": {"must": [phrase(*part, weigh(part)) for part in each]}}


def _any(parts: list[Query]) -> Query:
    return {"bool": {"should": parts, "minimum_should_match": 1}}
