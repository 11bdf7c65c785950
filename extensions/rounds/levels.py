"""Read a volume in part: a box of voxels, or a coarse copy of all of it, at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from zarr import open_group
from zarr.abc.store import ByteRequest, Store

from rounds.errors import NotFoundError, VolumeStreamError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from zarr import Array, Group
    from zarr.core.buffer import Buffer, BufferPrototype

    from rounds.client import Service
    from rounds_kernels.volumes import Volume

__all__ = ["coarse", "first_look", "levels"]

PREVIEW = 128
"""Voxels along the longest side of what is shown first, at most."""

_GROUP = "zarr.json"

SMALL = 16 << 20
"""Bytes of a volume that come in a moment, so that no coarse copy is shown before."""


class _OverHttp(Store):
    """The parts of one volume, as the house gives them."""

    def __init__(self, service: Service, base: str) -> None:
        """Read below *base*, the description of the group first.

        What the house refuses is raised here, in its words.
        """
        super().__init__(read_only=True)
        self._service = service
        self._base = base
        self._group = service.content(base + _GROUP)

    def __eq__(self, other: object) -> bool:
        """Tell whether both read the same parts."""
        return isinstance(other, _OverHttp) and (
            (self._service.url, self._base) == (other._service.url, other._base)
        )

    def __hash__(self) -> int:
        """Return what is the same for equal stores."""
        return hash((self._service.url, self._base))

    async def get(
        self,
        key: str,
        prototype: BufferPrototype,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Return the part *key*, None where there is none."""
        if byte_range is not None:
            msg = "Parts of a volume are read whole."
            raise NotImplementedError(msg)
        try:
            if key == _GROUP:
                content = self._group
            else:
                content = await asyncio.to_thread(
                    self._service.content, self._base + key
                )
        except NotFoundError:
            return None
        return prototype.buffer.from_bytes(content)

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        """Return several parts."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """Tell whether there is a part *key*."""
        from zarr.core.buffer import default_buffer_prototype  # noqa: PLC0415 - rarely asked

        return await self.get(key, default_buffer_prototype()) is not None

    @property
    def supports_writes(self) -> bool:
        """Nothing is written by this way."""
        return False

    @property
    def supports_deletes(self) -> bool:
        """Nothing is deleted by this way."""
        return False

    @property
    def supports_listing(self) -> bool:
        """What there is stands in the group's description."""
        return False

    async def set(self, key: str, value: Buffer) -> None:
        """Refuse."""
        del key, value
        self._check_writable()

    async def delete(self, key: str) -> None:
        """Refuse."""
        del key
        self._check_writable()

    def list(self) -> AsyncIterator[str]:
        """Refuse."""
        raise NotImplementedError

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Refuse."""
        raise NotImplementedError(prefix)

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Refuse."""
        raise NotImplementedError(prefix)


def levels(service: Service, series_uid: str, stack: int = 0) -> tuple[Array[Any], ...]:
    """Return the resolutions of a series' volume as Zarr arrays, the finest first.

    Indexing one streams the chunks that the index touches, and no others.

    Raises
    ------
    NotFoundError
        If there is no such series or stack, or none that this person may see.
    RefusedError
        If its images make up no volume.
    """
    group = _group(service, series_uid, stack)
    return tuple(_arrays(group))


def coarse(service: Service, series_uid: str, longest: int = PREVIEW) -> Volume:
    """Return a coarse copy of a series' volume, read in a moment.

    It is the finest copy with no more than *longest* voxels along any side.

    Raises
    ------
    NotFoundError
        If there is no such series, or none that this person may see.
    RefusedError
        If its images make up no volume.
    VolumeStreamError
        If the house describes no volume.
    """
    return _coarse(_group(service, series_uid, 0), longest)


def _coarse(group: Group, longest: int) -> Volume:
    """Return the finest copy of a volume that has *longest* voxels a side, at most."""
    # Reading DICOM costs an import; only who opens a volume pays for it.
    from rounds_kernels.errors import VolumeFormatError  # noqa: PLC0415
    from rounds_kernels.keeping import header_at, levels_of  # noqa: PLC0415
    from rounds_kernels.volumes import Volume  # noqa: PLC0415

    header: Any = group.attrs.get("rounds")
    try:
        every = levels_of(header["shape"], header["spacing"])
        fits = [n for n, one in enumerate(every) if max(one.shape[:3]) <= longest]
        number = fits[0] if fits else len(every) - 1
        array: Any = _arrays(group)[number][...]
        return Volume.from_parts(array, header_at(header, every[number]))
    except (TypeError, KeyError, ValueError, IndexError, VolumeFormatError) as damage:
        msg = f"The house described no volume ({type(damage).__name__})."
        raise VolumeStreamError(msg) from None


def first_look(service: Service, series_uid: str) -> tuple[Volume, bool]:
    """Return what can be shown of a series at once, and whether that is all of it.

    Errors are those of :func:`coarse`.
    """
    from rounds.streaming import fetch_volume, kept  # noqa: PLC0415 - beside Zarr only

    if (known := kept(service, series_uid)) is not None:
        return known, True
    group = _group(service, series_uid, 0)
    if _arrays(group)[0].nbytes <= SMALL:
        return fetch_volume(service, series_uid), True
    return _coarse(group, PREVIEW), False


def _group(service: Service, series_uid: str, stack: int) -> Group:
    """Return the group of one stack."""
    base = f"api/series/{series_uid}/stacks/{stack}.zarr/"
    return open_group(_OverHttp(service, base), mode="r", zarr_format=3)


def _arrays(group: Group) -> list[Array[Any]]:
    """Return the arrays of a group, by their number."""
    arrays: list[Any] = [group[key] for key in sorted(group.array_keys(), key=int)]
    return arrays
