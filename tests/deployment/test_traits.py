"""What an administrator sets about the deployment."""

from __future__ import annotations

import pytest

from rounds_hub.deployment.traits import Deployment, load_deployment
from rounds_hub.errors import SettingsError
from rounds_hub.settings import load_settings


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1"])
def test_demo_accounts_are_had_on_loopback(host: str) -> None:
    assert load_deployment(load_settings(), demo=True, host=host).demo


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.20", "rounds.example"])  # noqa: S104 (refused here)
def test_demo_accounts_are_refused_elsewhere(host: str) -> None:
    with pytest.raises(SettingsError, match=r"127\.0\.0\.1 would work"):
        load_deployment(load_settings(), demo=True, host=host)


def test_a_port_that_cannot_be_is_refused() -> None:
    with pytest.raises(SettingsError, match="70000"):
        load_deployment(load_settings(), port=70_000)


def test_the_environment_can_ask_for_demo_accounts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ROUNDS_DEMO", "1")
    assert load_deployment(load_settings()).demo


def test_a_server_has_at_least_one_thread() -> None:
    assert Deployment().threads >= 1


def test_threads_can_be_set() -> None:
    assert Deployment(server_threads=3).threads == 3
