"""How large a request may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

MUCH = 33 * 2**20


def test_a_body_that_says_it_is_too_large_is_not_read(
    client_as: Callable[..., httpx.Client],
) -> None:
    answer = client_as("doctor").post("api/search", content=b"{" * MUCH)
    assert answer.status_code == 413


def test_a_body_that_does_not_say_so_is_cut_off(
    client_as: Callable[..., httpx.Client],
) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(MUCH // 2**20):
            yield b"{" * 2**20

    answer = client_as("doctor").post("api/search", content=endless())
    assert (answer.status_code, answer.json()["title"]) == (413, "Too large")


def test_a_form_that_is_too_large_is_refused_as_well(
    client_as: Callable[..., httpx.Client],
) -> None:
    files = {"picture": ("big.png", b"\0" * MUCH, "image/png")}
    answer = client_as("doctor").post("api/search/picture", files=files)
    assert answer.status_code == 413


def test_a_body_within_bounds_is_read(client_as: Callable[..., httpx.Client]) -> None:
    answer = client_as("doctor").post("api/search", json={"text": "brain"})
    assert answer.status_code == 200
