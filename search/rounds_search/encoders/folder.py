"""Write the folder of an encoder, whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rounds_search.encoders.sidecar import SIDECAR

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["write_folder"]


def write_folder(
    folder: Path, files: Mapping[str, bytes], description: Mapping[str, object]
) -> None:
    """Write *files* and the sidecar *description* as *folder*; one there stays.

    What has its name is whole: it is written under another name first.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
    try:
        for name, content in files.items():
            _write(temporary / name, content)
        words = json.dumps(description, indent=1, ensure_ascii=False)
        _write(temporary / SIDECAR, words.encode())
        # One that another process put there meanwhile has the same name: the same one.
        with contextlib.suppress(OSError):
            temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
