"""User servers in containers, each user in a network of its own."""

from __future__ import annotations

from typing import Any

from docker.errors import APIError, NotFound
from dockerspawner import DockerSpawner

from rounds_hub.spawning.options import network_name

__all__ = ["RoundsDockerSpawner"]


class RoundsDockerSpawner(DockerSpawner):  # type: ignore[misc] # untyped there
    """Starts a hardened container; the options come from ``hardened``."""

    async def start(self) -> Any:  # noqa: ANN401 (DockerSpawner's own)
        """Start the container inside the user's own network."""
        self.network_name = await self._network()
        return await super().start()

    async def stop(self, now: bool = False) -> None:  # noqa: FBT001, FBT002 (JupyterHub's signature)
        """Stop the container and remove the network when nothing is left in it."""
        await super().stop(now=now)
        try:
            await self.docker("remove_network", self._network_name())
        except NotFound:
            return
        except APIError as error:
            # Another server of the same user is still in it.
            self.log.debug("The network of %s stays: %s", self._log_name, error)

    def _network_name(self) -> str:
        return network_name(self.escaped_name)

    async def _network(self) -> str:
        """Return the name of the user's network, which exists from then on.

        It is internal: no way to other users' containers nor to the outside.
        """
        name = self._network_name()
        found = await self.docker("networks", names=[name])
        if not any(network["Name"] == name for network in found):
            await self.docker("create_network", name, driver="bridge", internal=True)
        return name
