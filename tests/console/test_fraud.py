"""The fraud page: heatmap, scores, explanation, verdicts, and each state that it can be in."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.client import Refused
from noc_console.glyphs import ASCII, UNICODE, Glyphs
from noc_console.safe_text import Safe
from noc_console.screens import fraud_map
from noc_console.screens.fraud_map import LazyCells, hour_columns, rows_of_cells
from noc_console.widgets.heat_grid import HeatCell, HeatColumn, HeatGrid, HeatRow, digit, style_of
from tests.console.conftest import Desktop, Opened
from tests.console.fraud_world import OperationsClient, score
from tests.fakes import world

SIZES = [(80, 24), (120, 36), (200, 60)]


async def show(desk: Desktop) -> None:
    await desk.app.feed.read_names()
    await desk.press("5")
    await desk.live()
    await desk.settled()
    await desk.live()
    await desk.settled()


@pytest.mark.parametrize("size", SIZES)
async def test_shows_map_cell_and_scores(opened: Opened, size: tuple[int, int]) -> None:
    async with opened(client=OperationsClient(), size=size) as desk:
        await show(desk)
        assert "site x hour, 30 days" in desk.screen and "Harbour" in desk.screen
        assert "7 events, 2 of them 80% or more; worst 95%" in desk.screen
        assert "Maya Abel" in desk.screen and "impossible travel" in desk.screen
        assert "heuristics, 4 of 100 verdicts" in desk.screen
        assert ("412 km/h" in desk.screen) == (size[0] >= 100)


async def test_columns_become_dates_and_spans_change(opened: Opened) -> None:
    async with opened(client=OperationsClient(), size=(120, 36)) as desk:
        await show(desk)
        await desk.press("b")
        await desk.settled()
        assert "site x hour, 7 days" in desk.screen
        await desk.press("t")
        await desk.settled()
        assert "site x day, 14 days" in desk.screen and f"on {world.NOW:%d %b}: 7 events" in desk.screen


async def test_the_cursor_moves_over_cells_and_enter_lists_the_site(opened: Opened) -> None:
    async with opened(client=OperationsClient(), size=(120, 36)) as desk:
        await show(desk)
        grid = desk.app.screen.query_one(HeatGrid)
        grid.focus()
        await desk.press("j", "l")
        await desk.settled()
        assert "between 14:00 and 14:59 site time: 2 events; none of them suspicious" in desk.screen
        await desk.press("l")
        assert "between 15:00 and 15:59 site time: no attendance event" in desk.screen
        await desk.press("enter")
        await desk.settled()
        assert 'Scores > site="s2"' in desk.screen and "Maya Abel" not in desk.screen


async def test_a_score_that_comes_is_shown(opened: Opened) -> None:
    client = OperationsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        client.tell(score("d", 0.88, person="p9"))
        client.tell(score("e", 0.05, person="p8"))
        await desk.live()
        assert "p9" in desk.screen and "p8" not in desk.screen


async def test_a_verdict_says_what_it_does_and_takes_a_note(opened: Opened) -> None:
    client = OperationsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        await desk.press("c")
        await desk.settled()
        assert (
            "Confirm the score of Maya Abel (p1)?" in desk.screen
            and "Maya Abel (p1) at" in desk.screen
            and "counts against the person" in desk.screen
        )
        assert not client.commands
        await desk.calm("n", "o", "enter")
        await desk.settled()
        assert [(c.verb, c.targets, c.params) for c in client.commands] == [
            ("confirm_fraud", ("fraud_score:a",), {"note": "no"})
        ]
        await desk.live()
        assert "! fraud" in desk.screen


async def test_escape_gives_no_verdict(opened: Opened) -> None:
    client = OperationsClient()
    async with opened(client=client) as desk:
        await show(desk)
        await desk.press("x")
        await desk.settled()
        assert "honest" in desk.screen
        await desk.press("escape")
        await desk.settled()
        assert not client.commands


async def test_a_case_tells_reasons_and_the_persons_month(opened: Opened) -> None:
    async with opened(client=OperationsClient(), size=(120, 36)) as desk:
        await show(desk)
        await desk.press("enter")
        await desk.settled()
        await desk.live()
        await desk.settled()
        assert "412 km/h since the last event" in desk.screen and "+95" in desk.screen
        assert "would not stand with" in desk.screen and "it is no probability" in desk.screen
        assert "2 events, 1 at 50% or more" in desk.screen
        await desk.press("escape")
        assert "site x hour" in desk.screen


async def test_model_figures_on_a_key(opened: Opened) -> None:
    async with opened(client=OperationsClient()) as desk:
        await show(desk)
        await desk.press("M")
        await desk.settled()
        assert "4 of 100 verdicts: 96 verdicts more" in desk.screen
        assert "75% of those flagged" in desk.screen


async def test_without_the_right_it_is_barred_and_asks_nothing(opened: Opened) -> None:
    client = OperationsClient()
    client.capabilities = ("noc:view",)
    async with opened(client=client) as desk:
        await show(desk)
        assert "You lack the right security:fraud:view" in desk.screen
        assert not [query for query in client.queries if query.kind.startswith("fraud/")]


async def test_nothing_to_judge_is_said(opened: Opened) -> None:
    client = OperationsClient()
    client.cells, client.scores = [], {}
    async with opened(client=client) as desk:
        await show(desk)
        assert "nothing to judge" in desk.screen and "No event has scored 20% or more." in desk.screen


async def test_what_cannot_be_read_is_said_and_read_again(opened: Opened) -> None:
    client = OperationsClient()
    client.refuse_query("fraud/heatmap", Refused("the store is busy"))
    async with opened(client=client) as desk:
        await show(desk)
        assert "Could not be read: the store is busy" in desk.screen
        client.refuse_query("fraud/heatmap", None)
        await desk.press("ctrl+r")
        await desk.live()
        await desk.settled()
        assert "7 events" in desk.screen


async def test_old_data_says_so(opened: Opened) -> None:
    client = OperationsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        client.go_down()
        await desk.live(95)
        assert "s old]" in desk.line("Heatmap") or "no engine" in desk.screen
        await desk.press("c")
        assert not client.commands and "Confirm the score of" not in desk.screen


async def test_overview_has_the_worst_and_a_map(opened: Opened) -> None:
    async with opened(client=OperationsClient(), size=(120, 36)) as desk:
        await desk.app.feed.read_names()
        await desk.live()
        await desk.settled()
        await desk.live()
        assert "1 score of 80%+ in 24 h" in desk.screen
        assert "worst 95% Maya Abel at Harbour" in desk.screen
        assert desk.line(" Harbour  ").rstrip().rstrip("│ ").count("9") == 1


async def test_names_from_outside_are_inert(opened: Opened) -> None:
    client = OperationsClient()
    client.scores["z"] = score("z", 0.99, person="\x1b]0;owned\x07[red]p\u202e")
    async with opened(client=client) as desk:
        await show(desk)
        assert "\x1b" not in desk.screen and "\u202e" not in desk.screen and "[red]p" in desk.screen


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_a_cell_reads_without_colour(glyphs: Glyphs) -> None:
    shown = [digit(HeatCell(worst, 1, 0), glyphs) for worst in (0.05, 0.2, 0.62, 1.0)]
    assert shown == [glyphs.dot, "2", "6", "9"] and digit(None, glyphs) == " "


def test_the_ramp_rises() -> None:
    assert [style_of(value) for value in (0.0, 0.2, 0.5, 0.8, 0.9)] == ["dim", "heat-1", "heat-2", "heat-3", "heat-4"]


def test_scores_become_rows_by_clock_hour_worst_site_first() -> None:
    rows = fraud_map.rows_of_scores([score("a", 0.3, site="s1"), score("b", 0.9, site="s2", minutes=70)], {})
    assert [row.key for row in rows] == ["s2", "s1"] and rows[0].flagged == 1
    assert set(rows[0].cells) == {fraud_map._hour_key(world.NOW - timedelta(minutes=70))}


@pytest.mark.parametrize(("zone", "hour"), [("UTC", 23), ("Asia/Tokyo", 8), ("no/where", 23)])
def test_a_score_is_in_the_column_of_its_sites_clock(zone: str, hour: int) -> None:
    at = world.NOW.replace(hour=23, minute=30)
    assert fraud_map.in_column(score("a", 0.9, at=at), str(hour), zone)


async def test_a_large_map_draws_what_is_seen_only(opened: Opened) -> None:
    async with opened(client=OperationsClient(), size=(120, 36)) as desk:
        await show(desk)
        grid = desk.app.screen.query_one(HeatGrid)
        columns = [HeatColumn(str(hour), Safe(f"{hour:02d}")) for hour in range(24)]
        cells = {column.key: HeatCell(0.5, 3, 0) for column in columns}
        grid.set_map(columns, [HeatRow(f"site-{n}", Safe(f"site-{n}"), cells) for n in range(500)])
        await desk.settled()
        assert 0 < len(grid._strips) <= grid.size.height
        grid.focus()
        await desk.press("G")
        assert "site-499" in desk.screen


async def test_of_five_hundred_sites_only_the_rows_that_are_seen_are_made(opened: Opened) -> None:
    cells = [
        {"site": f"s{site:03d}", "hour": hour, "events": 5, "flagged": site % 3, "mean": 0.1, "max": site * hour / 12e3}
        for site in range(500)
        for hour in range(24)
    ]
    async with opened(client=OperationsClient(), size=(120, 36)) as desk:
        await show(desk)
        grid = desk.app.screen.query_one(HeatGrid)
        rows = rows_of_cells(cells, "hour", {})
        grid.set_map(hour_columns(), rows)
        await desk.settled()
        made = [row for row in rows if isinstance(row.cells, LazyCells) and row.cells.is_made]
        assert len(rows) == 500 and rows[0].key == "s499" and "s499" in desk.screen
        assert 0 < len(made) <= 2 * grid.size.height
        assert (rows[0].events, rows[0].flagged, len(rows[0].cells)) == (120, 24, 24)


async def test_hours_never_run_together_in_the_heading(opened: Opened) -> None:
    async with opened(client=OperationsClient(), size=(80, 24)) as desk:
        await show(desk)
        await desk.press("tab", "shift+tab")
        grid = desk.app.screen.query_one(HeatGrid)
        grid.focus()
        for _ in range(24):
            await desk.press("l")
            heading = grid.render_line(0).text
            assert all(len(word) == 2 for word in heading.split() if word.isdigit()), heading
