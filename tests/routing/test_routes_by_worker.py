"""A scanner sends, a real worker routes, a second node gets the result; kill -9."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydicom import dcmread
from sqlalchemy import func, select
from tests.gateway.conftest import run_dcmtk, storescp
from tests.routing.conftest import ADMIN, LABEL, THIN, bring, route, slices, until

from rounds_hub.cases.models import Case
from rounds_hub.gateway.listener import Listener
from rounds_hub.gateway.models import Node, Sending
from rounds_hub.routing import firings, trying
from rounds_hub.routing.models import Firing, SeriesLabel, SeriesState
from rounds_hub.runs.models import Run
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from pydicom import Dataset

    from rounds_hub.house import House

    StartWorker = Callable[..., subprocess.Popen[bytes]]

SERIES = 14
CASE = {"kind": "case", "owner": "tess", "title": "{SeriesDescription}"}


def count(house: House, table: type[Any], *where: Any) -> int:  # noqa: ANN401 (conditions)
    with house.sessions.begin(write=False) as session:
        wanted = select(func.count()).select_from(table).where(*where)
        return session.scalar(wanted) or 0


def scan(house: House, folder: Path, made: list[Dataset]) -> str:
    """Send *made* by C-STORE as the scanner does; return the UID of its series."""
    folder.mkdir()
    for number, one in enumerate(made):
        one.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    with Listener(house) as gateway:
        where = ["127.0.0.1", str(gateway.port)]
        titles = ["-aet", "SCANNER", "-aec", "ROUNDS"]
        said = run_dcmtk("storescu", "+sd", *titles, *where, str(folder))
    assert said.returncode == 0, said.stdout
    return str(made[0].SeriesInstanceUID)


def complete(house: House, uid: str) -> bool:
    return (
        count(
            house,
            SeriesState,
            SeriesState.series_uid == uid,
            SeriesState.state == "complete",
        )
        > 0
    )


@pytest.mark.timeout(400)
def test_a_thin_ct_is_measured_once_and_its_mask_sent_on(
    house: House,
    inside: Any,  # noqa: ANN401 (tests/gateway/netns.py)
    start_worker: StartWorker,
    tmp_path: Path,
) -> None:
    desk = storescp(inside, tmp_path / "desk")
    house.settings.gateway_port, house.settings.series_silence_seconds = 0, 2
    with house.sessions.begin() as session:
        session.add(Node(name="scanner", ae_title="SCANNER"))
    name = desk.known_to(house)
    thin = 'IsVolume and SliceThickness <= 1.25 and Node == "scanner"'
    route(house, thin, {"kind": "run", "template": "lung_volume"})
    mask = 'Modality == "SEG" and Template == "lung_volume"'
    route(house, mask, {"kind": "send", "node": name})
    chest = phantoms.to_dicom(phantoms.thorax(Grid((32, 64, 64), (1.25, 6.0, 6.0))))

    start_worker(house)
    uid = scan(house, tmp_path / "first", chest)
    until(lambda: count(house, Sending, Sending.state == "done") == 1)

    (sent,) = desk.files()
    assert dcmread(sent).Modality == "SEG"
    assert [one.state for one in firings.list_firings(house, ADMIN)] == ["done"] * 2

    scan(house, tmp_path / "again", chest)
    # What is sent after it is looked at after it.
    later = scan(house, tmp_path / "later", slices(seed=8))
    until(lambda: complete(house, later))
    # The small series that came later has no lungs, but it is thin: a run of its own.
    on_chest = firings.list_firings(house, ADMIN, series_uid=uid)
    assert len(on_chest) == 1
    assert (len(desk.files()), desk.received()) == (1, 1)
    found = trying.dry_run(house, ADMIN, uid).tried[0]
    assert (found.verdict.outcome, found.states) == ("fires", ("done",))


@pytest.mark.timeout(400)
def test_a_killed_worker_does_every_action_once(
    any_house: House, start_worker: StartWorker
) -> None:
    any_house.settings.series_silence_seconds = 0
    route(any_house, THIN, LABEL, CASE)
    uids = {bring(any_house, slices(seed=number)) for number in range(SERIES)}
    assert len(uids) == SERIES
    first = start_worker(any_house)
    until(lambda: count(any_house, Firing, Firing.state == "done") >= 1)
    first.kill()
    first.wait()
    before = count(any_house, Firing, Firing.state == "done")
    for _ in range(2 if any_house.settings.database_url.startswith("postgres") else 1):
        start_worker(any_house)
    until(lambda: count(any_house, Firing, Firing.state == "done") == 2 * SERIES)
    assert before < 2 * SERIES
    assert count(any_house, Firing) == 2 * SERIES
    assert (count(any_house, SeriesLabel), count(any_house, Case)) == (SERIES, SERIES)
    assert count(any_house, Run) == 0
