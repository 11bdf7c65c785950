"""Modalities (0008,0060) by what a series of them is."""

from __future__ import annotations

from typing import Final

__all__ = ["NO_PICTURES"]

NO_PICTURES: Final = frozenset(
    (
        "SEG",
        "SR",
        "PR",
        "KO",
        "RTSTRUCT",
        "RTPLAN",
        "RTDOSE",
        "DOC",
        "REG",
        "AU",
        "PLAN",
    )
)
"""Modalities of series that are no pictures by themselves."""
