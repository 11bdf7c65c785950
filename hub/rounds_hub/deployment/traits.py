"""What an administrator sets about the hub itself: one class of traits."""

from __future__ import annotations

import os
from ipaddress import ip_address
from typing import TYPE_CHECKING

from traitlets import Bool, Enum, Float, Int, TraitError, Unicode
from traitlets.config import Configurable

from rounds_hub.errors import SettingsError

if TYPE_CHECKING:
    from rounds_hub.settings import Rounds

__all__ = ["Deployment", "load_deployment"]


class Deployment(Configurable):
    """Where the hub listens, how servers start, and the limits it keeps."""

    host = Unicode(
        "127.0.0.1", help="The address on which the house answers browsers."
    ).tag(config=True)
    port = Int(
        8000, min=0, max=65535, help="The port of the house; 0: any free one."
    ).tag(config=True)
    public_url = Unicode(
        "",
        help="The URL that people type, where a proxy with TLS stands in front.",
    ).tag(config=True)
    demo = Bool(
        default_value=False,
        help="Sign people in with demo accounts; refused on anything but loopback.",
    ).tag(config=True)
    spawner = Enum(
        ["auto", "local", "docker"],
        default_value="auto",
        help="Where user servers run; auto: containers where an engine answers.",
    ).tag(config=True)
    user_image = Unicode(
        "rounds-user:latest", help="The image of user servers in containers."
    ).tag(config=True)
    starts_at_once = Int(
        2, min=1, help="Servers that start at the same time; the others queue."
    ).tag(config=True)
    start_seconds = Int(
        900, min=10, help="How long a start may take, the time in the queue included."
    ).tag(config=True)
    active_servers = Int(100, min=1, help="Servers that may run at the same time.").tag(
        config=True
    )
    named_servers = Int(
        3, min=0, help="Named servers that one user may have beside the first."
    ).tag(config=True)
    idle_seconds = Int(
        3600, min=0, help="A server that nobody used for so long is stopped; 0: never."
    ).tag(config=True)
    server_threads = Int(
        0, min=0, help="Threads that array code may use in a server; 0: half the cores."
    ).tag(config=True)
    server_memory = Unicode("4G", help="The memory of a server in a container.").tag(
        config=True
    )
    server_cpus = Float(
        2.0, min=0.1, help="The processors of a server in a container."
    ).tag(config=True)
    sign_in_days = Float(1.0, min=0.01, help="How many days a sign-in lasts.").tag(
        config=True
    )
    token_days = Int(
        90, min=1, help="The longest life, in days, of a token that a user makes."
    ).tag(config=True)
    guesses = Int(10, min=1, help="Wrong passwords in a row before a pause.").tag(
        config=True
    )
    pause_seconds = Int(
        300, min=1, help="How long nobody signs in after too many wrong passwords."
    ).tag(config=True)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the house."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def threads(self) -> int:
        """Threads of array code in one server, with the default filled in."""
        return self.server_threads or max(1, (os.cpu_count() or 2) // 2)


def load_deployment(settings: Rounds, **overrides: object) -> Deployment:
    """Return the traits of the deployment that the file of *settings* describes.

    ``ROUNDS_DEMO=1`` in the environment asks for demo accounts.

    Raises
    ------
    SettingsError
        If a value is of the wrong kind, or demo accounts would be reachable from
        another machine.

    Examples
    --------
    >>> from rounds_hub.settings import load_settings
    >>> load_deployment(load_settings(), port=9000).loopback
    True
    """
    if os.environ.get("ROUNDS_DEMO") == "1":
        overrides = {"demo": True} | overrides
    try:
        deployment = Deployment(config=settings.config, **overrides)
    except TraitError as error:
        raise SettingsError(str(error)) from error
    if deployment.demo and not deployment.loopback:
        msg = (
            "Demo accounts are for this machine alone; "
            f"Deployment.host is {deployment.host!r}, 127.0.0.1 would work."
        )
        raise SettingsError(msg)
    return deployment
