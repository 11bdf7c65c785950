"""What a person can be told went wrong, and with which HTTP status.

HubError                         500
├── SettingsError                500
├── BadRequestError              400
├── NotSignedInError             401
├── ForbiddenError               403
├── CrossSiteError               403
├── NotFoundError                404
├── NotAcceptableError           406
├── TooSlowError                 408
├── ConflictError                409
├── TooLargeError                413
├── UnsupportedError             415
├── InvalidError                 422
├── BusyError                    503
└── NoSpaceError                 507
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "BadRequestError",
    "BusyError",
    "ConflictError",
    "CrossSiteError",
    "ForbiddenError",
    "HubError",
    "InvalidError",
    "NoSpaceError",
    "NotAcceptableError",
    "NotFoundError",
    "NotSignedInError",
    "SettingsError",
    "TooLargeError",
    "TooSlowError",
    "UnsupportedError",
]


class HubError(Exception):
    """Something a person may read about; *status* is its HTTP status."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"


class SettingsError(HubError):
    """A setting has a value that cannot work."""

    title = "A setting cannot work"


class BadRequestError(HubError):
    """What a program sent cannot be understood."""

    status = 400
    title = "Not understood"


class NotSignedInError(HubError):
    """Nobody is signed in, or the token is not known to the hub."""

    status = 401
    title = "Not signed in"


class ForbiddenError(HubError):
    """The person is known, and may not do this."""

    status = 403
    title = "Not allowed"


class CrossSiteError(ForbiddenError):
    """A form came from another site."""

    title = "The request came from another site"


class NotFoundError(HubError):
    """There is no such thing, or none that this person may see.

    Examples
    --------
    >>> str(NotFoundError("template", "lung", known=["lung_volume"]))
    "No template 'lung'. Known: lung_volume."
    """

    status = 404
    title = "Not found"

    def __init__(
        self, kind: str, name: str, known: Iterable[str] | None = None
    ) -> None:
        """Name the *kind* of thing, the *name* asked for, and what there is."""
        there_is = (
            f" Known: {', '.join(sorted(known)) or 'none'}."
            if known is not None
            else ""
        )
        super().__init__(f"No {kind} {name!r}.{there_is}")
        self.kind = kind
        self.name = name


class NotAcceptableError(HubError):
    """It cannot be given in any of the forms that were asked for."""

    status = 406
    title = "Not in that form"


class TooSlowError(HubError):
    """What was to be sent did not come in time."""

    status = 408
    title = "Too slow"


class ConflictError(HubError):
    """The thing changed meanwhile, or is in a state that does not allow this."""

    status = 409
    title = "Not possible now"


class TooLargeError(HubError):
    """More was sent than is taken."""

    status = 413
    title = "Too large"


class UnsupportedError(HubError):
    """What was sent is of a kind that is not taken here."""

    status = 415
    title = "Not of a kind that is taken"


class InvalidError(HubError):
    """A value that was sent cannot be used; *problems* names each by its place."""

    status = 422
    title = "Not valid"

    def __init__(self, message: str, problems: dict[str, str] | None = None) -> None:
        """Say what is wrong, and for each field in *problems* what would work."""
        super().__init__(message)
        self.problems = problems or {}


class BusyError(HubError):
    """A part that is needed does not answer, or has no room now."""

    status = 503
    title = "Not available now"


class NoSpaceError(HubError):
    """The disk is full; nothing half stored is left."""

    status = 507
    title = "No space left"
