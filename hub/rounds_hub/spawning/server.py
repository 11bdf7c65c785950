"""Start a user's server on this machine: ``python -m rounds_hub.spawning.server``."""

from __future__ import annotations

import sys

__all__ = ["main", "prepare"]

# jsonschema checks a kind of address that no event of Jupyter has with a package that
# builds its parser while it is imported: a second of every start. None: not there.
_NOT_NEEDED = "rfc3987_syntax"

# A session that was signed out is noticed after seconds, not minutes.
_SETTINGS = ("--HubOAuth.cache_max_age=10",)


def prepare() -> None:
    """Keep what no server needs from being imported."""
    sys.modules.setdefault(_NOT_NEEDED, None)  # type: ignore[arg-type] # «not there»


def main(arguments: list[str] | None = None) -> None:
    """Be the single-user server of JupyterHub, with the house's settings."""
    prepare()
    from jupyterhub.singleuser import main as serve  # noqa: PLC0415 (prepared first)

    given = sys.argv[1:] if arguments is None else arguments
    serve([*_SETTINGS, *given])


if __name__ == "__main__":
    main()
