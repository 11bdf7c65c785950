"""The client says what went wrong, and never shows its token."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

import pytest

from rounds.client import Service, default_service
from rounds.errors import (
    NotAllowedError,
    NotFoundError,
    NotSignedInError,
    RefusedError,
    RoundsError,
    ServiceFailedError,
    ServiceUnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Answering = Callable[[type[BaseHTTPRequestHandler]], Service]


class Answer(BaseHTTPRequestHandler):
    """Answers everything with one status and one body."""

    status = 200
    body: bytes = b"{}"
    kind = "application/problem+json"

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Type", self.kind)
        self.send_header("Location", "/hub/login")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Say nothing."""


class HouseThatForgotTheToken(Answer):
    status = 401


class HouseThatSendsToTheLogin(Answer):
    status = 302


class HouseWithoutTheCase(Answer):
    status = 404
    body = json.dumps({"detail": "No case 'x'. Known: a, b."}).encode()


class HouseThatForbids(Answer):
    status = 403
    body = b"<html>not JSON</html>"


class HouseThatTakesOnlyTheRight(Answer):
    status = 422
    body = json.dumps(
        {"detail": "Not valid.", "problems": {"threshold": "at most 0"}}
    ).encode()


class HouseWithAFault(Answer):
    status = 500
    body = b"Traceback: /srv/secret"


class HouseBehindAProxyWithoutIt(Answer):
    status = 503


class HouseThatEchoesTheToken(Answer):
    status = 500

    def do_GET(self) -> None:
        self.body = json.dumps({"title": "A fault"}).encode()
        super().do_GET()


@pytest.mark.parametrize(
    ("answers", "error", "words"),
    [
        (HouseThatForgotTheToken, NotSignedInError, "Stop and start your server"),
        (HouseThatSendsToTheLogin, NotSignedInError, "sign-in"),
        (HouseWithoutTheCase, NotFoundError, "Known: a, b"),
        (HouseThatForbids, NotAllowedError, r"may not do this \(status 403\)"),
        (HouseThatTakesOnlyTheRight, RefusedError, "threshold: at most 0"),
        (HouseBehindAProxyWithoutIt, ServiceFailedError, "status 503"),
    ],
)
def test_an_answer_gone_wrong_is_said_in_words(
    answering: Answering,
    answers: type[Answer],
    error: type[RoundsError],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        answering(answers).get("api/me")


def test_what_a_fault_prints_is_not_passed_on(answering: Answering) -> None:
    with pytest.raises(ServiceFailedError) as fault:
        answering(HouseWithAFault).get("api/me")
    assert "secret" not in str(fault.value)


def test_an_error_while_streaming_is_said_alike(answering: Answering) -> None:
    house = answering(HouseWithoutTheCase)
    with pytest.raises(NotFoundError, match="No case"), house.stream("api/x"):
        pytest.fail("nothing to stream")


def test_a_house_that_is_not_there_is_named_by_its_address() -> None:
    house = Service("http://127.0.0.1:9/services/rounds", "s3cret")
    with pytest.raises(ServiceUnreachableError, match=r"127\.0\.0\.1:9") as trouble:
        house.get("api/me")
    house.close()
    assert trouble.value.__cause__ is None


def test_the_token_is_in_no_text(answering: Answering) -> None:
    house = answering(HouseThatEchoesTheToken)
    with pytest.raises(RoundsError) as fault:
        house.get("api/me")
    assert "s3cret" not in repr(house) + str(fault.value) + repr(vars(house))


def test_outside_the_house_the_missing_setting_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ROUNDS_URL", "http://127.0.0.1:9/")
    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    with pytest.raises(NotSignedInError, match="JUPYTERHUB_API_TOKEN is not set"):
        default_service()


def test_the_same_environment_gives_the_same_house(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ROUNDS_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "s3cret")
    assert default_service() is default_service()
