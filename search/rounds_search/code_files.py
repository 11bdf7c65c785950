"""Read a table of codes in the forms in which schemes are given out.

- Columns with a header, parted by commas, tabs or semicolons: RadLex and other
  ontologies as BioPortal exports them (``Class ID``, ``Preferred Label``, ``Synonyms``,
  ``Parents``), the simple tabulation of ICD-11 (``Code``, ``Title``, depth by leading
  dashes), and a site's own (``code``, ``name``, ``parent``; ACR).
- ICD-10-CM of the CDC: the order file with its fixed columns, and the list of codes.
- ClaML, the XML of ICD-10 of the WHO and of national editions.
- OWL as RDF/XML: RadLex.

Each may be compressed with gzip.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from typing import IO, TYPE_CHECKING, Final

from rounds_search.code_trees import read_claml, read_owl
from rounds_search.codes import Code, CodeTable
from rounds_search.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["read_table", "write_table"]

MAX_BYTES: Final = 512 * 2**20
MAX_CODES: Final = 1_000_000
MAX_LINE: Final = 1_000_000
MAX_NAME: Final = 400
MAX_CODE: Final = 64

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "code": (
        "code",
        "class id",
        "rid",
        "icd10",
        "icd10code",
        "编码",
        "疾病编码",
        "代码",
    ),
    "name": (
        *("preferred label", "preferred name", "name", "meaning", "title", "label"),
        *("term", "description", "long description", "名称", "疾病名称"),
    ),
    "parents": (
        "parents",
        "parent",
        "parent code",
        "superclass",
        "subclass of",
        "上级编码",
    ),
    "synonyms": ("synonyms", "synonym", "alternative names", "同义词", "别名"),
    "obsolete": ("obsolete", "deprecated", "retired"),
}
ORDER: Final = re.compile(r"(\d{5}) (\S{3,7}) *([01]) (.{60}) ?(.*)")
LISTED: Final = re.compile(r"([A-Z]\d[0-9A-Z][0-9A-Z]{0,4})\s+(\S.*)")
DEPTH: Final = re.compile(r"^((?:[-\u2013]\s?)*)")
FALSE: Final = frozenset({"", "false", "0", "no"})


def read_table(path: Path, scheme: str) -> CodeTable:
    """Return the codes in the file at *path*, which are of *scheme*.

    Raises
    ------
    TableError
        It has none of the known forms, no code, or more than a million.
    """
    with _opened(path) as file:
        head = file.read(65_536).decode("utf-8-sig", errors="replace")
        file.seek(0)
        table = CodeTable.of(scheme, _bounded(_read(file, head)))
    if not table.codes:
        msg = "The table has no code."
        raise TableError(msg)
    return table


def write_table(table: CodeTable, file: IO[str]) -> None:
    """Write *table* as columns that ``read_table`` reads again."""
    writer = csv.writer(file, delimiter="\t", lineterminator="\n")
    writer.writerow(["code", "name", "parents", "synonyms"])
    for code in table.codes.values():
        lists = ("|".join(code.parents), "|".join(code.synonyms))
        writer.writerow([code.value, code.name, *lists])


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            content = (gzip.GzipFile(fileobj=file) if packed else file).read(
                MAX_BYTES + 1
            )
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            msg = "The table is cut or damaged: it cannot be unpacked."
            raise TableError(msg) from error
    if len(content) > MAX_BYTES:
        msg = f"A table may have {MAX_BYTES // 2**20} MB unpacked."
        raise TableError(msg)
    return io.BytesIO(content)


def _read(file: IO[bytes], head: str) -> Iterator[Code]:
    start = head.lstrip()
    if start.startswith("<"):
        return read_claml(file) if "<ClaML" in head else read_owl(file)
    lines = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    first = start.partition("\n")[0].rstrip("\r")
    if ORDER.fullmatch(first):
        return _order(lines)
    if LISTED.fullmatch(first) and "\t" not in first and ";" not in first:
        return _listed(lines)
    return _columns(lines, first)


def _bounded(codes: Iterable[Code]) -> Iterator[Code]:
    """Yield what can be a code, cut to lengths that the index takes."""
    for count, code in enumerate(codes):
        if count >= MAX_CODES:
            msg = f"A table may have {MAX_CODES} codes."
            raise TableError(msg)
        value = code.value.strip()
        if value and len(value) <= MAX_CODE and value.isprintable():
            yield Code(
                value,
                _line(code.name),
                tuple(parent for parent in code.parents if parent and parent != value),
                tuple(dict.fromkeys(filter(None, map(_line, code.synonyms)))),
            )


def _line(name: str) -> str:
    return " ".join(name.split())[:MAX_NAME]


def _order(lines: Iterable[str]) -> Iterator[Code]:
    """Yield the codes of the order file of ICD-10-CM: fixed columns, no dots."""
    for line in lines:
        found = ORDER.fullmatch(line.rstrip("\r\n"))
        if found:
            yield Code(_dotted(found[2]), found[5] or found[4])


def _listed(lines: Iterable[str]) -> Iterator[Code]:
    for line in lines:
        found = LISTED.fullmatch(line.rstrip("\r\n"))
        if found:
            yield Code(_dotted(found[1]), found[2])


def _dotted(value: str) -> str:
    """Return an ICD-10-CM code with its dot behind the third character."""
    return f"{value[:3]}.{value[3:]}" if len(value) > 3 and "." not in value else value  # noqa: PLR2004 - ICD-10-CM


def _columns(lines: IO[str], first: str) -> Iterator[Code]:
    delimiter = max("\t,;", key=first.count)
    csv.field_size_limit(MAX_LINE)
    rows = csv.reader(lines, delimiter=delimiter)
    try:
        header = [name.strip().casefold().replace("_", " ") for name in next(rows, [])]
        places = {
            name: next((header.index(one) for one in known if one in header), -1)
            for name, known in COLUMNS.items()
        }
        if places["code"] < 0 or places["name"] < 0:
            msg = (
                "The table needs a header with the columns 'code' and 'name'; "
                "'parents' and 'synonyms' may follow, each with '|' between several."
            )
            raise TableError(msg)
        yield from _told(rows, places)
    except csv.Error as error:
        msg = f"Line {rows.line_num} of the table cannot be read: {error}."
        raise TableError(msg) from error


def _told(rows: Iterable[Sequence[str]], places: Mapping[str, int]) -> Iterator[Code]:
    above: list[str] = []
    for row in rows:
        told = {
            name: row[at].strip() if 0 <= at < len(row) else ""
            for name, at in places.items()
        }
        if told["obsolete"].casefold() not in FALSE:
            continue
        dashes = DEPTH.match(told["name"])
        depth = dashes[1].count("-") + dashes[1].count("\u2013") if dashes else 0
        value = _short(told["code"])
        del above[depth:]
        parents = [_short(parent) for parent in _several(told["parents"])]
        if not parents and depth:
            # The nearest level above that has a code: chapters and blocks have none.
            parents = [one for one in reversed(above) if one][:1]
        above += [""] * (depth - len(above)) + [value]
        name = told["name"][dashes.end() if dashes else 0 :]
        yield Code(value, name, tuple(parents), tuple(_several(told["synonyms"])))


def _several(cell: str) -> list[str]:
    return [part.strip() for part in cell.split("|") if part.strip()]


def _short(value: str) -> str:
    """Return the code at the end of an address, as BioPortal writes classes."""
    return re.split(r"[/#]", value.rstrip("/#"))[-1] if "://" in value else value
