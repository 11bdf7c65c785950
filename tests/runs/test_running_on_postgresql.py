"""The same run on PostgreSQL: catalogue and queue in one database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from tests.runs.conftest import Shelf, WorkerProcess, store_phantom, wait_for

from rounds_hub.runs import service
from rounds_hub.runs.service import Asked
from rounds_hub.settings import load_settings
from rounds_kernels import phantoms

if TYPE_CHECKING:
    from pathlib import Path

    from rounds_hub.access.principal import Principal

pytestmark = pytest.mark.postgresql


def test_a_run_is_done_and_a_killed_worker_resumes(
    postgresql: str, tmp_path: Path, shelf: Shelf, doctor: Principal
) -> None:
    from rounds_hub.house import House

    with psycopg.connect(f"{postgresql}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE rounds_runs")
    shelf.add("slow", "# Wait\nimport time\ntime.sleep(2)")
    settings = load_settings(
        data_dir=str(tmp_path / "data"),
        database_url=f"{postgresql}/rounds_runs",
        template_dirs=[str(shelf.folder)],
        free_space_bytes=2**20,
    )
    house = House.open(settings)
    series = store_phantom(house, phantoms.sphere())
    worker = WorkerProcess(house, tmp_path).start()
    run = service.ask(house, doctor, Asked("slow", {"ct": series}))
    wait_for(house, run, "running", "done")
    worker.kill()
    worker.start()
    assert wait_for(house, run).state == "done"
    worker.stop()
    house.close()
