"""The demo's accounts."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from tornado.web import HTTPError

from rounds_hub.deployment.accounts import DemoAuthenticator
from rounds_hub.deployment.demo import DEMO_ACCOUNTS, demo_passwords

if TYPE_CHECKING:
    from pathlib import Path


def test_every_account_has_a_password_of_its_own(tmp_path: Path) -> None:
    passwords = demo_passwords(tmp_path)
    assert len(set(passwords.values())) == len(DEMO_ACCOUNTS)


def test_passwords_stay_the_same(tmp_path: Path) -> None:
    assert demo_passwords(tmp_path) == demo_passwords(tmp_path)


def test_other_houses_have_other_passwords(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert demo_passwords(tmp_path / "a") != demo_passwords(tmp_path / "b")


def test_only_the_owner_reads_the_passwords(tmp_path: Path) -> None:
    demo_passwords(tmp_path)
    assert (tmp_path / "accounts.json").stat().st_mode & 0o077 == 0


def test_a_damaged_file_makes_new_passwords(tmp_path: Path) -> None:
    (tmp_path / "accounts.json").write_text("{")
    assert set(demo_passwords(tmp_path)) == {each.name for each in DEMO_ACCOUNTS}


@pytest.fixture
def authenticator() -> DemoAuthenticator:
    return DemoAuthenticator(
        passwords={"doctor": "of the doctor", "student": "of the student"},
        allowed_users={"doctor", "student"},
        guesses=2,
    )


def sign_in(authenticator: DemoAuthenticator, name: str, password: str) -> Any:  # noqa: ANN401 (the hub's own model)
    """Return what the hub is told of *name* with *password*."""
    handler = SimpleNamespace(request=SimpleNamespace(remote_ip="127.0.0.1"))
    data = {"username": name, "password": password}
    return asyncio.run(authenticator.get_authenticated_user(handler, data))


def test_the_right_password_signs_in(authenticator: DemoAuthenticator) -> None:
    assert sign_in(authenticator, "doctor", "of the doctor")["name"] == "doctor"


@pytest.mark.parametrize(
    ("name", "password"),
    [
        pytest.param("doctor", "of the student", id="another's password"),
        pytest.param("doctor", "", id="no password"),
        pytest.param("nobody", "", id="unknown name"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_a_wrong_password_does_not(
    authenticator: DemoAuthenticator, name: str, password: str
) -> None:
    assert sign_in(authenticator, name, password) is None


def test_guessing_ends_even_with_the_right_password(
    authenticator: DemoAuthenticator,
) -> None:
    for _ in range(2):
        sign_in(authenticator, "doctor", "a guess")
    with pytest.raises(HTTPError, match="Too many wrong passwords"):
        sign_in(authenticator, "doctor", "of the doctor")


def test_guessing_at_one_account_leaves_the_others(
    authenticator: DemoAuthenticator,
) -> None:
    for _ in range(2):
        sign_in(authenticator, "doctor", "a guess")
    assert sign_in(authenticator, "student", "of the student")["name"] == "student"
