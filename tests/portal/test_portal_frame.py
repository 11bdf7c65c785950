"""What every page has: landmarks, language, theme, ways to sign in, its policy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from rounds_hub.house import House
from rounds_hub.portal import assets
from rounds_hub.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    Look = Callable[..., Any]
    ClientAs = Callable[..., httpx.Client]

PAGES = ("", "cases", "cases/new", "runs", "studies", "import", "about", "nowhere")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Return one empty house for all: nothing here changes it."""
    settings = load_settings(data_dir=str(tmp_path_factory.mktemp("house")))
    opened = House.open(settings)
    yield opened
    opened.close()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_its_landmarks(look: Look, path: str) -> None:
    html = look("teacher", path).html
    for landmark in ("<main ", "<header ", "<nav ", "<footer ", 'role="search"'):
        assert landmark in html
    assert html.count("<h1") == 1


@pytest.mark.parametrize("path", PAGES)
def test_the_first_thing_on_a_page_skips_to_its_content(look: Look, path: str) -> None:
    body = look("teacher", path).html.split("<body>")[1].strip()
    assert body.startswith('<a class="skip" href="#main">')


@pytest.mark.parametrize("path", PAGES)
def test_every_field_has_a_name(look: Look, path: str) -> None:
    html = look("teacher", path).html
    fields = re.findall(r"<(?:input|select|textarea)\b[^>]*>", html)
    shown = [one for one in fields if 'type="hidden"' not in one]
    labelled = set(re.findall(r'<label[^>]*\bfor="([^"]+)"', html))
    nameless = [
        one
        for one in shown
        if "aria-label" not in one
        and not labelled & set(re.findall(r'\bid="([^"]+)"', one))
        and 'class="form-check-input" id="facet-' not in one
    ]
    assert nameless == []


def test_a_page_may_load_only_from_its_own_house(client_as: ClientAs) -> None:
    policy = client_as("doctor").get("cases").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'self'" in policy


def test_the_language_is_the_one_that_the_browser_asks_for(look: Look) -> None:
    page = look("doctor", "cases", **{"accept-language": "zh-CN,zh;q=0.9,en;q=0.5"})
    assert '<html lang="zh-Hans"' in page.html
    assert page.has("病例", "运行")


def test_a_chosen_language_is_kept(client_as: ClientAs) -> None:
    client = client_as("doctor")
    form = {"language": "zh", "next": "/services/rounds/about"}
    headers = {"origin": str(client.base_url).removesuffix("/services/rounds/")}
    answer = client.post("preferences", data=form, headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/services/rounds/about",
    )
    assert '<html lang="zh-Hans"' in client.get("about").text


def test_a_chosen_theme_is_on_the_page_from_the_first_byte(look: Look) -> None:
    page = look("doctor", "cases", cookie="rounds-theme=dark")
    assert 'data-bs-theme="dark" data-theme="dark"' in page.html


@pytest.mark.parametrize(
    "elsewhere", ["https://elsewhere.example/", "//elsewhere.example", "/hub/admin"]
)
def test_a_choice_never_leads_out_of_the_house(
    client_as: ClientAs, elsewhere: str
) -> None:
    client = client_as("doctor")
    headers = {"sec-fetch-site": "same-origin"}
    form = {"theme": "dark", "next": elsewhere}
    answer = client.post("preferences", data=form, headers=headers)
    assert answer.headers["location"] == "/services/rounds/"


def test_a_choice_from_another_site_is_refused(client_as: ClientAs) -> None:
    headers = {"sec-fetch-site": "cross-site", "accept": "text/html"}
    answer = client_as("doctor").post("preferences", data={}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_stranger_sees_what_this_is_and_how_to_sign_in(look: Look) -> None:
    page = look("", "")
    assert page.has("Teach and research medical imaging together", "Sign in")
    assert "/services/rounds/sign-in" in page.links()


def test_whoever_is_signed_in_at_the_hub_is_not_asked_twice(
    client_as: ClientAs,
) -> None:
    cookie = {"cookie": "jupyterhub-session-id=abc", "accept": "text/html"}
    answer = client_as("").get("", headers=cookie)
    assert (answer.status_code, answer.headers["location"][:10]) == (302, "/hub/login")


@pytest.mark.parametrize("path", ["cases", "runs", "studies", "import", "sign-in"])
def test_a_stranger_is_sent_to_sign_in(client_as: ClientAs, path: str) -> None:
    answer = client_as("").get(path, headers={"accept": "text/html"})
    assert answer.headers["location"] == f"/hub/login?next=/services/rounds/{path}"


def test_the_bar_offers_only_what_one_may_do(look: Look) -> None:
    student, teacher = look("student", "cases"), look("teacher", "cases")
    assert not {"/services/rounds/import", "/services/rounds/studies"} & set(
        student.links()
    )
    assert {"/services/rounds/import", "/services/rounds/studies"} <= set(
        teacher.links()
    )


def test_the_account_menu_leads_to_the_hub(look: Look) -> None:
    links = look("doctor", "cases").links()
    assert {"/hub/home", "/hub/token", "/services/rounds/sign-out"} <= set(links)


def test_a_built_file_may_be_kept_for_ever(client_as: ClientAs) -> None:
    answer = client_as("").get(f"static/dist/{assets.asset('rounds.css')}")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("path", ["../rendering.py", "%2e%2e/routes.py", "dist", "x"])
def test_nothing_beside_the_static_files_is_given_out(
    client_as: ClientAs, path: str
) -> None:
    assert client_as("").get(f"static/{path}").status_code == 404


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        pytest.param("cases/none", 404, "No case 'none'", id="gone or hidden"),
        pytest.param("nowhere", 404, "There is no such page", id="no such page"),
    ],
)
def test_an_error_is_a_page_with_a_next_step(
    look: Look, path: str, status: int, words: str
) -> None:
    page = look("student", path)
    assert page.status == status
    assert page.has(words, "Search for it", "All cases")


def test_a_student_may_not_import(look: Look) -> None:
    page = look("student", "import")
    assert page.status == 403
    assert page.has("Not allowed", "Ask the owner or an administrator")


def test_an_error_in_a_part_of_a_page_is_a_notice(look: Look) -> None:
    part = look("student", "cases/none", **{"hx-request": "true"})
    assert part.html.startswith('<div class="notice bad"')


def test_the_licences_are_told_to_everybody(look: Look) -> None:
    assert look("", "about").has("BSD-3-Clause", "Bootstrap", "pydicom", "MIT")
