"""How arguments and results go through the queue: as JSON, never as code."""

from __future__ import annotations

import json
from typing import Any

from dbos import Serializer

__all__ = ["JsonSerializer"]


class JsonSerializer(Serializer):
    """Write what goes through the queue as JSON: what is read back runs no code.

    Examples
    --------
    >>> JsonSerializer().deserialize(JsonSerializer().serialize({"args": ["a"]}))
    {'args': ['a']}
    """

    def serialize(self, data: Any) -> str:  # noqa: ANN401 (DBOS's own signature)
        """Return *data* as JSON; an exception as its text.

        Raises
        ------
        TypeError
            If *data* holds what JSON cannot say.
        """
        return json.dumps(data, separators=(",", ":"), default=_plain)

    def deserialize(self, serialized_data: str) -> Any:  # noqa: ANN401 (as above)
        """Return what *serialized_data* stands for."""
        return json.loads(serialized_data)

    def name(self) -> str:
        """Return the name under which rows remember how they were written."""
        return "rounds_json"


def _plain(value: object) -> object:
    """Return what JSON can say of an exception; nothing else is passed on."""
    if isinstance(value, BaseException):
        return {"error": type(value).__name__, "message": str(value)[:2000]}
    msg = f"The queue takes JSON, got {type(value).__name__}."
    raise TypeError(msg)
