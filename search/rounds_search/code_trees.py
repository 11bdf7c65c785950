"""Read codes from the two kinds of XML that schemes are given out in: ClaML and OWL."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, Final
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from rounds_search.codes import Code
from rounds_search.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

__all__ = ["read_claml", "read_owl"]

RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
RDFS: Final = "{http://www.w3.org/2000/01/rdf-schema#}"
OWL: Final = "{http://www.w3.org/2002/07/owl#}"
NAMES: Final = frozenset({"Preferred_name", "Preferred_Name", "prefLabel"})
OTHER_NAMES: Final = frozenset(
    {"Synonym", "synonym", "altLabel", "hasExactSynonym", "Acronym", "Synonym_English"}
)


def read_claml(file: IO[bytes]) -> Iterator[Code]:
    """Yield the categories and blocks of a classification in ClaML.

    Source: EN 14463:2007, Classification Markup Language; ICD-10 of the WHO is given
    out in it.

    Raises
    ------
    TableError
        It is no well-formed XML, or declares entities.
    """
    for element in _elements(file, "Class"):
        rubrics = element.findall("Rubric")
        preferred = [_words(one) for one in rubrics if one.get("kind") == "preferred"]
        others = [_words(one) for one in rubrics if one.get("kind") == "inclusion"]
        above = [one.get("code", "") for one in element.findall("SuperClass")]
        name = preferred[0] if preferred else ""
        yield Code(element.get("code", ""), name, tuple(above), tuple(others))


def read_owl(file: IO[bytes]) -> Iterator[Code]:
    """Yield the classes of an ontology in RDF/XML that are not deprecated.

    Source: W3C, OWL 2 Web Ontology Language, Mapping to RDF Graphs, 2012.

    Raises
    ------
    TableError
        It is no well-formed XML, or declares entities.
    """
    for element in _elements(file, f"{OWL}Class"):
        about = element.get(f"{RDF}about") or element.get(f"{RDF}ID") or ""
        if about and not _deprecated(element):
            yield _owl_class(element, _last(about))


def _owl_class(element: Element, value: str) -> Code:
    preferred, labels, others, above = [], [], [], []
    for child in element:
        name = child.tag.rpartition("}")[2]
        words = " ".join((child.text or "").split())
        if name in NAMES and words:
            preferred.append(words)
        elif child.tag == f"{RDFS}label" and words:
            labels.append(words)
        elif name in OTHER_NAMES and words:
            others.append(words)
        elif child.tag == f"{RDFS}subClassOf" and child.get(f"{RDF}resource"):
            above.append(_last(child.get(f"{RDF}resource", "")))
    named = [*preferred, *labels, value]
    others += [one for one in labels if one != named[0]]
    return Code(value, named[0], tuple(above), tuple(others))


def _elements(file: IO[bytes], tag: str) -> Iterator[Element]:
    """Yield every element *tag*, and forget it when it has been read."""
    try:
        steps = iterparse(file, events=("start", "end"))
        _, root = next(steps)
        for event, element in steps:
            if event == "end" and element.tag == tag:
                yield element
                root.clear()
    except (ParseError, DefusedXmlException, StopIteration) as error:
        msg = "The table is no well-formed XML, or declares entities."
        raise TableError(msg) from error


def _deprecated(element: Element) -> bool:
    said = element.find(f"{OWL}deprecated")
    return said is not None and (said.text or "").strip().casefold() == "true"


def _last(address: str) -> str:
    return re.split(r"[/#]", address.rstrip("/#"))[-1]


def _words(rubric: Element) -> str:
    return " ".join("".join(rubric.itertext()).split())
