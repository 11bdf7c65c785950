"""What can go wrong between a notebook and the house, as a person may read it.

RoundsError
├── NotSignedInError          no address or token, or the hub does not know the token
├── NotAllowedError           known, and may not do this
├── NotFoundError             there is no such thing, or none that this person may see
├── RefusedError              the house does not take what was sent
├── ServiceUnreachableError   nobody answers at the address
├── ServiceFailedError        an answer came, and it says that the house has a fault
├── VolumeStreamError         the pixels that came do not fit what was announced
├── ViewerError               a view cannot be drawn from what was given
├── RunFailedError            a run ended without a result
└── RunTimeoutError           a run goes on, but the waiting is over
"""

from __future__ import annotations

__all__ = [
    "NotAllowedError",
    "NotFoundError",
    "NotSignedInError",
    "RefusedError",
    "RoundsError",
    "RunFailedError",
    "RunTimeoutError",
    "ServiceFailedError",
    "ServiceUnreachableError",
    "ViewerError",
    "VolumeStreamError",
]


class RoundsError(Exception):
    """Something a person who works in a notebook can read and act on."""


class NotSignedInError(RoundsError):
    """The house does not know who asks."""


class NotAllowedError(RoundsError):
    """The person is known, and may not do this."""


class NotFoundError(RoundsError):
    """There is no such thing, or none that this person may see."""


class RefusedError(RoundsError):
    """The house does not take what was sent; *problems* names values by their place."""

    def __init__(self, message: str, problems: dict[str, str] | None = None) -> None:
        """Say what is wrong, then each of the *problems* on a line of its own."""
        self.problems = dict(problems or {})
        lines = [f"  {place}: {why}" for place, why in self.problems.items()]
        super().__init__("\n".join([message, *lines]))


class ServiceUnreachableError(RoundsError):
    """Nobody answers at the address of the house."""


class ServiceFailedError(RoundsError):
    """The house answered that it has a fault of its own."""


class VolumeStreamError(RoundsError):
    """The pixels that came do not fit what was announced."""


class ViewerError(RoundsError):
    """A view cannot be drawn from what was given."""


class RunFailedError(RoundsError):
    """A run ended without a result; *cell* and *trace* say where."""

    def __init__(self, message: str, *, cell: str = "", trace: str = "") -> None:
        """Say what failed, in which cell, and end with the traceback of that cell."""
        self.cell = cell
        self.trace = trace
        super().__init__(f"{message}\n{trace}".rstrip())


class RunTimeoutError(RoundsError, TimeoutError):
    """A run goes on in the house, but the time to wait for it is over."""
