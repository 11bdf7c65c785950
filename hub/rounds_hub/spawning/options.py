"""What a container of a user may do: built here, sent by the spawner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rounds_hub.deployment.traits import Deployment

__all__ = ["hardened", "network_name"]

_HOME = "/home/jovyan"
_USER = 1000
_PROCESSES = 512


def hardened(deployment: Deployment) -> dict[str, Any]:
    """Return the traits of the spawner for one container a user, closed by default.

    No capability, no way to gain one, a root file system that cannot be written, a
    bounded number of processes, memory without swap, and a home that lasts in a
    volume. The image is never pulled: what runs is what the administrator built.
    """
    memory = deployment.server_memory
    return {
        "image": deployment.user_image,
        "pull_policy": "never",
        "remove": True,
        "use_internal_ip": True,
        "name_template": "{prefix}-{username}--{servername}",
        "prefix": "rounds",
        "mem_limit": memory,
        "cpu_limit": deployment.server_cpus,
        "volumes": {"rounds-home-{username}": _HOME},
        "notebook_dir": _HOME,
        "extra_create_kwargs": {"user": str(_USER)},
        "extra_host_config": {
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "pids_limit": _PROCESSES,
            "read_only": True,
            "tmpfs": {"/tmp": "size=1g,mode=1777"},  # noqa: S108 (the container's own)
            "memswap_limit": memory,
            "oom_score_adj": 500,
            "init": True,
            "log_config": {
                "type": "json-file",
                "config": {"max-size": "10m", "max-file": "3"},
            },
        },
    }


def network_name(user: str) -> str:
    """Return the name of the network that only *user*'s containers are in.

    Examples
    --------
    >>> network_name("ada")
    'rounds-user-ada'
    """
    return f"rounds-user-{user}"
