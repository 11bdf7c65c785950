"""What the tests of the search room share."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("rounds_search.testing")
