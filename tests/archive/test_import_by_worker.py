"""An upload, a real worker that is killed, and the next one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from rounds_hub.archive.imports import begin_import, get_import
from rounds_hub.archive.models import Import, Instance
from rounds_hub.archive.uploads import Spool, spool_folder

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from rounds_hub.access.principal import Principal
    from rounds_hub.house import House

    MakeBytes = Callable[..., bytes]

FILES = 1500
BOUNDARY = "----rounds"


@pytest.fixture
def uploaded(house: House, doctor: Principal, instance: MakeBytes) -> Import:
    """Upload many instances; nobody imports them yet."""
    spool = Spool(house, f"multipart/form-data; boundary={BOUNDARY}")
    for number in range(1, FILES + 1):
        head = f'name="files"; filename="{number}.dcm"\r\n\r\n'
        spool.write(f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}".encode())
        spool.write(instance(number) + b"\r\n")
    spool.write(f"--{BOUNDARY}--\r\n".encode())
    return begin_import(house, doctor, spool)


def wait_until(true: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_killed_worker_loses_nothing_and_the_next_one_goes_on(
    house: House,
    doctor: Principal,
    uploaded: Import,
    worker: Callable[[], subprocess.Popen[bytes]],
) -> None:
    first = worker()
    wait_until(lambda: get_import(house, doctor, uploaded.id).done > 0)
    first.kill()
    first.wait()
    before = get_import(house, doctor, uploaded.id)
    assert before.state == "running"
    worker()
    wait_until(lambda: get_import(house, doctor, uploaded.id).state == "done")
    after = get_import(house, doctor, uploaded.id)
    assert (after.done, after.summary["refused"]) == (FILES, 0)
    assert after.summary["taken"] >= before.summary["taken"]
    with house.sessions.begin(write=False) as session:
        assert session.scalar(select(func.count()).select_from(Instance)) == FILES
    wait_until(lambda: not spool_folder(house, uploaded.id).exists())
