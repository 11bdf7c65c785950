"""Show where a document has the words that were searched, as safe HTML."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Final

from rounds_search.analyzer import Token, plain_token, tokens, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["highlight", "highlights"]

LENGTH: Final = 220
READ: Final = 6_000
MAX_FIELDS: Final = 4
PLAIN: Final = re.compile("[A-Za-z]+")

Span = tuple[int, int]
Runs = frozenset[tuple[str, ...]]


def highlights(
    fields: Mapping[str, str], runs: Runs, begun: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return the marked text of up to four of *fields* that have one of *runs*.

    A run is of stems, so that every inflection of what was asked is marked.
    Words that start with one of *begun* are marked as well.

    Examples
    --------
    >>> highlights({"title": "Brain <b>abscess"}, frozenset({("abscess",)}))
    {'title': 'Brain &lt;b&gt;<mark>abscess</mark>'}
    """
    found: dict[str, str] = {}
    for name, text in fields.items():
        marked = highlight(text, runs, begun)
        if marked:
            found[name] = marked
        if len(found) == MAX_FIELDS:
            break
    return found


def highlight(text: str, runs: Runs, begun: tuple[str, ...] = ()) -> str:
    """Return the best piece of *text* with every one of *runs* marked, or ``""``."""
    read = text[:READ]
    if not begun and not _may_have(read, {run[0] for run in runs}):
        return ""
    found = _spans(list(tokens(read)), runs)
    if begun:
        found += [
            (word.start, word.end)
            for word in words(read)
            if word.form.startswith(begun)
        ]
    spans = _merged(found)
    if not spans:
        return ""
    begin, end = _piece(read, spans)
    parts = ["" if begin == 0 else "…"]
    last = begin
    for start, stop in spans:
        if start >= begin and stop <= end:
            parts.append(escape(read[last:start]))
            parts.append(f"<mark>{escape(read[start:stop])}</mark>")
            last = stop
    parts.extend((escape(read[last:end]), "" if end == len(text) else "…"))
    return "".join(parts)


def _may_have(text: str, firsts: set[str]) -> bool:
    """Return whether it is worth looking closer; a quick no for most plain fields."""
    if not text.isascii() or any(not first.isalpha() for first in firsts):
        return True
    return any(plain_token(raw)[1] in firsts for raw in set(PLAIN.findall(text)))


def _spans(found: Sequence[Token], runs: Runs) -> list[Span]:
    begins: dict[str, list[tuple[str, ...]]] = {}
    for run in runs:
        begins.setdefault(run[0], []).append(run)
    spans = []
    for index, token in enumerate(found):
        for run in begins.get(token.stem, ()):
            piece = found[index : index + len(run)]
            if tuple(one.stem for one in piece) == run:
                spans.append((token.start, piece[-1].end))
    return spans


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _piece(text: str, spans: Sequence[Span]) -> Span:
    """Return the window of *text* that holds the most spans, cut at spaces."""
    if len(text) <= LENGTH:
        return 0, len(text)
    starts = [start for start, _ in spans]
    counts = [sum(at <= other < at + LENGTH // 2 for other in starts) for at in starts]
    best = spans[counts.index(max(counts))]
    begin = max(0, min(best[0] - LENGTH // 4, len(text) - LENGTH))
    end = max(min(len(text), begin + LENGTH), best[1])
    if begin:
        space = text.find(" ", begin, best[0])
        begin = space + 1 if space >= 0 else begin
    space = text.rfind(" ", best[1], end)
    if end < len(text) and space >= 0:
        end = space
    return begin, end
