"""Dates, times and names: what a query says, and what it is compared with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rounds_hub.archive.moments import clock, day, in_utc, moment, moment_of, zone_of
from rounds_hub.archive.names import compared, groups_of, words_of
from rounds_hub.querying.values import clock_span, day_span, moment_span

MOMENTS = some.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 (local)
ZONES = some.integers(-12 * 4, 14 * 4).map(lambda quarters: quarters * 15)


@given(MOMENTS)
def test_every_moment_is_written_in_full(at: datetime) -> None:
    full = moment(f"{at:%Y%m%d}", f"{at:%H%M%S.%f}")
    assert full == f"{at:%Y%m%d%H%M%S.%f}"


@given(MOMENTS, ZONES)
def test_a_moment_with_a_zone_is_the_same_in_utc(at: datetime, minutes: int) -> None:
    sign, away = ("-" if minutes < 0 else "+"), abs(minutes)
    zone = f"{sign}{away // 60:02}{away % 60:02}"
    there = (at - timedelta(minutes=minutes)).replace(tzinfo=UTC)
    assert in_utc(f"{at:%Y%m%d%H%M%S.%f}", zone) == f"{there:%Y%m%d%H%M%S.%f}"


@given(some.text())
def test_no_text_breaks_what_reads_dates(text: str) -> None:
    for read in (day, clock, moment, zone_of, moment_of, compared, words_of):
        read(text)


@given(some.text())
def test_comparing_twice_changes_nothing(text: str) -> None:
    assert compared(compared(text)) == compared(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("Müller^Ä", "MULLER^A", id="accents and case"),
        pytest.param("Mu\u0308ller", "M\u00fcller", id="put together or apart"),
        pytest.param("Straße", "STRASSE", id="sharp s"),
        pytest.param("\uff59\uff41\uff4d\uff41\uff44\uff41", "Yamada", id="width"),
        pytest.param("Smith^Ann^^^", "smith^ann", id="empty components"),
        pytest.param("Smith  Ann", "Smith Ann", id="spaces"),
    ],
)
def test_names_that_are_the_same(one: str, other: str) -> None:
    assert compared(one) == compared(other) != ""


def test_groups_stay_apart() -> None:
    assert groups_of("Hong^Gildong=洪^吉洞=홍^길동")[1] == "洪^吉洞"
    assert groups_of("=洪^吉洞") == ("", "洪^吉洞", "")


@pytest.mark.parametrize(
    ("asked", "low", "high"),
    [
        pytest.param("20200101", "20200101", "20200101", id="a day"),
        pytest.param("2020.01.01-", "20200101", "", id="since, old form"),
        pytest.param("-20200101", "", "20200101", id="until"),
    ],
)
def test_ranges_of_days(asked: str, low: str, high: str) -> None:
    span = day_span("StudyDate", asked)
    assert (span.low, span.high) == (low, high)


@pytest.mark.parametrize(
    ("asked", "low", "high"),
    [
        pytest.param("10", "100000.000000", "105959.999999", id="an hour"),
        pytest.param("1030", "103000.000000", "103059.999999", id="a minute"),
        pytest.param("103015.5", "103015.500000", "103015.599999", id="a tenth"),
        pytest.param("-12", "", "125959.999999", id="until"),
    ],
)
def test_ranges_of_times(asked: str, low: str, high: str) -> None:
    assert (
        clock_span("StudyTime", asked).low,
        clock_span("StudyTime", asked).high,
    ) == (
        low,
        high,
    )


def test_a_moment_with_a_zone_is_asked_for_in_utc() -> None:
    span = moment_span("AcquisitionDateTime", "202001010130+0200-202001010145+0200")
    assert span.utc == ("20191231233000.000000", "20191231234559.999999")
    assert moment_span("AcquisitionDateTime", "2020").utc is None


def test_a_month_ends_with_its_last_day() -> None:
    assert moment_span("AcquisitionDateTime", "202002").high[:8] == "20200229"
