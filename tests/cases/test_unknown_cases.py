"""What learners are told of a case that they are to find out about, door by door."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive import reading as archive
from rounds_hub.archive.service import Offer, store
from rounds_hub.cases import saved, service, watching
from rounds_hub.cases.models import Case
from rounds_hub.cases.searching import Question, search, similar
from rounds_hub.cases.searchmodels import SearchRequest
from rounds_hub.cases.unknown import reveal_due
from rounds_hub.catalogue.models import utc_now
from rounds_hub.indexing.consumer import run_once
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid
from rounds_search.requests import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from rounds_hub.cases.found import Found
    from rounds_hub.cases.views import CaseView
    from rounds_hub.house import House

    AddCase = Callable[..., CaseView]
    Client = Callable[..., httpx.Client]
    Serve = Callable[[Path], AbstractContextManager[tuple[House, str]]]

SECRETS = ("quokkaoma", "wombatitis", "numbatosis", "袋熊瘤", "dunnart")
TOLD = {
    "title": "Quokkaoma of the left lobe",
    "history": "A headache since Tuesday.",
    "findings": "A wombatitis surrounds it.",
    "diagnosis": "Quokkaoma.",
    "differential": "Numbatosis.",
    "discussion": "A quokkaoma grows slowly.",
    "translations": {"zh": {"title": "袋熊瘤", "history": "头痛。"}},
    "codes": [{"value": "C71.9", "scheme": "ICD10", "meaning": "Wombatitis"}],
    "source": "The numbatosis archive.",
    "body_part": "brain",
    "unknown": True,
}
AUDIENCE = {"audience": ["everyone", "role:student", "role:teacher"]}
TEACHER = Principal("teacher", frozenset({Role.TEACHER}))
STUDENT = Principal("student", frozenset({Role.STUDENT}))
NOBODY_YET = Principal("cai")
BOTH = Principal("dan", frozenset({Role.STUDENT, Role.TEACHER}))
WHO_KNOW = [
    pytest.param(Principal(role.value, frozenset({role})), id=role.value)
    for role in (Role.DOCTOR, Role.RESEARCHER, Role.TEACHER, Role.ADMIN)
]
WHO_LEARN = [
    pytest.param(STUDENT, id="a student"),
    pytest.param(NOBODY_YET, id="somebody without a role"),
]


@dataclass(frozen=True, slots=True)
class Shelf:
    """Some cases, of which one is unknown, served over HTTP."""

    house: House
    url: str
    unknown: CaseView
    like: CaseView
    """A case that shows the same series, and has the same code."""

    def ask(self, who: Principal, **question: Any) -> Found:  # noqa: ANN401 (the fields of a question)
        return search(self.house, who, Question(**question))

    def get(self, path: str) -> httpx.Response:
        shown = self.unknown.series[0]
        names = {"id": self.unknown.id, "series": shown.uid, "study": shown.study_uid}
        headers = {"accept": "text/html", "x-person": "student student"}
        return httpx.get(self.url + path.format(**names), headers=headers, timeout=60)


@pytest.fixture(scope="module")
def shelf(
    serve_house: Serve, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shelf]:
    """Serve a house with an unknown case, one like it, and another one."""
    with serve_house(tmp_path_factory.mktemp("unknown")) as (house, url):
        instances = phantoms.to_dicom(phantoms.sphere(Grid((4, 32, 32), (7, 1.5, 1.5))))
        offers = [Offer(f"{n}.dcm", one) for n, one in enumerate(instances)]
        uid = store(house, TEACHER, offers)[0].series_uid
        named = [{"uid": uid, "label": "The dunnart sign"}]
        code = {"value": "C71.9", "scheme": "ICD10", "meaning": "Something"}
        unknown = published(house, **TOLD, series=named)
        like = published(house, title="Rabbit", series=[uid], codes=[code])
        published(house, title="Water", series=[uid], body_part="brain")
        _index(house)
        yield Shelf(house, url, unknown, like)


def published(house: House, **told: object) -> CaseView:
    case = service.create(house, TEACHER, AUDIENCE | told)
    return service.publish(house, TEACHER, case.id)


def _index(house: House) -> None:
    while run_once(house):
        pass


def _leaked(said: object) -> list[str]:
    text = str(said).lower()
    return [one for one in SECRETS if one.lower() in text]


@pytest.mark.parametrize("who", WHO_LEARN)
def test_a_learner_reads_pictures_and_history_alone(
    shelf: Shelf, who: Principal
) -> None:
    seen = service.get(shelf.house, who, shelf.unknown.id)
    assert seen.hidden
    assert (seen.history, seen.title) == (TOLD["history"], "Unknown case (CT, brain)")
    assert [one.uid for one in seen.series] == [shelf.unknown.series[0].uid]
    assert not _leaked(seen)


@pytest.mark.parametrize("who", WHO_KNOW)
def test_whoever_may_write_cases_reads_it_whole(shelf: Shelf, who: Principal) -> None:
    seen = service.get(shelf.house, who, shelf.unknown.id)
    assert not seen.hidden
    assert seen.title == TOLD["title"]


@pytest.mark.parametrize("word", ["quokkaoma", "wombatitis", "袋熊", "dunnart"])
def test_no_word_of_the_answer_finds_it(shelf: Shelf, word: str) -> None:
    found = shelf.ask(STUDENT, text=word, prefix=word)
    assert (found.total, found.hits, found.suggestions) == (0, (), ())
    assert not any(found.facets.values())
    assert not found.corrections


@pytest.mark.parametrize("typo", ["quokaoma", "wombatitus", "numbatosus"])
def test_no_correction_spells_the_answer(shelf: Shelf, typo: str) -> None:
    assert not _leaked(shelf.ask(STUDENT, text=typo, prefix=typo[:5]))


@pytest.mark.parametrize(
    "who", [WHO_LEARN[0], *WHO_KNOW, pytest.param(BOTH, id="student and teacher")]
)
def test_everybody_finds_it_once_and_counts_it_once(
    shelf: Shelf, who: Principal
) -> None:
    found = shelf.ask(who, text="headache")
    assert [hit.id for hit in found.hits] == [shelf.unknown.id]
    assert found.total == 1
    assert found.facets["kind"] == (("case", 1),)
    assert found.facets["body_part"] == (("brain", 1),)


@pytest.mark.parametrize(("word", "language"), [("头痛", "zh"), ("headache", "en")])
def test_a_hit_of_a_learner_tells_nothing(
    shelf: Shelf, word: str, language: str
) -> None:
    found = shelf.ask(STUDENT, text=word, language=language)
    assert len(found.hits) == 1
    assert not _leaked(found)


def test_somebody_who_is_student_and_teacher_finds_it_by_the_answer(
    shelf: Shelf,
) -> None:
    found = shelf.ask(BOTH, text="quokkaoma")
    assert [hit.title for hit in found.hits] == [TOLD["title"]]


def test_a_code_of_the_answer_filters_it_for_those_who_know(shelf: Shelf) -> None:
    where = {"code": ("ICD10:C71.9",)}
    assert shelf.ask(STUDENT, where=where).total == 1
    assert shelf.ask(BOTH, where=where).total == 2


def test_an_order_by_title_is_not_that_of_the_hidden_one(shelf: Shelf) -> None:
    titles = [hit.title for hit in shelf.ask(STUDENT, sort="title").hits]
    assert titles == ["Rabbit", "Unknown case (CT, brain)", "Water"]


def test_what_is_similar_has_no_title_and_no_codes(shelf: Shelf) -> None:
    found = similar(shelf.house, STUDENT, shelf.like.id)
    assert shelf.unknown.id in {hit.id for hit in found.hits}
    assert not _leaked(found.hits)
    back = similar(shelf.house, STUDENT, shelf.unknown.id)
    assert shelf.like.id in {hit.id for hit in back.hits}
    assert not any(hit.same_codes for hit in (*found.hits, *back.hits))


def test_the_names_of_its_series_are_not_told_by_the_archive(shelf: Shelf) -> None:
    shown = shelf.unknown.series[0]
    assert archive.get_series(shelf.house, BOTH, shown.uid).description
    assert archive.get_series(shelf.house, STUDENT, shown.uid).description == ""
    assert archive.get_study(shelf.house, STUDENT, shown.study_uid).description == ""


@pytest.mark.parametrize("string", ["everyone", "role:student", "user:teacher"])
def test_the_two_documents_need_to_be_asked_as_somebody(
    shelf: Shelf, string: str
) -> None:
    request = Request(audience=frozenset({string}), text="headache")
    assert shelf.house.index.search(request).total == 0


def test_a_name_is_no_way_to_know() -> None:
    trying = Principal("knows everyone", groups=frozenset({"knows everyone"}))
    assert "knows everyone" not in trying.audiences
    assert not trying.knows


@pytest.mark.parametrize(
    "path",
    [
        "api/cases/{id}",
        "api/cases/{id}/similar",
        "api/search?q=headache",
        "api/search?sort=title",
        "api/search?q=wombatitus&prefix=quok",
        "api/series/{series}",
        "api/studies/{study}",
        "cases/{id}?lang=zh",
        "cases?q=headache",
        "cases?sort=title",
        "",
    ],
)
def test_no_door_of_the_service_tells_a_learner(shelf: Shelf, path: str) -> None:
    answer = shelf.get(path)
    assert answer.status_code == 200
    assert not _leaked(answer.text)


def test_telling_it_makes_it_one_case_again(house: House, add_case: AddCase) -> None:
    case = add_case("everyone", **TOLD)
    _index(house)
    service.update(house, TEACHER, case.id, {"unknown": False}, revision=case.revision)
    _index(house)
    for word in ("quokkaoma", "headache"):
        found = search(house, STUDENT, Question(text=word))
        assert [hit.title for hit in found.hits] == [TOLD["title"]]


def test_it_is_told_by_itself_on_its_day(house: House, add_case: AddCase) -> None:
    case = add_case("everyone", **TOLD)
    assert reveal_due(house) == 0
    with house.sessions.begin() as session:
        row = session.get_one(Case, case.id)
        row.unknown_until = utc_now() - timedelta(seconds=1)
    assert reveal_due(house) == 1
    assert not service.get(house, STUDENT, case.id).hidden


def test_a_kept_search_rings_for_the_question_and_not_for_the_answer(
    house: House, add_case: AddCase
) -> None:
    for word in ("quokkaoma", "headache"):
        asked = SearchRequest.model_validate({"text": word})
        saved.create(house, STUDENT, word, asked, alert=True)
    add_case("everyone", **TOLD)
    _index(house)
    watching.run_once(house)
    rung = saved.alerts(house, STUDENT)
    assert [one.name for one in rung] == ["headache"]
    assert not _leaked([one.hit for one in rung])


def test_a_lagging_index_does_not_tell(house: House, add_case: AddCase) -> None:
    case = add_case("everyone", **TOLD | {"unknown": False})
    _index(house)
    service.update(house, TEACHER, case.id, {"unknown": True}, revision=case.revision)
    found = search(house, STUDENT, Question(text="quokkaoma"))
    assert (found.hits, found.total) == ((), 0)


def test_a_teacher_sets_it_over_http(add_case: AddCase, client_as: Client) -> None:
    case = add_case("everyone")
    path = f"api/cases/{case.id}"
    said = {"unknown": True, "unknown_until": "2199-01-01", "revision": case.revision}
    answer = client_as("teacher").put(path, json=said).json()
    assert (answer["unknown"], answer["hidden"]) == (True, False)
    assert answer["unknown_until"].startswith("2199-01-01")
    assert client_as("student").get(path).json()["hidden"]
    wrong = said | {"unknown_until": "soon", "revision": answer["revision"]}
    refused = client_as("teacher").put(path, json=wrong)
    assert (refused.status_code, "'soon' is no day" in refused.text) == (422, True)
