"""Configure JupyterHub to be one house: pure functions that set traits on ``c``.

``hub/jupyterhub_config.py`` calls :func:`configure`; every other function takes the
configuration and the :class:`~rounds_hub.deployment.plan.Plan` and sets one matter.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rounds_hub.deployment.accounts import DemoAuthenticator, HouseAuthenticator
from rounds_hub.deployment.demo import DEMO_ACCOUNTS, demo_passwords
from rounds_hub.deployment.plan import Plan, make_plan
from rounds_hub.deployment.services import services_of
from rounds_hub.portal.assets import DIST, asset_path
from rounds_hub.settings import load_settings
from rounds_hub.spawning.docker import RoundsDockerSpawner
from rounds_hub.spawning.local import RoundsLocalSpawner
from rounds_hub.spawning.options import hardened

if TYPE_CHECKING:
    from traitlets.config import Config

__all__ = ["configure", "configure_hub"]

TEMPLATES = Path(__file__).parent / "templates"
ICON = DIST.parent / "rounds.svg"
GROUPS = ("students", "doctors", "researchers", "teachers")
USE_THE_SERVICE = "access:services!service=rounds"
SECONDS_A_DAY = 86_400

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # JupyterHub's own pages hold scripts and styles in the page itself.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; "
        "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
}


def configure(c: Config) -> Plan:
    """Configure *c* from the environment's settings; the settings' file comes last.

    What the file named by ``ROUNDS_CONFIG`` sets on JupyterHub itself wins over what
    is set here.
    """
    settings = load_settings()
    plan = make_plan(settings)
    configure_hub(c, plan)
    c.merge(settings.config)
    return plan


def configure_hub(c: Config, plan: Plan) -> None:
    """Set everything that *plan* decides on *c*."""
    for set_one_matter in (
        set_addresses,
        set_storage,
        set_sessions,
        set_limits,
        set_services,
        set_roles,
        set_accounts,
        set_servers,
        set_pages,
    ):
        set_one_matter(c, plan)


def set_addresses(c: Config, plan: Plan) -> None:
    """Listen on the deployment's address alone, the inner parts on loopback."""
    ports = plan.ports
    c.JupyterHub.bind_url = f"http://{plan.deployment.host}:{ports.public}/"
    c.JupyterHub.hub_bind_url = f"http://{plan.service_address}:{ports.hub}"
    c.JupyterHub.public_url = plan.deployment.public_url
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{ports.proxy_api}"
    c.ConfigurableHTTPProxy.command = [
        plan.python,
        "-m",
        "rounds_hub.deployment.tied",
        "rounds_hub.deployment.proxy:main",
    ]
    c.ConfigurableHTTPProxy.log_level = "error"
    c.ConfigurableHTTPProxy.command_umask = 0o077


def set_storage(c: Config, plan: Plan) -> None:
    """Keep the hub's state in the data folder, readable for its owner alone."""
    c.JupyterHub.db_url = f"sqlite:///{plan.data / 'hub.sqlite'}"
    c.JupyterHub.cookie_secret_file = str(plan.data / "hub_cookie_secret")
    c.ConfigurableHTTPProxy.pid_file = str(plan.data / "proxy.pid")


def set_sessions(c: Config, plan: Plan) -> None:
    """Let cookies and tokens end, and tell browsers what they may do."""
    secure = plan.url.startswith("https:")
    c.JupyterHub.cookie_max_age_days = plan.deployment.sign_in_days
    c.JupyterHub.token_expires_in_max_seconds = (
        plan.deployment.token_days * SECONDS_A_DAY
    )
    headers = dict(_HEADERS)
    if secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    c.JupyterHub.tornado_settings = {
        "headers": headers,
        "cookie_options": {"samesite": "Lax", "secure": secure},
        "xsrf_cookie_kwargs": {"samesite": "Lax", "secure": secure},
    }


