"""Row ``knn-million``: as ``knn``, with 1,000,000 slices of 20,000 series."""

from rounds_hub.bench.knn import millions as races

__all__ = ["races"]
