"""Turn a template and what it shows into a page, in the person's language and theme."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse

from rounds_hub.access.policy import Action, decide
from rounds_hub.portal.assets import asset
from rounds_hub.portal.labels import LEGS, SAME_CODE, label_of
from rounds_hub.portal.languages import LANGUAGES, Language, language_of
from rounds_hub.viewer.files import is_installed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from rounds_hub.access.principal import Principal

__all__ = ["THEMES", "environment", "go_to", "hub_prefix", "language_for", "page"]

TEMPLATES = Path(__file__).parent / "templates"
THEMES = ("auto", "light", "dark")
THEME_COOKIE = "rounds-theme"
UNITS = {
    "1": "",
    "[hnsf'U]": "HU",
    "cm2": "cm²",
    "cm3": "cm³",
    "mL": "ml",
    "mm2": "mm²",
    "mm3": "mm³",
    "um": "µm",
    "{ratio}": "",
}
"""UCUM codes that people write in another way."""
LEAD = 50
_SEE_OTHER = 303


def page(
    request: Request, name: str, status: int = 200, /, **shown: object
) -> HTMLResponse:
    """Return the page that the template *name* makes of what is *shown*."""
    language = language_for(request)
    made = environment(language.tag).get_template(name)
    return HTMLResponse(made.render({**_frame(request, language), **shown}), status)


def go_to(request: Request, path: str) -> Response:
    """Return the answer that sends a browser to the page *path* of this service."""
    prefix = cast("str", request.app.state.prefix)
    return RedirectResponse(f"{prefix}{path}", status_code=_SEE_OTHER)


def language_for(request: Request) -> Language:
    """Return the language of *request*, found once."""
    if not hasattr(request.state, "language"):
        request.state.language = language_of(request)
    return cast("Language", request.state.language)


def hub_prefix() -> str:
    """Return the path of JupyterHub's own pages."""
    return os.environ.get("JUPYTERHUB_BASE_URL", "/") + "hub/"


@cache
def environment(tag: str) -> Environment:
    """Return the templates in the language *tag*."""
    language = Language(tag)
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_callables(  # type: ignore[attr-defined] # from ext.i18n
        language.gettext, language.ngettext, newstyle=True
    )
    made.globals |= {"asset": asset, "languages": LANGUAGES, "themes": THEMES}
    made.filters |= {
        "ago": language.ago,
        "day": language.date,
        "moment": language.moment,
        "number": language.number,
        "measure": lambda value: measured(language, value),
        "seconds": language.seconds,
        "label": lambda value, table: language.gettext(label_of(table, value)),
        "words": language.gettext,
        "in_words": lambda texts: in_words(language, texts),
        "titled": lambda said: in_words(language, said.get("labels") or said["label"]),
        "unit": unit_of,
        "why": lambda hit: why(language, hit.ranks, getattr(hit, "same_codes", ())),
        "marked": marked,
        "snippet": snippet,
        "plain": plain,
        "person": person,
        "dicom_day": language.dicom_day,
        "path": lambda value: quote(str(value), safe=""),
    }
    return made


