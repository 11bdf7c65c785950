"""Run a program of another package so that it ends with whoever started it.

``python -m rounds_hub.deployment.tied PACKAGE:FUNCTION ARGUMENT...`` is for the proxy
and the culler: they would otherwise outlive a killed hub and stand in the way of the
next one.
"""

from __future__ import annotations

import sys
from pkgutil import resolve_name

from rounds_hub.processes import die_with_parent

__all__ = ["main"]


def main() -> None:
    """Become the program that the first argument names."""
    die_with_parent()
    program = resolve_name(sys.argv[1])
    del sys.argv[1]
    sys.exit(program())


if __name__ == "__main__":
    main()
