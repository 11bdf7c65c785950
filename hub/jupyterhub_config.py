"""The configuration of JupyterHub: ``jupyterhub -f hub/jupyterhub_config.py``.

``rounds demo`` and ``rounds up`` use this file as well. What differs from house to
house stands in the file that ``ROUNDS_CONFIG`` names; see docs/settings.md.
"""

from __future__ import annotations

import os

from rounds_hub.deployment.configure import configure

# What the hub and its services make is for their own user alone.
os.umask(0o077)
configure(get_config())  # type: ignore[name-defined] # noqa: F821 (traitlets puts it here)
