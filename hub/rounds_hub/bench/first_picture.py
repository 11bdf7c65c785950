"""Row ``first-picture``: the middle slice of a 300-slice series, over HTTP.

Ours reads the coarse copy with at most 128 voxels a side from the house; the peers read
the whole series first, as everybody did before: streamed from the same house as one
array, and file after file by pydicom from its disk. Equal means: the picture is the
mean of the voxels that the peer read, but for rounding.
"""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import Response

from rounds.client import Service
from rounds.levels import coarse
from rounds.streaming import KEPT, fetch_volume
from rounds_hub import __version__
from rounds_hub.access.principal import SYSTEM, Principal
from rounds_hub.archive.service import Offer, store
from rounds_hub.archive.volumes import volume_folder
from rounds_hub.bench.base import Contestant, Race
from rounds_hub.errors import NotSignedInError
from rounds_hub.house import House
from rounds_hub.settings import load_settings
from rounds_hub.web import create_app
from rounds_kernels import phantoms
from rounds_kernels.keeping import joined, levels_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

__all__ = ["races"]

WHOLE: Final = phantoms.Grid((300, 512, 512), (1.0, 0.74, 0.74))
QUICK: Final = phantoms.Grid((40, 192, 192), (7.0, 2.0, 2.0))
LONGEST: Final = 128
TOKEN: Final = "the measuring one's"  # noqa: S105 (of a house that lives seconds)
PATIENCE: Final = 60.0


def races(*, quick: bool) -> Iterator[Race]:
    """Yield the first picture against reading all of the series before."""
    grid = QUICK if quick else WHOLE
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "series"
        files.mkdir()
        phantoms.to_dicom(phantoms.thorax(grid), files)
        with _served(Path(folder), files) as (service, uid):
            ours = Contestant(
                "rounds", __version__, lambda: _middle(coarse(service, uid).array)
            )
            for peer in (_streamed(service, uid), _from_disk(files)):
                yield Race(
                    "first-picture",
                    "middle slice on the screen's grid",
                    f"{grid.shape[0]} slices of {grid.shape[1]} x {grid.shape[2]}",
                    ours,
                    peer,
                    lambda picture, array: _same(picture, array, grid),
                    waits=True,
                )


def _streamed(service: Service, uid: str) -> Contestant:
    def read() -> npt.NDArray[Any]:
        return fetch_volume(service, uid).array

    return Contestant("the whole array over HTTP", __version__, read, KEPT.clear)


def _from_disk(files: Path) -> Contestant:
    import pydicom  # noqa: PLC0415 - peers are loaded by their row alone

    def read() -> npt.NDArray[Any]:
        slices = sorted(
            map(pydicom.dcmread, files.glob("*.dcm")),
            key=lambda one: one.ImagePositionPatient[2],
        )
        slope, shift = int(slices[0].RescaleSlope), int(slices[0].RescaleIntercept)
        return np.stack([one.pixel_array * slope + shift for one in slices])

    return Contestant("pydicom, the whole series", pydicom.__version__, read)


def _middle(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the middle slice."""
    middle: npt.NDArray[Any] = array[len(array) // 2]
    return middle


def _same(
    picture: npt.NDArray[Any], array: npt.NDArray[Any], grid: phantoms.Grid
) -> bool:
    """Return whether *picture* is the middle slice of *array*, its voxels joined."""
    fits = [
        one for one in levels_of(grid.shape, grid.spacing) if max(one.shape) <= LONGEST
    ]
    whole = np.stack(list(joined(array.astype(np.int16), fits[0].steps)))
    # Joining twice by two rounds twice, joining by four once.
    return bool(np.abs(_middle(whole).astype(int) - picture).max() <= 1)


class _OneToken:
    """Believe whoever has the token of this measurement."""

    async def identify(self, request: Request) -> Principal:
        """Return the house itself."""
        if request.headers.get("authorization") != f"token {TOKEN}":
            msg = "Nobody is signed in."
            raise NotSignedInError(msg)
        return SYSTEM

    def start(self, request: Request) -> Response:
        """Send nobody anywhere."""
        del request
        return Response(status_code=401)

    def router(self) -> APIRouter:
        """Return no routes of its own."""
        return APIRouter()


@contextmanager
def _served(folder: Path, files: Path) -> Iterator[tuple[Service, str]]:
    """Give a house on loopback that has the series, its volume built."""
    import uvicorn  # noqa: PLC0415 - only this row serves

    house = House.open(load_settings(data_dir=str(folder / "data")))
    offers = [Offer(path.name, path) for path in sorted(files.glob("*.dcm"))]
    uid = store(house, SYSTEM, offers)[0].series_uid
    volume_folder(house, SYSTEM, uid)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        app = create_app(house, _OneToken())
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        until = time.monotonic() + PATIENCE
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        service = Service(url, TOKEN)
        try:
            yield service, uid
        finally:
            service.close()
            server.should_exit = True
            thread.join(10)
            house.close()
