"""Bring what the catalogue holds into the search index."""
