"""ipyniivue's picture, without sending back what it was just given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import ipyniivue

__all__ = ["Canvas", "without_echo"]

_ECHO: Final = re.compile(
    r"\{let (\w+)=\w+\((\w+)\.img\);\w+\(\w+,\"img\",\2\.img\.buffer,\1\)\}"
)
"""Where the front end of ipyniivue 2.4 sends every voxel of a new volume to Python."""


def without_echo(script: str) -> str:
    """Return ipyniivue's front end without the step that sends volumes back to Python.

    Python has them already; for a CT of 300 slices the way back would be another 150 MB
    through the notebook's connection. A front end of another form stays as it is.
    """
    return _ECHO.sub("{}", script)


def _front_end() -> str:
    bundle = Path(ipyniivue.__file__).parent / "static" / "widget.js"
    return without_echo(bundle.read_text("utf-8"))


class Canvas(ipyniivue.NiiVue):  # type: ignore[misc] # ipyniivue has no types
    """The picture of a `NiiVue`; volumes go to the browser, and stay there."""

    _esm = _front_end()
