"""User servers as processes."""

from __future__ import annotations

import asyncio
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from rounds_hub.spawning.local import RoundsLocalSpawner, runtime_folder
from rounds_hub.spawning.server import kernel_settings

if TYPE_CHECKING:
    from pathlib import Path


def spawner_for(name: str, homes: Path, **traits: object) -> RoundsLocalSpawner:
    """Return the spawner of the user called *name*."""
    spawner = RoundsLocalSpawner(homes=str(homes), **traits)
    spawner.user = SimpleNamespace(name=name)
    return spawner


def test_every_user_has_a_home_of_their_own(tmp_path: Path) -> None:
    assert spawner_for("ada", tmp_path).home_dir == str(tmp_path / "ada")


@pytest.mark.parametrize("name", ["../ben", "/etc", "a/b", ".", ".."])
def test_no_name_leads_out_of_the_homes(tmp_path: Path, name: str) -> None:
    home = (tmp_path / spawner_for(name, tmp_path).home_dir).resolve()
    assert home.parent == tmp_path.resolve()


def test_names_that_look_alike_have_other_homes(tmp_path: Path) -> None:
    one, other = (spawner_for(name, tmp_path).home_dir for name in ("a.b", "a_b"))
    assert one != other


class Start:
    """Counts how many are under way at the same time."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0

    async def in_turn(self, spawner: RoundsLocalSpawner) -> None:
        async with spawner.turn():
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0.01)
            self.now -= 1


def test_starts_queue(tmp_path: Path) -> None:
    start = Start()

    async def class_begins() -> None:
        users = [spawner_for(f"user{n}", tmp_path, starts_at_once=2) for n in range(8)]
        await asyncio.gather(*(start.in_turn(user) for user in users))

    asyncio.run(class_begins())
    assert start.most == 2


def test_kernels_have_a_private_folder(tmp_path: Path) -> None:
    folder = runtime_folder("/a/home", tmp_path)
    assert folder is not None
    assert (folder.stat().st_mode & 0o077, folder.parent.stat().st_mode & 0o077) == (
        0,
        0,
    )


def test_homes_do_not_share_it(tmp_path: Path) -> None:
    assert runtime_folder("/one", tmp_path) != runtime_folder("/other", tmp_path)


def test_a_link_that_somebody_laid_there_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / f"rounds-{os.geteuid()}").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    assert runtime_folder("/a/home", tmp_path) is None


def test_its_path_is_short_enough_for_sockets() -> None:
    folder = runtime_folder("/a/very/long/home" * 20)
    assert kernel_settings(str(folder)) == ("--KernelManager.transport=ipc",)


def test_kernels_in_a_long_path_speak_tcp() -> None:
    assert kernel_settings("/a/very/long/home" * 20) == ()
