"""Series and their points, asked of a whole engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from data.queries import SqliteReader
from data.records import TenantId
from engine.app import build
from engine.client import Refused
from engine.metrics.answer import picked
from tests.fakes.line import ANA
from tests.fakes.tenant_guard import TenantGuard
from tests.metrics.metering import DAY, HOUR, MINUTE, NOON, Metered

OTHER = replace(ANA, tenant=TenantId("other"))


def ago(seconds: float) -> str:
    return (NOON - timedelta(seconds=seconds)).isoformat()


async def test_series_are_listed_with_labels_and_the_newest_value(metered: Metered) -> None:
    await metered.take([(-60, 1.0), (0, 3.0), (-30, 2.0)], site="Depot", device="gw")
    await metered.take([(0, 7.0)], name="memory")
    found = await metered.ask("metrics/series")
    assert [(one["name"], one["labels"], one["site"], one["last"]) for one in found] == [
        ("cpu", {"site": "Depot", "device": "gw"}, "Depot", 3.0),
        ("memory", {}, "", 7.0),
    ]
    assert found[0]["last_at"] == NOON
    (named,) = await metered.ask("metrics/series", name="memory")
    assert named["id"] == "memory"
    (following,) = await metered.ask("metrics/series", after=found[0]["id"], limit="1")
    assert following["id"] == "memory"


async def test_a_point_tells_what_was_in_its_five_minutes(metered: Metered) -> None:
    await metered.take([(-600 + second, float(second)) for second in range(300)])
    (point,) = await metered.points()
    assert point["at"] == NOON - timedelta(minutes=10)
    assert (point["count"], point["sum"], point["avg"]) == (300, 44_850.0, 149.5)
    assert (point["min"], point["max"]) == (0.0, 299.0)
    assert point["p50"] == pytest.approx(149, rel=0.0101)
    assert point["p99"] == pytest.approx(296, rel=0.0101)
    (point,) = await metered.points(quantiles="0.9")
    assert point["p90"] == pytest.approx(269, rel=0.0101)
    assert "p50" not in point


async def test_gaps_are_gaps(metered: Metered) -> None:
    await metered.take([(-1800, 1.0), (-1500, None), (-1200, float("nan")), (-900, float("inf")), (-600, 5.0)])
    points = await metered.points()
    assert [(point["at"], point["avg"]) for point in points] == [
        (NOON - timedelta(minutes=30), 1.0),
        (NOON - timedelta(minutes=10), 5.0),
    ]


async def test_a_delivery_that_comes_twice_counts_once(metered: Metered) -> None:
    for _ in range(2):
        await metered.take([(-30, 1.0), (-20, 2.0)], id="delivery-1")
    (point,) = await metered.points()
    assert point["count"] == 2
    await metered.take([(-20, 2.0)], id="delivery-2")
    (point,) = await metered.points()
    assert point["count"] == 2, "the newest sample said again is no second one"


async def test_hours_and_days_are_made_by_ticks_and_until_then_of_what_there_is(metered: Metered) -> None:
    rows = [(-2 * HOUR + minute * MINUTE, float(minute)) for minute in range(120)]
    await metered.take(rows)
    before = await metered.points(resolution="1h")
    assert [point["count"] for point in before] == [60, 60]
    await metered.tick()
    assert await metered.points(resolution="1h") == before
    (day,) = await metered.points(resolution="1d")
    assert (day["count"], day["min"], day["max"]) == (120, 0.0, 119.0)
    assert day["at"] == datetime(2026, 5, 3, 22, tzinfo=UTC), "midnight in Berlin"


async def test_what_is_late_changes_its_hour(metered: Metered) -> None:
    await metered.take([(-5 * HOUR, 1.0), (-60, 1.0)])
    await metered.tick()
    metered.clock.set_ahead(10)
    await metered.take([(-5 * HOUR + 5, 99.0)])
    await metered.tick()
    late = (await metered.points(resolution="1h"))[0]
    assert (late["count"], late["max"]) == (2, 99.0)
    (day,) = await metered.points(resolution="1d", **{"from": ago(6 * HOUR)})
    assert day["max"] == 99.0


@pytest.mark.parametrize(
    ("days", "word"), [(0.1, 300), (7, 300), (7.01, 3600), (90, 3600), (90.01, 86_400), (5000, 86_400)]
)
def test_the_age_of_the_beginning_picks_the_resolution(days: float, word: int) -> None:
    assert picked(1e9 - days * DAY, 1e9) == word


async def test_an_answer_says_its_resolution_and_zone(metered: Metered) -> None:
    await metered.take([(0, 1.0)])
    (answer,) = await metered.ask("metrics/query", series="cpu", **{"from": ago(30 * DAY)})
    assert (answer["resolution"], answer["zone"], answer["id"]) == ("1h", "Europe/Berlin", "cpu")


async def test_anomalies_of_the_series_are_marked(metered: Metered) -> None:
    steady = [(-600 * MINUTE + minute * MINUTE, 50.0 + minute % 3) for minute in range(599)]
    await metered.take(steady, device="gw")
    await metered.take(steady, name="memory", device="gw")
    await metered.take([(-30, 5000.0)], device="gw")
    (cpu, memory) = await metered.ask("metrics/series")
    (answer,) = await metered.ask("metrics/query", series=cpu["id"])
    assert [(mark["kind"], mark["value"]) for mark in answer["anomalies"]] == [("spike", 5000.0)]
    (answer,) = await metered.ask("metrics/query", series=memory["id"])
    assert answer["anomalies"] == []
    (answer,) = await metered.ask("metrics/query", series=cpu["id"], to=ago(HOUR))
    assert answer["anomalies"] == []


async def test_neighbours_become_one_point_and_gaps_stay(metered: Metered) -> None:
    await metered.take([(-HOUR + minute * MINUTE, float(minute)) for minute in (*range(20), *range(40, 60))])
    points = await metered.points(points=4, **{"from": ago(HOUR)})
    assert [(point["at"], point["to"]) for point in points] == [
        (NOON - timedelta(minutes=60), NOON - timedelta(minutes=40)),
        (NOON - timedelta(minutes=20), NOON),
    ]
    assert [(point["count"], point["min"], point["max"]) for point in points] == [(20, 0.0, 19.0), (20, 40.0, 59.0)]
    assert points[1]["p50"] == pytest.approx(49, rel=0.0101)
    assert len(await metered.points(points=2400, **{"from": ago(HOUR)})) == 8


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["cpu", "disk", "memory"]),
        ("CPU", ["cpu"]),
        ("gw", ["cpu", "memory"]),
        ("gw !cpu", ["memory"]),
        ("device=gw", ["cpu", "memory"]),
        ("device=w", []),
        ("name=em", []),
        ("name=mem", ["memory"]),
        ("ÄRGER", ["disk"]),
        ('note="', ["disk"]),
        ("no 'such'; word%", []),
    ],
)
async def test_words_choose_series(metered: Metered, text: str, found: list[str]) -> None:
    await metered.take([(0, 1.0)], device="gw-1")
    await metered.take([(0, 1.0)], name="memory", device="gw-2")
    await metered.take([(0, 1.0)], name="disk", device="ärger", note='"quoted"')
    assert [one["name"] for one in await metered.ask("metrics/series", text=text)] == found


async def test_newest_values_come_with_their_last_averages(metered: Metered) -> None:
    await metered.take([(-700, 4.0), (-650, 6.0), (-30, 9.0)])
    await metered.take([(-7 * HOUR, 1.0)], name="old")
    await metered.take([(0, 7.0)], name="theirs", tenant=OTHER.tenant)
    found = await metered.ask("metrics/latest", series='["cpu", "old", "theirs", "absent"]', slots=4)
    assert {one["id"]: (one["last"], one["averages"]) for one in found} == {
        "cpu": (9.0, [5.0, None, 9.0, None]),
        "old": (1.0, [None] * 4),
    }
    assert await metered.ask("metrics/latest", replace(ANA, sites=frozenset({"Depot"})), series='["cpu"]') == []
    with pytest.raises(Refused) as refused:
        await metered.ask("metrics/latest", series="cpu")
    assert refused.value.field == "series"


async def test_tenants_and_sites_see_their_own(metered: Metered) -> None:
    await metered.take([(0, 1.0)], site="Depot")
    await metered.take([(0, 2.0)], tenant=OTHER.tenant)
    guard = TenantGuard(metered.engine._reader.engine)
    (mine,) = await metered.ask("metrics/series")
    (theirs,) = await metered.ask("metrics/series", OTHER)
    assert (mine["last"], theirs["last"]) == (1.0, 2.0)
    with pytest.raises(Refused) as refused:
        await metered.ask("metrics/query", OTHER, series=mine["id"])
    assert refused.value.status == 404
    assert await metered.ask("metrics/series", replace(ANA, sites=frozenset({"Elsewhere"}))) == []
    assert len(await metered.points(replace(ANA, sites=frozenset({"Depot"})), series=mine["id"])) == 1
    assert guard.seen >= 5
    assert not guard.across


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"series": "absent"}, "series"),
        ({"quantiles": "0.5,2"}, "quantiles"),
        ({"quantiles": "half"}, "quantiles"),
        ({"resolution": "2m"}, "resolution"),
        ({"from": "2026-05-04T11:00:00"}, "from"),
        ({"from": "2026-05-04T13:00:00Z"}, "from"),
        ({"from": "soon"}, "from"),
        ({"seconds": "1"}, "seconds"),
    ],
)
async def test_what_cannot_be_answered_is_named(metered: Metered, params: dict[str, Any], field: str) -> None:
    await metered.take([(0, 1.0)])
    with pytest.raises(Refused) as refused:
        await metered.ask("metrics/query", **{"series": "cpu", **params})
    assert refused.value.field == field


async def test_the_longest_question_of_each_resolution_is_answered(metered: Metered) -> None:
    await metered.take([(0, 1.0)])
    for resolution in ("5m", "1h", "1d"):
        assert len(await metered.points(resolution=resolution, **{"from": ago(3000 * DAY)})) == 1


async def test_a_restart_in_the_middle_loses_nothing(metered: Metered) -> None:
    await metered.take([(-120, 1.0), (-60, 2.0)])
    await metered.engine.stop()
    metered.engine = build(metered.engine.settings, metered.clock, listen=False)
    await metered.engine.start()
    await metered.take([(-30, 3.0)])
    (point,) = await metered.points()
    assert (point["count"], point["sum"]) == (3, 6.0)
    await metered.tick()
    (hour,) = await metered.points(resolution="1h")
    assert hour["count"] == 3


async def test_a_sketch_that_was_changed_on_the_disk_is_told(metered: Metered) -> None:
    await metered.take([(0, 1.0)])
    await metered.engine.stop()
    _break(metered.engine.directory)
    metered.engine = build(metered.engine.settings, metered.clock, listen=False)
    await metered.engine.start()
    with pytest.raises(Refused) as refused:
        await metered.points()
    assert refused.value.status == 503
    reader = SqliteReader(metered.engine.directory)
    assert len(await reader.series(ANA)) == 1
    await reader.close()


def _break(directory: Path) -> None:
    import sqlite3

    with sqlite3.connect(directory / "noc.db") as connection:
        connection.execute("UPDATE metric_rollups SET sketch = x'000109'")
    connection.close()
