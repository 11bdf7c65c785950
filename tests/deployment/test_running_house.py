"""A whole house on loopback: sign-in, servers, and parts that are killed."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from rounds_hub.cli.notebooks import Kernel
from rounds_hub.cli.visitor import Visitor
from rounds_hub.errors import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rounds_hub.cli.demo_process import DemoHouse

pytestmark = [pytest.mark.hub, pytest.mark.timeout(300)]


def eventually(true: Callable[[], bool], seconds: float = 60) -> bool:
    """Return whether *true* becomes so in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if true():
                return True
        except (httpx.HTTPError, LookupError, psutil.Error):
            pass  # not yet
        time.sleep(0.1)
    return False


def process_of(demo: DemoHouse, module: str) -> psutil.Process:
    """Return the process of the house that runs *module*."""
    for process in psutil.Process(demo.process.pid).children(recursive=True):
        with suppress(psutil.Error):
            if module in process.cmdline():
                return process
    raise LookupError(module)


@pytest.fixture
def doctor(demo: DemoHouse) -> Iterator[Visitor]:
    with demo.visitor("doctor") as visitor:
        yield visitor


@pytest.mark.parametrize("name", ["student", "doctor", "researcher", "teacher"])
def test_an_account_has_its_role(demo: DemoHouse, name: str) -> None:
    with demo.visitor(name) as visitor:
        assert visitor.api("me")["roles"] == [name]


def test_the_admin_is_one(demo: DemoHouse) -> None:
    with demo.visitor("admin") as visitor:
        assert "admin" in visitor.api("me")["roles"]


@pytest.mark.parametrize(
    ("name", "password_of"),
    [
        pytest.param("teacher", "student", id="another's password"),
        pytest.param("nobody", "student", id="no such account"),
    ],
)
def test_a_wrong_password_opens_nothing(
    demo: DemoHouse, name: str, password_of: str
) -> None:
    with (
        Visitor(demo.url, name) as visitor,
        pytest.raises(ForbiddenError, match=name),
    ):
        visitor.sign_in(demo.accounts[password_of])


def test_nobody_gets_anything_from_the_service_unknown(demo: DemoHouse) -> None:
    with Visitor(demo.url, "nobody") as visitor:
        assert visitor.ask("me").status_code == 401


def test_the_hubs_pages_carry_the_look(demo: DemoHouse) -> None:
    page = httpx.get(f"{demo.url}hub/login").text
    assert 'class="wordmark"' in page


def test_the_hubs_pages_are_closed_to_frames(demo: DemoHouse) -> None:
    headers = httpx.get(f"{demo.url}hub/login").headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_a_server_knows_nothing_of_the_services(doctor: Visitor) -> None:
    doctor.open_in_server("lab", {})
    kernel = Kernel.start(doctor)
    said = kernel.run(["import os; print(sorted(os.environ))"])[0]
    kernel.stop()
    assert "ROUNDS_URL" in said
    assert "ROUNDS_DATA" not in said
    assert "CONFIGPROXY" not in said


def test_a_servers_token_reaches_the_service_as_its_user(doctor: Visitor) -> None:
    doctor.open_in_server("lab", {})
    kernel = Kernel.start(doctor)
    source = (
        "import httpx, os; t = os.environ['JUPYTERHUB_API_TOKEN'];"
        "print(httpx.get(os.environ['ROUNDS_URL'] + 'api/me',"
        " headers={'Authorization': f'token {t}'}).json()['name'])"
    )
    said = kernel.run([source])[0]
    kernel.stop()
    assert said.strip() == "doctor"


def test_nobody_enters_another_ones_server(demo: DemoHouse, doctor: Visitor) -> None:
    doctor.open_in_server("lab", {})
    with demo.visitor("student") as student:
        answer = student.client.get("user/doctor/api/contents")
    assert answer.status_code in {401, 403, 404}


def test_signing_out_ends_the_sessions_of_every_browser(demo: DemoHouse) -> None:
    with demo.visitor("researcher") as one, demo.visitor("researcher") as other:
        one.sign_out()
        assert eventually(lambda: other.ask("me").status_code == 401, 15)


@pytest.mark.parametrize("module", ["rounds_hub.web", "rounds_hub.work.worker"])
def test_a_killed_service_comes_back(
    demo: DemoHouse, doctor: Visitor, module: str
) -> None:
    before = process_of(demo, module)
    before.send_signal(signal.SIGKILL)
    assert eventually(lambda: process_of(demo, module).pid != before.pid)
    assert eventually(lambda: doctor.ask("me").status_code == 200)


def test_a_server_outlives_the_hub(demo: DemoHouse, doctor: Visitor) -> None:
    doctor.open_in_server("lab", {})
    kernel = Kernel.start(doctor)
    kernel.run(["x = 42"])
    before = process_of(demo, "rounds_hub.deployment.hub")
    before.send_signal(signal.SIGKILL)
    assert eventually(
        lambda: process_of(demo, "rounds_hub.deployment.hub").pid != before.pid
    )
    assert eventually(lambda: doctor.ask("me").status_code == 200)
    assert eventually(
        lambda: doctor.client.get("user/doctor/api/kernels").status_code == 200
    )
    assert kernel.run(["print(x)"])[0].strip() == "42"


def test_nothing_of_the_house_listens_on_every_address(demo: DemoHouse) -> None:
    house = psutil.Process(demo.process.pid)
    listening = {
        connection.laddr.ip
        for process in [house, *house.children(recursive=True)]
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening <= {"127.0.0.1", "::1"}


def test_what_is_kept_is_readable_for_its_owner_alone(demo: DemoHouse) -> None:
    open_files = [
        path.name for path in demo.data.iterdir() if path.stat().st_mode & 0o077
    ]
    assert (demo.data.stat().st_mode & 0o077, open_files) == (0, [])


def test_the_log_names_no_password(demo: DemoHouse) -> None:
    said = (demo.data / "log" / "hub.log").read_text()
    assert [name for name, word in demo.accounts.items() if word in said] == []


def test_the_house_is_one_process_tree(demo: DemoHouse) -> None:
    house = psutil.Process(demo.process.pid)
    assert os.getpid() == house.ppid()


def test_a_class_that_starts_at_once_all_gets_its_servers(demo: DemoHouse) -> None:
    def start(name: str) -> str:
        with demo.visitor(name) as visitor:
            return visitor.open_in_server("lab", {})

    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(start, demo.accounts))
    assert ended == ["lab"] * len(demo.accounts)


def test_guessing_passwords_is_slowed_down(demo: DemoHouse) -> None:
    with Visitor(demo.url, "guessed") as visitor:
        for _ in range(10):
            with pytest.raises(ForbiddenError, match="403"):
                visitor.sign_in("a guess")
        with pytest.raises(ForbiddenError, match="429"):
            visitor.sign_in("a guess")
