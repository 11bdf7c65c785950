"""Read the weights of an old PyTorch file (before 1.6) without PyTorch.

Such a file is five pickles and then the numbers of each storage, one after the other.
A pickle can call anything it names; here it can name five things that make dictionaries
and say where a tensor lies, and nothing else.
"""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np

from rounds_search.errors import EncoderError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["read_weights"]

MAGIC: Final = 0x1950A86A20F9469CFC6C
PROTOCOL: Final = 1001
MOST_TENSORS: Final = 10_000
MOST_NUMBERS: Final = 50_000_000
MOST_AXES: Final = 8
KINDS: Final = {"FloatStorage": "<f4", "LongStorage": "<i8"}


@dataclass(frozen=True, slots=True)
class _Storage:
    kind: str
    key: str
    count: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_weights(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors of the file at *path* by name.

    Raises
    ------
    EncoderError
        It is no such file, names something else than tensors, or is too large.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except (pickle.UnpicklingError, EOFError, struct.error, OSError) as error:
        msg = "The weights are no file of PyTorch as it was before 1.6."
        raise EncoderError(msg) from error
    except (TypeError, ValueError, AttributeError, IndexError, KeyError) as error:
        msg = "The file of weights holds something else than tensors."
        raise EncoderError(msg) from error


def _read(file: BinaryIO) -> dict[str, npt.NDArray[Any]]:
    head = [_OnlyTensors(file).load() for _ in range(3)]
    if head[:2] != [MAGIC, PROTOCOL]:
        msg = "The weights are no file of PyTorch as it was before 1.6."
        raise EncoderError(msg)
    tensors = _OnlyTensors(file).load()
    keys = _OnlyTensors(file).load()
    if not isinstance(tensors, dict) or len(tensors) > MOST_TENSORS:
        msg = f"The weights must be at most {MOST_TENSORS} tensors by name."
        raise EncoderError(msg)
    by_key = {one.storage.key: one.storage for one in tensors.values()}
    storages = {key: _numbers(file, by_key[key]) for key in keys}
    return {
        str(name): _placed(one, storages[one.storage.key])
        for name, one in tensors.items()
    }


class _OnlyTensors(pickle.Unpickler):
    """Makes dictionaries and tensors, and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - as pickle has it
        """Return what stands for a name that a file of weights may have."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in KINDS:
            return name
        msg = f"A file of weights may not name {module}.{name}."
        raise pickle.UnpicklingError(msg)

    def persistent_load(self, pid: Any) -> _Storage:  # noqa: ANN401 - as pickle has it
        """Return the storage that *pid* describes."""
        what, kind, key, _, count, view = pid
        if what != "storage" or kind not in KINDS or view is not None:
            msg = "A file of weights may only have whole storages."
            raise pickle.UnpicklingError(msg)
        return _Storage(kind, str(key), int(count))


def _tensor(
    storage: _Storage,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    *_: object,
) -> _Tensor:
    return _Tensor(storage, int(offset), tuple(shape), tuple(strides))


def _numbers(file: BinaryIO, storage: _Storage) -> npt.NDArray[Any]:
    (count,) = struct.unpack("<q", file.read(8))
    if count != storage.count or not 0 <= count <= MOST_NUMBERS:
        msg = f"A storage of the weights must have at most {MOST_NUMBERS} numbers."
        raise EncoderError(msg)
    kind = np.dtype(KINDS[storage.kind])
    return np.frombuffer(file.read(count * kind.itemsize), kind, count)


def _placed(tensor: _Tensor, numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the numbers of a tensor in its shape; its strides count numbers."""
    axes = list(zip(tensor.shape, tensor.strides, strict=True))
    last = tensor.offset + sum((length - 1) * step for length, step in axes)
    inside = tensor.offset >= 0 and last < len(numbers) and len(axes) <= MOST_AXES
    if not inside or not all(length > 0 and step >= 0 for length, step in axes):
        msg = f"A tensor of the weights lies outside its storage: {tensor.shape}."
        raise EncoderError(msg)
    steps = [step * numbers.itemsize for step in tensor.strides]
    view = np.lib.stride_tricks.as_strided(
        numbers[tensor.offset :], tensor.shape, steps, writeable=False
    )
    return view.copy()
