"""Joins in the timeline: each for itself while few, by the minute when many."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from data.records import Severity
from noc_console.directory import Directory
from noc_console.screens.detail_sections import late_words
from noc_console.screens.timeline_lines import with_joins
from tests.fakes import world

ALERT = world.operation(1, world.NOW)[2][0]
NOON = world.NOW.replace(minute=0, second=0, microsecond=0)


def test_the_first_alert_opened_it_and_joined_nothing() -> None:
    assert with_joins([], [ALERT], Directory()) == []


def test_few_are_told_one_by_one_newest_first() -> None:
    alerts = [replace(ALERT, id=n, received_at=NOON + timedelta(seconds=n)) for n in range(3)]
    found = with_joins([], alerts, Directory())
    assert [entry.kind for entry in found] == ["joined", "joined"]
    assert found[0].text.startswith("A-2 ") and found[1].text.startswith("A-1 ")


def test_many_of_a_minute_are_one_line_with_what_they_were() -> None:
    alerts = [
        replace(
            ALERT,
            id=n,
            name="Down" if n % 2 else "Slow",
            site=f"S{n % 3}",
            severity=Severity.CRITICAL if n == 5 else Severity.LOW,
            received_at=NOON + timedelta(seconds=n),
        )
        for n in range(9)
    ]
    (entry,) = with_joins([], alerts, Directory())
    assert entry.text == "8 alerts, worst critical: 4 Down, 4 Slow; 3 sites"
    assert entry.at == NOON + timedelta(seconds=8)


@pytest.mark.parametrize(
    ("late", "told"),
    [(timedelta(seconds=59), ""), (timedelta(hours=3), "; began 09:00:00Z, 3h before it was heard of")],
)
def test_an_opening_of_late_news_says_when_it_began(late: timedelta, told: str) -> None:
    noon = NOON.replace(hour=12)
    assert late_words(noon, noon - late, noon.date()) == told


def test_what_began_on_another_day_is_told_with_its_day() -> None:
    noon = NOON.replace(hour=12, day=2)
    told = late_words(noon, noon - timedelta(days=1), noon.date())
    assert told.startswith(f"; began 01 {noon:%b} 12:00Z, 24h before")
