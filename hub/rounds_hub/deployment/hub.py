"""JupyterHub, watching its services by the second."""

from __future__ import annotations

from jupyterhub.app import JupyterHub
from tornado.ioloop import PeriodicCallback
from traitlets import Int

from rounds_hub.processes import die_with_parent

__all__ = ["RoundsHub", "main"]


class RoundsHub(JupyterHub):  # type: ignore[misc] # untyped there
    """JupyterHub that sees within a second that a service of its own has ended.

    JupyterHub itself looks every half minute: too long for a page that people wait
    for.
    """

    watch_milliseconds = Int(
        1000, min=50, help="How often services are looked after."
    ).tag(config=True)

    async def start(self) -> None:
        """Start the hub, and look after the services from then on."""
        await super().start()
        watch = PeriodicCallback(self._look_after_services, self.watch_milliseconds)
        self._periodic_callbacks["rounds_services"] = watch
        watch.start()

    async def _look_after_services(self) -> None:
        """Have every service that ended started again."""
        for service in self._service_map.values():
            if service.managed and service.spawner:
                await service.spawner.poll_and_notify()


def main() -> None:
    """Run the hub until whoever started it is gone."""
    die_with_parent()
    RoundsHub.launch_instance()


if __name__ == "__main__":
    main()
