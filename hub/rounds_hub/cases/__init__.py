"""Typical cases: authored, published, shown to those who may see them."""
