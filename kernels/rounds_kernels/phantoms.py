"""Synthetic patients with known answers: the same arguments give the same voxels.

Coordinates are LPS mm around the middle of the volume: x to the patient's left, y to
the back, z to the head. Shapes are ellipsoids, cylinders and slabs; the truth is
counted on the voxels before noise is added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import ndimage

from rounds_kernels.phantom_grid import Grid, Phantom, Scanner, scan
from rounds_kernels.writing import Identity, classic_series, save

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from pydicom.dataset import Dataset

__all__ = [
    "Grid",
    "Phantom",
    "head",
    "liver_lesion",
    "sphere",
    "thorax",
    "to_dicom",
    "vessel_stenosis",
]


_CHEST: Final = Grid((96, 192, 192), (3.0, 2.0, 2.0))
_HEAD: Final = Grid((110, 144, 128), (1.6, 1.6, 1.6))
_VESSEL: Final = Grid((120, 64, 64), (0.6, 0.5, 0.5))
_ABDOMEN: Final = Grid((60, 160, 160), (4.0, 2.4, 2.4))
_BALL: Final = Grid((24, 32, 32), (2.0, 1.5, 1.5))


def thorax(
    grid: Grid = _CHEST,
    *,
    noise: float = 10.0,
    seed: int = 7,
    padding: int = -1024,
) -> Phantom:
    """Return a CT of a chest on its table: lungs, airway, heart, bones, emphysema.

    Parameters
    ----------
    grid
        Voxels; the lungs need about 280 mm from head to feet and 380 mm across.
    noise
        Standard deviation in HU.
    seed
        Of the noise.
    padding
        What the scanner writes outside its field of view, e.g. -1024 or -3024.

    Returns
    -------
    Phantom
        Masks `lungs` (1 right, 2 left), `airway`, `emphysema`; truth `lungs_ml`,
        `right_ml`, `left_ml`, `emphysema_percent`.
    """
    parts = _chest(grid)
    lungs = parts["right"].astype(np.uint8) + 2 * parts["left"].astype(np.uint8)
    values = _chest_values(grid, parts)
    scanner = Scanner("CT", noise, seed, (-400.0, 1500.0), padding)
    inside = lungs > 0
    emphysema = parts["emphysema"] & inside
    return Phantom(
        name="thorax",
        volume=scan("thorax", grid, values, scanner),
        masks={
            "lungs": lungs,
            "airway": parts["airway"].astype(np.uint8),
            "emphysema": emphysema.astype(np.uint8),
        },
        truth={
            "lungs_ml": grid.ml(inside),
            "right_ml": grid.ml(parts["right"]),
            "left_ml": grid.ml(parts["left"]),
            "emphysema_percent": 100 * grid.ml(emphysema) / grid.ml(inside),
        },
        body_part="CHEST",
    )


def _chest(grid: Grid) -> dict[str, npt.NDArray[np.bool_]]:
    """Return the parts of a chest; the lungs hold their vessels but no great airway."""
    _, y, x = grid.axes()
    every = np.ones(grid.shape, np.bool_)
    body = ((x / 172) ** 2 + (y / 112) ** 2 <= 1) & every
    heart = grid.ellipsoid((22, -32, -40), (52, 44, 58))
    mediastinum = (np.abs(x / 16) < 1) & every
    airway = grid.tube((0, 12, 25), (0, 12, 400), 8.5)
    airway |= grid.tube((0, 12, 25), (-42, 16, -8), 6) | grid.tube(
        (0, 12, 25), (40, 16, -6), 6
    )
    near_airway = ndimage.binary_dilation(airway, iterations=1)
    middle = heart | mediastinum | near_airway
    return {
        "body": body,
        "fat": body & ~(((x / 158) ** 2 + (y / 98) ** 2 <= 1) & every),
        "heart": heart,
        "airway": airway,
        "right": grid.ellipsoid((-76, 4, 0), (60, 82, 122)) & ~middle & (x < 0),
        "left": grid.ellipsoid((74, 6, 0), (55, 80, 118)) & ~middle & (x > 0),
        "emphysema": grid.ellipsoid((-80, -20, 70), (24, 26, 24))
        | grid.ellipsoid((78, -10, 74), (18, 22, 18)),
        "spine": ((x / 20) ** 2 + ((y - 74) / 18) ** 2 <= 1) & every,
        "table": (np.abs((y - 128) / 7) < 1) & (np.abs(x / 210) < 1) & every,
    }


def _chest_values(
    grid: Grid, parts: dict[str, npt.NDArray[np.bool_]]
) -> npt.NDArray[np.float32]:
    """Return a chest in HU without noise."""
    z, y, x = grid.axes()
    values = np.full(grid.shape, -1000, np.float32)
    values[parts["table"]] = 60
    values[parts["body"]] = 45
    values[parts["fat"]] = -100
    rib = np.abs(np.sqrt((x / 152) ** 2 + (y / 96) ** 2) - 1) < 0.035  # noqa: PLR2004 - 5 mm
    values[rib & (np.sin((z + 0.5 * np.abs(y)) / 4.4) > 0.35)] = 420  # noqa: PLR2004 - width
    values[parts["spine"]] = 380
    lungs = parts["right"] | parts["left"]
    gradient = np.broadcast_to(-865 + 0.35 * y, grid.shape)
    values[lungs] = gradient[lungs]
    values[parts["emphysema"] & lungs] = -985
    for vessel in _vessels(grid):
        values[vessel & lungs & ~parts["emphysema"]] = 40
    values[parts["heart"]] = 50
    values[parts["airway"]] = -1000
    return values


def _vessels(grid: Grid) -> list[npt.NDArray[np.bool_]]:
    """Return vessels that run from the hilum into the lungs, 2 to 4 mm wide."""
    ends = [
        (-80, -50, 20),
        (-100, 20, 60),
        (-90, 40, -60),
        (-70, -20, -80),
        (-110, 0, 0),
    ]
    right = [grid.tube((-30, 10, 0), end, 2.0) for end in ends]
    left = [grid.tube((30, 10, 0), (-end[0] - 6, end[1], end[2]), 1.6) for end in ends]
    return right + left


def head(
    grid: Grid = _HEAD,
    *,
    noise: float = 6.0,
    seed: int = 11,
) -> Phantom:
    """Return a T1 MR of a head: scalp, skull, fluid, grey and white matter, eyes.

    Returns
    -------
    Phantom
        Mask `brain` (1) and `tissue` (1 fluid of the ventricles, 2 grey, 3 white
        matter); truth `brain_ml`, `grey_ml`, `white_ml`, `ventricle_ml`.
    """
    tissue, values = _brain(grid)
    z, _, x = grid.axes()
    field_bias = 1 + 0.10 * (x / 90) + 0.08 * (z / 90)
    smooth = ndimage.gaussian_filter(values * field_bias, 0.6)
    brain = tissue > 0
    return Phantom(
        name="head",
        volume=scan("head", grid, smooth, Scanner("MR", noise, seed, (110.0, 220.0))),
        masks={"brain": brain.astype(np.uint8), "tissue": tissue},
        truth={
            "brain_ml": grid.ml(brain),
            "grey_ml": grid.ml(tissue == 2),  # noqa: PLR2004 - the label
            "white_ml": grid.ml(tissue == 3),  # noqa: PLR2004 - the label
            "ventricle_ml": grid.ml(tissue == 1),
        },
        body_part="HEAD",
    )


def _brain(grid: Grid) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Return the labels of a brain and a head's T1 values without noise."""
    values = np.zeros(grid.shape, np.float32)
    values[grid.tube((0, 20, -60), (0, 30, -200), 48)] = 95
    values[grid.ellipsoid((0, -14, -62), (46, 62, 44))] = 100
    values[grid.ellipsoid((0, 0, 0), (84, 104, 88))] = 200
    values[grid.ellipsoid((0, 0, 0), (79, 99, 83))] = 18
    values[grid.ellipsoid((0, 0, 0), (73, 93, 77))] = 40
    for side in (-1, 1):
        values[grid.ellipsoid((side * 32, -88, -26), (12, 12, 12))] = 60
        values[grid.ellipsoid((side * 32, -70, -26), (8, 14, 8))] = 210
    cortex = grid.ellipsoid((0, 2, 4), (64, 82, 64))
    cortex |= grid.ellipsoid((0, 46, -42), (46, 34, 22))
    stem = grid.tube((0, 18, -30), (0, 26, -66), 11)
    white = grid.ellipsoid((0, 2, 6), (52, 69, 52)) | stem
    fluid = np.zeros(grid.shape, np.bool_)
    for side in (-1, 1):
        fluid |= grid.ellipsoid((side * 12, 0, 14), (6, 30, 9))
    tissue = np.zeros(grid.shape, np.uint8)
    tissue[cortex | stem] = 2
    tissue[white] = 3
    tissue[fluid] = 1
    values[tissue == 2] = 112  # noqa: PLR2004 - the label
    values[tissue == 3] = 158  # noqa: PLR2004 - the label
    values[tissue == 1] = 42
    return tissue, values


