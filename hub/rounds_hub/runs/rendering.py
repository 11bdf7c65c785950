"""Show an executed notebook as a page that can do nothing."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

import bleach  # type: ignore[import-untyped]

from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CONTENT_SECURITY_POLICY", "notebook_page"]

CONTENT_SECURITY_POLICY = (
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
)
"""No script, no request, no origin: what a notebook brings can only be looked at."""

NOTEBOOK_BYTES = 64 * 2**20

TAGS = (
    bleach.ALLOWED_TAGS
    | {f"h{level}" for level in range(1, 7)}
    | {"br", "dd", "del", "div", "dl", "dt", "hr", "img", "p", "pre", "span", "sub"}
    | {"sup", "table", "tbody", "td", "th", "thead", "tr"}
)
ATTRIBUTES = {
    "a": ("href", "title"),
    "img": ("alt", "width", "height"),
    "td": ("colspan", "rowspan"),
    "th": ("colspan", "rowspan"),
}
PROTOCOLS = frozenset({"http", "https", "data"})

STYLE = """
:root { color-scheme: light dark; --line: #d4dbe0; --soft: #f4f6f7; --text: #1c2529; }
@media (prefers-color-scheme: dark) {
  :root { --line: #38444b; --soft: #1d2529; --text: #dfe6e9; }
  body { background: #141a1d; }
}
body { max-width: 60rem; margin: 1.5rem auto; padding: 0 1rem; color: var(--text);
  font: 16px/1.55 system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
img { max-width: 100%; height: auto; }
pre { overflow-x: auto; font: 13px/1.5 ui-monospace, monospace; margin: 0;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.jp-InputArea, .input { background: var(--soft); border: 1px solid var(--line);
  border-radius: 6px; padding: .6rem .8rem; margin: 1rem 0 .4rem; }
.jp-InputPrompt, .jp-OutputPrompt, .prompt, .anchor-link { display: none; }
.output_stderr, .output_error { border-left: 3px solid #c0392b; padding-left: .8rem; }
table { border-collapse: collapse; } td, th { border: 1px solid var(--line);
  padding: .25rem .6rem; text-align: left; }
"""


def notebook_page(path: Path, title: str) -> str:
    """Return the notebook at *path* as a whole HTML page without scripts.

    What is HTML in the notebook is sanitised; the page is to be served with
    `CONTENT_SECURITY_POLICY` all the same.

    Raises
    ------
    InvalidError
        If it is no notebook, or too large to be shown.
    """
    if path.stat().st_size > NOTEBOOK_BYTES:
        msg = "The notebook is too large to be shown; download it instead."
        raise InvalidError(msg)
    import nbformat  # noqa: PLC0415 (a quarter of a second that a start need not wait)

    try:
        notebook = nbformat.reads(  # type: ignore[no-untyped-call]
            path.read_text(encoding="utf-8"), as_version=4
        )
    except (ValueError, nbformat.ValidationError) as error:
        msg = "The notebook is damaged and cannot be shown."
        raise InvalidError(msg) from error
    body, _ = _exporter().from_notebook_node(notebook)
    return (
        '<!doctype html><html><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body>{body}</body></html>"
    )


@cache
def _exporter() -> Any:  # noqa: ANN401 (nbconvert has no types)
    """Return nbconvert's exporter of bodies, with sanitising on."""
    from nbconvert.exporters import HTMLExporter  # noqa: PLC0415 (takes a second)

    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="basic",
        sanitize_html=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    exporter.register_filter("clean_html", _clean)  # type: ignore[no-untyped-call]
    return exporter


def _clean(html: str) -> str:
    """Return *html* with the tags and attributes alone that cannot do anything.

    nbconvert's own filter leaves out headings and paragraphs.
    """
    return str(
        bleach.clean(
            html, tags=TAGS, attributes=_may_stay, protocols=PROTOCOLS, strip=True
        )
    )


def _may_stay(tag: str, name: str, value: str) -> bool:
    """Return whether an attribute may stay; pictures come from the notebook alone."""
    if tag == "img" and name == "src":
        return value.startswith("data:image/")
    return name in ATTRIBUTES.get(tag, ())
