"""Turn English and Chinese text into the tokens that every backend indexes.

English words are folded; their stems are a second text for a second field. A run of
Chinese gives each character and each pair of neighbours, so that a word of one, two or
more characters is found inside any run without a dictionary. A backend splits what
comes out of here at spaces only.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from rounds_search.spelling import fold, stem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "ANALYZER",
    "Token",
    "Word",
    "analyzed",
    "index_forms",
    "index_text",
    "phrase",
    "stem_phrase",
    "stems",
    "tokens",
    "words",
]

ANALYZER: Final = 2
MAX_CHARACTERS: Final = 200_000
GAP: Final = "."
"""Stands between stems that are no neighbours, so that no phrase reaches across."""

STOPPED: Final = (
    "a an and are as at be been by for from had has have he her his if in into is it "
    "its of on or s she that the their there these they this to was were which with"
)
STOP_WORDS: Final = frozenset(STOPPED.split())

# Han, kana and Hangul: what is written without spaces between its words.
IDEOGRAPHS: Final = (
    "\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U000323af"
)
RAW: Final = re.compile(
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![^\W_])"  # 1,200.5
    r"|\d+\.\d+"  # 3.5
    r"|(?:[^\W_]|(?<=\w)[\u0300-\u036f])+"  # letters and digits, accents apart
)
PIECES: Final = re.compile(
    rf"(?P<han>[{IDEOGRAPHS}]+)"
    r"|(?P<number>\d+(?:\.\d+)?)(?P<unit>(?:mm|cm|ml|cc|mg|kg|hu|kv|ma|gy|mci|mbq|hz|min)\b)"
    rf"|(?P<word>\d+\.\d+|[^\W_{IDEOGRAPHS}]+)"
)
# What may stand between the halves of a compound.
JOINERS: Final = frozenset("-\u2010\u2011\u2012\u2013/'\u2019_")


class Word(NamedTuple):
    """A folded word or a run of ideographs, and where it stood.

    ``joined`` says that only a hyphen or nothing parts it from the word before.
    """

    form: str
    start: int
    end: int
    han: bool
    joined: bool


class Token(NamedTuple):
    """A unit of the index, its stem, and where it stood."""

    text: str
    stem: str
    start: int
    end: int


def words(text: str) -> Iterator[Word]:
    """Yield the words of *text*, at most of its first 200,000 characters.

    Examples
    --------
    >>> [word.form for word in words("T2-weighted MRI 脑脓肿 5mm")]
    ['t2', 'weighted', 'mri', '脑脓肿', '5', 'mm']
    """
    text = text[:MAX_CHARACTERS]
    last = -1
    for found in RAW.finditer(text):
        start, end = found.span()
        gap = start - last
        joined = last >= 0 and (gap == 0 or (gap == 1 and text[last] in JOINERS))
        raw = found[0]
        if raw.isascii() and raw.isalpha():
            yield Word(fold(raw), start, end, han=False, joined=joined)
        else:
            for word in _pieces(raw, start):
                yield word._replace(joined=joined or word.joined)
                joined = True
        last = end


def _pieces(raw: str, start: int) -> Iterator[Word]:
    if raw[0].isdigit():
        raw_number = raw.replace(",", "")
        if raw_number != raw:
            yield Word(raw_number, start, start + len(raw), han=False, joined=False)
            return
    for part, offset in _scripts(raw):
        yield from _folded(part, start + offset)


def _scripts(raw: str) -> Iterator[tuple[str, int]]:
    """Split *raw* where ideographs and other letters meet; offsets stay true."""
    begin = 0
    for here in range(1, len(raw)):
        if _is_han(raw[here]) != _is_han(raw[here - 1]):
            yield raw[begin:here], begin
            begin = here
    yield raw[begin:], begin


def _is_han(character: str) -> bool:
    return HAN.match(character) is not None


HAN: Final = re.compile(f"[{IDEOGRAPHS}]")


def _folded(part: str, start: int) -> Iterator[Word]:
    end = start + len(part)
    if _is_han(part[0]):
        yield Word(part, start, end, han=True, joined=False)
        return
    # Folding may bring separators (a fraction) or units (a squared millimetre).
    for found in PIECES.finditer(fold(part)):
        if found["number"]:
            yield Word(found["number"], start, end, han=False, joined=False)
            yield Word(found["unit"], start, end, han=False, joined=True)
        elif found["han"]:
            run = found["han"][: end - start]
            yield Word(run, start, start + len(run), han=True, joined=False)
        else:
            yield Word(found[0], start, end, han=False, joined=False)


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of *text* in the order of their positions.

    Examples
    --------
    >>> [token.text for token in tokens("Ring-enhancing lesions of the 脑脓肿")]
    ['ring', 'enhancing', 'lesions', '脑', '脑脓', '脓', '脓肿', '肿']
    >>> [token.stem for token in tokens("Enhancing lesions")]
    ['enhanc', 'lesion']
    """
    for found in RAW.finditer(text[:MAX_CHARACTERS]):
        raw = found[0]
        if raw.isascii() and raw.isalpha():
            form, stemmed = plain_token(raw)
            if form:
                yield Token(form, stemmed, found.start(), found.end())
        else:
            yield from _mixed(raw, found.start())


