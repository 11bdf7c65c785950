"""JupyterHub's configuration, function by function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from traitlets.config import Config

from rounds_hub.deployment import configure
from rounds_hub.deployment.accounts import DemoAuthenticator, HouseAuthenticator
from rounds_hub.deployment.plan import Plan
from rounds_hub.deployment.ports import Ports
from rounds_hub.deployment.traits import Deployment
from rounds_hub.spawning.choose import Choice
from rounds_hub.spawning.docker import RoundsDockerSpawner
from rounds_hub.spawning.local import RoundsLocalSpawner

if TYPE_CHECKING:
    from pathlib import Path

LOCAL = Choice("local", "no engine")
CONTAINERS = Choice("docker", "an engine answers", "172.17.0.1")


def plan_in(folder: Path, choice: Choice = LOCAL, **traits: object) -> Plan:
    """Return a plan with its data in *folder*."""
    deployment = Deployment(**traits)
    return Plan(folder, deployment, Ports(8000, 8081, 8001, 8100), choice)


def configured(plan: Plan) -> Any:  # noqa: ANN401 (sections come as they are set)
    """Return the whole configuration of *plan*."""
    config = Config()
    configure.configure_hub(config, plan)
    return config


def test_the_house_answers_on_loopback_alone(tmp_path: Path) -> None:
    c = configured(plan_in(tmp_path))
    assert c.JupyterHub.bind_url == "http://127.0.0.1:8000/"


@pytest.mark.parametrize("part", ["hub_bind_url", "bind_url"])
def test_no_part_listens_on_every_address(tmp_path: Path, part: str) -> None:
    c = configured(plan_in(tmp_path))
    assert "//127.0.0.1:" in c.JupyterHub[part]


def test_the_hub_listens_for_containers_on_their_bridge(tmp_path: Path) -> None:
    c = configured(plan_in(tmp_path, CONTAINERS))
    assert c.JupyterHub.hub_bind_url == "http://172.17.0.1:8081"


def test_the_proxy_ends_with_the_hub(tmp_path: Path) -> None:
    c = configured(plan_in(tmp_path))
    assert "rounds_hub.deployment.tied" in c.ConfigurableHTTPProxy.command


@pytest.mark.parametrize(
    ("header", "value"),
    [
        pytest.param("X-Content-Type-Options", "nosniff", id="no guessing of types"),
        pytest.param("Referrer-Policy", "same-origin", id="addresses stay here"),
    ],
)
def test_browsers_are_told_what_not_to_do(
    tmp_path: Path, header: str, value: str
) -> None:
    c = configured(plan_in(tmp_path))
    assert c.JupyterHub.tornado_settings["headers"][header] == value


def test_no_other_site_may_frame_the_hub(tmp_path: Path) -> None:
    headers = configured(plan_in(tmp_path)).JupyterHub.tornado_settings["headers"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("public_url", "secure"),
    [
        pytest.param("", False, id="plain HTTP on loopback"),
        pytest.param("https://rounds.example", True, id="TLS in front"),
    ],
)
def test_cookies_are_secure_where_there_is_tls(
    tmp_path: Path, public_url: str, *, secure: bool
) -> None:
    c = configured(plan_in(tmp_path, public_url=public_url))
    cookies = c.JupyterHub.tornado_settings["cookie_options"]
    assert cookies == {"samesite": "Lax", "secure": secure}


def test_tokens_end(tmp_path: Path) -> None:
    c = configured(plan_in(tmp_path, token_days=2))
    assert c.JupyterHub.token_expires_in_max_seconds == 172_800


def test_a_class_that_starts_at_once_is_not_refused(tmp_path: Path) -> None:
    c = configured(plan_in(tmp_path, active_servers=40))
    assert c.JupyterHub.concurrent_spawn_limit == 40


def test_the_hub_watches_every_part(tmp_path: Path) -> None:
    c = configured(plan_in(tmp_path))
    names = [service["name"] for service in c.JupyterHub.services]
    assert names == ["rounds", "worker", "gateway", "culler"]


def test_nobody_is_culled_where_idleness_is_no_matter(tmp_path: Path) -> None:
    c = configured(plan_in(tmp_path, idle_seconds=0))
    assert "culler" not in {service["name"] for service in c.JupyterHub.services}


def test_parts_find_the_data_folder(tmp_path: Path) -> None:
    services = configured(plan_in(tmp_path)).JupyterHub.services
    assert services[0]["environment"]["ROUNDS_DATA"] == str(tmp_path)


def test_parts_find_the_key_of_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUNDS_STORE_COLD_KEY", "k")
    monkeypatch.setenv("ROUNDS_SOMETHING_ELSE", "x")
    services = configured(plan_in(tmp_path)).JupyterHub.services
    found = services[1]["environment"]
    assert found["ROUNDS_STORE_COLD_KEY"] == "k"
    assert "ROUNDS_SOMETHING_ELSE" not in found


def test_only_the_web_service_has_an_address(tmp_path: Path) -> None:
    services = configured(plan_in(tmp_path)).JupyterHub.services
    assert [each["name"] for each in services if "url" in each] == ["rounds"]


@pytest.mark.parametrize("where", ["extra_user_scopes", "server_token_scopes"])
def test_users_and_their_servers_may_use_the_service(
    tmp_path: Path, where: str
) -> None:
    c = configured(plan_in(tmp_path))
    section = c.JupyterHub if where == "extra_user_scopes" else c.Spawner
    assert "access:services!service=rounds" in section[where]


def test_the_web_service_may_not_start_servers(tmp_path: Path) -> None:
    roles = configured(plan_in(tmp_path)).JupyterHub.load_roles
    web = next(role for role in roles if role["name"] == "rounds-web")
    assert all(scope.startswith(("read:", "list:")) for scope in web["scopes"])


def test_a_demo_signs_in_demo_accounts(tmp_path: Path) -> None:
    c = configured(plan_in(tmp_path, demo=True))
    assert c.JupyterHub.authenticator_class is DemoAuthenticator


def test_a_demo_puts_each_account_in_its_group(tmp_path: Path) -> None:
    c = configured(plan_in(tmp_path, demo=True))
    assert c.JupyterHub.load_groups["teachers"] == {"users": ["teacher"]}


def test_only_the_admin_of_a_demo_is_one(tmp_path: Path) -> None:
    c = configured(plan_in(tmp_path, demo=True))
    assert c.Authenticator.admin_users == {"admin"}


def test_a_house_in_earnest_has_no_demo_accounts(tmp_path: Path) -> None:
    c = configured(plan_in(tmp_path))
    assert c.JupyterHub.authenticator_class is HouseAuthenticator
    assert not (tmp_path / "accounts.json").exists()


def test_servers_get_the_address_of_the_service(tmp_path: Path) -> None:
    c = configured(plan_in(tmp_path))
    url = c.Spawner.environment["ROUNDS_URL"]
    assert url == "http://127.0.0.1:8000/services/rounds/"


def test_containers_reach_the_service_without_the_proxy(tmp_path: Path) -> None:
    c = configured(plan_in(tmp_path, CONTAINERS))
    url = c.Spawner.environment["ROUNDS_URL"]
    assert url == "http://172.17.0.1:8100/services/rounds/"


@pytest.mark.parametrize(
    ("choice", "spawner"),
    [
        pytest.param(LOCAL, RoundsLocalSpawner, id="processes"),
        pytest.param(CONTAINERS, RoundsDockerSpawner, id="containers"),
    ],
)
def test_the_choice_decides_the_spawner(
    tmp_path: Path, choice: Choice, spawner: type
) -> None:
    c = configured(plan_in(tmp_path, choice))
    assert c.JupyterHub.spawner_class is spawner


def test_nothing_of_the_services_is_in_a_servers_environment(tmp_path: Path) -> None:
    c = configured(plan_in(tmp_path))
    names = set(c.Spawner.environment)
    assert not names & {"ROUNDS_DATA", "ROUNDS_CONFIG"}


def test_the_hubs_pages_have_their_style_in_them(tmp_path: Path) -> None:
    c = configured(plan_in(tmp_path))
    assert "--rounds-surface" in c.JupyterHub.template_vars["rounds_css"]


def test_the_settings_file_has_the_last_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.py"
    file.write_text("c.JupyterHub.active_server_limit = 7\nc.Deployment.port = 0\n")
    monkeypatch.setenv("ROUNDS_CONFIG", str(file))
    monkeypatch.setenv("ROUNDS_DATA", str(tmp_path / "data"))
    config: Any = Config()
    configure.configure(config)
    assert config.JupyterHub.active_server_limit == 7
