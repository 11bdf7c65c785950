"""One house as one process sees it: settings, catalogue, archive, index, queue."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

from rounds_hub.access import sight
from rounds_hub.archive.stores import open_stores
from rounds_hub.catalogue.sessions import Sessions
from rounds_hub.gateway.registry import apply_configured
from rounds_hub.work.client import WorkClient

if TYPE_CHECKING:
    from rounds_hub.archive.committing import Committer
    from rounds_hub.archive.quotas import Quotas
    from rounds_hub.archive.store import Store
    from rounds_hub.settings import Rounds
    from rounds_search.backends.base import Backend

__all__ = ["House"]


@dataclass
class House:
    """The parts of the house, opened once in a process.

    The parts that not every process needs are opened when they are first used.
    """

    settings: Rounds
    sessions: Sessions
    store: Store

    @classmethod
    def open(cls, settings: Rounds) -> Self:
        """Open the house at *settings*, its tables brought to this version."""
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        sessions = Sessions(settings.catalogue_url)
        sessions.migrate()
        sight.fill(sessions)
        apply_configured(sessions, settings.nodes)
        return cls(settings, sessions, open_stores(settings))

    @cached_property
    def index(self) -> Backend:
        """The case index."""
        # SciPy comes with it: 0.7 s that a process that never searches need not wait.
        from rounds_search.backends.base import open_backend  # noqa: PLC0415
        from rounds_search.backends.worded import WordedBackend  # noqa: PLC0415
        from rounds_search.vocabulary import Shelf  # noqa: PLC0415

        shelf = Shelf(self.settings.vocabulary_folder)
        opened = open_backend(
            self.settings.search_location, **self.settings.search_options
        )
        backend = WordedBackend(opened, shelf)
        backend.ensure()
        return backend

    @cached_property
    def quotas(self) -> Quotas:
        """How much may still be brought, and by whom."""
        from rounds_hub.archive.quotas import Quotas  # noqa: PLC0415 (a circle)

        return Quotas(self)

    @cached_property
    def work(self) -> WorkClient:
        """The way to hand long work to the workers."""
        return WorkClient(self.settings.work_url)

    @cached_property
    def committer(self) -> Committer:
        """Makes what many threads receive last, in groups."""
        # Only what receives needs it, and pydicom comes with it.
        from rounds_hub.archive.committing import Committer  # noqa: PLC0415

        return Committer(self)

    def close(self) -> None:
        """Close what was opened."""
        if "committer" in self.__dict__:
            self.__dict__.pop("committer").close()
        self.sessions.close()
        for part in ("index", "work"):
            if part in self.__dict__:
                self.__dict__.pop(part).close()
