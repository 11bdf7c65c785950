"""The search as programs say it and are answered: typed, bounded, documented."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rounds_hub.cases.asking import (
    FILTERS,
    MOST_EXAMPLES,
    MOST_POINTS,
    Example,
    Question,
    Region,
)

__all__ = [
    "FoundModel",
    "HitModel",
    "SearchQuery",
    "SearchRequest",
    "UploadExample",
]

MOST_WORDS = 10_000
MOST_VALUES = 100
MOST_WITHOUT = 100
LONGEST = 200
Sort = Literal["relevance", "newest", "oldest", "title"]
Word = Annotated[str, Field(max_length=LONGEST)]
Cursor = Annotated[str, Field(max_length=2_000)]
Slice = Annotated[int, Field(ge=0, le=1_000_000, description="Counted from 0.")]
Point = tuple[float, float]


class RectangleModel(BaseModel):
    """Edges in pixels of the slice: x to the right, y down, (0, 0) the upper left."""

    model_config = ConfigDict(extra="forbid")

    left: float
    top: float
    right: float
    bottom: float


class _Part(BaseModel):
    """How much an example counts beside others."""

    model_config = ConfigDict(extra="forbid")

    weight: float = Field(1.0, gt=0, le=100, description="Beside other examples.")


class _Region(_Part):
    """A part of a slice: a rectangle or a polygon."""

    rectangle: RectangleModel | None = None
    polygon: list[Point] | None = Field(
        None,
        min_length=3,
        max_length=MOST_POINTS,
        description="Corners [x, y] in pixels of the slice.",
    )

    def region(self) -> Region | None:
        """Return the region, None where the whole is meant."""
        if self.polygon is not None:
            return Region(tuple(self.polygon))
        if self.rectangle is None:
            return None
        said = self.rectangle
        return Region.rectangle(said.left, said.top, said.right, said.bottom)


class CaseExample(_Part):
    """Pictures like those of a case."""

    kind: Literal["case"]
    case_id: Word

    def example(self) -> Example:
        """Return it as the search room takes it."""
        return Example(case_id=self.case_id, weight=self.weight)


class SeriesExample(_Part):
    """Pictures like those of a series."""

    kind: Literal["series"]
    series_uid: Word

    def example(self) -> Example:
        """Return it as the search room takes it."""
        return Example(series_uid=self.series_uid, weight=self.weight)


class SliceExample(_Part):
    """Pictures like one slice of a series."""

    kind: Literal["slice"]
    series_uid: Word
    slice: Slice

    def example(self) -> Example:
        """Return it as the search room takes it."""
        return Example(series_uid=self.series_uid, slice=self.slice, weight=self.weight)


class RegionExample(_Region):
    """Regions like one that was drawn on a slice of a series."""

    kind: Literal["region"]
    series_uid: Word
    slice: Slice

    def example(self) -> Example:
        """Return it as the search room takes it; without a region it is the slice."""
        return Example(
            series_uid=self.series_uid,
            slice=self.slice,
            region=self.region(),
            weight=self.weight,
        )


class UploadExample(_Region):
    """Pictures like those in the parts ``files``, or like a slice or region of them."""

    kind: Literal["upload"]
    slice: Slice | None = None

    def example(self) -> Example:
        """Return it as the search room takes it."""
        return Example(slice=self.slice, region=self.region(), weight=self.weight)


ExampleModel = Annotated[
    CaseExample | SeriesExample | SliceExample | RegionExample | UploadExample,
    Field(discriminator="kind"),
]


class SearchRequest(BaseModel):
    """What is looked for: words, filters and examples, in one request."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field("", max_length=MOST_WORDS, examples=["lung metastases"])
    prefix: Word = Field("", description="The beginning of a word, for suggestions.")
    where: dict[str, Annotated[list[Word], Field(max_length=MOST_VALUES)]] = Field(
        default_factory=dict,
        max_length=len(FILTERS),
        examples=[{"modality": ["CT", "MR"]}],
        description=f"Filters: {', '.join(FILTERS)}; one of the values must hold.",
    )
    like: list[ExampleModel] = Field(
        default_factory=list,
        max_length=MOST_EXAMPLES,
        description="Pictures to be like; fused with the words by rank.",
    )
    without: list[Word] = Field(
        default_factory=list,
        max_length=MOST_WITHOUT,
        description="Expansions that are not wanted, as the answer names them.",
    )
    expand: bool = Field(default=True, description="Search synonyms, too.")
    leave_out: list[Literal["patient", "copies"]] = Field(
        default_factory=list,
        max_length=2,
        description="The patient's own other cases; copies of the pictures asked with.",
    )
    lean: Literal["auto", "even", "picture", "words"] = Field(
        "auto", description="What counts more; auto: anatomy the picture, else words."
    )
    sort: Sort = "relevance"
    after: Cursor | None = Field(None, description="The cursor of the answer before.")
    size: int = Field(24, ge=1, le=200)
    language: Word = Field("en", description="In which language titles are shown.")
    counted: bool = Field(default=True, description="Count the facets, too.")

    def question(self) -> Question:
        """Return it as the search room takes it."""
        return Question(
            text=self.text,
            prefix=self.prefix,
            where={name: tuple(values) for name, values in self.where.items()},
            like=tuple(one.example() for one in self.like),
            without=tuple(self.without),
            expand=self.expand,
            leave_out=frozenset(self.leave_out),
            lean=self.lean,
            sort=self.sort,
            after=self.after,
            size=self.size,
            language=self.language,
            counted=self.counted,
        )


