"""Make the network of ``text-minilm-l6-1`` out of published weights.

MiniLM has six layers of a transformer, 384 numbers wide; a text is the mean of its
tokens. The weights come as a package of the extra ``meaning``; the network is written
as an ONNX graph here, without the framework that it was made with.

Sources: Devlin et al., "BERT: pre-training of deep bidirectional transformers for
language understanding", NAACL 2019; Wang et al., "MiniLM: deep self-attention
distillation", NeurIPS 2020; Reimers and Gurevych, "Sentence-BERT", EMNLP 2019.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Weights = Mapping[str, npt.NDArray[np.float32]]

__all__ = ["DIMENSION", "build"]

DIMENSION: Final = 384
HEADS: Final = 12
LAYERS: Final = 6
WIDE: Final = DIMENSION // HEADS
EPSILON: Final = 1e-12
MASKED: Final = 1e9
OPSET: Final = 20
IR: Final = 10


def build(weights: Weights) -> bytes:
    """Return the network with *weights* as the bytes of an ONNX file.

    Its inputs are ``ids`` and ``mask``, ``(texts, tokens)`` int64 and float32; its
    output ``vectors`` is ``(texts, 384)`` float32.

    Raises
    ------
    KeyError
        *weights* are those of another network.
    """
    graph = _Graph(weights)
    mask = graph.node("Unsqueeze", "mask", graph.numbers([1, 2]))
    mask = graph.node("Sub", mask, graph.given(np.float32(1)))
    mask = graph.node("Mul", mask, graph.given(np.float32(MASKED)))
    found = _embedded(graph)
    for layer in range(LAYERS):
        found = _layer(graph, f"encoder.layer.{layer}", found, mask)
    _mean(graph, found)
    return graph.bytes()


class _Graph:
    """The nodes so far, and the weights that they name."""

    def __init__(self, weights: Weights) -> None:
        """Begin with nothing."""
        self.weights = weights
        self.nodes: list[Any] = []
        self.held: dict[str, Any] = {}

    def node(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:  # noqa: ANN401 - ONNX's own
        """Add an operation and return the name of what it gives."""
        from onnx import helper  # noqa: PLC0415 - an extra

        out = out or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [out], **attributes))
        return out

    def given(self, value: npt.ArrayLike) -> str:
        """Hold a constant and return its name."""
        from onnx import numpy_helper  # noqa: PLC0415 - an extra

        name = f"c{len(self.held)}"
        self.held[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def numbers(self, values: list[int]) -> str:
        """Hold whole numbers and return their name."""
        return self.given(np.array(values, np.int64))

    def weight(self, name: str, *, turned: bool = False) -> str:
        """Hold a weight and return its name."""
        value = self.weights[name]
        return self.given(np.ascontiguousarray(value.T) if turned else value)

    def linear(self, name: str, found: str) -> str:
        """Return *found* times the weights *name*, and its bias added."""
        turned = self.weight(f"{name}.weight", turned=True)
        made = self.node("MatMul", found, turned)
        return self.node("Add", made, self.weight(f"{name}.bias"))

    def normed(self, name: str, found: str) -> str:
        """Return *found* with mean 0 and deviation 1 in each token, then scaled."""
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.node("LayerNormalization", found, scale, bias, epsilon=EPSILON)

    def bytes(self) -> bytes:
        """Return the file."""
        from onnx import TensorProto, helper  # noqa: PLC0415 - an extra

        shape: list[str | int | None] = ["texts", "tokens"]
        ids = helper.make_tensor_value_info("ids", TensorProto.INT64, shape)
        mask = helper.make_tensor_value_info("mask", TensorProto.FLOAT, shape)
        of: list[str | int | None] = ["texts", DIMENSION]
        vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, of)
        held = list(self.held.values())
        graph = helper.make_graph(self.nodes, "minilm", [ids, mask], [vectors], held)
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR)
        made: bytes = model.SerializeToString()
        return made


def _embedded(graph: _Graph) -> str:
    """Return each token as the sum of its word, its place and the kind of its text."""
    words = graph.weight("embeddings.word_embeddings.weight")
    found = graph.node("Gather", words, "ids")
    places = graph.weight("embeddings.position_embeddings.weight")
    count = graph.node("Shape", "ids", start=1, end=2)
    taken = graph.node("Slice", places, graph.numbers([0]), count, graph.numbers([0]))
    found = graph.node("Add", found, taken)
    kind = graph.weights["embeddings.token_type_embeddings.weight"][0]
    found = graph.node("Add", found, graph.given(kind))
    return graph.normed("embeddings.LayerNorm", found)


def _layer(graph: _Graph, name: str, found: str, mask: str) -> str:
    heard = _attention(graph, f"{name}.attention.self", found, mask)
    heard = graph.linear(f"{name}.attention.output.dense", heard)
    heard = graph.node("Add", heard, found)
    heard = graph.normed(f"{name}.attention.output.LayerNorm", heard)
    wide = graph.node("Gelu", graph.linear(f"{name}.intermediate.dense", heard))
    wide = graph.linear(f"{name}.output.dense", wide)
    return graph.normed(f"{name}.output.LayerNorm", graph.node("Add", wide, heard))


def _attention(graph: _Graph, name: str, found: str, mask: str) -> str:
    apart = graph.numbers([0, 0, HEADS, WIDE])
    asked, told, kept = (
        graph.node("Reshape", graph.linear(f"{name}.{part}", found), apart)
        for part in ("query", "key", "value")
    )
    asked = graph.node("Transpose", asked, perm=[0, 2, 1, 3])
    told = graph.node("Transpose", told, perm=[0, 2, 3, 1])
    kept = graph.node("Transpose", kept, perm=[0, 2, 1, 3])
    near = graph.node("MatMul", asked, told)
    near = graph.node("Mul", near, graph.given(np.float32(WIDE**-0.5)))
    near = graph.node("Softmax", graph.node("Add", near, mask), axis=-1)
    heard = graph.node("MatMul", near, kept)
    heard = graph.node("Transpose", heard, perm=[0, 2, 1, 3])
    return graph.node("Reshape", heard, graph.numbers([0, 0, DIMENSION]))


def _mean(graph: _Graph, found: str) -> None:
    """Add the mean over the tokens that are there, of unit length."""
    mask = graph.node("Unsqueeze", "mask", graph.numbers([2]))
    kept = graph.node("Mul", found, mask)
    total = graph.node("ReduceSum", kept, graph.numbers([1]), keepdims=0)
    graph.node("LpNormalization", total, out="vectors", axis=1, p=2)
