"""What only Elasticsearch has: aliases, mappings, gravestones, graphs."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from elasticsearch import Elasticsearch

from rounds_search import Delete, VectorQuery
from rounds_search.backends.elastic import Cluster, ElasticBackend
from rounds_search.errors import (
    IndexUnavailableError,
    LimitError,
    NewerIndexError,
)
from rounds_search.testing.library import ENCODER, ask, case, found, pictures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rounds_search import Document


@pytest.fixture
def index(cluster: Cluster) -> Iterator[ElasticBackend]:
    with closing(ElasticBackend(cluster)) as made:
        made.ensure()
        yield made


@pytest.fixture
def client(elasticsearch: str) -> Iterator[Elasticsearch]:
    with Elasticsearch(elasticsearch, request_timeout=120) as made:
        yield made


def test_a_newer_schema_is_refused(
    index: ElasticBackend, cluster: Cluster, client: Elasticsearch
) -> None:
    meta = {"schema": [99, 1]}
    client.indices.put_mapping(index=f"{cluster.prefix}-cases", meta=meta)
    with pytest.raises(NewerIndexError, match=r"has schema 99\.1"):
        index.ensure()


def test_an_older_schema_is_renewed_from_its_own_documents(
    index: ElasticBackend, cluster: Cluster, client: Elasticsearch
) -> None:
    index.write([case("a", "brain"), pictures("a", np.eye(3)[0])], [Delete("b", 5)])
    meta = {"schema": [0, 1]}
    client.indices.put_mapping(index=f"{cluster.prefix}-cases", meta=meta)
    index.ensure()
    leg = VectorQuery(ENCODER, np.eye(3)[0])
    assert found(index, ask("brain", vectors=(leg,))) == ["a"]
    assert index.write([case("b", revision=4)]).stale == ("b",)


def test_what_is_written_during_a_rebuild_is_carried_over(
    index: ElasticBackend, cluster: Cluster
) -> None:
    with closing(ElasticBackend(cluster)) as other:

        def meanwhile() -> Iterator[Document]:
            yield case("a")
            other.write([case("late")], [Delete("gone", 3)])

        index.write([case("gone", revision=2), case("dropped")])
        index.rebuild(meanwhile())
    assert set(found(index, ask())) == {"a", "late"}


def test_more_vectors_than_are_compared_all_go_into_a_graph(cluster: Cluster) -> None:
    rows = np.random.default_rng(1).normal(size=(60, 2, 8)).astype(np.float32)
    with closing(ElasticBackend(cluster, graph_above=50)) as index:
        index.ensure()
        index.write(case(f"c{at}") for at in range(60))
        index.write(pictures(f"c{at}", own) for at, own in enumerate(rows))
        assert index.health()["graphs"] == 1
        leg = VectorQuery(ENCODER, rows[7])
        assert found(index, ask(vectors=(leg,)))[0] == "c7"


def test_a_cluster_that_is_away_is_told_without_its_address() -> None:
    away = Cluster("http://127.0.0.1:9", seconds=1)
    with closing(ElasticBackend(away)) as index:
        with pytest.raises(IndexUnavailableError, match="does not answer") as caught:
            index.search(ask("brain"))
        assert "127.0.0.1" not in str(caught.value)
        assert not index.health()["ok"]


def test_a_prefix_that_is_no_name_is_refused() -> None:
    with pytest.raises(LimitError, match="1 to 51 characters"):
        replace(Cluster("http://localhost:9200"), prefix="Mine!")
