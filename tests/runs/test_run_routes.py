"""Templates and runs over HTTP: what is answered, to whom, and how it is shown."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from tests.runs.conftest import number

from rounds_hub.runs import service, templates
from rounds_hub.runs.models import Run
from rounds_hub.runs.rendering import notebook_page
from rounds_hub.runs.states import attempt_of, run_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx
    from tests.runs.conftest import Shelf

    from rounds_hub.house import House


@pytest.fixture
def asked(shelf: Shelf, ball: str) -> dict[str, Any]:
    """Return a request that fits."""
    shelf.add("trial", "1", parameters=[number("threshold", -400.0, maximum=0)])
    return {"template": "trial", "inputs": {"ct": ball}, "parameters": {}}


@pytest.fixture
def as_doctor(client_as: Callable[..., httpx.Client]) -> httpx.Client:
    return client_as("doctor")


def test_templates_are_listed_with_what_they_declare(as_doctor: httpx.Client) -> None:
    said = {one["name"]: one for one in as_doctor.get("api/templates").json()}
    assert said["lung_volume"]["title"]["zh"] == "肺容积与密度"
    assert said["lung_volume"]["inputs"][0]["modality"] == ["CT"]


def test_a_template_has_a_picture(as_doctor: httpx.Client) -> None:
    answer = as_doctor.get("api/templates/lung_volume/picture.png")
    assert answer.headers["content-type"] == "image/png"


def test_a_missing_template_is_answered_with_the_known_ones(
    as_doctor: httpx.Client,
) -> None:
    answer = as_doctor.get("api/templates/liver")
    assert answer.status_code == 404
    assert "lung_volume" in answer.json()["detail"]


def test_a_new_run_is_accepted(as_doctor: httpx.Client, asked: dict[str, Any]) -> None:
    answer = as_doctor.post("api/runs", json=asked)
    assert answer.status_code == 202
    assert (answer.json()["state"], answer.json()["asked_by"]) == (
        "waiting",
        ["doctor"],
    )
    assert answer.json()["parameters"] == {"threshold": -400.0}


def test_a_run_that_was_done_is_answered_at_once(
    as_doctor: httpx.Client, asked: dict[str, Any], house: House
) -> None:
    run_id = as_doctor.post("api/runs", json=asked).json()["id"]
    finish(house, run_id)
    answer = as_doctor.post("api/runs", json=asked)
    assert (answer.status_code, answer.json()["id"]) == (200, run_id)


BAD = [
    pytest.param({"parameters": {"typo": 1}}, "typo", id="an unknown parameter"),
    pytest.param({"parameters": {"threshold": "-4"}}, "threshold", id="a wrong type"),
    pytest.param({"parameters": {"threshold": 5}}, "threshold", id="out of range"),
    pytest.param({"inputs": {}}, "inputs.ct", id="a series is missing"),
    pytest.param({"inputs": {"mr": "1.2"}}, "inputs.mr", id="an unknown input"),
    pytest.param({"inputs": "1.2"}, "inputs", id="no inputs at all"),
]


@pytest.mark.parametrize(("changes", "place"), BAD)
def test_what_does_not_fit_is_refused_by_place(
    as_doctor: httpx.Client, asked: dict[str, Any], changes: dict[str, Any], place: str
) -> None:
    answer = as_doctor.post("api/runs", json={**asked, **changes})
    assert answer.status_code == 422
    assert place in answer.json()["problems"]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused(
    as_doctor: httpx.Client, asked: dict[str, Any], text: str
) -> None:
    body = json.dumps(asked).replace("{}", f'{{"threshold": {text}}}')
    headers = {"content-type": "application/json"}
    answer = as_doctor.post("api/runs", content=body, headers=headers)
    assert answer.status_code == 422


def test_a_series_of_another_modality_is_refused(
    as_doctor: httpx.Client, ball: str
) -> None:
    asked = {"template": "brain_tissue", "inputs": {"t1": ball}}
    answer = as_doctor.post("api/runs", json=asked)
    assert answer.json()["problems"] == {
        "inputs.t1": "The series has modality 'CT'; MR is needed."
    }


def test_who_may_not_see_a_series_may_not_run_on_it(
    client_as: Callable[..., httpx.Client], asked: dict[str, Any]
) -> None:
    assert client_as("student").post("api/runs", json=asked).status_code == 404


def test_who_is_not_signed_in_is_told_so(
    client_as: Callable[..., httpx.Client], asked: dict[str, Any]
) -> None:
    assert client_as("").post("api/runs", json=asked).status_code == 401


def test_a_run_of_others_is_not_there_for_a_student(
    client_as: Callable[..., httpx.Client], asked: dict[str, Any]
) -> None:
    run_id = client_as("doctor").post("api/runs", json=asked).json()["id"]
    student = client_as("student")
    tails = ("", "/events", "/notebook.ipynb", "/notebook.html", "/files/x.png")
    answers = [student.get(f"api/runs/{run_id}{tail}").status_code for tail in tails]
    assert answers == [404] * 5
    assert student.post(f"api/runs/{run_id}/cancel").status_code == 404
    assert student.get("api/runs").json() == []


def test_a_colleague_sees_the_run_and_not_who_asked(
    client_as: Callable[..., httpx.Client], asked: dict[str, Any]
) -> None:
    run_id = client_as("doctor").post("api/runs", json=asked).json()["id"]
    said = client_as("ben", "doctor").get(f"api/runs/{run_id}").json()
    assert (said["id"], said["asked_by"], said["case_id"]) == (run_id, [], None)


def test_only_who_asked_may_cancel(
    client_as: Callable[..., httpx.Client], asked: dict[str, Any]
) -> None:
    run_id = client_as("doctor").post("api/runs", json=asked).json()["id"]
    other = client_as("ben", "doctor").post(f"api/runs/{run_id}/cancel")
    assert other.status_code == 403
    own = client_as("doctor").post(f"api/runs/{run_id}/cancel")
    assert own.json()["state"] == "cancelled"


def test_events_tell_the_run_and_end_with_it(
    as_doctor: httpx.Client, asked: dict[str, Any]
) -> None:
    run_id = as_doctor.post("api/runs", json=asked).json()["id"]
    states = []
    with as_doctor.stream("GET", f"api/runs/{run_id}/events") as events:
        for line in events.iter_lines():
            if line.startswith("data: "):
                states.append(json.loads(line[6:])["state"])
                as_doctor.post(f"api/runs/{run_id}/cancel")
    assert states == ["waiting", "cancelled"]


def finish(house: House, run_id: str) -> Path:
    """Bring a run's row to its end as a worker would, and return its folder."""
    with house.sessions.begin() as session:
        run = session.get(Run, run_id)
        assert run is not None
        run.state = "done"
        run.results = {"files": {"a.png": "figures/a.png"}}
        folder = run_folder(house.settings, attempt_of(run))
    (folder / "figures").mkdir(parents=True)
    (folder / "figures" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder


HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>"
    "<a href='javascript:alert(1)'>x</a><iframe src='https://example.org'></iframe>"
    "<b>kept</b>"
)


