from __future__ import annotations

import secrets
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
    def index(self, elasticsearch: str) -> Iterator[Backend]:
        prefix = f"contract-{secrets.token_hex(4)}"
        with closing(ElasticBackend(Cluster(elasticsearch, prefix=prefix))) as made:
            made.ensure()
            yield made
