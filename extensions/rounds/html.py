"""Build the small pieces of HTML that a notebook shows, with every text escaped."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Markup", "card", "image", "section", "table", "text"]

FRAME = (
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:14px;line-height:1.45;"
    "color:var(--jp-ui-font-color1,inherit);max-width:64rem"
)
MUTED = "color:var(--jp-ui-font-color2,#59636e)"
LINE = "1px solid var(--jp-border-color2,#d0d7de)"


def text(value: object) -> str:
    """Return *value* so that a browser shows it as it is.

    Examples
    --------
    >>> text("<b>5 < 6</b>")
    '&lt;b&gt;5 &lt; 6&lt;/b&gt;'
    """
    return escape(str(value), quote=True)


def image(png: bytes, alternative: str, *, width: int = 192) -> str:
    """Return a picture that lies in the page itself, on black."""
    data = base64.b64encode(png).decode("ascii")
    return (
        f'<img src="data:image/png;base64,{data}" alt="{text(alternative)}" '
        f'width="{width}" '
        'style="background:#000;border-radius:6px;object-fit:contain;flex:none">'
    )


def section(heading: str, body: str, *, closed: bool = False) -> str:
    """Return *body* below *heading*; nothing for an empty body.

    A *closed* section is opened by whoever wants to read it.

    Examples
    --------
    >>> section("Findings", "")
    ''
    """
    if not body:
        return ""
    lines = "<br>".join(text(line) for line in body.splitlines())
    small = f"{MUTED};font-size:12px"
    if closed:
        return (
            '<details style="margin-top:.6em">'
            f'<summary style="{small};cursor:pointer">{text(heading)}</summary>'
            f"<div>{lines}</div></details>"
        )
    return (
        '<div style="margin-top:.6em">'
        f'<div style="{small}">{text(heading)}</div>'
        f"<div>{lines}</div></div>"
    )


def table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = ""
) -> str:
    """Return a table; a cell that is already `Markup` stays, all others are escaped.

    Examples
    --------
    >>> "&lt;5" in table(["volume"], [["<5"]])
    True
    """
    cell = (
        "text-align:left;vertical-align:top;padding:.3em .9em .3em 0;"
        f"border-bottom:{LINE}"
    )
    head = "".join(
        f'<th scope="col" style="{cell};{MUTED};font-weight:500">{text(name)}</th>'
        for name in headings
    )
    body = "".join(
        "<tr>"
        + "".join(f'<td style="{cell}">{_cell(value)}</td>' for value in row)
        + "</tr>"
        for row in rows
    )
    style = f"text-align:left;{MUTED};padding-bottom:.3em"
    said = f'<caption style="{style}">{text(caption)}</caption>' if caption else ""
    return (
        f'<table style="border-collapse:collapse;font-variant-numeric:tabular-nums">'
        f"{said}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def card(title: str, subtitle: str, body: str, *, picture: str = "") -> str:
    """Return a framed block: *picture* to the left of *title*, *subtitle* and *body*.

    *picture* and *body* are HTML from this module; the two texts are escaped.
    """
    return (
        f'<div style="{FRAME};border:{LINE};border-radius:8px;padding:.9em 1.1em;'
        'display:flex;gap:1.1em;flex-wrap:wrap;align-items:flex-start">'
        f'{picture}<div style="flex:1 1 20rem;min-width:0">'
        f'<div style="font-size:17px;font-weight:600">{text(title)}</div>'
        f'<div style="{MUTED}">{text(subtitle)}</div>{body}</div></div>'
    )


class Markup(str):
    """A text that is HTML already and goes into a table cell as it is."""

    __slots__ = ()


def _cell(value: object) -> str:
    return str(value) if isinstance(value, Markup) else text(value)