def hostile_notebook(path: Path) -> None:
    """Write a notebook that tries to run something on the reader's side."""
    shown = nbformat.v4.new_output("display_data", data={"text/html": HOSTILE})  # type: ignore[no-untyped-call]
    run = {"application/javascript": "alert(1)", "text/plain": "js"}
    scripted = nbformat.v4.new_output("display_data", data=run)  # type: ignore[no-untyped-call]
    cell = nbformat.v4.new_code_cell("1", outputs=[shown, scripted])  # type: ignore[no-untyped-call]
    text = nbformat.v4.new_markdown_cell(f"## A heading\n\n{HOSTILE}")  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=[text, cell])  # type: ignore[no-untyped-call]
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]


def test_a_notebook_is_shown_without_anything_that_runs(tmp_path: Path) -> None:
    hostile_notebook(tmp_path / "x.ipynb")
    page = notebook_page(tmp_path / "x.ipynb", "A <title>")
    seen = _Tags()
    seen.feed(page)
    assert "<b>kept</b>" in page
    assert "<h2>A heading</h2>" in page
    assert "A &lt;title&gt;" in page
    assert not seen.names & {"script", "iframe", "object", "embed", "form", "link"}
    assert [name for name in seen.attributes if name.startswith("on")] == []
    assert [one for one in seen.addresses if not one.startswith("data:")] == []


class _Tags(HTMLParser):
    """Collects the tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += [name for name, _ in attrs]
        self.addresses += [
            value or "" for name, value in attrs if name in {"href", "src"}
        ]


def test_the_notebook_page_is_served_in_a_sandbox(
    as_doctor: httpx.Client, asked: dict[str, Any], house: House
) -> None:
    run_id = as_doctor.post("api/runs", json=asked).json()["id"]
    hostile_notebook(finish(house, run_id) / "notebook.ipynb")
    answer = as_doctor.get(f"api/runs/{run_id}/notebook.html")
    assert answer.headers["content-security-policy"] == (
        "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    )


def test_only_declared_results_can_be_asked_for(
    as_doctor: httpx.Client, asked: dict[str, Any], house: House
) -> None:
    run_id = as_doctor.post("api/runs", json=asked).json()["id"]
    (finish(house, run_id) / "job.json").write_text("{}")
    found = as_doctor.get(f"api/runs/{run_id}/files/a.png")
    assert found.headers["content-type"] == "image/png"
    for name in ("job.json", "..%2Fjob.json", "figures%2Fa.png", "b.png"):
        answer = as_doctor.get(f"api/runs/{run_id}/files/{name}")
        assert answer.status_code == 404


def test_changing_any_one_thing_is_another_run(
    house: House, shelf: Shelf, ball: str
) -> None:
    shelf.add("one", "1", parameters=[number("threshold", -400.0)])
    shelf.add("two", "1", parameters=[number("threshold", -400.0)])
    known = {name: templates.find(house.settings, name) for name in ("one", "two")}
    given = [{"name": "ct", "content_hash": "a", "series_uid": ball}]
    base = service.run_id(known["one"], {"threshold": -400.0}, given)
    others = [
        service.run_id(known["two"], {"threshold": -400.0}, given),
        service.run_id(known["one"], {"threshold": -401.0}, given),
        service.run_id(
            known["one"], {"threshold": -400.0}, [{**given[0], "name": "x"}]
        ),
        service.run_id(
            known["one"], {"threshold": -400.0}, [{**given[0], "content_hash": "b"}]
        ),
    ]
    assert len({base, *others}) == 5
    assert base == service.run_id(known["one"], {"threshold": -400.0}, given)
