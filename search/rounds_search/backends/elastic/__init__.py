"""Elasticsearch 9 for words and pictures, for a site with more than one machine."""

from rounds_search.backends.elastic.backend import ElasticBackend
from rounds_search.backends.elastic.connection import Cluster

__all__ = ["Cluster", "ElasticBackend"]
