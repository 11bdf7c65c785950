"""The lock on a data folder, and what is said when the disk refuses."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from rounds_hub.deployment.lock import data_folder, plain_words
from rounds_hub.errors import ConflictError, HubError, NoSpaceError, SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    with data_folder(tmp_path / "house"):
        assert (tmp_path / "house").stat().st_mode & 0o077 == 0


def test_a_second_house_on_the_same_folder_is_told_so(tmp_path: Path) -> None:
    with (
        data_folder(tmp_path),
        pytest.raises(ConflictError, match="already runs"),
        data_folder(tmp_path),
    ):
        pass


def test_the_folder_is_free_again_afterwards(tmp_path: Path) -> None:
    with data_folder(tmp_path):
        pass
    with data_folder(tmp_path):
        assert (tmp_path / "house.lock").exists()


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "house").write_text("not a folder")
    with pytest.raises(SettingsError, match="'inner' cannot be written"):
        data_folder(tmp_path / "house" / "inner").__enter__()


@pytest.mark.parametrize(
    ("number", "error"),
    [
        pytest.param(errno.ENOSPC, NoSpaceError, id="full disk"),
        pytest.param(errno.EDQUOT, NoSpaceError, id="used-up quota"),
        pytest.param(errno.EROFS, SettingsError, id="read-only disk"),
        pytest.param(errno.EACCES, SettingsError, id="somebody else's folder"),
    ],
)
def test_what_the_disk_refuses_is_one_sentence(
    tmp_path: Path, number: int, error: type[HubError]
) -> None:
    with pytest.raises(error, match=tmp_path.name), plain_words(tmp_path):
        raise OSError(number, os.strerror(number))


def test_other_errors_are_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(InterruptedError), plain_words(tmp_path):
        raise InterruptedError(errno.EINTR, "interrupted")
