"""Re-encoding without loss: smaller, exact, and only where it is proved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import JPEGLSLossless, RLELossless
from tests.archive.conftest import as_file, make_instance

from rounds_hub.archive import decoding
from rounds_hub.archive.committing import stage
from rounds_hub.archive.intake import Attribution
from rounds_hub.archive.reencoding import SYNTAXES
from rounds_hub.archive.service import Offer, Status, instances_of, store
from rounds_hub.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

SERIES = "1.2.826.0.1.3680043.10.1338.1.1"
NATIVE = [
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "SC_rgb_small_odd.dcm",
    "examples_overlay.dcm",
    "rtdose.dcm",
    "liver_1frame.dcm",
]


def reencoded(path: Path, syntax: str, target: Path) -> bool:
    """Re-encode in the decoding process; what ends it is kept as it came."""
    try:
        return decoding.reencode(path, syntax, target)
    except InvalidError:
        return False


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=list(SYNTAXES))
@pytest.mark.parametrize("name", NATIVE)
def test_what_is_taken_over_is_exact(name: str, syntax: str, tmp_path: Path) -> None:
    path, form = get_testdata_file(name, download=False), tmp_path / "form"
    if path is None:
        pytest.skip(f"pydicom has no file {name} here")
    if not reencoded(Path(str(path)), syntax, form):
        assert not form.exists()
        return
    came, kept = dcmread(path), dcmread(form)
    assert kept.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(came.pixel_array, kept.pixel_array)
    assert kept.SOPInstanceUID == came.SOPInstanceUID


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=list(SYNTAXES))
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm"])
def test_ordinary_images_are_taken_over(name: str, syntax: str, tmp_path: Path) -> None:
    path = Path(str(get_testdata_file(name, download=False)))
    assert reencoded(path, syntax, tmp_path / "form")


def test_what_is_no_picture_stays(tmp_path: Path) -> None:
    made = make_instance()
    del made.PixelData
    (tmp_path / "none").write_bytes(as_file(made))
    assert not reencoded(tmp_path / "none", JPEGLSLossless, tmp_path / "form")


@pytest.mark.parametrize("way", ["batch", "committer"])
def test_a_house_keeps_the_smaller_form(
    way: str, house: House, doctor: Principal, instance: Callable[..., bytes]
) -> None:
    house.settings.reencode = "jpeg-ls"
    flat = instance(1, Rows=64, Columns=64, PixelData=bytes(64 * 64 * 2))
    for expected in (Status.TAKEN, Status.SAME):
        if way == "batch":
            (outcome,) = store(house, doctor, [Offer("slice", flat)])
        else:
            ready = stage(house, "slice", flat)
            attribution = Attribution(doctor, ["everyone"])
            outcome = house.committer.submit(ready, attribution).result(30)
        assert outcome.status is expected
    (kept,) = instances_of(house, doctor, SERIES)
    assert (kept.transfer_syntax, kept.size < len(flat)) == (JPEGLSLossless, True)
    assert not dcmread(kept.path).pixel_array.any()


def test_a_house_keeps_what_is_smaller_as_it_came(
    house: House, doctor: Principal, instance: Callable[..., bytes]
) -> None:
    house.settings.reencode = "rle"
    noise = np.random.default_rng(1).integers(0, 4095, (16, 24), dtype="<u2")
    store(house, doctor, [Offer("slice", instance(1, PixelData=noise.tobytes()))])
    (kept,) = instances_of(house, doctor, SERIES)
    assert kept.transfer_syntax != RLELossless
