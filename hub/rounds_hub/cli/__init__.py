"""The program ``rounds``: one verb a module, loaded when it is asked for."""

from __future__ import annotations

from rounds_hub.cli.program import main

__all__ = ["main"]
