"""The hostile corpus by C-STORE: a real gateway answers each, and lives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from tests.archive.hostile import whole_corpus
from tests.gateway.speaking import (
    GatewayProcess,
    answer,
    associated,
    command,
    dcmtk,
    free_port,
    gateway_process,
    storescu,
    unit,
    write_slices,
)

from rounds_hub.archive.walking import Limits, walk_group
from rounds_hub.errors import InvalidError
from rounds_hub.gateway.messages import decode_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.archive.hostile_blocks import Hostile

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("hostile")]

PIECE = 16_000
NODES = [
    {"name": "storescu", "ae_title": "STORESCU"},
    {
        "name": "tester",
        "ae_title": "TESTER",
        "may_query": True,
        "private_classes": True,
    },
]
CT = "1.2.840.10008.5.1.4.1.1.2"


@dataclass(frozen=True, slots=True)
class Sent:
    """What was answered to a file, None where the association ended instead."""

    name: str
    status: int | None
    taken: bool
    seconds: float


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("hostile-gateway") / "house"
    nodes = f"c.Rounds.nodes = {NODES!r}"
    with gateway_process(folder, free_port(), settings=nodes) as running:
        write_slices(folder, [1])
        assert "Success" in storescu(running.port, folder / "000001.dcm")
        Path(f"/proc/{running.process.pid}/clear_refs").write_text("5")
        yield running


@pytest.fixture(scope="module")
def sent(gateway: GatewayProcess) -> list[Sent]:
    """Send each data set of the corpus and return what was answered."""
    every = (send(gateway, hostile) for hostile in whole_corpus())
    return [one for one in every if one is not None]


def send(gateway: GatewayProcess, hostile: Hostile) -> Sent | None:
    """Send one data set; None where the file says not even how it is encoded."""
    if hostile.name.startswith("meta"):
        return None
    try:
        meta, start = walk_group(hostile.data, 132, 2, Limits())
    except InvalidError:
        return None
    syntax = text(meta.get(0x00020010, b""))
    if not syntax:
        return None
    uid = text(meta.get(0x00020003, b"1.2.3.4"))
    name = text(meta.get(0x00020002, CT.encode()))
    begun = seconds_of(gateway)
    status = stored(gateway.port, (name, syntax, uid), hostile.data[start:])
    spent = seconds_of(gateway) - begun
    return Sent(hostile.name, status, not hostile.rule, spent)


def seconds_of(gateway: GatewayProcess) -> float:
    """Return how long the gateway had a processor."""
    times = psutil.Process(gateway.process.pid).cpu_times()
    return float(times.user + times.system)


def text(value: bytes) -> str:
    return value.decode("ascii", "replace").strip("\0 ")


def stored(port: int, named: tuple[str, str, str], data: bytes) -> int | None:
    """Return the status of a C-STORE of *data*."""
    sop_class, syntax, uid = named
    with associated(port, classes=(sop_class,), syntaxes=(syntax,)) as connection:
        said: dict[str, Any] = {"Priority": 0, "CommandDataSetType": 1}
        said |= {"AffectedSOPClassUID": sop_class, "AffectedSOPInstanceUID": uid}
        try:
            connection.sendall(command(1, **said))
            for at in range(0, max(len(data), 1), PIECE):
                last = at + PIECE >= len(data)
                connection.sendall(unit(1, 2 if last else 0, data[at : at + PIECE]))
        except OSError:
            return None
        kind, body = answer(connection)
        return int(decode_command(body[6:])["Status"]) if kind == 4 else None


def test_every_data_set_is_answered_as_the_corpus_says(sent: list[Sent]) -> None:
    assert len(sent) > 300
    assert [one for one in sent if (one.status == 0) != one.taken] == []


def test_no_data_set_takes_longer_than_it_may(sent: list[Sent]) -> None:
    assert [one for one in sent if one.seconds > 10] == []


def test_what_was_taken_is_found_with_all_that_it_says_of_itself(
    sent: list[Sent], gateway: GatewayProcess
) -> None:
    asked = ["PatientID=H-*", "PatientName", "SeriesDescription", "StudyDescription"]
    keys = [
        part for key in ["QueryRetrieveLevel=STUDY", *asked] for part in ("-k", key)
    ]
    titles = ["-aet", "TESTER", "-aec", "ROUNDS"]
    said = dcmtk("findscu", "-S", *titles, *keys, "127.0.0.1", str(gateway.port))
    assert said.stdout.count("# Dicom-Data-Set") == sum(one.taken for one in sent)


def test_the_gateway_has_not_grown_and_still_serves(
    sent: list[Sent], gateway: GatewayProcess, tmp_path: Path
) -> None:
    assert sent
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    most = int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) // 1024
    assert most < 256 + 200
    write_slices(tmp_path, [2])
    assert "Success" in storescu(gateway.port, tmp_path / "000002.dcm")
