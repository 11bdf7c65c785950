"""An encoder whose vectors an ONNX file computes, run by ONNX Runtime on the CPU."""

from __future__ import annotations

import hashlib
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import numpy as np

from rounds_search.encoders.knowing import Known
from rounds_search.encoders.preparing import prepared
from rounds_search.errors import EncoderError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from rounds_search.encoders.base import Encoder
    from rounds_search.encoders.sidecar import FileHash, Input, Sidecar

__all__ = ["Headed", "Network", "checked_bytes"]

MAX_MODEL: Final = 2**31
THREADS: Final = 2
LENGTH: Final = 1e-12


class _Session(Protocol):
    """The part of ``onnxruntime.InferenceSession`` that is used here."""

    def run(
        self, outputs: Sequence[str], inputs: Mapping[str, npt.NDArray[np.float32]]
    ) -> list[npt.NDArray[np.float32]]: ...

    def get_inputs(self) -> list[Any]: ...

    def get_outputs(self) -> list[Any]: ...


class Network:
    """The encoder of a folder: a picture goes into its ONNX file.

    The file is read and checked when the first picture comes, from then on from memory:
    what was checked is what runs.

    Parameters
    ----------
    folder
        Where the files lie that *sidecar* names.
    """

    def __init__(self, folder: Path, sidecar: Sidecar) -> None:
        """Remember where the files are."""
        self._folder = folder
        self.sidecar = sidecar
        self._opening = threading.Lock()

    @property
    def name(self) -> str:
        """What requests and picture documents call it."""
        return self.sidecar.id

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""
        return self.sidecar.dimension

    @property
    def windows(self) -> Mapping[str, Mapping[str, tuple[float, float]]]:
        """Centre and width by modality and body part, ``""`` for any other part."""
        return self.sidecar.windows

    @property
    def knower(self) -> str:
        """The encoder of whose vectors :attr:`known` is."""
        return self.sidecar.base or self.sidecar.id

    @cached_property
    def known(self) -> Known | None:
        """What is near enough to be answered; None where that was not measured."""
        if self.sidecar.known is None:
            return None
        return Known.read(checked_bytes(self._folder, self.sidecar.known))

    def encode(self, picture: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the vector of *picture*, ``(rows, columns)`` or colour.

        Raises
        ------
        LimitError
            *picture* is no picture.
        EncoderError
            The folder cannot be used, or the network gave no finite numbers.
        """
        vector: npt.NDArray[np.float32] = self._computed(self.fed(picture))[0]
        return vector

    def fed(self, picture: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return what the network is given for *picture*, ``(1, ...)``."""
        return fed(picture, self.sidecar.input)

    def _computed(self, given: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        sidecar = self.sidecar
        (raw,) = self._session.run([sidecar.output], {sidecar.input.name: given})
        vectors = np.asarray(raw, np.float64).reshape(len(given), -1)
        if vectors.shape[1] != sidecar.dimension or not np.isfinite(vectors).all():
            msg = f"Encoder {sidecar.id!r} gave no {sidecar.dimension} finite numbers."
            raise EncoderError(msg)
        if sidecar.subtract:
            vectors -= np.asarray(sidecar.subtract)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        flat = lengths < LENGTH
        spread = np.where(flat, 1 / np.sqrt(sidecar.dimension), vectors)
        scaled: npt.NDArray[np.float64] = spread / np.where(flat, 1, lengths)
        return scaled.astype(np.float32)

    @property
    def _session(self) -> _Session:
        with self._opening:
            return self._opened

    @cached_property
    def _opened(self) -> _Session:
        session = _session(checked_bytes(self._folder, self.sidecar.model))
        _check_shapes(session, self.sidecar, self._shape())
        return session

    def _shape(self) -> tuple[int, ...]:
        """Return the shape that the network takes, its first axis left out."""
        given = self.sidecar.input
        return (given.channels, given.side, given.side)


class Headed(Network):
    """The encoder of a folder whose ONNX file goes on from another's vectors."""

    def __init__(self, folder: Path, sidecar: Sidecar, base: Encoder) -> None:
        """Go on from *base*, which is the one that *sidecar* names."""
        super().__init__(folder, sidecar)
        self._base = base

    @property
    def windows(self) -> Mapping[str, Mapping[str, tuple[float, float]]]:
        """Those of the encoder that the pictures go into."""
        base = self._base
        return base.windows if isinstance(base, Network) else self.sidecar.windows

    def fed(self, picture: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the vector of the other encoder, ``(1, its dimension)``."""
        return self._base.encode(picture)[np.newaxis]

    def joined(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return ``(n, dimension)`` for the other encoder's *vectors* of pictures."""
        return self._computed(np.asarray(vectors, np.float32))

    def _shape(self) -> tuple[int, ...]:
        return (self._base.dimension,)


def fed(picture: npt.NDArray[Any], given: Input) -> npt.NDArray[np.float32]:
    """Return *picture* as a network wants it, ``(1, channels, side, side)``."""
    square = prepared(picture, given.side) * 255
    mean, deviation = np.asarray(given.mean), np.asarray(given.deviation)
    planes: npt.NDArray[np.float64] = (square - mean[:, None, None]) / deviation[
        :, None, None
    ]
    return planes[np.newaxis].astype(np.float32)


def checked_bytes(folder: Path, wanted: FileHash) -> bytes:
    """Return the bytes of a file of an encoder.

    Raises
    ------
    EncoderError
        The file is missing, too large, or has another hash than the sidecar says.
    """
    try:
        with (folder / wanted.file).open("rb") as file:
            content = file.read(MAX_MODEL + 1)
    except OSError:
        msg = f"The folder of the encoder has no readable {wanted.file}."
        raise EncoderError(msg) from None
    if len(content) > MAX_MODEL:
        msg = f"{wanted.file} must have at most {MAX_MODEL} bytes."
        raise EncoderError(msg)
    found = hashlib.sha256(content).hexdigest()
    if found != wanted.sha256:
        msg = (
            f"{wanted.file} has the SHA-256 {found[:12]}…, its sidecar says "
            f"{wanted.sha256[:12]}…. A changed encoder needs a new id and hash."
        )
        raise EncoderError(msg)
    return content


def _session(model: bytes) -> _Session:
    try:
        import onnxruntime  # noqa: PLC0415 - an extra
    except ImportError:
        msg = "Encoders with weights need ONNX Runtime: the extra 'pictures' has it."
        raise UnsupportedError(msg) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.log_severity_level = 4
    try:
        made = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
    except Exception:  # noqa: BLE001 - its errors have no common class; told below
        msg = "ONNX Runtime cannot read the encoder's file. Export it again as ONNX."
        raise EncoderError(msg) from None
    return cast("_Session", made)


def _check_shapes(session: _Session, sidecar: Sidecar, shape: tuple[int, ...]) -> None:
    inputs = {one.name: one for one in session.get_inputs()}
    outputs = {one.name: one for one in session.get_outputs()}
    for what, name, there, wanted in (
        ("input", sidecar.input.name, inputs, shape),
        ("output", sidecar.output, outputs, (sidecar.dimension,)),
    ):
        if name not in there:
            msg = f"The model has no {what} {name!r}. It has: {', '.join(there)}."
            raise EncoderError(msg)
        found = there[name]
        if found.type != "tensor(float)" or not _agrees(found.shape, wanted):
            msg = (
                f"The {what} {name!r} of the model is {found.type} {found.shape}; "
                f"its sidecar says float, ('n', {', '.join(map(str, wanted))})."
            )
            raise EncoderError(msg)
    if len(inputs) > 1:
        msg = f"The model must have one input, got {len(inputs)}."
        raise EncoderError(msg)


def _agrees(found: Sequence[object], wanted: tuple[int, ...]) -> bool:
    """Return whether a shape, with names where any length will do, is the wanted one.

    The first axis counts the pictures, and must be free or 1.
    """
    if len(found) != len(wanted) + 1:
        return False
    if isinstance(found[0], int) and found[0] != 1:
        return False
    pairs = zip(found[1:], wanted, strict=True)
    return all(not isinstance(one, int) or one == two for one, two in pairs)
