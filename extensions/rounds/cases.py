"""A case and its series, as a notebook has them in hand."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rounds.client import default_service
from rounds.errors import NotFoundError, RefusedError, RoundsError, ViewerError
from rounds.html import Markup, card, image, section, table, text
from rounds.runs import Run
from rounds.streaming import fetch_volume
from rounds_kernels.modalities import NO_PICTURES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from rounds.client import Service
    from rounds_kernels.volumes import Volume

__all__ = ["Case", "Series", "open_case"]

CASE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
STORY = ("history", "findings", "diagnosis", "differential", "discussion")


@dataclass(frozen=True, slots=True)
class Series:
    """A series of a case; *count* is its number of images, *label* the case's word."""

    uid: str
    modality: str
    description: str
    count: int
    label: str = ""
    rows: int = 0
    columns: int = 0
    _service: Service = field(repr=False, compare=False, kw_only=True)

    @property
    def volume(self) -> Volume:
        """The series as one array with its geometry, streamed once and kept in memory.

        Raises
        ------
        RefusedError
            If its images make up no volume.
        """
        return fetch_volume(self._service, self.uid)

    @property
    def preview(self) -> Volume:
        """A coarse copy of the volume, up to 128 voxels a side, read in a moment.

        Raises
        ------
        RefusedError
            If its images make up no volume.
        """
        from rounds.levels import coarse  # noqa: PLC0415 - Zarr takes a while to import

        return coarse(self._service, self.uid)

    @property
    def levels(self) -> tuple[Any, ...]:
        """The resolutions of the volume as Zarr arrays, the finest first.

        Nothing is read before it is asked for: ``series.levels[0][100:110]`` streams
        the chunks with these ten slices.

        Raises
        ------
        RefusedError
            If its images make up no volume.
        """
        from rounds.levels import levels  # noqa: PLC0415 - Zarr takes a while to import

        return levels(self._service, self.uid)

    @property
    def thumbnail(self) -> bytes:
        """A small PNG of its middle image."""
        return self._service.content(f"api/series/{self.uid}/thumbnail.png")

    def slice_png(self, number: int) -> bytes:
        """Return one slice as PNG, counted from 0, in the window one sees it in first.

        Raises
        ------
        NotFoundError
            If it has no such slice.
        """
        return self._service.content(f"api/series/{self.uid}/frames/{number}.png")

    @property
    def name(self) -> str:
        """What to call it: the case's label, else its description or modality."""
        return self.label or self.description or self.modality or "Series"


