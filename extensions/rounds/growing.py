"""Show a coarse copy first, and all of the volume as soon as it is here."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rounds.errors import RoundsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds.viewers.niivue import PlanesView
    from rounds_kernels.volumes import Volume

__all__ = ["grow"]


def grow(view: PlanesView, fetch: Callable[[], Volume]) -> PlanesView:
    """Return *view* at once; what *fetch* returns takes its place when it has come.

    Where it does not come, the view says why and goes on showing the coarse copy.
    """

    def bring() -> None:
        try:
            view.refine(fetch())
        except RoundsError as error:
            view.say(f"Only the coarse copy is here: {error}")

    view.say("A coarse copy; the whole volume is on its way.")
    view.growing = threading.Thread(target=bring, name="volume", daemon=True)
    view.growing.start()
    return view