def set_limits(c: Config, plan: Plan) -> None:
    """Bound what runs; starts queue in the spawner, so the hub refuses none."""
    deployment = plan.deployment
    c.JupyterHub.active_server_limit = deployment.active_servers
    c.JupyterHub.concurrent_spawn_limit = deployment.active_servers
    c.JupyterHub.allow_named_servers = deployment.named_servers > 0
    c.JupyterHub.named_server_limit_per_user = deployment.named_servers
    c.JupyterHub.init_spawners_timeout = 30
    c.Spawner.start_timeout = deployment.start_seconds
    c.Spawner.http_timeout = 120
    c.Spawner.poll_interval = 5
    # A server that does not start is that user's matter: the hub stays.
    c.Spawner.consecutive_failure_limit = 0


def set_services(c: Config, plan: Plan) -> None:
    """Let the hub start and watch the parts of the house."""
    c.JupyterHub.services = services_of(plan)


def set_roles(c: Config, plan: Plan) -> None:
    """Give users the service, and each service what it needs to do its work."""
    del plan  # the same for every plan
    c.JupyterHub.load_groups = {group: {"users": []} for group in GROUPS}
    c.JupyterHub.extra_user_scopes = [USE_THE_SERVICE]
    c.JupyterHub.load_roles = [
        {
            "name": "rounds-web",
            "description": "Know who asks and what they belong to.",
            "scopes": ["list:users", "read:users", "list:groups", "read:groups"],
            "services": ["rounds"],
        },
        {
            "name": "rounds-culler",
            "description": "Stop servers that nobody uses.",
            "scopes": [
                "list:users",
                "read:users:activity",
                "read:servers",
                "delete:servers",
            ],
            "services": ["culler"],
        },
    ]


def set_accounts(c: Config, plan: Plan) -> None:
    """Choose how people sign in; demo accounts come with their groups."""
    deployment = plan.deployment
    c.LimitedGuesses.guesses = deployment.guesses
    c.LimitedGuesses.pause_seconds = deployment.pause_seconds
    c.Authenticator.allow_existing_users = True
    if not deployment.demo:
        c.JupyterHub.authenticator_class = HouseAuthenticator
        return
    c.JupyterHub.authenticator_class = DemoAuthenticator
    c.DemoAuthenticator.passwords = demo_passwords(plan.data)
    c.Authenticator.allowed_users = {account.name for account in DEMO_ACCOUNTS}
    c.Authenticator.admin_users = {
        account.name for account in DEMO_ACCOUNTS if account.admin
    }
    groups: dict[str, dict[str, Any]] = c.JupyterHub.load_groups
    for account in DEMO_ACCOUNTS:
        if account.group:
            groups[account.group]["users"].append(account.name)


def set_servers(c: Config, plan: Plan) -> None:
    """Choose where user servers run, and what they are given."""
    deployment = plan.deployment
    threads = str(deployment.threads)
    c.Spawner.server_token_scopes = [
        "users:activity!user",
        "access:servers!server",
        "read:users:name!user",
        "read:users:groups!user",
        USE_THE_SERVICE,
    ]
    c.Spawner.default_url = "/lab"
    c.Spawner.disable_user_config = True
    c.Spawner.environment = {
        "ROUNDS_URL": plan.service_url,
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "NUMBA_NUM_THREADS": threads,
    }
    if plan.spawner.kind == "docker":
        c.JupyterHub.spawner_class = RoundsDockerSpawner
        for name, value in hardened(deployment).items():
            c.RoundsDockerSpawner[name] = value
        return
    c.JupyterHub.spawner_class = RoundsLocalSpawner
    c.RoundsLocalSpawner.homes = str(plan.data / "users")
    c.RoundsLocalSpawner.starts_at_once = deployment.starts_at_once
    c.RoundsLocalSpawner.cmd = [plan.python, "-m", "rounds_hub.spawning.server"]


def set_pages(c: Config, plan: Plan) -> None:
    """Show the house's look on the hub's own pages, and start people at the service.

    The style stands in the pages themselves, so that they look the same while the
    service is down.
    """
    c.JupyterHub.template_paths = [str(TEMPLATES)]
    c.JupyterHub.template_vars = {
        "rounds_demo": plan.deployment.demo,
        "rounds_css": asset_path("hub.css").read_text(),
        "rounds_icon": f"data:image/svg+xml,{quote(ICON.read_text())}",
    }
    c.JupyterHub.default_url = "/services/rounds/"
    c.JupyterHub.redirect_to_server = False
