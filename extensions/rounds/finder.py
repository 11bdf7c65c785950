"""A widget to search with: words, facets, a gallery, and a region drawn on a slice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from rounds.drawing import SliceCanvas
from rounds.errors import RoundsError
from rounds.hits import Hits, search
from rounds.html import text

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds.cases import Case, Series
    from rounds.hits import Hit

__all__ = ["Finder"]

SHOWN = 12
COUNTED = ("modality", "body_part", "level", "kind")
TITLES = {"modality": "Modality", "body_part": "Body part", "level": "Level"}
EVERY = "Any"
CARD = {"width": "12rem", "margin": "0 .5rem .75rem 0", "border": "1px solid #d0d7de"}


class Finder(ipywidgets.VBox):  # type: ignore[misc] # ipywidgets has no types
    """Search for cases, look through their slices, and open one as *case*.

    *hits* are those that are shown. A region that is drawn on a slice, the slice, or
    the case can be searched with in turn, together with the words and facets.
    """

    def __init__(self, words: str = "") -> None:
        """Show an empty search, or what *words* find."""
        self.hits = Hits((), total=0, facets={})
        self.case: Case | None = None
        self._example: dict[str, Any] = {}
        self._series: Series | None = None
        self.words = ipywidgets.Text(
            value=words,
            placeholder="Words, in English or Chinese",
            continuous_update=False,
            layout={"width": "24rem"},
        )
        self.facets = {name: self._facet(name) for name in COUNTED}
        self.status = ipywidgets.HTML()
        self.gallery = ipywidgets.HBox(layout={"flex_flow": "row wrap"})
        self.canvas = SliceCanvas()
        self.slider = ipywidgets.IntSlider(
            description="Slice", min=1, max=1, continuous_update=False
        )
        self.viewer = ipywidgets.VBox(layout={"display": "none", "max_width": "32rem"})
        super().__init__(self._parts())
        self.words.observe(lambda _: self.again(), "value")
        self.slider.observe(lambda _: self._draw(), "value")
        if words:
            self.again()

    def again(self, **example: Any) -> None:  # noqa: ANN401 (as `rounds.search` takes it)
        """Search with the words, the facets, and *example* as `rounds.search` takes it.

        What goes wrong is said in the widget; the hits stay as they were.
        """
        self._example = example
        chosen = {
            name: box.value for name, box in self.facets.items() if box.value != EVERY
        }
        try:
            found = search(self.words.value, size=SHOWN, **example, **chosen)
        except RoundsError as error:
            self._say(str(error), bad=True)
            return
        self.hits = found
        self._fill_facets()
        self.gallery.children = [self._card(hit) for hit in found]
        meant = f" Did you mean {', '.join(found.corrections)}?"
        like = f" like {self._said()}" if example else ""
        count = f"{len(found)} of {found.total} found{like}."
        self._say(f"{count}{meant if found.corrections else ''}")

    def look(self, hit: Hit) -> None:
        """Show the slices of a hit, to scroll through and to draw on."""
        try:
            self._series = hit.open().picture_series
        except RoundsError as error:
            self._say(str(error), bad=True)
            return
        self.viewer.layout.display = ""
        self.slider.max = max(1, self._series.count)
        self.slider.value = self.slider.max // 2 + 1
        self.canvas.words = f"A slice of {hit.title}"
        self._draw()

    def open_case(self, hit: Hit) -> None:
        """Open the case of *hit* as `case`."""
        try:
            self.case = hit.open()
        except RoundsError as error:
            self._say(str(error), bad=True)
            return
        self._say(f"{self.case.title} is open: it is .case of this widget.")

    def like_region(self) -> None:
        """Search for regions like the one that was drawn."""
        if self._series is None or not self.canvas.region:
            self._say("Draw a rectangle on the slice first.", bad=True)
            return
        self.again(like=self._series, slice=self._number, region=self.canvas.region)

    def like_slice(self) -> None:
        """Search for slices like the one that is shown."""
        if self._series is not None:
            self.again(like=self._series, slice=self._number)

    @property
    def _number(self) -> int:
        return int(self.slider.value) - 1

    def _parts(self) -> list[Any]:
        """Return the parts of the widget from top to bottom."""
        again = _button("Search", lambda: self.again(**self._example), style="primary")
        fewer = _button("Only words", self.again)
        asked = ipywidgets.HBox([self.words, again, fewer])
        self.viewer.children = [
            self.canvas,
            self.slider,
            ipywidgets.HBox(
                [
                    _button("Like this slice", self.like_slice),
                    _button("Like this region", self.like_region, style="primary"),
                ]
            ),
        ]
        facets = ipywidgets.HBox(list(self.facets.values()))
        return [asked, facets, self.status, self.gallery, self.viewer]

    def _facet(self, name: str) -> ipywidgets.Dropdown:
        """Return the menu of a facet, which searches again when it is changed."""
        box = ipywidgets.Dropdown(
            options=[EVERY],
            description=TITLES.get(name, name.capitalize()),
            layout={"width": "15rem"},
        )
        box.observe(self._narrowed, "value")
        return box

    def _narrowed(self, change: dict[str, Any]) -> None:
        """Search again with what a person chose; not when the menu itself changed."""
        if change["owner"].options and not getattr(self, "_filling", False):
            self.again(**self._example)

    def _fill_facets(self) -> None:
        """Show how many hits each value of each facet has."""
        self._filling = True
        for name, box in self.facets.items():
            chosen = box.value
            counted = self.hits.facets.get(name) or []
            options = [(f"{value} ({count})", value) for value, count in counted]
            if chosen != EVERY and chosen not in {value for _, value in options}:
                options.append((f"{chosen} (0)", chosen))
            box.options = [(EVERY, EVERY), *options]
            box.value = chosen
        self._filling = False

    def _card(self, hit: Hit) -> ipywidgets.VBox:
        """Return a hit in the gallery: its picture, its title, why, and two buttons."""
        try:
            picture: Any = ipywidgets.Image(value=hit.thumbnail, width=180)
        except RoundsError:
            picture = ipywidgets.HTML("No picture")
        words = f"<b>{text(hit.title)}</b><br>{text(' · '.join(hit.why))}"
        buttons = [_button("Look", lambda: self.look(hit))]
        buttons.append(_button("Open", lambda: self.open_case(hit)))
        parts = [picture, ipywidgets.HTML(words), ipywidgets.HBox(buttons)]
        return ipywidgets.VBox(parts, layout=CARD)

    def _draw(self) -> None:
        """Show the slice that the slider names; what was drawn on another one goes."""
        if self._series is None:
            return
        try:
            png = self._series.slice_png(self._number)
        except RoundsError as error:
            self._say(str(error), bad=True)
            return
        self.canvas.region = []
        self.canvas.size = [self._series.columns, self._series.rows]
        self.canvas.png = png

    def _said(self) -> str:
        """Return in words what pictures are asked to be like."""
        if "region" in self._example:
            return "the region"
        return "the slice" if "slice" in self._example else "the picture"

    def _say(self, words: str, *, bad: bool = False) -> None:
        """Say something above the gallery."""
        colour = "#cf222e" if bad else "inherit"
        self.status.value = f'<span style="color:{colour}">{text(words)}</span>'


def _button(words: str, do: Callable[[], object], style: str = "") -> ipywidgets.Button:
    """Return a button that does something."""
    made = ipywidgets.Button(description=words, button_style=style)
    made.on_click(lambda _: do())
    return made
