"""C-GET and C-MOVE, asked for by DCMTK's getscu and movescu and by pynetdicom."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import CTImageStorage
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined] # made at run time
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from rounds_hub.archive import service as archive
from rounds_hub.gateway.models import Node

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pynetdicom.association import Association
    from pynetdicom.events import Event

    from rounds_hub.access.principal import Principal
    from rounds_hub.gateway.listener import Listener
    from rounds_hub.house import House

    Kept = Callable[..., archive.Outcome]
    Run = Callable[..., Any]
    Done = subprocess.CompletedProcess[str]

STUDY_MOVE = StudyRootQueryRetrieveInformationModelMove
STUDY_GET = StudyRootQueryRetrieveInformationModelGet


@pytest.fixture(autouse=True)
def ward(house: House) -> Node:
    """Let the station WARD have instances sent that doctors may see."""
    ward = Node(name="ward", ae_title="WARD", may_move=True, roles=["doctor"])
    with house.sessions.begin() as session:
        session.add(ward)
    return ward


@pytest.fixture
def ask(gateway: Listener) -> Iterator[Callable[..., Association]]:
    """Return a function that opens an association of WARD for some contexts."""
    opened: list[Association] = []

    def associate(*contexts: str, title: str = "WARD", **more: object) -> Association:
        entity = AE(ae_title=title)
        for context in contexts:
            entity.add_requested_context(context)
        entity.acse_timeout = entity.dimse_timeout = 30
        opened.append(
            entity.associate(
                "127.0.0.1", gateway.port, ae_title="ROUNDS", **cast("Any", more)
            )
        )
        return opened[-1]

    yield associate
    for one in opened:
        if one.is_established:
            one.abort()


def study(uid: str) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = uid
    return identifier


def final(responses: Iterator[tuple[Dataset, Dataset | None]]) -> Dataset:
    return list(responses)[-1][0]


def counts(status: Dataset) -> tuple[int, int, int]:
    return (
        status.NumberOfCompletedSuboperations,
        status.NumberOfFailedSuboperations,
        status.NumberOfWarningSuboperations,
    )


@pytest.mark.parametrize(
    ("root", "level", "keys"),
    [
        pytest.param("-P", "PATIENT", ["PatientID"], id="patient root, patient"),
        pytest.param("-P", "STUDY", ["PatientID", "StudyInstanceUID"], id="patient"),
        pytest.param("-S", "STUDY", ["StudyInstanceUID"], id="study root, study"),
        pytest.param(
            "-S", "SERIES", ["StudyInstanceUID", "SeriesInstanceUID"], id="series"
        ),
        pytest.param("-S", "IMAGE", ["SOPInstanceUID"], id="image"),
    ],
)
def test_getscu_gets_what_it_names(
    root: str, level: str, keys: list[str], wanted: Wanted, run: Run
) -> None:
    named = [f"{key}={wanted.header[key].value}" for key in keys]
    asked = [f"QueryRetrieveLevel={level}", *named]
    got = run("getscu", root, *(part for one in asked for part in ("-k", one)))
    assert got.code == 0, got.said
    count = 1 if level == "IMAGE" else 4
    assert wanted.same(got.files()) == count


class Wanted:
    """A series that is kept, and whether files are of it, byte for byte."""

    def __init__(
        self, house: House, doctor: Principal, outcome: archive.Outcome
    ) -> None:
        every = archive.instances_of(house, doctor, outcome.series_uid)
        self.study_uid = outcome.study_uid
        self.instances = {one.uid: dcmread(one.path) for one in every}
        self.header = next(iter(self.instances.values()))

    def same(self, files: list[Path]) -> int:
        """Return how many of *files* are ours and unchanged."""
        theirs = [dcmread(path) for path in files]
        return sum(one == self.instances[one.SOPInstanceUID] for one in theirs)


@pytest.fixture
def wanted(house: House, doctor: Principal, kept: Kept) -> Wanted:
    return Wanted(house, doctor, kept())


class Got:
    """What a program of DCMTK did."""

    def __init__(self, done: Done, folder: Path) -> None:
        self.code, self.said, self.folder = done.returncode, done.stdout, folder

    def files(self) -> list[Path]:
        return sorted(self.folder.iterdir())


@pytest.fixture
def run(gateway: Listener, dcmtk: Run, tmp_path: Path) -> Run:
    """Return a function that runs getscu or movescu as WARD against the gateway."""

    def start(program: str, *options: str) -> Got:
        folder = tmp_path / "got"
        folder.mkdir()
        where = ["-od", str(folder), "+B"] if program == "getscu" else []
        titles = ["-aet", "WARD", "-aec", "ROUNDS"]
        address = ["127.0.0.1", str(gateway.port)]
        return Got(dcmtk(program, "-v", *titles, *where, *options, *address), folder)

    return start


def test_movescu_moves_to_a_node_that_may_receive(
    house: House, receiver: Run, run: Run, wanted: Wanted
) -> None:
    desk = receiver("+B")
    desk.known_to(house)
    keys = ["-k", "QueryRetrieveLevel=STUDY"]
    keys += ["-k", f"StudyInstanceUID={wanted.study_uid}"]
    moved = run("movescu", "-S", "-aem", "DESK", *keys)
    assert moved.code == 0, moved.said
    assert wanted.same(desk.files()) == 4


@pytest.mark.parametrize(
    ("title", "fields"),
    [
        pytest.param("NOBODY", {}, id="unknown"),
        pytest.param("DESK", {"may_receive": False}, id="no right"),
        pytest.param("DESK", {"enabled": False}, id="switched off"),
        pytest.param("DESK", {"host": ""}, id="no host"),
    ],
)
def test_a_destination_that_may_not_receive_is_unknown(
    title: str, fields: dict[str, Any], house: House, ask: Run, wanted: Wanted
) -> None:
    own = {"name": "desk", "ae_title": "DESK", "host": "127.0.0.1"} | fields
    with house.sessions.begin() as session:
        session.add(Node(**own))
    association = ask(STUDY_MOVE)
    said = association.send_c_move(study(wanted.study_uid), title, STUDY_MOVE)
    assert final(said).Status == 0xA801


def test_progress_is_told_and_the_originator_is_named(
    house: House, receiver: Run, ask: Run, wanted: Wanted
) -> None:
    desk = receiver("-d")
    desk.known_to(house)
    association = ask(STUDY_MOVE)
    said = list(association.send_c_move(study(wanted.study_uid), "DESK", STUDY_MOVE))
    left = [one.NumberOfRemainingSuboperations for one, _ in said[:-1]]
    assert (left, counts(said[-1][0])) == ([3, 2, 1], (4, 0, 0))
    assert "Move Originator AE Title      : WARD" in desk.log.read_text()


def test_what_the_destination_refuses_is_counted_and_named(
    house: House, ask: Run, wanted: Wanted, refusing: int
) -> None:
    with house.sessions.begin() as session:
        session.add(Node(name="d", ae_title="DESK", host="127.0.0.1", port=refusing))
    association = ask(STUDY_MOVE)
    said = list(association.send_c_move(study(wanted.study_uid), "DESK", STUDY_MOVE))
    status, failed = said[-1]
    assert (status.Status, counts(status)) == (0xB000, (3, 1, 0))
    assert failed is not None
    assert failed.FailedSOPInstanceUIDList in wanted.instances


@pytest.fixture
def refusing() -> Iterator[int]:
    """Return the port of a receiver that refuses the second instance."""
    count = iter(range(100))

    def store(event: Event) -> int:
        del event
        return 0xA900 if next(count) == 1 else 0

    entity = AE()
    entity.add_supported_context(CTImageStorage)
    address = ("127.0.0.1", 0)
    handlers: list[Any] = [(evt.EVT_C_STORE, store)]
    server = entity.start_server(address, block=False, evt_handlers=handlers)
    assert server is not None
    yield int(server.server_address[1])
    server.shutdown()


def test_a_cancel_ends_a_move_while_the_destination_is_slow(
    house: House, receiver: Run, ask: Run, wanted: Wanted
) -> None:
    receiver("--sleep-after", "20").known_to(house)
    association, begun = ask(STUDY_MOVE), time.monotonic()
    said = association.send_c_move(study(wanted.study_uid), "DESK", STUDY_MOVE)
    association.send_c_cancel(1, query_model=STUDY_MOVE)
    assert final(said).Status == 0xFE00
    assert time.monotonic() - begun < 15


def test_a_destination_that_is_gone_fails_everything(
    house: House, ask: Run, wanted: Wanted
) -> None:
    with house.sessions.begin() as session:
        session.add(Node(name="desk", ae_title="DESK", host="127.0.0.1", port=1))
    said = ask(STUDY_MOVE).send_c_move(study(wanted.study_uid), "DESK", STUDY_MOVE)
    status = final(said)
    assert (status.Status, counts(status)) == (0xA702, (0, 4, 0))


def test_a_get_can_be_cancelled(ask: Run, wanted: Wanted) -> None:
    stored: list[Event] = []
    association: Association

    def store(event: Event) -> int:
        stored.append(event)
        association.send_c_cancel(1, query_model=STUDY_GET)
        return 0

    association = ask(
        STUDY_GET,
        CTImageStorage,
        ext_neg=[build_role(CTImageStorage, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, store)],
    )
    status = final(association.send_c_get(study(wanted.study_uid), STUDY_GET))
    assert (status.Status, len(stored) < 4) == (0xFE00, True)


def test_a_get_without_a_context_for_the_instances_fails_them(
    ask: Run, wanted: Wanted
) -> None:
    status = final(ask(STUDY_GET).send_c_get(study(wanted.study_uid), STUDY_GET))
    assert (status.Status, counts(status)) == (0xA702, (0, 4, 0))


def test_a_node_gets_nothing_that_its_roles_may_not_see(
    house: House, ask: Run, kept: Kept
) -> None:
    house.settings.import_audience = ["role:teacher"]
    hidden = kept(seed=7).study_uid
    status = final(ask(STUDY_GET).send_c_get(study(hidden), STUDY_GET))
    assert (status.Status, counts(status)) == (0x0000, (0, 0, 0))


def test_without_the_right_to_move_nothing_is_accepted(
    house: House, ask: Run, wanted: Wanted
) -> None:
    del wanted
    with house.sessions.begin() as session:
        session.add(Node(name="asks", ae_title="ASKS", may_query=True))
    association = ask(STUDY_MOVE, STUDY_GET, title="ASKS")
    assert not association.is_established


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize(
    "keys",
    [
        pytest.param({"QueryRetrieveLevel": "STUDY"}, id="nothing named"),
        pytest.param(
            {"QueryRetrieveLevel": "PATIENT", "PatientID": "1"}, id="no such level"
        ),
        pytest.param(
            {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.*"}, id="a pattern"
        ),
        pytest.param({"StudyInstanceUID": "1.2"}, id="no level"),
    ],
)
def test_an_identifier_that_names_nothing_is_refused(
    keys: dict[str, str], ask: Run
) -> None:
    identifier = Dataset()
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    assert final(ask(STUDY_GET).send_c_get(identifier, STUDY_GET)).Status == 0xA900


def test_the_patient_root_moves_whole_patients(
    house: House, receiver: Run, ask: Run, kept: Kept
) -> None:
    receiver().known_to(house)
    header, other = kept(), kept(seed=2)
    assert header.study_uid != other.study_uid
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "PATIENT"
    identifier.PatientID = "PHANTOM-SPHERE"
    root = PatientRootQueryRetrieveInformationModelMove
    status = final(ask(root).send_c_move(identifier, "DESK", root))
    assert counts(status) == (8, 0, 0)
