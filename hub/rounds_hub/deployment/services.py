"""The parts that the hub starts and watches: web service, gateway, worker, culler."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rounds_hub.deployment.plan import Plan

__all__ = ["services_of"]

_HANDED_ON = ("HOME", "TMPDIR", "ROUNDS_DEVICE", "ROUNDS_ITK_BUNDLE", "SSL_CERT_FILE")
_KEYS = ("ROUNDS_STORE_", "AWS_")
"""How the names begin of the keys to object storage."""


def services_of(plan: Plan) -> list[dict[str, Any]]:
    """Return the services of the house, the one that people wait for first.

    The hub starts a service when the one before it answers: the pages come up with
    the machine to themselves.
    """
    pages = _part(plan, "rounds", "rounds_hub.web") | {
        "url": f"http://{plan.service_address}:{plan.ports.web}",
        "oauth_no_confirm": True,
        "display": True,
        "timeout": 120,
    }
    services = [
        pages,
        _part(plan, "worker", "rounds_hub.work.worker"),
        _part(plan, "gateway", "rounds_hub.gateway.listener"),
    ]
    if plan.deployment.idle_seconds:
        services.append(_culler(plan))
    return services


def _part(plan: Plan, name: str, module: str) -> dict[str, Any]:
    """Return the service *name* that is our own *module*."""
    return {
        "name": name,
        "command": [plan.python, "-m", module],
        "environment": _environment(plan),
        "display": False,
    }


def _culler(plan: Plan) -> dict[str, Any]:
    """Return the service that stops servers which nobody uses."""
    idle = plan.deployment.idle_seconds
    return {
        "name": "culler",
        "command": [
            plan.python,
            "-m",
            "rounds_hub.deployment.tied",
            "jupyterhub_idle_culler:main",
            f"--timeout={idle}",
            f"--cull-every={max(10, min(600, idle // 2))}",
        ],
        "display": False,
    }


def _environment(plan: Plan) -> dict[str, str]:
    """Return what a part of the house finds in its environment."""
    handed = {
        name: value
        for name, value in os.environ.items()
        if name in _HANDED_ON or name.startswith(_KEYS)
    }
    named = {"ROUNDS_CONFIG": plan.config_file} if plan.config_file else {}
    return handed | named | {"ROUNDS_DATA": str(plan.data)}
