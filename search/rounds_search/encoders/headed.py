"""Write what was trained as the folder of an encoder."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_search.documents import MAX_DIMENSION
from rounds_search.encoders.folder import write_folder
from rounds_search.encoders.heads import OWN_PART
from rounds_search.errors import UnsupportedError, require

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from rounds_search.encoders.heads import Head, Trained

__all__ = ["put_on_shelf"]

OPSET: Final = 17
IR: Final = 9


def put_on_shelf(shelf: Path, base: str, trained: Trained) -> str:
    """Write the encoder that goes on from *base* into *shelf*; return its name.

    The name has the hash of what was learnt in it.

    Raises
    ------
    UnsupportedError
        The extra ``pictures`` is not installed.
    LimitError
        There are more classes than a vector may have numbers.
    """
    length = trained.dimension
    require(length <= MAX_DIMENSION, "The length of a vector", length, "at most 4096")
    model = _Graph(trained).written()
    sha256 = hashlib.sha256(model).hexdigest()
    name = f"{base}-heads-{sha256[:10]}"
    files = {"model.onnx": model}
    description: dict[str, object] = {
        "id": name,
        "licence": "as the encoder that it goes on from, and the archive's pictures",
        "source": ", ".join(head.label for head in trained.heads),
        "base": base,
        "model": {"file": "model.onnx", "sha256": sha256},
        "input": {"name": "vectors"},
        "output": "vector",
        "dimension": length,
        "labels": {head.label: list(head.classes) for head in trained.heads},
    }
    if trained.known is not None:
        files["known.npz"] = trained.known.written()
        known = hashlib.sha256(files["known.npz"]).hexdigest()
        description["known"] = {"file": "known.npz", "sha256": known}
    write_folder(shelf / name, files, description)
    return name


class _Graph:
    """Goes from an encoder's vectors to the joined ones."""

    def __init__(self, trained: Trained) -> None:
        try:
            import onnx  # noqa: PLC0415 - an extra
        except ImportError:
            msg = "Heads are written with 'onnx': the extra 'pictures' has it."
            raise UnsupportedError(msg) from None
        self._onnx: Any = onnx
        self._trained = trained
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def written(self) -> bytes:
        """Return the graph, checked, as the bytes of a file."""
        space = self._trained.space
        apart = self._node("Sub", "vectors", self._constant(space.mean))
        put = self._node("MatMul", apart, self._constant(space.axes))
        reduced = self._node("LpNormalization", put, axis=1, p=2)
        cosines = self._node("MatMul", reduced, self._constant(space.marks.T))
        far = self._node("Sub", cosines, self._constant(1))
        near = self._node("Exp", self._node("Mul", far, self._constant(space.fall)))
        parts = [self._node("Mul", reduced, self._constant(OWN_PART))]
        parts += [self._head(near, head) for head in self._trained.heads]
        self._node("Concat", *parts, name="vector", axis=1)
        return self._checked()

    def _head(self, near: str, head: Head) -> str:
        raw = self._node("MatMul", near, self._constant(head.weights))
        moved = self._node("Add", raw, self._constant(head.shares))
        positive = self._node("Relu", moved)
        return self._node("LpNormalization", positive, axis=1, p=1)

    def _node(
        self, kind: str, *inputs: str, name: str = "", **attributes: object
    ) -> str:
        name = name or f"at{len(self._nodes)}"
        made = self._onnx.helper.make_node(kind, inputs, [name], **attributes)
        self._nodes.append(made)
        return name

    def _constant(self, numbers: npt.ArrayLike) -> str:
        name = f"w{len(self._constants)}"
        whole = np.ascontiguousarray(numbers, np.float32)
        shaped = whole.reshape(np.shape(numbers))
        self._constants.append(self._onnx.numpy_helper.from_array(shaped, name))
        return name

    def _checked(self) -> bytes:
        helper, kind = self._onnx.helper, self._onnx.TensorProto.FLOAT
        given = ["n", len(self._trained.space.mean)]
        got = ["n", self._trained.dimension]
        graph = helper.make_graph(
            self._nodes,
            "heads",
            [helper.make_tensor_value_info("vectors", kind, given)],
            [helper.make_tensor_value_info("vector", kind, got)],
            self._constants,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR)
        self._onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString(deterministic=True)
        return content
