"""What hubs say to each other: a question of words, and hits without a patient."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from rounds_hub.cases.asking import FILTERS

__all__ = [
    "ANSWER",
    "LONGEST_BODY",
    "QUESTION",
    "PeerAnswer",
    "PeerHit",
    "PeerQuestion",
]

QUESTION: Final = "rounds.search"
ANSWER: Final = "rounds.found"
"""What a signature of each is for."""
LONGEST_BODY: Final = 2**16
MOST_HITS: Final = 100

_Plain = r"^[^\x00-\x1f\x7f]*$"
Word = Annotated[str, Field(max_length=200, pattern=_Plain)]
Words = Annotated[list[Word], Field(max_length=50)]


class PeerQuestion(BaseModel):
    """What another hub is asked for; its words are all that it learns."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field("", max_length=500)
    where: dict[str, Words] = Field(default_factory=dict, max_length=len(FILTERS))
    language: Word = "en"
    size: int = Field(24, ge=1, le=MOST_HITS)


class PeerHit(BaseModel):
    """A case of another hub: what it is called, and nothing of the patient."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    title: Word
    modality: Words = []
    body_part: Words = []
    level: Word = ""
    language: Word = ""


class PeerAnswer(BaseModel):
    """What another hub found."""

    model_config = ConfigDict(extra="ignore")

    hits: list[PeerHit] = Field(max_length=MOST_HITS)
    total: int = Field(ge=0, le=2**40)
