"""Remote nodes are asked and pulled from; hostile ones do no harm."""

from __future__ import annotations

import gc
import socket
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any, cast

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid
from pynetdicom import AE, build_context, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined] # made at run time
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive import service as archive
from rounds_hub.errors import ForbiddenError, InvalidError
from rounds_hub.gateway import asking, pulling
from rounds_hub.gateway.asking import MOST_ANSWERS, Question, ask_studies
from rounds_hub.gateway.fetching import fetch
from rounds_hub.gateway.models import Node, Pull
from rounds_hub.gateway.nodes import NodeRecord
from rounds_hub.gateway.reaching import Call, UnreachedError, echo, reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pynetdicom.events import Event

    from rounds_hub.gateway.listener import Listener
    from rounds_hub.house import House

    Remote = Callable[..., Any]
    Wire = Callable[[Callable[[socket.socket], None]], NodeRecord]

# pynetdicom's own acceptor leaves sockets open that the peer has closed.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
FIND = StudyRootQueryRetrieveInformationModelFind


@pytest.fixture(scope="module", autouse=True)
def tidy() -> Iterator[None]:
    """Collect what pynetdicom's acceptors leave before another module runs."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.parametrize(
    ("question", "count"),
    [
        pytest.param(Question(patient_name="PHANTOM"), 2, id="beginning of a name"),
        pytest.param(Question(patient_name="*SPHERE"), 2, id="a pattern"),
        pytest.param(Question(patient_id="PHANTOM-SPHERE"), 2, id="number"),
        pytest.param(Question(since="20191231", until="20200102"), 2, id="days"),
        pytest.param(Question(since="20200102"), 0, id="later"),
        pytest.param(Question(patient_name="Nobody"), 0, id="nobody"),
    ],
)
def test_a_node_is_asked_for_studies(
    question: Question, count: int, house: House, doctor: Principal, far: str
) -> None:
    found = ask_studies(house, doctor, far, question).found
    assert len(found) == count
    assert all(row["PatientName"] == "PHANTOM^SPHERE" for row in found)


@pytest.fixture
def far(house: House, remote: Remote) -> str:
    """Return the name of an archive that the house knows."""
    return str(remote().known_to(house))


@pytest.mark.parametrize("level", ["SERIES", "IMAGE"])
def test_a_node_is_asked_for_what_is_below_a_study(
    level: asking.Level, house: House, remote: Remote
) -> None:
    there = remote()
    header = dcmread(there.folder / "0.dcm")
    keys = {"StudyInstanceUID": header.StudyInstanceUID}
    if level == "IMAGE":
        keys["SeriesInstanceUID"] = header.SeriesInstanceUID
    found = asking.ask(house, there.record, level, keys).found
    assert len(found) == {"SERIES": 1, "IMAGE": 4}[level]


def test_a_node_with_the_patient_root_alone_is_asked_there(
    house: House, remote: Remote
) -> None:
    there = remote("-QS")
    keys = {"PatientID": "PHANTOM-SPHERE"}
    assert len(asking.ask(house, there.record, "STUDY", keys).found) == 2


@pytest.mark.parametrize(
    "question",
    [
        pytest.param(Question(), id="nothing"),
        pytest.param(Question(patient_name="*"), id="everything"),
        pytest.param(Question(patient_id="a\\b"), id="two values"),
        pytest.param(Question(since="2020"), id="no day"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(
    question: Question, house: House, doctor: Principal
) -> None:
    with house.sessions.begin() as session:
        session.add(Node(name="far", ae_title="FAR", host="127.0.0.1", port=1))
    with pytest.raises(InvalidError):
        ask_studies(house, doctor, "far", question)


def test_students_ask_nobody(house: House) -> None:
    student = Principal("student", frozenset({Role.STUDENT}))
    with pytest.raises(ForbiddenError):
        ask_studies(house, student, "far", Question(patient_id="1"))


def pulled(house: House, doctor: Principal, name: str, uid: str) -> Pull:
    begun = pulling.begin_pull(house, doctor, name, uid, patient_id="PHANTOM-SPHERE")
    fetch(house, begun.id)
    return pulling.get_pull(house, doctor, begun.id)


@pytest.mark.parametrize(
    ("options", "method"),
    [
        pytest.param([], "C-GET", id="by C-GET"),
        pytest.param(["--disable-get"], "C-MOVE", id="by C-MOVE"),
        pytest.param(["-QS"], "C-GET", id="patient root"),
    ],
)
def test_a_study_is_pulled_byte_for_byte(
    options: list[str],
    method: str,
    house: House,
    doctor: Principal,
    reached: Remote,
) -> None:
    there = reached(*options)
    study = there.study_uid()
    pull = pulled(house, doctor, "remote", study)
    assert (pull.state, pull.method, pull.done, pull.failed) == ("done", method, 4, 0)
    series = archive.get_study(house, doctor, study).series[0]
    ours = {
        one.uid: dcmread(one.path).PixelData
        for one in archive.instances_of(house, doctor, series.uid)
    }
    theirs = map(dcmread, there.folder.glob("*.dcm"))
    assert ours == {
        one.SOPInstanceUID: one.PixelData
        for one in theirs
        if one.StudyInstanceUID == study
    }


@pytest.fixture
def reached(house: House, gateway: Listener, remote: Remote) -> Remote:
    """Return a function that starts an archive that can also call us."""

    def start(*options: str) -> object:
        there = remote(*options)
        there.network.way_out(gateway.port, 11112)
        there.known_to(house)
        return there

    return start


def test_a_study_that_is_not_there_fails_with_a_reason(
    house: House, doctor: Principal, far: str
) -> None:
    pull = pulled(house, doctor, far, "1.2.3")
    assert (pull.state, pull.done) == ("failed", 0)
    assert "sent nothing" in pull.why


def test_a_pull_that_was_cancelled_brings_nothing(
    house: House, doctor: Principal, far: str
) -> None:
    begun = pulling.begin_pull(house, doctor, far, "1.2.3")
    pulling.cancel_pull(house, doctor, begun.id)
    assert fetch(house, begun.id) == "cancelled"


@pytest.fixture
def serving() -> Iterator[Callable[..., NodeRecord]]:
    """Return a function that serves as an application entity of pynetdicom's."""
    servers: list[Any] = []

    def start(entity: AE, *handlers: tuple[Any, ...]) -> NodeRecord:
        address = ("127.0.0.1", 0)
        server = entity.start_server(
            address, block=False, evt_handlers=cast("Any", handlers)
        )
        assert server is not None
        servers.append(server)
        port = int(server.server_address[1])
        return NodeRecord("odd", "ODD", host="127.0.0.1", port=port)

    yield start
    for server in servers:
        server.shutdown()


