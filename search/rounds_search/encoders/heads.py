"""Train an encoder further on labelled pictures: heads beside its own vectors.

Each label (region, modality, group of disease, …) gets a head, a logistic regression on
the vectors of an encoder. The class probabilities of all heads are joined to the
vectors, so that what the labels tell apart lies apart. The result is an encoder of its
own with a name of its own, beside the one that it goes on from.

Source: the square roots of two distributions have their Bhattacharyya coefficient as
cosine; Bhattacharyya, Bull. Calcutta Math. Soc. 35, 1943.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rounds_search.documents import MAX_DIMENSION
from rounds_search.encoders.folder import write_folder
from rounds_search.encoders.knowing import Known
from rounds_search.errors import RequestError, UnsupportedError, require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["Head", "Trained", "put_on_shelf", "train"]

AXES: Final = 256
"""To how many numbers vectors are reduced, along the directions that they differ in."""
OWN_PART: Final = 0.6
"""How much the reduced vectors count beside one head."""
STRENGTH: Final = 0.03
"""The inverse of the regularisation, on vectors whose axes deviate by 1 on average."""
ROUNDS: Final = 200
FEWEST: Final = 20
FEWEST_OF_CLASS: Final = 5
MOST_CLASSES: Final = 100
SMALLEST: Final = 1e-6
OPSET: Final = 17
IR: Final = 9


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What tells the classes of one label apart.

    Parameters
    ----------
    label
        What it is about, ``region`` say.
    classes
        What it can be.
    weights, bias
        ``(axes, classes)`` and ``(classes,)`` of the logistic regression.
    """

    label: str
    classes: tuple[str, ...]
    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """An encoder's vectors reduced, and the heads on them.

    Parameters
    ----------
    mean, axes
        What is taken off a vector, ``(d,)``, and onto what it is then put, ``(d, a)``.
    heads
        One a label that there were pictures enough for.
    known
        The sample of the vectors trained with.
    """

    mean: npt.NDArray[np.float32]
    axes: npt.NDArray[np.float32]
    heads: tuple[Head, ...]
    known: Known | None

    def reduced(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return ``(n, a)`` for ``(n, d)`` *vectors*."""
        reduced: npt.NDArray[np.float32] = (vectors - self.mean) @ self.axes
        return reduced

    def probabilities(
        self, vectors: npt.NDArray[np.float32]
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Return ``(n, classes)`` by label: how likely each class is."""
        reduced = self.reduced(vectors)
        return {
            head.label: _softmax(reduced @ head.weights + head.bias)
            for head in self.heads
        }


def train(
    vectors: npt.NDArray[np.float32],
    labels: Mapping[str, Sequence[str]],
    cases: Sequence[str],
) -> Trained:
    """Return heads for *labels*, learnt from *vectors*.

    Parameters
    ----------
    vectors
        ``(n, d)`` float32 of unit length.
    labels
        By label, the class of each vector, ``""`` where that is not known. A class of
        fewer than five vectors, or of one case alone, is left out.
    cases
        Of which case each is.

    Raises
    ------
    RequestError
        No label has two classes of enough pictures.
    UnsupportedError
        The extra ``pictures`` is not installed.
    """
    require(len(vectors) >= FEWEST, "The number of pictures", len(vectors), "from 20")
    mean = vectors.mean(axis=0, dtype=np.float64)
    axes = _axes(vectors - mean)
    reduced = (vectors - mean) @ axes
    scale = max(float(reduced.std(axis=0).mean()), SMALLEST)
    found = (
        _head(label, reduced / scale, _usable(classes, cases))
        for label, classes in sorted(labels.items())
    )
    heads = tuple(one for one in found if one is not None)
    if not heads:
        msg = (
            "No label has two classes of at least five pictures from two cases. Give "
            "more cases a body part, a modality and codes."
        )
        raise RequestError(msg)
    return Trained(
        mean=mean.astype(np.float32),
        axes=(axes / scale).astype(np.float32),
        heads=heads,
        known=Known.of(_unit(reduced), cases),
    )


def _axes(centred: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return ``(d, a)``: the directions in which *centred* vectors differ most."""
    _, values, rows = np.linalg.svd(centred, full_matrices=False)
    kept = int((values > values[0] * SMALLEST).sum()) if len(values) else 0
    axes: npt.NDArray[np.float64] = rows[: max(1, min(AXES, kept))].T
    return axes


def _usable(classes: Sequence[str], cases: Sequence[str]) -> list[str]:
    """Return *classes* without those that too few pictures or cases have."""
    of: dict[str, list[str]] = {}
    for one, case in zip(classes, cases, strict=True):
        of.setdefault(one, []).append(case)
    rich = {
        one
        for one, found in of.items()
        if one and len(found) >= FEWEST_OF_CLASS and len(set(found)) > 1
    }
    frequent = sorted(rich, key=lambda one: (-len(of[one]), one))[:MOST_CLASSES]
    return [one if one in frequent else "" for one in classes]


def _head(
    label: str, reduced: npt.NDArray[np.float64], classes: Sequence[str]
) -> Head | None:
    """Return the head of one label, None where there are not two classes."""
    named = np.asarray(classes)
    there = named != ""
    if len(np.unique(named[there])) < 2:  # noqa: PLR2004 - nothing to tell apart
        return None
    fitted = _regression(reduced[there], named[there])
    weights, bias = fitted.coef_, fitted.intercept_
    if len(weights) == 1:  # of two classes only the second is written down
        weights, bias = np.vstack([-weights, weights]) / 2, np.r_[-bias, bias] / 2
    return Head(
        label,
        tuple(str(one) for one in fitted.classes_),
        weights.T.astype(np.float32),
        bias.astype(np.float32),
    )


def _regression(rows: npt.NDArray[np.float64], classes: npt.NDArray[np.str_]) -> Any:  # noqa: ANN401 - scikit-learn has no types
    try:
        from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 - an extra
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - an extra
    except ImportError:
        msg = "Heads are trained with scikit-learn: the extra 'pictures' has it."
        raise UnsupportedError(msg) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=STRENGTH, max_iter=ROUNDS)
        return model.fit(rows, classes)


def put_on_shelf(shelf: Path, base: str, trained: Trained) -> str:
    """Write the encoder that goes on from *base* into *shelf*; return its name.

    The name has the hash of what was learnt in it.

    Raises
    ------
    UnsupportedError
        The extra ``pictures`` is not installed.
    """
    model = _model(trained)
    sha256 = hashlib.sha256(model).hexdigest()
    name = f"{base}-heads-{sha256[:10]}"
    files = {"model.onnx": model}
    dimension = _dimension(trained)
    description: dict[str, object] = {
        "id": name,
        "licence": "as the encoder that it goes on from, and the archive's pictures",
        "source": ", ".join(head.label for head in trained.heads),
        "base": base,
        "model": {"file": "model.onnx", "sha256": sha256},
        "input": {"name": "vectors"},
        "output": "vector",
        "dimension": dimension,
        "labels": {head.label: list(head.classes) for head in trained.heads},
    }
    if trained.known is not None:
        files["known.npz"] = trained.known.written()
        known = hashlib.sha256(files["known.npz"]).hexdigest()
        description["known"] = {"file": "known.npz", "sha256": known}
    write_folder(shelf / name, files, description)
    return name


def _model(trained: Trained) -> bytes:
    """Return what goes from an encoder's vectors to the joined ones, as ONNX."""
    try:
        import onnx  # noqa: PLC0415 - an extra
    except ImportError:
        msg = "Heads are written with 'onnx': the extra 'pictures' has it."
        raise UnsupportedError(msg) from None
    made: Any = onnx
    nodes: list[Any] = []
    constants: list[Any] = []

    def node(kind: str, *inputs: str, **attributes: object) -> str:
        name = f"at{len(nodes)}"
        nodes.append(made.helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(numbers: object) -> str:
        name = f"w{len(constants)}"
        whole = np.asarray(numbers, np.float32)
        constants.append(made.numpy_helper.from_array(whole, name))
        return name

    apart = node("Sub", "vectors", constant(trained.mean))
    reduced = node("MatMul", apart, constant(trained.axes))
    own = node("LpNormalization", reduced, axis=1, p=2)
    parts = [node("Mul", own, constant(OWN_PART))]
    for head in trained.heads:
        logits = node("MatMul", reduced, constant(head.weights))
        shares = node("Softmax", node("Add", logits, constant(head.bias)), axis=1)
        parts.append(node("Sqrt", shares))
    nodes.append(made.helper.make_node("Concat", parts, ["vector"], axis=1))
    return _written(made, nodes, constants, trained)


def _written(
    onnx: Any,  # noqa: ANN401 - it has no types
    nodes: Sequence[Any],
    constants: Sequence[Any],
    trained: Trained,
) -> bytes:
    """Return a graph, checked, as the bytes of a file."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    given, got = ["n", len(trained.mean)], ["n", _dimension(trained)]
    graph = helper.make_graph(
        nodes,
        "heads",
        [helper.make_tensor_value_info("vectors", kind, given)],
        [helper.make_tensor_value_info("vector", kind, got)],
        constants,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _dimension(trained: Trained) -> int:
    count = trained.axes.shape[1] + sum(len(one.classes) for one in trained.heads)
    require(count <= MAX_DIMENSION, "The number of classes", count, "at most 4096")
    return int(count)


def _softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: npt.NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _unit(rows: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.maximum(lengths, SMALLEST)).astype(np.float32)