def measured(language: Language, value: object) -> str:
    """Return a measured number with a sensible number of digits.

    Examples
    --------
    >>> measured(Language("en"), 4811.83), measured(Language("en"), 0.031456)
    ('4812', '0.0315')
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    for least, digits in ((100, 0), (10, 1), (1, 2)):
        if abs(value) >= least:
            return language.number(value, digits)
    return language.number(float(f"{value:.3g}"), 10)


def plain(value: object) -> str:
    """Return a number as a field of a form has it, and any other text as it is.

    Examples
    --------
    >>> plain(-400.0), plain(0.5), plain("abc")
    ('-400', '0.5', 'abc')
    """
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)  # type: ignore[call-overload] # a float


def person(name: str) -> str:
    """Return a DICOM person's name (PN, PS3.5 6.2) as people write it.

    Examples
    --------
    >>> person("Doe^Jane^M"), person("Wang^XiaoDong=王^小东"), person("")
    ('Doe, Jane M', 'Wang, XiaoDong 王小东', '')
    """
    latin, *others = name.split("=")
    family, _, given = latin.partition("^")
    known = " ".join(given.replace("^", " ").split())
    written = f"{family}, {known}" if known else family
    ideographic = "".join(others[:1]).replace("^", "")
    return f"{written} {ideographic}".strip()


def in_words(language: Language, texts: str | Mapping[str, str]) -> str:
    """Return a text of a template's declaration in *language*, or in English.

    Examples
    --------
    >>> in_words(Language("zh"), {"en": "Lungs", "zh": "肺"})
    '肺'
    """
    if isinstance(texts, str):
        return texts
    return texts.get(language.tag) or texts.get("en", "")


def marked(highlight: str, title: str) -> str | Markup:
    """Return *title* with the marks that *highlight* has for it.

    The index marks the titles of all languages in one line; only the one that is shown
    is wanted here.

    Examples
    --------
    >>> marked("Lung <mark>x</mark> · 肺", "Lung x")
    Markup('Lung <mark>x</mark>')
    """
    for part in highlight.split(" · "):
        safe = Markup(part)  # noqa: S704 (the index escapes all but its marks)
        if safe.striptags() == title:
            return safe
    return title


def snippet(highlight: str) -> Markup:
    """Return *highlight* from a little before its first mark on.

    Examples
    --------
    >>> snippet("a " * 60 + "round <mark>shadow</mark>").count("a ")
    21
    """
    before, mark, after = highlight.partition("<mark>")
    kept = before[-LEAD:]
    if len(before) > LEAD:
        # Cut at a blank, so that neither a word nor an entity is cut.
        kept = f"…{kept[kept.find(' ') + 1 :]}"
    return Markup(f"{kept}{mark}{after}")  # noqa: S704 (the index escapes all but its marks)


def why(language: Language, ranks: Mapping[str, int], codes: Iterable[str]) -> str:
    """Return what led to a hit: its place in each leg, and whether codes are shared.

    Examples
    --------
    >>> why(Language("en"), {"picture": 5, "text": 2}, ["ICD10:C71.3"])
    'text 2 · picture 5 · same code'
    """
    said = [
        language.gettext(words) % {"rank": ranks[leg]}
        for leg, words in LEGS.items()
        if leg in ranks
    ]
    same = [language.gettext(SAME_CODE)] if any(codes) else []
    return " · ".join([*said, *same])


def unit_of(code: str) -> str:
    """Return the UCUM unit *code* as people write it, with the thin space before it.

    Examples
    --------
    >>> unit_of("[hnsf'U]"), unit_of("mm3"), unit_of("1")
    ('\u202fHU', '\u202fmm³', '')
    """
    plain = UNITS.get(code, code)
    return f"\u202f{plain}" if plain else ""


def _frame(request: Request, language: Language) -> dict[str, Any]:
    """Return what the frame of every page shows."""
    prefix = cast("str", request.app.state.prefix)
    sprite = f"{prefix}static/dist/{asset('icons.svg')}"
    me = cast("Principal | None", getattr(request.state, "principal", None))
    theme = request.cookies.get(THEME_COOKIE, "auto")
    return {
        "prefix": prefix,
        "hub": hub_prefix(),
        "language": language,
        "theme": theme if theme in THEMES else "auto",
        "me": me,
        "stranger": False,
        "may": _Rights(me),
        "here": _here(request),
        "icon": lambda name, more="": _icon(sprite, name, more),
        "query": request.query_params.get("q", ""),
        "viewer_there": is_installed(),
        "partial": request.headers.get("hx-request") == "true",
    }


def _here(request: Request) -> str:
    """Return the address of this page, to come back to after a choice."""
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")


def _icon(sprite: str, name: str, more: str) -> Markup:
    """Return the icon *name* of the sprite; it says nothing to a screen reader."""
    return Markup(
        '<svg class="icon {more}" aria-hidden="true" focusable="false">'
        '<use href="{sprite}#{name}"></use></svg>'
    ).format(sprite=sprite, name=name, more=more)


class _Rights:
    """What the person may do at all; templates ask it what to offer."""

    def __init__(self, me: Principal | None) -> None:
        """Ask for *me*, or for nobody."""
        self.me = me

    def __getitem__(self, action: str) -> bool:
        """Return whether the person may do *action*, as in ``may["case.create"]``."""
        return self.me is not None and decide(self.me, Action(action))
