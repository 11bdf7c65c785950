"""JupyterHub, watching its services by the second."""

from __future__ import annotations

from typing import Any

from jupyterhub.app import JupyterHub
from tornado.ioloop import IOLoop, PeriodicCallback
from traitlets import Float, Int

from rounds_hub.deployment.restarts import Restarts
from rounds_hub.processes import die_with_parent
from rounds_hub.spawning.local import RoundsLocalSpawner
from rounds_hub.spawning.seedlings import NoNurseryError

__all__ = ["RoundsHub", "main"]


class RoundsHub(JupyterHub):  # type: ignore[misc] # untyped there
    """JupyterHub that sees within a second that a service of its own has ended.

    JupyterHub itself looks every half minute: too long for a page that people wait
    for.
    """

    watch_milliseconds = Int(
        1000, min=50, help="How often services are looked after."
    ).tag(config=True)

    warm_seconds = Float(
        1.0, min=0.0, help="When, after the start, imports of servers are begun."
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 (traitlets' own signature)
        """Begin with no service that had to be started again."""
        super().__init__(**kwargs)
        self._restarts: dict[str, Restarts] = {}

    async def start(self) -> None:
        """Start the hub, and look after the services from then on."""
        await super().start()
        watch = PeriodicCallback(self._look_after_services, self.watch_milliseconds)
        self._periodic_callbacks["rounds_services"] = watch
        watch.start()
        if issubclass(self.spawner_class, RoundsLocalSpawner):
            # What people wait for comes first; the first server is some clicks away.
            IOLoop.current().call_later(self.warm_seconds, self._warm)

    async def _warm(self) -> None:
        """Have the imports of user servers done before the first is asked for."""
        try:
            await RoundsLocalSpawner.nursery.warm()
        except NoNurseryError as error:
            self.log.info("%s", error)

    async def cleanup(self) -> None:
        """End everything of the hub, the nursery included."""
        # What ends from here on ends because it was told to.
        watch = self._periodic_callbacks.pop("rounds_services", None)
        if watch is not None:
            watch.stop()
        await super().cleanup()
        RoundsLocalSpawner.nursery.close()

    async def _look_after_services(self) -> None:
        """Have every service that ended started again, if it is time for that."""
        for name, service in self._service_map.items():
            if not (service.managed and service.spawner):
                continue
            process = service.spawner.proc
            if process is None or process.poll() is None:
                continue
            if self._restarts.setdefault(name, Restarts()).due():
                await service.spawner.poll_and_notify()


def main() -> None:
    """Run the hub until whoever started it is gone."""
    die_with_parent()
    RoundsHub.launch_instance()


if __name__ == "__main__":
    main()