@lru_cache(maxsize=1 << 17)
def plain_token(raw: str) -> tuple[str, str]:
    """Return the token and the stem of a word of plain letters, empty for a stop word.

    Examples
    --------
    >>> plain_token("Oedematous"), plain_token("of")
    (('edematous', 'edemat'), ('', ''))
    """
    form = fold(raw)
    return ("", "") if form in STOP_WORDS else (form, stem(form))


def _mixed(raw: str, start: int) -> Iterator[Token]:
    for word in _pieces(raw, start):
        if word.han:
            yield from _characters(word)
        elif word.form not in STOP_WORDS:
            yield Token(word.form, stem(word.form), word.start, word.end)


def _characters(word: Word) -> Iterator[Token]:
    run, start = word.form, word.start
    for index, one in enumerate(run):
        yield Token(one, one, start + index, start + index + 1)
        if index + 1 < len(run):
            pair = run[index : index + 2]
            yield Token(pair, pair, start + index, start + index + 2)


def analyzed(text: str) -> tuple[str, str]:
    """Return ``index_text`` and ``stems`` of *text*, made in one go.

    Examples
    --------
    >>> analyzed("Abscesses of the 脑")
    ('abscesses 脑', 'abscess')
    """
    forms, stemmed = list[str](), list[str]()
    for found in RAW.finditer(text[:MAX_CHARACTERS]):
        raw = found[0]
        if raw.isascii() and raw.isalpha():
            # Most words by far; a token for each would take most of the time.
            form, one = plain_token(raw)
            if form:
                forms.append(form)
                stemmed.append(one)
            continue
        for token in _mixed(raw, 0):
            forms.append(token.text)
            if not _is_han(token.text[0]):
                stemmed.append(token.stem)
            elif stemmed and stemmed[-1] != GAP:
                stemmed.append(GAP)
    if stemmed and stemmed[-1] == GAP:
        stemmed.pop()
    return " ".join(forms), " ".join(stemmed)


def index_text(text: str) -> str:
    """Return the tokens of *text* with single spaces between them.

    Examples
    --------
    >>> index_text("Oedema of the brains")
    'edema brains'
    """
    return analyzed(text)[0]


def stems(text: str) -> str:
    """Return the stems of the words of *text*; ideographs, which have none, are a gap.

    Examples
    --------
    >>> stems("Enhancing metastases 脑 lesions")
    'enhanc metastasi . lesion'
    """
    return analyzed(text)[1]


def index_forms(texts: Iterable[str]) -> str:
    """Return the distinct words of *texts* unstemmed, compounds also in one piece.

    This is what prefixes and compounds written together are looked up in.

    Examples
    --------
    >>> index_forms(["COVID-19 pneumonia"])
    'covid 19 covid19 pneumonia'
    """
    forms: dict[str, None] = {}
    for text in texts:
        before = ""
        for word in words(text):
            if word.han:
                before = ""
                continue
            if word.form not in STOP_WORDS:
                forms[word.form] = None
            if word.joined and before:
                forms[before + word.form] = None
            before = word.form
    return " ".join(forms)


def phrase(text: str) -> tuple[str, ...]:
    """Return the tokens that stand in a row wherever *text* stands.

    Pure Chinese leaves out its outer single characters, which its pairs imply.

    Examples
    --------
    >>> phrase("脑脓肿"), phrase("brain abscesses"), phrase("脑")
    (('脑脓', '脓', '脓肿'), ('brain', 'abscesses'), ('脑',))
    """
    found = [token.text for token in tokens(text)]
    if all(_is_han(one[0]) for one in found):
        # A single character beside a pair that holds it says nothing more.
        if len(found) > 1 and len(found[1]) > 1:
            del found[0]
        if len(found) > 1 and len(found[-2]) > 1:
            del found[-1]
    return tuple(found)


def stem_phrase(text: str) -> tuple[str, ...]:
    """Return the stems that stand in a row wherever *text* stands, in any inflection.

    There are none where *text* has ideographs or no word of plain letters: then
    ``phrase`` says all there is.

    Examples
    --------
    >>> stem_phrase("brain abscesses"), stem_phrase("T2"), stem_phrase("脑 abscess")
    (('brain', 'abscess'), (), ())
    """
    found = list(tokens(text))
    if any(_is_han(one.text[0]) for one in found):
        return ()
    if not any(one.text.isalpha() for one in found):
        return ()
    return tuple(one.stem for one in found)
