from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from rounds_search import SqliteBackend
from rounds_search.testing import SearchContract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rounds_search import Backend


class TestSqliteBackend(SearchContract):
    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[Backend]:
        with closing(SqliteBackend(tmp_path / "index")) as made:
            made.ensure()
            yield made
