"""The sidecar of an encoder: what its ONNX file is, and what goes in and comes out."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from rounds_search.documents import MAX_DIMENSION, check_encoder_name
from rounds_search.errors import EncoderError, RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["SIDECAR", "FileHash", "Input", "Sidecar", "read_sidecar"]

SIDECAR: Final = "encoder.json"
MAX_BYTES: Final = 4_000_000
MAX_TEXT: Final = 500
SIDES: Final = (8, 1024)
MAX_WINDOWS: Final = 100
MAX_NUMBER: Final = 1e6
SMALLEST: Final = 1e-3
SHA256: Final = re.compile(r"[0-9a-f]{64}")
FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

Windows = "Mapping[str, Mapping[str, tuple[float, float]]]"


@dataclass(frozen=True, slots=True)
class FileHash:
    """A file beside the sidecar, and the SHA-256 that its bytes must have."""

    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Input:
    """What the network is given: ``(n, channels, side, side)`` float32.

    Grey levels from 0 to 255 are moved by *mean* and divided by *deviation*, which
    have a number for each channel.
    """

    name: str = "picture"
    side: int = 224
    channels: int = 3
    mean: tuple[float, ...] = (127.0, 127.0, 127.0)
    deviation: tuple[float, ...] = (128.0, 128.0, 128.0)


@dataclass(frozen=True, slots=True)
class Sidecar:
    """An encoder as its folder describes it.

    Parameters
    ----------
    id
        The name that requests and picture documents use. It stands for these very
        bytes: a change of anything is a new id.
    model
        The ONNX file.
    dimension
        How many numbers *output* has.
    base
        The encoder whose vectors this one takes instead of pictures; ``""``: none.
    windows
        Centre and width by modality and body part, ``""`` for any other part.
    subtract
        What is taken off each vector before it is scaled to unit length.
    known
        The sample that says which pictures are unlike all that it knows.
    """

    id: str
    licence: str
    model: FileHash
    dimension: int
    input: Input = field(default_factory=Input)
    output: str = "vector"
    base: str = ""
    source: str = ""
    windows: Mapping[str, Mapping[str, tuple[float, float]]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    subtract: tuple[float, ...] = ()
    known: FileHash | None = None


def read_sidecar(folder: Path) -> Sidecar:
    """Return the sidecar in *folder*.

    Raises
    ------
    EncoderError
        It is missing, no JSON, too long, or a value is missing or out of bounds.
    """
    try:
        with (folder / SIDECAR).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError:
        msg = f"The folder of an encoder has no readable {SIDECAR}."
        raise EncoderError(msg) from None
    try:
        data: object = json.loads(raw) if len(raw) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        msg = f"{SIDECAR} must be a JSON object of at most {MAX_BYTES} bytes."
        raise EncoderError(msg)
    return _sidecar(_Reader(data, SIDECAR))


class _Reader:
    """Takes values out of a JSON object, each of the kind and size it must have."""

    def __init__(self, data: Mapping[str, Any], what: str) -> None:
        self.data = data
        self.what = what

    def refusal(self, key: str, allowed: str) -> EncoderError:
        """Return the error that *key* has another value than is *allowed*."""
        got = repr(self.data.get(key))[:60]
        return EncoderError(f"{key!r} of {self.what} must be {allowed}, got {got}.")

    def text(self, key: str, default: str | None = None) -> str:
        """Return a printable string."""
        value = self.data.get(key, default)
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            raise self.refusal(key, f"a text of at most {MAX_TEXT} characters")
        if not value.isprintable():
            raise self.refusal(key, "printable")
        return value

    def whole(self, key: str, default: int | None, bounds: tuple[int, int]) -> int:
        """Return a whole number inside *bounds*."""
        value = self.data.get(key, default)
        low, high = bounds
        if type(value) is not int or not low <= value <= high:
            raise self.refusal(key, f"a whole number from {low} to {high}")
        return value

    def numbers(
        self, key: str, default: tuple[float, ...], count: int
    ) -> tuple[float, ...]:
        """Return *count* finite numbers, or *default*."""
        value = self.data.get(key)
        if value is None:
            return default
        fits = isinstance(value, list) and len(value) == count
        if not fits or not all(_is_number(one) for one in value):
            raise self.refusal(key, f"a list of {count} numbers")
        return tuple(float(one) for one in value)

    def inner(self, key: str) -> _Reader:
        """Return the reader of an object inside; of an empty one where it is absent."""
        value = self.data.get(key, {})
        if not isinstance(value, dict):
            raise self.refusal(key, "an object")
        return _Reader(value, f"{key!r} of {self.what}")

    def file(self, key: str, default: str) -> FileHash:
        """Return a file beside the sidecar and its hash."""
        inside = self.inner(key)
        name, sha256 = inside.text("file", default), inside.text("sha256")
        if FILE_NAME.fullmatch(name) is None:
            error = inside.refusal("file", "the name of a file in the same folder")
            raise error
        if SHA256.fullmatch(sha256) is None:
            error = inside.refusal("sha256", "64 hexadecimal digits")
            raise error
        return FileHash(name, sha256)


def _is_number(value: object) -> bool:
    # bool is an int to Python; a NaN compares false.
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, int | float) and plain and abs(value) <= MAX_NUMBER


def _sidecar(reader: _Reader) -> Sidecar:
    name = reader.text("id")
    try:
        check_encoder_name(name)
    except RequestError as error:
        raise EncoderError(str(error)) from None
    dimension = reader.whole("dimension", None, (1, MAX_DIMENSION))
    return Sidecar(
        id=name,
        licence=reader.text("licence"),
        model=reader.file("model", "model.onnx"),
        dimension=dimension,
        input=_input(reader.inner("input")),
        output=reader.text("output", "vector"),
        base=reader.text("base", ""),
        source=reader.text("source", ""),
        windows=_windows(reader.inner("windows")),
        subtract=reader.numbers("subtract", (), dimension),
        known=reader.file("known", "known.npz") if reader.data.get("known") else None,
    )


def _input(reader: _Reader) -> Input:
    channels = reader.whole("channels", 3, (1, 3))
    if channels not in {1, 3}:
        error = reader.refusal("channels", "1 or 3")
        raise error
    deviation = reader.numbers("deviation", (128.0,) * channels, channels)
    if not all(one >= SMALLEST for one in deviation):
        error = reader.refusal("deviation", f"of numbers from {SMALLEST:g}")
        raise error
    return Input(
        name=reader.text("name", "picture"),
        side=reader.whole("side", 224, SIDES),
        channels=channels,
        mean=reader.numbers("mean", (127.0,) * channels, channels),
        deviation=deviation,
    )


def _windows(
    reader: _Reader,
) -> Mapping[str, Mapping[str, tuple[float, float]]]:
    if len(reader.data) > MAX_WINDOWS:
        msg = f"{reader.what} must have at most {MAX_WINDOWS} modalities."
        raise EncoderError(msg)
    return MappingProxyType({name: _parts(reader.inner(name)) for name in reader.data})


def _parts(reader: _Reader) -> Mapping[str, tuple[float, float]]:
    if len(reader.data) > MAX_WINDOWS:
        msg = f"{reader.what} must have at most {MAX_WINDOWS} body parts."
        raise EncoderError(msg)
    parts = {}
    for part in reader.data:
        center, width = reader.numbers(part, (0.0, 0.0), 2)
        if width <= 0:
            raise reader.refusal(part, "a centre and a positive width")
        parts[part] = (center, width)
    return MappingProxyType(parts)
