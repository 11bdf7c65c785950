"""A volume is read in part over HTTP, by any reader of Zarr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

from rounds_hub.archive.service import Offer, store
from rounds_hub.archive.volumes import open_stacks
from rounds_kernels import phantoms

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House
    from rounds_kernels.volumes import Volume


@pytest.fixture
def chest(house: House, doctor: Principal) -> Volume:
    """Return a chest of three levels that the archive has."""
    made = phantoms.thorax(phantoms.Grid((40, 250, 250), (24.0, 2.6, 2.6)))
    offers = [Offer(str(n), one) for n, one in enumerate(phantoms.to_dicom(made))]
    uid = store(house, doctor, offers)[0].series_uid
    return open_stacks(house, doctor, uid)[0]


def fetched(client: httpx.Client, volume: Volume, *keys: str) -> dict[str, bytes]:
    base = f"api/series/{volume.series_uid}/stacks/0.zarr/"
    answers = {key: client.get(base + key) for key in keys}
    assert {answer.status_code for answer in answers.values()} == {200}
    return {key: answer.content for key, answer in answers.items()}


def opened(parts: dict[str, bytes]) -> Any:  # noqa: ANN401 (zarr's group)
    kept = MemoryStore()
    from zarr.core.buffer import default_buffer_prototype
    from zarr.core.sync import sync

    make = default_buffer_prototype().buffer
    for key, content in parts.items():
        sync(kept.set(key, make.from_bytes(content)))
    return zarr.open_group(kept, mode="r")


def test_a_box_is_read_from_its_chunks(
    client_as: Callable[..., httpx.Client], chest: Volume
) -> None:
    keys = ("zarr.json", "0/zarr.json", "0/c/1/3/2")
    group = opened(fetched(client_as("doctor"), chest, *keys))
    box = group["0"][32:40, 192:250, 128:192]
    assert np.array_equal(box, chest.array[32:40, 192:250, 128:192])


def test_the_coarsest_level_is_one_chunk(
    client_as: Callable[..., httpx.Client], chest: Volume
) -> None:
    keys = ("zarr.json", "2/zarr.json", "2/c/0/0/0")
    group = opened(fetched(client_as("doctor"), chest, *keys))
    whole = group["2"][:]
    means = chest.array[:, :248, :248].reshape(40, 62, 4, 62, 4).mean((2, 4))
    assert whole.shape == (40, 63, 63)
    assert np.abs(whole[:, :62, :62] - means).max() <= 1


def test_the_group_names_its_arrays(
    client_as: Callable[..., httpx.Client], chest: Volume
) -> None:
    group = opened(fetched(client_as("doctor"), chest, "zarr.json"))
    assert sorted(group.array_keys()) == ["0", "1", "2"]
    scales = group.attrs["ome"]["multiscales"][0]["datasets"]
    assert scales[1]["coordinateTransformations"][0]["scale"][0] == chest.spacing[0]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "9/zarr.json",
        "0/c/0/0",
        "0/c/0/0/0/0",
        "0/c/2/0/0",
        "0/c/-1/0/0",
        "0/c/999999/0/0",
        "../zarr.json",
        "0/c/0/0/0%00",
        "3/c/0/0/0",
    ],
)
def test_what_is_no_part_is_not_found(
    client_as: Callable[..., httpx.Client], chest: Volume, path: str
) -> None:
    address = f"api/series/{chest.series_uid}/stacks/0.zarr/{path}"
    assert client_as("doctor").get(address).status_code == 404


def test_a_part_is_not_sent_twice(
    client_as: Callable[..., httpx.Client], chest: Volume
) -> None:
    client = client_as("doctor")
    address = f"api/series/{chest.series_uid}/stacks/0.zarr/0/c/0/0/0"
    tag = client.get(address).headers["etag"]
    again = client.get(address, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
