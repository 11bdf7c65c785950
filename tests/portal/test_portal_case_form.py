"""Writing cases on the page: nothing written is lost, and what is wrong is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rounds_hub.cases import service as cases
from rounds_hub.portal.caseform import CaseForm

if TYPE_CHECKING:
    from collections.abc import Callable

    from rounds_hub.access.principal import Principal
    from rounds_hub.cases.views import CaseView
    from rounds_hub.house import House

    Look = Callable[..., Any]
    Send = Callable[..., Any]


def written(case: CaseView, **changes: object) -> dict[str, object]:
    """Return what the form of *case* sends with some *changes*."""
    form: dict[str, object] = {
        name: getattr(case, name)
        for name in ("title", "history", "findings", "diagnosis", "differential")
    }
    codes = case.codes
    return form | {
        "discussion": case.discussion,
        "level": case.level,
        "language": case.language,
        "body_part": case.body_part,
        "source": case.source,
        "audience": case.audience,
        "revision": case.revision,
        "series": [one.uid for one in case.series],
        "code-scheme": [one["scheme"] for one in codes],
        "code-value": [one["value"] for one in codes],
        "code-meaning": [one["meaning"] for one in codes],
        "save": "draft",
        **changes,
    }


def test_a_study_becomes_a_draft_in_one_action(send: Send, study_uid: str) -> None:
    page = send("teacher", f"studies/{study_uid}/case")
    assert page.url.endswith("/edit")
    assert page.has("Edit the case", "Draft", "6 frames")


def test_the_form_shows_all_that_a_case_has(look: Look, draft: CaseView) -> None:
    html = look("teacher", f"cases/{draft.id}/edit").html
    for text in (draft.title, draft.history, draft.diagnosis, "C71.3", "头痛三周"):
        assert text in html
    assert 'value="everyone" checked' in html


def test_saving_keeps_everything_that_was_there(
    send: Send, house: House, teacher: Principal, draft: CaseView
) -> None:
    form = written(draft, findings="Another mass.", translation="zh")
    page = send("teacher", f"cases/{draft.id}/edit", form | {"zh-title": "头痛"})
    assert page.has("Saved.")
    saved = cases.get(house, teacher, draft.id)
    assert (saved.findings, saved.codes, saved.audience) == (
        "Another mass.",
        draft.codes,
        ["everyone"],
    )
    assert saved.translations == {"zh": {"title": "头痛"}}


def test_saving_and_publishing_is_one_button(
    send: Send, look: Look, draft: CaseView
) -> None:
    form = written(draft, save="publish")
    assert send("teacher", f"cases/{draft.id}/edit", form).has("Published.")
    assert look("student", f"cases/{draft.id}").has(draft.title)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"title": " "}, "title", id="no title"),
        pytest.param({"code-value": "nonsense"}, "cannot be a code", id="a wrong code"),
        pytest.param({"others": "nobody"}, "is no audience", id="no audience"),
        pytest.param({"level": "easy"}, "is none of", id="no level"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_lost(
    send: Send, draft: CaseView, changes: dict[str, object], words: str
) -> None:
    form = written(draft, history="A long new story.", save="publish", **changes)
    page = send("teacher", f"cases/{draft.id}/edit", form)
    assert page.status == 422
    assert words in page.text
    assert "A long new story." in page.html


def test_a_case_that_lacks_an_audience_says_so_at_the_field(
    send: Send, draft: CaseView
) -> None:
    page = send(
        "teacher", f"cases/{draft.id}/edit", written(draft, audience=[], save="publish")
    )
    assert page.status == 422
    assert 'id="problem-audience"' in page.html


def test_after_somebody_else_saved_both_texts_are_shown(
    send: Send, house: House, teacher: Principal, draft: CaseView
) -> None:
    cases.update(
        house, teacher, draft.id, {"findings": "Theirs."}, revision=draft.revision
    )
    page = send("teacher", f"cases/{draft.id}/edit", written(draft, findings="Mine."))
    assert page.status == 409
    assert page.has("Your text is still here", "What stands there now:", "Theirs.")
    assert ">Mine.</textarea>" in page.html
    assert f'name="revision" value="{draft.revision + 1}"' in page.html


def test_a_new_case_is_written_from_nothing(send: Send, draft: CaseView) -> None:
    form = written(draft, title="Quite new", revision=0)
    page = send("teacher", "cases/new", form)
    assert page.has("The draft is there.", "Quite new")


def test_rows_are_added_and_moved_without_scripts_and_without_saving(
    send: Send, house: House, teacher: Principal, draft: CaseView
) -> None:
    form = written(draft, title="Not saved", do="add-code")
    page = send("teacher", f"cases/{draft.id}/edit", form)
    assert page.html.count('name="code-value"') == 3
    assert 'value="Not saved"' in page.html
    assert cases.get(house, teacher, draft.id).title == draft.title


@pytest.mark.parametrize(
    ("button", "left"),
    [
        pytest.param("up:b", ["b", "a", "c"], id="earlier"),
        pytest.param("down:b", ["a", "c", "b"], id="later"),
        pytest.param("up:a", ["a", "b", "c"], id="the first stays first"),
        pytest.param("remove:b", ["a", "c"], id="away"),
        pytest.param("add:d", ["a", "b", "c", "d"], id="one more"),
        pytest.param("nonsense", ["a", "b", "c"], id="nonsense"),
    ],
)
def test_a_button_arranges_the_series(button: str, left: list[str]) -> None:
    form = CaseForm(series=[("a", ""), ("b", ""), ("c", "")])
    assert [uid for uid, _ in form.done(button).series] == left


def test_a_code_row_is_taken_away() -> None:
    codes = [{"scheme": "SCT", "value": str(n), "meaning": ""} for n in range(3)]
    left = CaseForm(codes=codes).done("remove-code:1").codes
    assert [one["value"] for one in left] == ["0", "2"]


def test_a_case_is_published_withdrawn_deleted_and_brought_back(
    send: Send, look: Look, draft: CaseView
) -> None:
    where = f"cases/{draft.id}"
    assert send("teacher", f"{where}/publish").has("Published.")
    assert send("teacher", f"{where}/withdraw").has("Withdrawn")
    assert send("teacher", f"{where}/delete").has(
        "The case was deleted.", "Bring it back"
    )
    assert look("teacher", where).has("This case was deleted.")
    assert send("teacher", f"{where}/restore").has("Brought back.")


def test_only_its_author_publishes_a_case(send: Send, draft: CaseView) -> None:
    assert send("doctor", f"cases/{draft.id}/publish").status == 404


def test_publishing_what_is_not_ready_shows_the_form_with_the_reason(
    send: Send, house: House, teacher: Principal
) -> None:
    bare = cases.create(house, teacher, {"title": "Nothing in it"})
    page = send("teacher", f"cases/{bare.id}/publish")
    assert page.status == 422
    assert page.has("At least one series with pictures is needed.")


def test_a_form_from_another_site_changes_nothing(
    client_as: Callable[..., object], draft: CaseView, look: Look
) -> None:
    client = client_as("teacher")
    headers = {"x-cookie": "1", "sec-fetch-site": "cross-site", "accept": "text/html"}
    answer = client.post(f"cases/{draft.id}/publish", headers=headers)  # type: ignore[attr-defined] # an HTTP client
    assert answer.status_code == 403
    assert look("student", f"cases/{draft.id}").status == 404
