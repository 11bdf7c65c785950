"""The viewer's page, settings and files over HTTP: who gets them, and how."""

from __future__ import annotations

import gzip
import json
import re
from typing import TYPE_CHECKING

import pytest

from rounds_hub.access.principal import Principal, Role
from rounds_hub.archive.service import Offer, store
from rounds_hub.viewer.files import installed
from rounds_hub.viewer.links import made_in, viewer_path
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid
from rounds_kernels.results import Code, Provenance, Segment, segmentation

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rounds_hub.house import House

    ClientAs = Callable[..., httpx.Client]

PAGE = {"accept": "text/html"}
TESS = Principal("tess", frozenset({Role.TEACHER}))


@pytest.mark.parametrize("path", ["", "viewer?StudyInstanceUIDs=1.2", "segmentation"])
def test_every_address_of_the_viewer_is_its_page(
    client_as: ClientAs, path: str
) -> None:
    answer = client_as("student").get(f"ohif/{path}", headers=PAGE)
    assert (answer.status_code, '<div id="root">' in answer.text) == (200, True)


def test_who_is_not_signed_in_is_sent_to_sign_in(client_as: ClientAs) -> None:
    answer = client_as("").get("ohif/viewer?StudyInstanceUIDs=1.2", headers=PAGE)
    assert (answer.status_code, "/hub/login" in answer.headers["location"]) == (
        302,
        True,
    )


def test_only_the_viewer_may_compile_code(client_as: ClientAs) -> None:
    student = client_as("student")
    policies = [
        student.get(path, headers=PAGE).headers["content-security-policy"]
        for path in ("ohif/", "cases", "about")
    ]
    assert ["eval" in one for one in policies] == [True, False, False]


def test_no_script_stands_in_the_page(client_as: ClientAs) -> None:
    page = client_as("student").get("ohif/", headers=PAGE)
    bodies = re.findall(r"<script[^>]*>(.*?)</script>", page.text, re.DOTALL)
    assert ("unsafe-inline" in script_policy(page), any(bodies)) == (False, False)


def script_policy(answer: httpx.Response) -> str:
    """Return what the policy of *answer* says of scripts."""
    parts = answer.headers["content-security-policy"].split(";")
    return next(one for one in parts if "script-src" in one)


def settings_told(answer: httpx.Response) -> dict[str, object]:
    """Return what the starting script tells OHIF."""
    found = re.search(r"const told = (\{.*\});", answer.text)
    assert found is not None
    told: dict[str, object] = json.loads(found.group(1))
    return told


def test_the_settings_name_our_dicomweb_and_no_host(client_as: ClientAs) -> None:
    told = json.dumps(settings_told(client_as("student").get("ohif/app-config.js")))
    assert '"wadoRoot": "/services/rounds/dicomweb"' in told
    assert "://" not in told


@pytest.mark.parametrize("tag", ["en", "zh"])
def test_the_viewer_speaks_the_chosen_language(client_as: ClientAs, tag: str) -> None:
    client = client_as("student")
    client.cookies.set("rounds-language", tag)
    assert settings_told(client.get("ohif/app-config.js"))["language"] == tag


def entry(client: httpx.Client, accepted: str) -> httpx.Response:
    """Return the first script of the viewer as *client* gets it."""
    here = installed()
    path = f"ohif/static/{here.key}/{here.entry}"
    return client.get(path, headers={"accept-encoding": accepted})


def test_files_come_compressed_and_may_be_kept(client_as: ClientAs) -> None:
    answer = entry(client_as(""), "gzip")
    told = [answer.headers[name] for name in ("content-encoding", "vary")]
    assert told == ["gzip", "Accept-Encoding"]
    assert "immutable" in answer.headers["cache-control"]


def test_who_takes_no_compression_gets_the_same(client_as: ClientAs) -> None:
    plain = entry(client_as(""), "identity")
    assert plain.content == entry(client_as(""), "gzip").content
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize("name", ["none.js", "manifest.json", "../routes.py", "a/../b"])
def test_what_is_no_file_of_the_viewer_is_not_there(
    client_as: ClientAs, name: str
) -> None:
    path = f"ohif/static/{installed().key}/{name.replace('/', '%2f')}"
    assert client_as("student").get(path).status_code == 404


def test_no_file_names_the_root_of_a_host() -> None:
    from rounds_hub.viewer.build import DIST, PUBLIC_PATH

    packed = [path for path in DIST.rglob("*.js.gz") if "bundle" in path.name]
    read = [gzip.decompress(path.read_bytes()) for path in packed]
    assert (len(read) > 40, any(PUBLIC_PATH in one for one in read)) == (True, False)


@pytest.fixture
def study_uid(house: House) -> str:
    """Return a study of a phantom with a mask that somebody saved."""
    phantom = phantoms.sphere(Grid((6, 32, 32), (5.0, 1.5, 1.5)), seed=3)
    series = phantoms.to_dicom(phantom)
    mask = next(iter(phantom.masks.values())) > 0
    whole = Segment("Sphere", 1, Code("39607008", "SCT", "Lung"))
    saved = segmentation(series, mask.astype("uint8"), (whole,), Provenance("a", "b"))
    offers = [Offer(f"{n}.dcm", one) for n, one in enumerate([*series, saved])]
    return store(house, TESS, offers)[0].study_uid


def test_what_was_saved_is_found_with_its_study(house: House, study_uid: str) -> None:
    assert [one.modality for one in made_in(house, TESS, [study_uid])] == ["SEG"]


def test_what_one_may_not_see_is_not_found(house: House, study_uid: str) -> None:
    stranger = Principal("sam", frozenset({Role.STUDENT}))
    assert made_in(house, stranger, [study_uid, "1.2.3"]) == ()


def test_the_study_page_opens_its_series(client_as: ClientAs, study_uid: str) -> None:
    page = client_as("tess", "teacher").get(f"studies/{study_uid}", headers=PAGE)
    assert f"ohif/viewer?StudyInstanceUIDs={study_uid}&amp;" in page.text


def test_nothing_shown_is_nothing_to_open() -> None:
    assert viewer_path([]) == ""
