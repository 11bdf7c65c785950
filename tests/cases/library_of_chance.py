"""A library made by chance, and what each person may find in it, worked out anew.

The truth is worked out here from the rules as they are written in the docs, not by the
code that is tested: who may see a case, whole or masked, which words it then has.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rounds_hub.access.principal import Principal, Role
from rounds_hub.access.sight import touched
from rounds_hub.archive.models import Series
from rounds_hub.archive.service import Offer, store
from rounds_hub.cases.models import Case, CaseSeries
from rounds_hub.catalogue.models import utc_now
from rounds_hub.federation.answering import principal_of_peer
from rounds_hub.indexing.consumer import rebuild
from rounds_hub.runs.models import Run, RunRequest
from rounds_kernels import phantoms
from rounds_kernels.phantom_grid import Grid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rounds_hub.house import House

__all__ = [
    "PEOPLE",
    "PRIVATE",
    "SHARED",
    "Chance",
    "Entry",
    "Library",
    "fill",
    "person",
]

CASES: Final = 150
RUNS: Final = 30
SERIES: Final = 5
_LETTERS: Final = "bcdfgkmpqz"


def _word(kind: str, number: int) -> str:
    """Return a word that no stemmer, thesaurus or tokeniser knows.

    Some are long enough to be taken for a typing error of another one.
    """
    letters = "".join(_LETTERS[int(digit)] for digit in f"{number:03d}")
    return f"{kind}{letters}{'xkx' if number % 10 == 0 else ''}"


SHARED: Final = tuple(_word("v", 100 + number * 11) for number in range(8))
"""Words of many cases."""
PRIVATE: Final = tuple(_word("w", number) for number in range(CASES))
"""One word for each case, in all its texts but the history."""
PARTS: Final = ("brain", "chest", "liver")
LEVELS: Final = ("primary", "intermediate", "advanced")
GROUPS: Final = ("ward-3", "night")
ROLES: Final = (Role.STUDENT, Role.DOCTOR, Role.RESEARCHER, Role.TEACHER)
OWNERS: Final = ("tess", "tom")


def person(name: str, *roles: Role, groups: Iterable[str] = ()) -> Principal:
    """Return somebody with roles and groups."""
    return Principal(name, frozenset(roles), frozenset(groups))


PEOPLE: Final = {
    "student": person("sam", Role.STUDENT),
    "student of a ward": person("sue", Role.STUDENT, groups=["ward-3"]),
    "doctor": person("dora", Role.DOCTOR, groups=["night"]),
    "researcher": person("rita", Role.RESEARCHER),
    "owner and student": person("tess", Role.STUDENT, Role.TEACHER),
    "administrator": person("ann", Role.ADMIN),
    "another hub": principal_of_peer("north"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """What one person finds of one case or run: its words and its facets."""

    id: str
    kind: str
    words: frozenset[str]
    facets: dict[str, tuple[str, ...]]
    tells: bool = True
    """Whether its own word may be heard."""


@dataclass
class Library:
    """What is in the house."""

    cases: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    series: list[str] = field(default_factory=list)

    def seen_by(self, who: Principal) -> list[Entry]:
        """Return what *who* may find."""
        found = [_case_entry(one, who) for one in self.cases if _sees(who, one)]
        found += [_run_entry(one) for one in self.runs if self._sees_run(who, one)]
        return found

    def secrets_from(self, who: Principal) -> frozenset[str]:
        """Return the words that *who* may hear nowhere."""
        told = {one.id for one in self.seen_by(who) if one.tells}
        return frozenset(one["own"] for one in self.cases if one["id"] not in told)

    def _sees_run(self, who: Principal, run: dict[str, Any]) -> bool:
        if Role.ADMIN in who.roles or run["by"] == who.name:
            return True
        on = [one for one in self.cases if one["series"] == run["series"]]
        alive = [one for one in on if one["status"] != "deleted"]
        if any(one["unknown"] for one in alive) and not _knows(who):
            return False
        return who.name == "keeper" or any(_sees(who, one) for one in alive)


def _belongs(who: Principal) -> set[str]:
    if Role.PEER in who.roles:
        return {"peers"}
    own = {"everyone", f"user:{who.name}"}
    own |= {f"role:{role.value}" for role in who.roles}
    return own | {f"group:{group}" for group in who.groups}


def _knows(who: Principal) -> bool:
    return bool(who.roles - {Role.STUDENT, Role.PEER})


def _sees(who: Principal, case: dict[str, Any]) -> bool:
    if case["status"] == "deleted":
        return False
    if Role.ADMIN in who.roles or who.name == case["owner"]:
        return True
    return case["status"] == "published" and bool(_belongs(who) & set(case["audience"]))


def _case_entry(case: dict[str, Any], who: Principal) -> Entry:
    masked = case["unknown"] and not _knows(who)
    words = {case["asks"]} if masked else {case["asks"], case["own"], *case["words"]}
    facets: dict[str, tuple[str, ...]] = {
        "kind": ("case",),
        "modality": ("CT",),
        "body_part": (case["body_part"],),
        "level": (case["level"],),
        "language": ("en",),
        "code": () if masked else (f"ICD10:{case['code']}",),
        "case": (case["id"],),
    }
    return Entry(case["id"], "case", frozenset(words), facets, tells=not masked)


def _run_entry(run: dict[str, Any]) -> Entry:
    facets: dict[str, tuple[str, ...]] = {
        "kind": ("result",),
        "modality": ("CT",),
        "language": ("en",),
    }
    return Entry(f"run-{run['id']}", "result", frozenset({run["word"]}), facets)


class Chance:
    """Random choices from a seed."""

    def __init__(self, seed: int) -> None:
        """Begin at *seed*."""
        self.random = random.Random(seed)  # noqa: S311 (no secret)

    def case(self, number: int, series: list[str]) -> dict[str, Any]:
        """Return a case of the library."""
        choose = self.random
        strings = ["everyone", "peers", *(f"role:{one.value}" for one in ROLES)]
        strings += [f"group:{one}" for one in GROUPS] + ["user:sam", "user:dora"]
        return {
            "id": f"c{number:03d}",
            "own": PRIVATE[number],
            "asks": choose.choice(SHARED),
            "words": choose.sample(SHARED, 2),
            "audience": choose.sample(strings, choose.choice([0, 1, 1, 2, 3])),
            "owner": choose.choice(OWNERS),
            "status": choose.choice(["published"] * 4 + ["draft", "deleted"]),
            "unknown": choose.random() < 0.3,
            "body_part": choose.choice(PARTS),
            "level": choose.choice(LEVELS),
            "code": choose.choice(["C71.9", "J43.9", "K75.0"]),
            "series": choose.choice(series),
        }

    def run(self, number: int, series: list[str]) -> dict[str, Any]:
        """Return a run on a series of the library."""
        names = [one.name for one in PEOPLE.values() if Role.PEER not in one.roles]
        return {
            "id": f"r{number:031d}",
            "word": _word("t", number),
            "by": self.random.choice(names),
            "series": self.random.choice(series),
        }


def fill(house: House, seed: int) -> Library:
    """Fill *house* by chance and index it; return what is in it."""
    house.settings.import_audience = []
    chance, library = Chance(seed), Library()
    keeper = person("keeper", Role.TEACHER)
    for number in range(SERIES):
        made = phantoms.sphere(Grid((4, 32, 32), (7.0, 1.5, 1.5)), seed=number)
        offers = [Offer(f"{n}", one) for n, one in enumerate(phantoms.to_dicom(made))]
        library.series.append(store(house, keeper, offers)[0].series_uid)
    library.cases = [chance.case(one, library.series) for one in range(CASES)]
    library.runs = [chance.run(one, library.series) for one in range(RUNS)]
    with house.sessions.begin() as session:
        session.add_all(_case_row(one) for one in library.cases)
        session.add_all(_run_row(one) for one in library.runs)
        for uid in library.series:
            session.get_one(Series, uid).description = ""
        touched(session, library.series)
    rebuild(house)
    return library


def _case_row(case: dict[str, Any]) -> Case:
    own, told = case["own"], " ".join([case["own"], *case["words"]])
    return Case(
        id=case["id"],
        title=f"The {own}",
        history=f"Came with {case['asks']}",
        findings=f"Shows {told}",
        diagnosis=own,
        differential=own,
        discussion=own,
        level=case["level"],
        body_part=case["body_part"],
        codes=[{"value": case["code"], "scheme": "ICD10", "meaning": own}],
        audience=sorted(case["audience"]),
        owner=case["owner"],
        status=case["status"],
        unknown=case["unknown"],
        published_at=utc_now(),
        series=[CaseSeries(series_uid=case["series"], label=f"{own} sign")],
    )


def _run_row(run: dict[str, Any]) -> Run:
    given = {"name": "ct", "series_uid": run["series"], "content_hash": "0"}
    return Run(
        id=run["id"],
        template=run["word"],
        template_hash="0",
        inputs=[given],
        state="done",
        results={"measurements": []},
        requests=[RunRequest(principal=run["by"], case_id=None)],
    )
