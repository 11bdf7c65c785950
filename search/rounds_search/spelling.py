"""One form for the spellings and endings of an English medical word."""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache
from typing import Any, Final

import snowballstemmer  # type: ignore[import-untyped]

__all__ = ["fold", "stem"]

MAX_WORD: Final = 64

# British to American, as parts of words: the part is long enough to be no accident.
BRITISH: Final = (
    ("\u0153", "e"),
    ("\u00e6", "e"),
    ("haem", "hem"),
    ("aemi", "emi"),
    ("oedem", "edem"),
    ("oesoph", "esoph"),
    ("oestr", "estr"),
    ("foet", "fet"),
    ("rrhoe", "rrhe"),
    ("pnoe", "pne"),
    ("coeli", "celi"),
    ("amoeb", "ameb"),
    ("paed", "ped"),
    ("gynaec", "gynec"),
    ("caec", "cec"),
    ("faec", "fec"),
    ("anaest", "anest"),
    ("aetio", "etio"),
    ("leuco", "leuko"),
    ("tumour", "tumor"),
    ("colour", "color"),
    ("behaviour", "behavior"),
    ("centre", "center"),
    ("fibre", "fiber"),
    ("litre", "liter"),
    ("metre", "meter"),
    ("grey", "gray"),
    ("sulph", "sulf"),
    ("manoeuv", "maneuv"),
    ("homoeo", "homeo"),
    ("aneurism", "aneurysm"),
    ("isation", "ization"),
    ("ilise", "ilize"),
    ("alise", "alize"),
    ("lyse", "lyze"),
)
BRITISH_PATTERN: Final = re.compile("|".join(part for part, _ in BRITISH))
AMERICAN: Final = dict(BRITISH)

# Plurals and adjectives of Greek and Latin nouns, for words of eight letters or more.
LATIN: Final = (
    (re.compile(r"(?<=t)a(?:ses|tic)$"), "asis"),  # metastases, metastatic
    (re.compile(r"(?<![epl])o(?:ses|tic)$"), "osis"),  # stenoses, fibrotic
    (re.compile(r"omata$"), "oma"),  # hematomata
    (re.compile(r"(?<=br)ae$"), "a"),  # vertebrae
)
SHORTEST_LATIN: Final = 8

_stemmers = threading.local()


def _stemmer() -> Any:  # noqa: ANN401 - the library has no types
    # One a thread: a stemmer keeps the word it works on in itself.
    if not hasattr(_stemmers, "english"):
        _stemmers.english = snowballstemmer.stemmer("english")
    return _stemmers.english


@lru_cache(maxsize=1 << 17)
def fold(word: str) -> str:
    r"""Return *word* in NFKC, case-folded, without accents, in American spelling.

    Examples
    --------
    >>> fold("Œdème"), fold("HAEMORRHAGE"), fold("\uff2dRI")
    ('edeme', 'hemorrhage', 'mri')
    """
    folded = unicodedata.normalize("NFKC", word[:MAX_WORD]).casefold()
    if not folded.isascii():
        apart = unicodedata.normalize("NFKD", folded)
        bare = "".join(one for one in apart if not unicodedata.combining(one))
        # Hangul syllables come apart in NFKD; NFC puts them together again.
        folded = unicodedata.normalize("NFC", bare)
    return BRITISH_PATTERN.sub(lambda found: AMERICAN[found[0]], folded)[:MAX_WORD]


@lru_cache(maxsize=1 << 17)
def stem(folded: str) -> str:
    """Return the stem of a *folded* word; what is no English word stays itself.

    Examples
    --------
    >>> stem("enhancing"), stem("metastases") == stem("metastatic"), stem("t2")
    ('enhanc', True, 't2')
    """
    if not (folded.isascii() and folded.isalpha()):
        return folded
    if folded.endswith("itis"):
        # Hepatitis is not hepatic, and meningitis not the meninges.
        return folded
    if len(folded) >= SHORTEST_LATIN:
        for ending, singular in LATIN:
            folded = ending.sub(singular, folded)
    stemmed: str = _stemmer().stemWord(folded)
    return stemmed
