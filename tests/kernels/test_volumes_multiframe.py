"""Objects of many frames, colours, masks and maps become volumes too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedMRImageStorage, ParametricMapStorage

from rounds_kernels.volumes import read_series, read_stacks

if TYPE_CHECKING:
    from pathlib import Path

    Series = list[Dataset]


def item(**values: object) -> Dataset:
    dataset = Dataset()
    for name, value in values.items():
        setattr(dataset, name, value)
    return dataset


def frame_of(dataset: Dataset, **content: object) -> Dataset:
    place = item(ImagePositionPatient=dataset.ImagePositionPatient)
    return item(
        PlanePositionSequence=Sequence([place]),
        FrameContentSequence=Sequence([item(**content)]),
    )


def enhanced(series: Series) -> Dataset:
    """Return a series as one enhanced object, its last slice first."""
    whole = series[0]
    turned = series[::-1]
    whole.SOPClassUID = EnhancedMRImageStorage
    whole.NumberOfFrames = len(series)
    plane = item(ImageOrientationPatient=whole.ImageOrientationPatient)
    measures = item(PixelSpacing=whole.PixelSpacing, SliceThickness=9)
    values = item(RescaleSlope=2, RescaleIntercept=1, RescaleType="US")
    shared = item(
        PlaneOrientationSequence=Sequence([plane]),
        PixelMeasuresSequence=Sequence([measures]),
        PixelValueTransformationSequence=Sequence([values]),
    )
    whole.SharedFunctionalGroupsSequence = Sequence([shared])
    whole.PerFrameFunctionalGroupsSequence = Sequence(map(frame_of, turned))
    whole.PixelData = b"".join(each.PixelData for each in turned)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(whole, name)
    return whole


def grey(series: Series, frames: int = 1, rows: int = 4, columns: int = 8) -> Dataset:
    """Return a picture without position, 8 bits, of *frames* frames."""
    dataset = series[0]
    del dataset.ImagePositionPatient, dataset.RescaleSlope, dataset.RescaleIntercept
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames, rows, columns
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelRepresentation = 0
    dataset.PixelData = bytes(range(rows * columns)) * frames
    return dataset


def test_frames_of_an_enhanced_object_are_sorted_by_position(series: Series) -> None:
    plain = read_series(series)
    volume = read_series([enhanced(series)])
    assert np.array_equal(volume.array, plain.array * 2 + 1)
    assert np.allclose(volume.affine, plain.affine)


def test_sources_name_the_frames_of_an_enhanced_object(series: Series) -> None:
    volume = read_series([enhanced(series)])
    assert [source.frame for source in volume.sources] == list(range(24, 0, -1))


def test_stacks_of_an_enhanced_object_are_parted(series: Series) -> None:
    whole = enhanced(series)
    groups = whole.PerFrameFunctionalGroupsSequence
    for number, group in enumerate(groups):
        group.FrameContentSequence[0].TemporalPositionIndex = number % 2 + 1
        there = groups[number - number % 2].PlanePositionSequence[0]
        place = item(ImagePositionPatient=list(there.ImagePositionPatient))
        group.PlanePositionSequence = Sequence([place])
    stacks = read_stacks([whole])
    assert [stack.array.shape[0] for stack in stacks] == [12, 12]
    assert "time point 2" in stacks[0].remarks[0]


def test_more_groups_than_frames_are_no_trouble(series: Series) -> None:
    whole = enhanced(series)
    del whole.PerFrameFunctionalGroupsSequence[5:]
    assert sum(len(stack.array) for stack in read_stacks([whole])) == 24


def test_a_cine_loop_follows_its_frames(series: Series) -> None:
    dataset = grey(series, frames=3)
    volume = read_series([dataset])
    assert volume.array.shape == (3, 4, 8)
    assert "make no volume in space" in volume.remarks[0]


def test_ultrasound_is_spaced_by_its_region(series: Series) -> None:
    dataset = grey(series)
    del dataset.PixelSpacing
    region = item(
        PhysicalUnitsXDirection=3,
        PhysicalUnitsYDirection=3,
        PhysicalDeltaX=0.02,
        PhysicalDeltaY=-0.05,
    )
    dataset.SequenceOfUltrasoundRegions = Sequence([region])
    assert read_series([dataset]).spacing[1:] == (0.5, 0.2)


def test_a_palette_becomes_colours(series: Series) -> None:
    dataset = grey(series)
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    for name, first in (("Red", 0), ("Green", 100), ("Blue", 200)):
        table = np.arange(first, first + 32, dtype="<u2") << 8
        setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", [32, 0, 16])
        setattr(dataset, f"{name}PaletteColorLookupTableData", table.tobytes())
    array = read_series([dataset]).array
    assert array.dtype == np.uint8
    assert array[0, 0, 5].tolist() == [5, 105, 205]


@pytest.mark.parametrize("planar", [0, 1])
def test_both_orders_of_colour_are_read(planar: int, series: Series) -> None:
    dataset = grey(series, rows=2, columns=2)
    colours = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, planar
    dataset.PhotometricInterpretation = "RGB"
    stored = colours.transpose(2, 0, 1) if planar else colours
    dataset.PixelData = stored.tobytes()
    assert np.array_equal(read_series([dataset]).array[0], colours)


def test_ybr_becomes_rgb(series: Series) -> None:
    dataset = grey(series, rows=2, columns=2)
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.PhotometricInterpretation = "YBR_FULL"
    dataset.PixelData = bytes([76, 85, 255] * 4)
    assert read_series([dataset]).array[0, 0, 0].tolist() == [254, 0, 0]


def test_a_modality_lookup_table_gives_real_values(series: Series) -> None:
    dataset = grey(series)
    table = item(
        LUTDescriptor=[32, 0, 16],
        ModalityLUTType="OD",
        LUTData=list(range(0, 320, 10)),
    )
    dataset.ModalityLUTSequence = Sequence([table])
    assert read_series([dataset]).array[0, 0].tolist() == list(range(0, 80, 10))


def test_a_parametric_map_keeps_its_floats_and_unit(series: Series) -> None:
    whole = enhanced(series)
    whole.SOPClassUID = ParametricMapStorage
    code = item(CodeValue="um2/s", CodingSchemeDesignator="UCUM", CodeMeaning="um2/s")
    mapping = item(
        RealWorldValueSlope=1.0,
        RealWorldValueIntercept=0.0,
        MeasurementUnitsCodeSequence=Sequence([code]),
    )
    shared = whole.SharedFunctionalGroupsSequence[0]
    shared.RealWorldValueMappingSequence = Sequence([mapping])
    del whole.PixelData
    whole.BitsAllocated = 32
    whole.FloatPixelData = np.full((24, 32, 32), 0.25, "<f4").tobytes()
    volume = read_series([whole])
    assert (volume.units, volume.array.dtype.name) == ("um2/s", "float32")
    assert (volume.array == 0.25).all()


def test_a_dose_grid_lies_at_its_offsets(series: Series) -> None:
    dataset = grey(series, frames=3)
    dataset.Modality, dataset.DoseUnits, dataset.DoseGridScaling = "RTDOSE", "GY", 0.5
    dataset.ImagePositionPatient = [0, 0, -30]
    dataset.GridFrameOffsetVector = [0, 5, 10]
    volume = read_series([dataset])
    assert (volume.spacing[0], volume.units) == (5, "GY")
    assert volume.array[0, 0, 3] == 1.5


def test_reconstructed_nuclear_medicine_lies_by_its_detector(series: Series) -> None:
    dataset = grey(series, frames=3)
    dataset.Modality = "NM"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"]
    dataset.SpacingBetweenSlices = 4.5
    detector = item(
        ImagePositionPatient=[1, 2, 3],
        ImageOrientationPatient=dataset.ImageOrientationPatient,
    )
    del dataset.ImageOrientationPatient
    dataset.DetectorInformationSequence = Sequence([detector])
    volume = read_series([dataset])
    assert (volume.spacing[0], volume.origin) == (4.5, (1, 2, 3))


def test_a_real_segmentation_is_a_stack_for_each_segment(shared_data: Path) -> None:
    stacks = read_stacks([shared_data / "petct_nsclc/seg3/0001.dcm"])
    assert [stack.array.shape for stack in stacks] == [(29, 512, 512)] * 2
    assert "segment 2" in stacks[0].remarks[0]