@pytest.fixture
def answering(serving: Callable[..., NodeRecord]) -> Callable[..., NodeRecord]:
    """Return a function that starts a node which answers queries in its own way."""

    def start(find: Callable[[Event], Any]) -> NodeRecord:
        entity = AE()
        entity.add_supported_context(FIND)
        return serving(entity, (evt.EVT_C_FIND, find))

    return start


def answer(**values: object) -> tuple[int, Dataset]:
    made = Dataset()
    made.QueryRetrieveLevel = "STUDY"
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return 0xFF00, made


def test_answers_without_end_are_cut_off(
    house: House, answering: Callable[..., NodeRecord]
) -> None:
    def endless(_: Event) -> Iterator[tuple[int, Dataset]]:
        while True:
            yield answer(StudyInstanceUID=generate_uid())

    found = asking.ask(house, answering(endless), "STUDY", {"PatientID": "1"})
    assert (len(found.found), found.more) == (MOST_ANSWERS, True)


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_answers_that_name_nothing_are_left_out_and_texts_are_cleaned(
    house: House, answering: Callable[..., NodeRecord]
) -> None:
    def odd(_: Event) -> Iterator[tuple[int, Dataset]]:
        yield answer(PatientName="Nobody")
        yield answer(StudyInstanceUID="1.2", PatientName="A\x00B" + "x" * 60)
        yield answer(StudyInstanceUID="1.2.3", StudyDescription="y" * 60_000)

    found = asking.ask(house, answering(odd), "STUDY", {"PatientID": "1"})
    assert found.unusable == 1
    assert all(len(text) <= 256 for row in found.found for text in row.values())
    assert all(text.isprintable() for row in found.found for text in row.values())


def test_an_answer_of_many_megabytes_is_not_taken(
    house: House, answering: Callable[..., NodeRecord]
) -> None:
    def large(_: Event) -> Iterator[tuple[int, Dataset]]:
        yield answer(StudyInstanceUID="1.2", TextValue="x" * 2**23)

    with pytest.raises(UnreachedError, match="stopped answering"):
        asking.ask(house, answering(large), "STUDY", {"PatientID": "1"})


@pytest.fixture
def wire() -> Iterator[Wire]:
    """Return a function that starts a node which is no DICOM program at all."""
    opened: list[socket.socket] = []

    def start(talk: Callable[[socket.socket], None]) -> NodeRecord:
        listening = socket.create_server(("127.0.0.1", 0))
        opened.append(listening)

        def serve() -> None:
            while True:
                try:
                    caller, _ = listening.accept()
                    opened.append(caller)
                    talk(caller)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        return NodeRecord("odd", "ODD", "127.0.0.1", listening.getsockname()[1])

    yield start
    for one in opened:
        one.close()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", id="another protocol"),
        pytest.param(b"\x02\0\xff\xff\xff\xff" + b"\0" * 2**16, id="a unit of 4 GiB"),
        pytest.param(b"\x02\0\0\0\x10\0" + b"\0" * 9, id="half a unit"),
    ],
)
def test_what_is_no_dicom_ends_in_time(said: bytes, house: House, wire: Wire) -> None:
    call = Call([build_context(Verification)], patience=1.0)
    begun = time.monotonic()
    node = wire(lambda caller: caller.sendall(said))
    with pytest.raises(UnreachedError), reach(house, node, call):
        pytest.fail("an association with what is no DICOM program")
    assert time.monotonic() - begun < 20
    assert not [one for one in threading.enumerate() if "Requestor" in one.name]


def test_a_node_that_rejects_says_why(
    house: House, serving: Callable[..., NodeRecord]
) -> None:
    entity = AE(ae_title="OTHER")
    entity.require_called_aet = True
    entity.add_supported_context(Verification)
    with pytest.raises(UnreachedError, match="title by which it is called"):
        echo(house, serving(entity))
