"""What computes a run besides its template: named by one digest."""

from __future__ import annotations

import hashlib
import os
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

import rounds_kernels
from rounds_hub import __version__

__all__ = ["SOFTWARE", "image_digest"]

SOFTWARE = f"Rounds {__version__}"


@cache
def image_digest() -> str:
    """Return the digest of the image that runs compute in.

    In a container it is the image's own (``ROUNDS_IMAGE_DIGEST``). Else it is made of
    Python's version, every installed distribution and the sources of our kernels, so
    that a run is computed again after any of them changed.
    """
    given = os.environ.get("ROUNDS_IMAGE_DIGEST", "")
    if given:
        return given
    digest = hashlib.sha256(platform.python_version().encode())
    names = {f"{one.name}=={one.version}" for one in metadata.distributions()}
    for name in sorted(names):
        digest.update(f"{name}\n".encode())
    folder = Path(rounds_kernels.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"environment:{digest.hexdigest()[:32]}"
