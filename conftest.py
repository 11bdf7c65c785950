"""What pytest must know before it collects anything."""

import os
import tempfile
from pathlib import Path

import pytest

# The contract's assertions explain themselves, whichever folder imports them first.
pytest.register_assert_rewrite("rounds_search.testing")

# Hypothesis keeps what it found outside the tree, so that a checkout stays as it is.
os.environ.setdefault(
    "HYPOTHESIS_STORAGE_DIRECTORY", str(Path(tempfile.gettempdir()) / "hypothesis")
)
