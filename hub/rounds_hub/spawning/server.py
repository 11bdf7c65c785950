"""Start a user's server on this machine: ``python -m rounds_hub.spawning.server``."""

from __future__ import annotations

import sys

__all__ = ["kernel_settings", "main", "prepare"]

# jsonschema checks a kind of address that no event of Jupyter has with a package that
# builds its parser while it is imported: a second of every start. None: not there.
_NOT_NEEDED = "rfc3987_syntax"

# A session that was signed out is noticed after seconds, not minutes.
_SETTINGS = ("--HubOAuth.cache_max_age=10",)

# Anybody on the machine can listen to a kernel on TCP; to a socket in a private folder
# nobody else can. Its path must fit into an address (unix(7): 108 bytes).
_PRIVATE_KERNELS = ("--KernelManager.transport=ipc",)
_LONGEST_FOLDER = 107 - len("/kernel-") - 36 - len("-ipc-5")


def prepare() -> None:
    """Keep what no server needs from being imported."""
    sys.modules.setdefault(_NOT_NEEDED, None)  # type: ignore[arg-type] # «not there»


def main(arguments: list[str] | None = None) -> None:
    """Be the single-user server of JupyterHub, with the house's settings."""
    prepare()
    from jupyter_core.paths import jupyter_runtime_dir  # noqa: PLC0415 (as needed)
    from jupyterhub.singleuser import main as serve  # noqa: PLC0415 (prepared first)

    given = sys.argv[1:] if arguments is None else arguments
    serve([*_SETTINGS, *kernel_settings(jupyter_runtime_dir()), *given])


def kernel_settings(folder: str) -> tuple[str, ...]:
    """Return how kernels are spoken to, where their files lie in *folder*.

    Examples
    --------
    >>> kernel_settings("/srv/rounds/users/ada/.local/share/jupyter/runtime")
    ('--KernelManager.transport=ipc',)
    """
    fits = sys.platform != "win32" and len(folder.encode()) <= _LONGEST_FOLDER
    return _PRIVATE_KERNELS if fits else ()


if __name__ == "__main__":
    main()
