"""Make the notebook in which a case opens, in a person's own folder."""

from __future__ import annotations

import json
import os
import re
import string
import tempfile
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["FOLDER", "case_notebook", "file_name", "keep_notebook", "markdown_text"]

FOLDER = "Rounds"
"""The folder in a person's home that holds the notebooks of cases."""

LONGEST_TITLE = 150
"""Bytes of a title in a file name; with the id and the suffix it stays below 255."""

UNWANTED = re.compile(r"[^\w ,()+-]+")


def file_name(title: str, case_id: str) -> str:
    """Return a file name for the case: any title gives one that stays in its folder.

    Examples
    --------
    >>> file_name("Pneumonia: left / lower lobe", "p-7")
    'Pneumonia left lower lobe-p-7.ipynb'
    >>> file_name("../../etc/passwd", "x")
    'etc passwd-x.ipynb'
    >>> file_name("脑膜瘤", "m1")
    '脑膜瘤-m1.ipynb'
    """
    plain = UNWANTED.sub(" ", unicodedata.normalize("NFC", title))
    words = " ".join(plain.split()).encode()[:LONGEST_TITLE].decode(errors="ignore")
    return f"{words.strip(' -') or 'case'}-{case_id}.ipynb"


def markdown_text(title: str) -> str:
    r"""Return *title* so that Markdown shows it as it is, on one line.

    Examples
    --------
    >>> markdown_text("![x](http://x) <b>")
    '\\!\\[x\\]\\(http\\:\\/\\/x\\) \\<b\\>'
    """
    escapes = {ord(sign): f"\\{sign}" for sign in string.punctuation}
    return " ".join(title.split()).translate(escapes)


def case_notebook(case_id: str, title: str) -> dict[str, Any]:
    """Return the notebook that opens and shows the case *case_id*.

    Parameters
    ----------
    case_id
        Letters, digits, ``-`` and ``_`` alone.
    title
        Any text; it is shown, and never run.
    """
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
            "rounds": {"case": case_id},
        },
        "cells": [
            {
                "cell_type": "markdown",
                "id": "title",
                "metadata": {},
                "source": f"# {markdown_text(title)}",
            },
            _code("open", f'import rounds\n\ncase = rounds.open("{case_id}")\ncase'),
            _code("show", "case.show()"),
        ],
    }


def keep_notebook(home: Path, case_id: str, title: str) -> Path:
    """Write the case's notebook into *home* unless it is there; return its path there.

    A notebook that a person has already is opened again and never written over, also
    when the case has got another title since.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    folder = home / FOLDER
    folder.mkdir(exist_ok=True)
    if (earlier := _earlier(folder, case_id)) is not None:
        return earlier.relative_to(home)
    target = folder / file_name(title, case_id)
    _write_new(
        target, json.dumps(case_notebook(case_id, title), ensure_ascii=False, indent=1)
    )
    return target.relative_to(home)


def _code(name: str, source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": name,
        "metadata": {},
        "execution_count": None,
        "outputs": [],
        "source": source,
    }


def _earlier(folder: Path, case_id: str) -> Path | None:
    """Return the notebook of the case that is there already, whatever its title was."""
    for path in sorted(folder.glob(f"*-{case_id}.ipynb")):
        if _case_of(path) in {case_id, None}:
            return path
    return None


def _case_of(path: Path) -> str | None:
    """Return which case a notebook belongs to, where it still says so."""
    try:
        case = json.loads(path.read_text("utf-8"))["metadata"]["rounds"]["case"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(case)


def _write_new(target: Path, text: str) -> None:
    """Write a whole file that was not there; what came there meanwhile stays."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".ipynb")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        with suppress(FileExistsError):
            _name(Path(name), target)
    finally:
        Path(name).unlink()


def _name(written: Path, target: Path) -> None:
    """Give the whole file its name, unless that is taken.

    A link does so in one step; some network folders have no links, there it is copied.
    """
    try:
        target.hardlink_to(written)
    except FileExistsError:
        raise
    except OSError:
        with target.open("xb") as file:
            file.write(written.read_bytes())
