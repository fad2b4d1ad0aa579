"""The metrics page: series, their plot over a range, anomalies, and each state that it can be in."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.client import Refused
from noc_console.desk import Options
from tests.console.conftest import Desktop, Opened
from tests.console.metrics_world import MetricsClient, anomaly, series
from tests.fakes import world
from tests.fakes.world import EVIL

SIZES = [(80, 24), (120, 36), (200, 60)]
ZONE = Options(zone="Europe/Berlin")


async def show(desk: Desktop) -> None:
    await desk.press("8")
    await desk.live()
    await until(desk, "odd ─", "No sample", "Could not")


async def until(desk: Desktop, *words: str) -> None:
    """One of these is on the screen."""
    for _ in range(200):
        await desk.settled()
        if any(word in desk.screen for word in words):
            return
    raise AssertionError(f"none of {words} in\n{desk.screen}")


async def plot(desk: Desktop) -> None:
    await show(desk)
    await desk.press("enter")
    await until(desk, "(auto)", "resolution", "No sample in", "Could not")
    await desk.settled()


@pytest.mark.parametrize("size", SIZES)
async def test_lists_series_with_what_is_odd_first(opened: Opened, size: tuple[int, int]) -> None:
    async with opened(client=MetricsClient(), size=size) as desk:
        await show(desk)
        odd = desk.line("! drift")
        assert "latency_ms" in odd and "240ms" in odd and "! drift 6.5" in odd
        assert desk.screen.index("! drift") < desk.screen.index(" cpu_percent")
        assert "▁▇▃" in desk.line(" cpu_percent") and "41.2%" in desk.line(" cpu_percent")
        assert "3, 1 odd" in desk.screen and "noc_alarms_10m" in desk.screen


@pytest.mark.parametrize("size", SIZES)
async def test_enter_plots_with_its_anomalies(opened: Opened, size: tuple[int, int]) -> None:
    async with opened(client=MetricsClient(), size=size, options=ZONE) as desk:
        await plot(desk)
        assert "latency_ms gw-1 at s1" in desk.screen and "24h by 5m (auto), +01:00" in desk.screen
        assert "avg 45." in desk.screen and "░" in desk.screen and "▔" in desk.screen
        assert "D drift" in desk.screen and "20 Nov 13:33" in desk.screen and "goes on" in desk.screen
        assert ("cpu_percent" in desk.screen) == (size[0] >= 100)
        wanted = desk.client.asked("metrics/query")[-1]  # type: ignore[attr-defined]
        assert size[0] * 0.3 < wanted["points"] < size[0] and wanted["quantiles"] == ""


async def test_escape_gives_the_list_back_when_narrow(opened: Opened) -> None:
    async with opened(client=MetricsClient()) as desk:
        await plot(desk)
        await desk.press("h", "escape")
        assert "cpu_percent" not in desk.screen, "the cursor goes first"
        await desk.press("escape")
        await desk.settled()
        assert "cpu_percent" in desk.screen and "24h by" not in desk.screen


async def test_ranges_resolution_and_percentiles_are_keys(opened: Opened) -> None:
    client = MetricsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await plot(desk)
        seen = []
        for _ in range(5):
            await desk.press("b")
            await desk.settled()
            seen.append(desk.line("(auto)").split("─")[-2].strip())
        assert seen == [
            "7d by 5m (auto), UTC", "30d by 1h (auto), UTC", "90d by 1h (auto), UTC", "2y by 1d (auto), UTC",
            "2y by 1d (auto), UTC",
        ]  # fmt: skip
        assert "longest range" in desk.screen
        await desk.press("B", "r", "r", "r", "p")
        await desk.settled()
        asked = client.asked("metrics/query")[-1]
        assert (asked["resolution"], asked["quantiles"]) == ("1d", "0.95,0.99")
        assert "90d by 1d," in desk.screen and "═ p95" in desk.screen and "╍ p99" in desk.screen
        await desk.press("m")
        await desk.settled()
        assert desk.screen.count("░") == 1, "only the word for it is left"


async def test_the_oldest_moment_is_within_what_the_resolution_keeps(opened: Opened) -> None:
    client = MetricsClient()
    async with opened(client=client) as desk:
        await plot(desk)
        await desk.press("b")
        await desk.settled()
        since = client.asked("metrics/query")[-1]["from"]
        assert desk.clock.now() - timedelta(days=7) < world.NOW.fromisoformat(since)


async def test_the_cursor_tells_a_slot_and_a_gap(opened: Opened) -> None:
    async with opened(client=MetricsClient(), size=(120, 36)) as desk:
        await plot(desk)
        await desk.press("h")
        assert "max" in desk.line("20 Nov 13:") and "n 10" in desk.line("20 Nov 13:")
        await desk.press("k")
        assert "no sample: a gap" in desk.screen
        await desk.press("e")
        assert "no sample: a gap" not in desk.screen and "24h  ─ avg" in desk.screen


async def test_an_anomaly_that_is_chosen_is_shown_in_the_plot(opened: Opened) -> None:
    client = MetricsClient()
    client.anomalies["a3"] = anomaly("latency_ms#gw-1#s1", "a3", minutes=300, kind="level_shift")
    async with opened(client=client, size=(120, 36)) as desk:
        await plot(desk)
        await desk.press("tab", "j", "enter")
        await desk.settled()
        assert "L level shift" in desk.screen and "20m" in desk.line("level shift")
        assert "avg" in desk.line("20 Nov 09:")


async def test_times_are_the_operators_or_utc(opened: Opened) -> None:
    async with opened(client=MetricsClient(), size=(120, 36), options=ZONE) as desk:
        await plot(desk)
        assert "20 Nov 13:33" in desk.screen
        await desk.press("t")
        await until(desk, "20 Nov 12:33")
        assert "(auto), UTC" in desk.screen


async def test_an_anomaly_that_comes_gets_its_row(opened: Opened) -> None:
    client = MetricsClient()
    async with opened(client=client) as desk:
        await show(desk)
        client.tell(anomaly("queue#s9", "a9", lasted=None, kind="flat", score=3.25, site="s9"))
        await desk.live()
        await desk.settled()
        assert "! flat 3.25" in desk.line("queue") and "4, 2 odd" in desk.screen
        client.tell(anomaly("queue#s9", "a9", lasted=5, kind="flat", site="s9"))
        await desk.live(6)
        assert "! flat" not in desk.screen


async def test_words_choose_series_at_the_engine(opened: Opened) -> None:
    client = MetricsClient()
    async with opened(client=client) as desk:
        await show(desk)
        await desk.press("slash")
        await desk.type("cpu")
        await desk.press("enter")
        await desk.settled()
        assert "Series > cpu" in desk.screen and "latency_ms" not in desk.screen
        assert client.asked("metrics/series")[-1]["text"] == "cpu"
        await desk.press("escape")
        await desk.settled()
        assert "latency_ms" in desk.screen


async def test_a_word_that_no_series_has(opened: Opened) -> None:
    async with opened(client=MetricsClient()) as desk:
        await show(desk)
        await desk.press("slash", "x", "y", "z", "enter")
        await desk.settled()
        assert "No series has all of these words" in desk.screen


async def test_thousands_of_series_are_read_page_by_page(opened: Opened) -> None:
    client = MetricsClient()
    client.series = {one["id"]: one for one in (series("load", device=f"d{n:05d}") for n in range(2_500))}
    client.anomalies = {}
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        await until(desk, "2,500, 0 odd")
        assert len({asked["after"] for asked in client.asked("metrics/series")}) == 3
        await until(desk, "▁▇▃")
        assert len(client.asked("metrics/latest")[-1]["series"]) < 2_000, "only what is seen"


async def test_nothing_kept_is_said(opened: Opened) -> None:
    client = MetricsClient()
    client.series, client.anomalies = {}, {}
    async with opened(client=client) as desk:
        await show(desk)
        assert "No sample has come in." in desk.screen


async def test_what_cannot_be_read_is_said_and_read_again(opened: Opened) -> None:
    client = MetricsClient()
    client.anomalies = {}
    client.refuse_query("metrics/series", Refused("the store is busy"))
    async with opened(client=client) as desk:
        await show(desk)
        assert "Could not be read: the store is busy" in desk.screen
        client.refuse_query("metrics/series", None)
        await desk.press("ctrl+r")
        await desk.live()
        await desk.settled()
        assert "cpu_percent" in desk.screen


async def test_a_plot_that_cannot_be_read_anew_stays_and_says_so(opened: Opened) -> None:
    client = MetricsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await plot(desk)
        client.refuse_query("metrics/query", Refused("the store is busy"))
        await desk.live(40)
        await desk.settled()
        assert "not read: the store is busy" in desk.screen and "avg 45." in desk.screen
        await desk.press("b")
        await desk.settled()
        assert "Could not be read: the store is busy" in desk.screen


async def test_old_data_says_so(opened: Opened) -> None:
    client = MetricsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await plot(desk)
        client.go_down()
        await desk.live(95)
        assert "no engine" in desk.screen or "s old]" in desk.screen
        assert "▔" in desk.screen


async def test_a_range_without_samples_is_said(opened: Opened) -> None:
    client = MetricsClient()
    client.gap = (1e9, -1)
    async with opened(client=client, size=(120, 36)) as desk:
        await plot(desk)
        assert "No sample in the last 24h" in desk.screen


async def test_what_was_plotted_is_found_again(opened: Opened) -> None:
    async with opened(client=MetricsClient(), size=(120, 36)) as desk:
        await plot(desk)
        await desk.press("b", "p")
        state = desk.app.screen.save_state()  # type: ignore[attr-defined]
    async with opened(client=MetricsClient(), size=(120, 36)) as desk:
        desk.app.desk.saved_views["metrics"] = {**state, "range": "7d", "sort": "last", "cursor": "nothing"}
        await show(desk)
        assert "7d by 5m" in desk.screen and "p95" in desk.screen
    async with opened(client=MetricsClient(), size=(120, 36)) as desk:
        desk.app.desk.saved_views["metrics"] = {"range": 7, "resolution": [], "plotted": 3, "sort": None}
        await show(desk)
        assert "24h by 5m" in desk.screen


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_names_and_labels_from_outside_are_inert(opened: Opened, size: tuple[int, int]) -> None:
    client = MetricsClient()
    evil = {**series("x", device=EVIL, site=EVIL, unit=EVIL), "name": EVIL, "id": "evil"}
    client.series = {"evil": evil}
    client.anomalies = {"a": anomaly("evil", "a", lasted=None, kind=EVIL, name=EVIL, site=EVIL)}
    async with opened(client=client, size=size) as desk:
        await plot(desk)
        await desk.press("p", "h")
        await desk.settled()
        assert not {"\x1b", "\x07", "\u202e", "\u2066"} & set(desk.screen)
        assert desk.app.is_running


async def test_rows_that_come_into_sight_get_their_values(opened: Opened) -> None:
    client = MetricsClient()
    client.series = {one["id"]: one for one in (series("load", device=f"d{n:05d}") for n in range(300))}
    client.anomalies = {}
    async with opened(client=client) as desk:
        await show(desk)
        await desk.press("G")
        await desk.live(1.5)
        await until(desk, "d00299")
        for _ in range(20):
            await desk.live(0.1)
            if "▁▇▃" in desk.line("d00299"):
                break
        assert "▁▇▃" in desk.line("d00299") and len(client.asked("metrics/latest")[-1]["series"]) < 1_000
