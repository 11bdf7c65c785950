"""Bring the files of translations up to the sources.

``python -m rounds_hub.portal.catalog`` reads every marked text of templates and pages,
keeps the translations that are there, and says what is still to be translated.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from rounds_hub.portal.languages import FOLDER, LANGUAGES

__all__ = ["extracted", "missing", "read", "update"]

HERE = Path(__file__).parent
HEADER = r"""# Words of the pages; bring them up to the sources with
# python -m rounds_hub.portal.catalog
msgid ""
msgstr ""
"Project-Id-Version: Rounds\n"
"Language: {language}\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"
"Plural-Forms: {plurals}\n"

"""
"""What a file of translations begins with: nothing in it changes by itself."""
KEYWORDS = {
    "_": None,
    "N_": None,
    "gettext": None,
    "ngettext": (1, 2),
}
METHODS = [
    ("node_modules/**", "ignore"),
    ("**.py", "python"),
    ("templates/**.html", "jinja2"),
]
OPTIONS = {"templates/**.html": {"trimmed": "true", "silent": "false"}}


def extracted() -> Catalog:
    """Return every text of the pages that is marked for translation."""
    catalog = Catalog(project="Rounds", charset="utf-8")
    found = extract_from_dir(
        HERE, method_map=METHODS, options_map=OPTIONS, keywords=KEYWORDS
    )
    for file, _line, message, comments, context in found:
        if message:
            catalog.add(message, None, [(file, 0)], (), comments, context=context)
    return catalog


def path_of(language: str) -> Path:
    """Return the file with the words of *language*."""
    return FOLDER / language / "LC_MESSAGES" / "rounds.po"


def read(language: str) -> Catalog:
    """Return the words of *language* as they are."""
    with path_of(language).open("rb") as file:
        return read_po(file, locale=language)


def missing(language: str) -> list[str]:
    """Return the texts that have no words in *language*, or only doubtful ones."""
    known = {message.id: message for message in read(language)}
    lacking = []
    for wanted in extracted():
        there = known.get(wanted.id)
        words = there.string if there else ""
        whole = all(words) if isinstance(words, tuple | list) else bool(words)
        if wanted.id and (there is None or not whole or there.fuzzy):
            lacking.append(str(wanted.id))
    return lacking


def update(language: str) -> list[str]:
    """Write the file of *language* anew; return what is still to be translated."""
    catalog = read(language)
    catalog.update(extracted(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    written = io.BytesIO()
    write_po(
        written, catalog, width=88, sort_output=True, no_location=True, omit_header=True
    )
    header = HEADER.format(language=language, plurals=catalog.plural_forms)
    path_of(language).write_bytes(header.encode() + written.getvalue())
    return missing(language)


def main() -> int:
    """Update every language, and name what is missing."""
    lacking = {tag: update(tag) for tag in LANGUAGES if tag != "en"}
    for tag, messages in lacking.items():
        sys.stdout.writelines(f"{tag}: {message}\n" for message in messages)
    return 1 if any(lacking.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