@dataclass(frozen=True, slots=True)
class Case:
    """A teaching case: its story, its series and what was computed on them."""

    id: str
    title: str
    history: str = ""
    findings: str = ""
    diagnosis: str = ""
    differential: str = ""
    discussion: str = ""
    level: str = ""
    language: str = ""
    body_part: str = ""
    codes: tuple[Mapping[str, str], ...] = ()
    source: str = ""
    series: tuple[Series, ...] = ()
    _service: Service = field(repr=False, compare=False, kw_only=True)

    @property
    def volume(self) -> Volume:
        """Its first series that holds pictures, as one array with its geometry.

        Raises
        ------
        NotFoundError
            If the case shows no such series.
        """
        return self.picture_series.volume

    @property
    def picture_series(self) -> Series:
        """Its first series that holds pictures."""
        for series in self.series:
            if series.modality not in NO_PICTURES:
                return series
        msg = f"Case {self.id!r} has no series with pictures."
        raise NotFoundError(msg)

    @property
    def results(self) -> list[Run]:
        """The runs on this case that this person may see, newest first."""
        found = self._service.get("api/runs", {"case_id": self.id})
        rows = found if isinstance(found, list) else found.get("runs", [])
        return [Run(row, service=self._service) for row in rows]

    def show(
        self,
        engine: str = "niivue",
        *,
        series: int | str = 0,
        overlay: Run | npt.NDArray[Any] | None = None,
    ) -> Any:  # noqa: ANN401 - widgets have no types
        """Return a view of a series: in three planes, or rendered.

        Of a large volume the three planes show a coarse copy at once, and all of it
        as soon as it is here.

        Parameters
        ----------
        engine
            ``"niivue"``: three planes with a crosshair and window presets;
            ``"itk"``: volume rendering with a transfer function.
        series
            Which series: its number in `series`, or its UID.
        overlay
            A run whose segmentation is laid over the pictures, or a mask of the
            volume's shape with a number for each segment and 0 elsewhere.

        Raises
        ------
        ViewerError
            If there is no such engine, or the overlay does not fit the volume.
        """
        chosen = self._pick(series)
        title = f"{self.title}, {chosen.name}"
        if engine != "niivue" or overlay is not None:
            return _show(chosen.volume, engine, overlay, title=title)
        from rounds.growing import grow  # noqa: PLC0415 - drawing needs the widgets' packages
        from rounds.levels import first_look  # noqa: PLC0415 - Zarr takes a while to import

        volume, whole = first_look(self._service, chosen.uid)
        shown = _show(volume, engine, None, title=title)
        return shown if whole else grow(shown, lambda: chosen.volume)

    def _pick(self, series: int | str) -> Series:
        if isinstance(series, int):
            pictures = [s for s in self.series if s.modality not in NO_PICTURES]
            if -len(pictures) <= series < len(pictures):
                return pictures[series]
        for one in self.series:
            if one.uid == series:
                return one
        known = (
            ", ".join(f"{i} ({s.name})" for i, s in enumerate(self.series)) or "none"
        )
        msg = f"Case {self.id!r} has no series {series!r}. Known: {known}."
        raise NotFoundError(msg)

    def _repr_html_(self) -> str:
        """Return its picture, its story and its series; never who the patient was.

        What answers the question that a case asks is closed until one opens it.
        """
        rows = [
            (s.name, s.modality, s.count, Markup(f"<code>{text(s.uid)}</code>"))
            for s in self.series
        ]
        facts = " · ".join(
            filter(None, (self.body_part, self.level, self.language, self.id))
        )
        told = "".join(
            section(name.capitalize(), getattr(self, name), closed=name != "history")
            for name in STORY
        )
        series = table(("Series", "Modality", "Images", "UID"), rows) if rows else ""
        return card(
            self.title,
            facts,
            f'{told}<div style="margin-top:.8em">{series}</div>',
            picture=self._picture(),
        )

    def _picture(self) -> str:
        """Return the thumbnail as HTML; a case without one is shown without."""
        try:
            return image(self.picture_series.thumbnail, f"Thumbnail of {self.title}")
        except RoundsError:
            return ""


def open_case(case_id: str, *, service: Service | None = None) -> Case:
    """Return the case *case_id*.

    Raises
    ------
    NotFoundError
        If there is no such case, or none that this person may see.
    RefusedError
        If *case_id* cannot be the name of a case.
    """
    if not CASE_ID.fullmatch(case_id):
        msg = f"{case_id!r} is no case: up to 64 letters, digits, '-' and '_' make one."
        raise RefusedError(msg)
    house = service or default_service()
    try:
        return _case(house.get(f"api/cases/{case_id}"), house)
    except NotFoundError:
        msg = (
            f"No case {case_id!r}, or none that you may see. "
            "rounds.find('words') lists the cases that are open to you."
        )
        raise NotFoundError(msg) from None


def _case(said: Mapping[str, Any], service: Service) -> Case:
    texts = ("title", *STORY, "level", "language", "body_part", "source")
    return Case(
        id=str(said["id"]),
        **{name: str(said.get(name) or "") for name in texts},
        codes=tuple(said.get("codes") or ()),
        series=tuple(_series(one, service) for one in said.get("series") or ()),
        _service=service,
    )


def _series(said: Mapping[str, Any], service: Service) -> Series:
    return Series(
        uid=str(said.get("uid") or said.get("series_uid")),
        modality=str(said.get("modality") or ""),
        description=str(said.get("description") or ""),
        count=int(said.get("frame_count") or said.get("instance_count") or 0),
        label=str(said.get("label") or ""),
        rows=int(said.get("rows") or 0),
        columns=int(said.get("columns") or 0),
        _service=service,
    )


def _show(volume: Volume, engine: str, overlay: Any, *, title: str) -> Any:  # noqa: ANN401 - widgets have no types
    from rounds.viewers import ENGINES, view  # noqa: PLC0415 - drawing needs the widgets' packages

    if engine not in ENGINES:
        msg = f"No viewer {engine!r}. Known: {', '.join(sorted(ENGINES))}."
        raise ViewerError(msg)
    if isinstance(overlay, Run):
        overlay = overlay.overlay(volume)
    return view(volume, engine=engine, overlay=overlay, title=title)