class SearchQuery(BaseModel):
    """What is looked for, as the parameters of an address; facets may be repeated."""

    q: str = Field("", description="Words, in English or Chinese.")
    prefix: str = Field("", description="The beginning of a word, for suggestions.")
    modality: list[str] = []
    body_part: list[str] = []
    level: list[str] = []
    language: list[str] = []
    kind: list[str] = []
    code: list[str] = []
    case: list[str] = []
    without: list[str] = []
    sort: Sort = "relevance"
    after: str | None = Field(None, description="The cursor of the answer before.")
    size: int = Field(24, ge=1, le=200)
    titles: str = Field("en", description="In which language titles are shown.")

    def question(self) -> Question:
        """Return it as the search room takes it."""
        where = {name: tuple(getattr(self, name)) for name in FILTERS}
        return Question(
            text=self.q,
            prefix=self.prefix,
            where={name: values for name, values in where.items() if values},
            without=tuple(self.without),
            sort=self.sort,
            after=self.after,
            size=self.size,
            language=self.titles,
        )


class ShownModel(BaseModel):
    """One slice: where it is in the archive, or a small picture of what was sent."""

    model_config = ConfigDict(from_attributes=True)

    series_uid: str
    slice: int = Field(description="Counted from 0.")
    region: tuple[float, float, float, float] | None = Field(
        description="Left, top, right, bottom of the part that was compared, in pixels."
    )
    picture_url: str = Field(
        description="Below the service's prefix, or a data URL of what was sent."
    )


class PairModel(BaseModel):
    """A slice that was asked with, and the slice of a hit that is like it."""

    model_config = ConfigDict(from_attributes=True)

    leg: str
    score: float
    asked: ShownModel
    found: ShownModel


class HitModel(BaseModel):
    """One found case or result."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    kind: str
    title: str
    why: list[str] = Field(examples=[["text 2", "picture 5", "same code"]])
    case_id: str
    run_id: str
    modality: list[str]
    body_part: list[str]
    level: str
    language: str
    score: float
    ranks: dict[str, int] = Field(
        examples=[{"text": 2, "picture": 5}], description="The place in each leg."
    )
    same_codes: list[str]
    pairs: list[PairModel]
    highlights: dict[str, str]
    thumbnail: str
    thumbnail_url: str
    url: str


class FoundModel(BaseModel):
    """What a search found."""

    model_config = ConfigDict(from_attributes=True)

    hits: list[HitModel]
    total: int
    facets: dict[str, list[tuple[str, int]]]
    after: str | None
    suggestions: list[str]
    expansions: dict[str, list[str]]
    relaxed: bool
    corrections: list[str]
    weights: dict[str, float] = Field(description="How much each leg counted.")
    asked: list[ShownModel]
