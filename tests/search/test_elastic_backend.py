from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from rounds_search.backends.elastic import Cluster, ElasticBackend
from rounds_search.testing import SearchContract

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rounds_search import Backend


class TestElasticBackend(SearchContract):
    @pytest.fixture
    def index(self, cluster: Cluster) -> Iterator[Backend]:
        with closing(ElasticBackend(cluster)) as made:
            made.ensure()
            yield made