def vessel_stenosis(
    grid: Grid = _VESSEL,
    *,
    diameter: float = 6.0,
    stenosis: float = 0.6,
    seed: int = 3,
) -> Phantom:
    """Return a CT angiography of one vessel that narrows by *stenosis* in its middle.

    Parameters
    ----------
    grid
        Voxels.
    diameter
        Of the healthy vessel in mm.
    stenosis
        Part of the diameter that is lost at the narrowest place (NASCET), 0 to 1.
    seed
        Of the noise.

    Returns
    -------
    Phantom
        Mask `lumen`; truth `diameter_mm`, `narrowest_mm`, `stenosis_percent`.
    """
    z, y, x = grid.axes()
    narrowing = 1 - stenosis * np.exp(-((z / 5) ** 2))
    centre = 3 * np.sin(z / 18)
    distance = np.sqrt((x - centre) ** 2 + y**2)
    values = np.full(grid.shape, -80, np.float32)
    values[distance < diameter / 2 + 1.0] = 40
    values[(distance < diameter / 2) & (distance >= diameter / 2 * narrowing)] = 70
    lumen = distance < diameter / 2 * narrowing
    values[lumen] = 350
    smooth = ndimage.gaussian_filter(values, 0.5)
    return Phantom(
        name="vessel",
        volume=scan("vessel", grid, smooth, Scanner("CT", 12.0, seed, (200.0, 600.0))),
        masks={"lumen": lumen.astype(np.uint8)},
        truth={
            "diameter_mm": diameter,
            "narrowest_mm": diameter * (1 - stenosis),
            "stenosis_percent": 100 * stenosis,
        },
        body_part="NECK",
    )


