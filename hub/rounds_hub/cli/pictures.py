"""``rounds search encoders|embed|nights|train``: what describes the pictures."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from rounds_hub.access.principal import SYSTEM
from rounds_hub.errors import InvalidError
from rounds_hub.indexing import encoding, nightly, training

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rounds_hub.house import House

__all__ = ["DEEDS", "do"]

DEEDS = ("encoders", "embed", "nights", "train")
"""First words after ``rounds search`` that are no words to find."""


def do(house: House, words: Sequence[str], *, as_json: bool) -> None:
    """Do what *words* say: a deed, and perhaps the name of an encoder.

    Raises
    ------
    InvalidError
        If the deed needs a name and has none, or has more words than it takes.
    """
    deed, names = words[0], list(words[1:])
    if len(names) > (deed in {"embed", "train"}) or (deed == "embed" and not names):
        msg = (
            "rounds search encoders, nights, embed NAME or train "
            "[NAME]. To find the word itself, quote it twice: '\"train\"'."
        )
        raise InvalidError(msg)
    if deed == "encoders":
        _show(encoding.encoders(house, SYSTEM), as_json=as_json)
    elif deed == "nights":
        _show_nights(nightly.nights(house, SYSTEM), as_json=as_json)
    elif deed == "embed":
        encoding.embed(house, SYSTEM, names[0])
        then = f"{names[0]}: 'rounds search encoders' shows how far it is."
        _say({"encoder": names[0], "state": "embedding"}, then, as_json=as_json)
    else:
        made = training.train_on_archive(house, SYSTEM, names[0] if names else "")
        then = f"{made} is trained; 'rounds search embed {made}' lets it answer."
        _say({"encoder": made, "state": "there"}, then, as_json=as_json)


def _say(said: dict[str, str], words: str, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(said) + "\n")
    else:
        Console(highlight=False, soft_wrap=True).print(words)


def _show(found: Sequence[encoding.EncoderState], *, as_json: bool) -> None:
    """Print the encoders and how far the house has come with each."""
    if as_json:
        rows = [asdict(one) for one in found]
        sys.stdout.write(json.dumps(rows, default=str) + "\n")
        return
    table = Table("", "encoder", "state", "series", "", box=None, pad_edge=False)
    for one in found:
        far = f"{one.done} of {one.series}" if one.series else ""
        table.add_row("*" if one.answers else "", one.name, one.state, far, one.problem)
    Console(highlight=False).print(table)


def _show_nights(found: Sequence[nightly.Night], *, as_json: bool) -> None:
    """Print how well like cases were found in the last nights."""
    if as_json:
        sys.stdout.write(json.dumps([asdict(one) for one in found]) + "\n")
        return
    names = ("night", "label", "series", "P@1", "P@10", "mAP", "drift", "encoder")
    table = Table(*names, box=None, pad_edge=False)
    for one in found:
        figures = (one.precision_1, one.precision_10, one.mean_average_precision)
        shown = [f"{figure:.3f}" for figure in figures]
        drift = f"{one.drift:+.3f}"
        told = (one.night, one.label, str(one.series), *shown, drift, one.encoder)
        table.add_row(*told)
    Console(highlight=False).print(table)
