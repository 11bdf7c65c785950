"""Where arrays are computed: on a GPU by CuPy where there is one, else by NumPy.

Functions over arrays are written once against `array_namespace` and `ndimage_of`; only
this module knows that there are two libraries. `ROUNDS_DEVICE=cpu` keeps everything on
the CPU, `auto` (the default) uses a GPU that is there.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from array_api_compat import array_namespace, is_cupy_array

if TYPE_CHECKING:
    from types import ModuleType

    import numpy.typing as npt

__all__ = ["array_namespace", "gpu_available", "ndimage_of", "to_device", "to_host"]


def gpu_available() -> bool:
    """Tell whether arrays are computed on a GPU.

    Raises
    ------
    ValueError
        When `ROUNDS_DEVICE` is neither «cpu» nor «auto».
    """
    wanted = os.environ.get("ROUNDS_DEVICE", "auto")
    if wanted not in {"cpu", "auto"}:
        msg = f"ROUNDS_DEVICE is {wanted!r}; «cpu» or «auto» would work."
        raise ValueError(msg)
    if wanted == "cpu":
        return False
    try:
        import cupy  # noqa: PLC0415 - loads slowly, and is there on GPU machines alone
    except ImportError:
        return False
    return bool(cupy.cuda.is_available())


def to_device(array: npt.NDArray[Any]) -> Any:  # noqa: ANN401 - NumPy's or CuPy's
    """Return *array* where it is computed; no copy where it is there already."""
    if gpu_available():
        import cupy  # noqa: PLC0415 - see above

        return cupy.asarray(array)
    return np.asarray(array)


def to_host(array: Any) -> npt.NDArray[Any]:  # noqa: ANN401 - NumPy's or CuPy's
    """Return *array* as NumPy has it.

    Examples
    --------
    >>> to_host(to_device(np.arange(3))).tolist()
    [0, 1, 2]
    """
    return np.asarray(array.get() if is_cupy_array(array) else array)


def ndimage_of(array: Any) -> ModuleType:  # noqa: ANN401 - NumPy's or CuPy's
    """Return SciPy's image filters for the library that holds *array*."""
    if is_cupy_array(array):
        return importlib.import_module("cupyx.scipy.ndimage")
    return importlib.import_module("scipy.ndimage")
