"""What the tests of the search room share."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

pytest.register_assert_rewrite("rounds_search.testing")

# Hypothesis keeps what it found outside the tree, so that a checkout stays as it is.
os.environ.setdefault(
    "HYPOTHESIS_STORAGE_DIRECTORY", str(Path(tempfile.gettempdir()) / "hypothesis")
)