def liver_lesion(
    grid: Grid = _ABDOMEN,
    *,
    radius: float = 18.0,
    seed: int = 5,
) -> Phantom:
    """Return a CT of an upper abdomen whose liver holds one dark round lesion.

    Returns
    -------
    Phantom
        Masks `liver`, `lesion`; truth `liver_ml`, `lesion_ml`, `lesion_diameter_mm`.
    """
    _, y, x = grid.axes()
    every = np.ones(grid.shape, np.bool_)
    values = np.full(grid.shape, -1000, np.float32)
    body = ((x / 165) ** 2 + (y / 115) ** 2 <= 1) & every
    values[body] = -100
    values[((x / 148) ** 2 + (y / 98) ** 2 <= 1) & every] = 45
    values[((x / 20) ** 2 + ((y - 74) / 18) ** 2 <= 1) & every] = 380
    liver = grid.ellipsoid((-65, -10, 10), (72, 78, 85))
    lesion = grid.ellipsoid((-85, -5, 20), (radius, radius, radius)) & liver
    values[liver] = 110
    values[grid.ellipsoid((90, 25, 25), (28, 38, 48))] = 115
    values[grid.tube((10, 52, -400), (10, 52, 400), 11)] = 160
    values[lesion] = 62
    return Phantom(
        name="liver",
        volume=scan(
            "liver", grid, values, Scanner("CT", 10.0, seed, (60.0, 350.0), -1024)
        ),
        masks={"liver": liver.astype(np.uint8), "lesion": lesion.astype(np.uint8)},
        truth={
            "liver_ml": grid.ml(liver),
            "lesion_ml": grid.ml(lesion),
            "lesion_diameter_mm": 2 * radius,
        },
        body_part="ABDOMEN",
    )


def sphere(
    grid: Grid = _BALL,
    *,
    radius: float = 14.0,
    seed: int = 1,
) -> Phantom:
    """Return a CT of a ball of water in air: the smallest phantom, for trying things.

    Examples
    --------
    >>> round(sphere().truth["ball_ml"], 1)
    11.6
    """
    ball = grid.ellipsoid((0, 0, 0), (radius, radius, radius))
    values = np.where(ball, np.float32(0), np.float32(-1000))
    return Phantom(
        name="sphere",
        volume=scan("sphere", grid, values, Scanner("CT", 5.0, seed, (0.0, 400.0))),
        masks={"ball": ball.astype(np.uint8)},
        truth={"ball_ml": grid.ml(ball), "radius_mm": radius},
        body_part="",
    )


def to_dicom(phantom: Phantom, folder: Path | None = None) -> list[Dataset]:
    """Return a phantom as a valid classic series; write it to *folder* if given.

    Its patient is called after it, e.g. `PHANTOM^THORAX`.
    """
    name = phantom.name.upper()
    identity = Identity(
        patient_name=f"PHANTOM^{name}",
        patient_id=f"PHANTOM-{name}",
        study=f"Phantom {phantom.name}",
        series=phantom.volume.description,
        key=phantom.volume.series_uid,
        body_part=phantom.body_part,
    )
    instances = classic_series(phantom.volume, identity)
    if folder is not None:
        save(instances, folder)
    return instances
