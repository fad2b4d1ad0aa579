"""The frame: views, status, states of the engine, small terminals, session."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from data.records import Change, TenantId
from noc_console.actions import ACTIONS, commands
from noc_console.desk import Options
from noc_console.views import VIEWS
from tests.console.conftest import Opened
from tests.fakes.client import FakeClient


async def test_first_frame_has_the_tabs_and_status(opened: Opened) -> None:
    async with opened() as desk:
        assert "Incidents" in desk.screen.splitlines()[0]
        assert "LIVE" in desk.screen and "C2 H2 M2" in desk.screen and "load 4/10m" in desk.screen


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 36), (200, 60)])
async def test_every_view_opens_at_every_size(opened: Opened, size: tuple[int, int]) -> None:
    async with opened(size=size) as desk:
        for view in VIEWS.values():
            await desk.press(str(view.number))
            await desk.live()
            assert desk.app.current_mode == view.name
            assert all(len(line) <= size[0] for line in desk.screen.splitlines())
            assert "LIVE" in desk.screen.splitlines()[-2] or "LAG" in desk.screen.splitlines()[-2]


async def test_nothing_to_show_is_no_good_news_where_nothing_is_heard(opened: Opened) -> None:
    client = FakeClient()
    client.incidents.clear()
    client.clusters.clear()
    async with opened(client=client) as desk:
        await desk.press("2")
        await desk.live()
        assert "Nothing is wrong that we know of" in desk.screen and "Not up to date" not in desk.screen
        client.go_down()
        await desk.app.feed.ask()
        await desk.live()
        shown = desk.screen
        assert shown.index("Not up to date, no engine answers") < shown.index("Nothing is wrong that we know of")
        client.come_back()
        desk.app.feed.retry()
        await desk.live()
        await desk.live()
        assert "Not up to date" not in desk.screen


async def test_last_view_and_history(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "9", "minus")
        assert desk.app.current_mode == "incidents"
        await desk.press("left_square_bracket")
        assert desk.app.current_mode == "log"
        await desk.press("right_square_bracket")
        assert desk.app.current_mode == "incidents"


async def test_ctrl_c_never_ends_the_shift(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("ctrl+c", "ctrl+c", "ctrl+c")
        assert desk.app.is_running and desk.app.return_code is None


async def test_q_at_the_root_asks(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("q")
        assert "Leave the console?" in desk.screen and "The engine stops too" in desk.screen
        await desk.press("n")
        assert desk.app.is_running
        await desk.press("q")
        await desk.calm("y")
        assert desk.app.return_code == 0


async def test_lost_engine_keeps_the_data_and_says_so(opened: Opened) -> None:
    async with opened() as desk:
        desk.client.go_down()
        await desk.app.feed.ask()
        await desk.live()
        assert "DOWN" in desk.screen and "no engine: connection refused" in desk.screen
        assert "I-4411" in desk.screen and "old]" in desk.screen
        await desk.press("a")
        assert "Ack: no engine to act on" in desk.screen
        desk.client.come_back()
        desk.app.feed.retry()
        await desk.live()
        await desk.live()
        assert "LIVE" in desk.screen and "old]" not in desk.screen


async def test_age_of_the_data_is_named(opened: Opened) -> None:
    async with opened() as desk:
        desk.client.lag_seconds = 12.0
        await desk.app.feed.ask()
        await desk.live(0.6)
        assert "LAG 13s" in desk.screen
        desk.client.lag_seconds = 95.0
        await desk.app.feed.ask()
        await desk.live(0.6)
        assert "STALE 96s" in desk.screen and "s old]" in desk.screen


async def test_flood_is_named(opened: Opened) -> None:
    async with opened() as desk:
        desk.client.alarms_10m = 31
        await desk.app.feed.ask()
        await desk.live()
        assert "FLOOD 31/10m" in desk.screen
        assert "flood: 31 alarms in 10 min, 21 near repeats folded away; n worst first" in desk.screen


async def test_freeze_stops_drawing_not_taking(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("F")
        desk.client.push(*[desk.client.incidents[4411]] * 3)
        await desk.live()
        await desk.press("j")
        assert desk.app.desk.mirror.seq == 3 and desk.app.desk.pump.held.logged == 3
        await desk.press("F")
        assert desk.app.desk.pump.held.logged == 0


async def test_empty_console_says_how_to_feed_it(opened: Opened) -> None:
    async with opened(count=0) as desk:
        for words in (
            "amtool --alertmanager.url=http://127.0.0.1:8099 alert add",
            "prometheus.yml",
            "/ingest/webhook/",
        ):
            assert words in desk.screen


async def test_loading_is_not_shown_as_empty(opened: Opened) -> None:
    client = FakeClient()
    client.go_down("the engine is starting")
    async with opened(client=client) as desk:
        assert "amtool" not in desk.screen and "No engine answers yet" in desk.screen


async def test_too_small_a_terminal_says_what_it_needs(opened: Opened) -> None:
    async with opened(size=(50, 12)) as desk:
        assert "2 critical - needs 60x15, has 50x12" in desk.screen


async def test_resize_keeps_the_cursor(opened: Opened) -> None:
    async with opened(size=(120, 36)) as desk:
        await desk.press("2", "j", "j")
        await desk.pilot.resize_terminal(80, 24)
        await desk.live()
        assert "I-4409" in desk.line(">")


async def test_session_is_found_again(opened: Opened, tmp_path: Path) -> None:
    options = Options(state_dir=tmp_path)
    async with opened(options=options) as desk:
        await desk.press("2", "slash")
        await desk.type("sev>=high")
        await desk.press("enter", "j", "space")
        desk.app.save()
    assert (tmp_path / "session.json").stat().st_mode & 0o777 == 0o600
    async with opened(options=options) as desk:
        assert desk.app.current_mode == "incidents"
        assert "Incidents > sev>=high" in desk.screen and "restored" in desk.screen
        assert desk.line("I-4410").startswith(" * ")
        assert desk.line("I-4409").startswith("> ")


async def test_a_broken_session_file_is_skipped(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "session.json").write_text('{"view": "nowhere", "views": {"overview": {"cursor": [1], "sort": 3}}}')
    async with opened(options=Options(state_dir=tmp_path)) as desk:
        assert "I-4411" in desk.screen


@pytest.mark.parametrize("theme", ["dark", "light", "high-contrast", "colour-blind", "mono"])
async def test_themes_switch_by_command(opened: Opened, theme: str) -> None:
    async with opened() as desk:
        desk.app.command(f"theme {theme}")
        await desk.live()
        assert desk.app.theme == theme and "I-4411" in desk.screen


def test_no_key_means_two_things_in_one_scope() -> None:
    scopes: dict[str, list[str]] = {}
    for action in ACTIONS.values():
        scopes.setdefault(action.scope, []).extend(action.keys)
    everywhere = [*scopes["view"], *scopes["app"], *scopes["table"]]
    for screen in (["incident", "alerts"], ["log", "feed"], ["log", "reject"]):
        together = [*everywhere, *(key for scope in screen for key in scopes[scope])]
        assert sorted(together) == sorted(set(together))


def test_every_command_word_is_unique() -> None:
    assert len(commands()) == sum(bool(action.command) for action in ACTIONS.values())


def test_first_frame_imports_nothing_heavy() -> None:
    heavy = "numpy sqlalchemy uvicorn starlette httpx websockets alembic re2 aiosqlite"
    program = f"""
import asyncio, sys
from engine.client import Unreachable
from noc_console.app import ConsoleApp
from noc_console.embedded import EngineThread
from tests.fakes.client import FakeClient
from tests.fakes.still_clock import StillClock

async def main():
    async with ConsoleApp(FakeClient(), StillClock()).run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        print(sorted(set({heavy!r}.split()) & set(sys.modules)))

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


async def test_clusters_are_read_again_after_incidents_changed(opened: Opened) -> None:
    async with opened() as desk:
        desk.client.clusters[4411] = replace(desk.client.clusters[4411], alerts=77)
        desk.client.push(replace(desk.client.incidents[4411], alerts=77))
        await desk.live()
        await desk.app.feed.follow_clusters()
        await desk.live()
        assert "136 alerts in 9" in desk.screen


async def test_a_message_without_its_record_is_passed_over(opened: Opened) -> None:
    async with opened() as desk:
        desk.app.desk.mirror.push(
            [Change(kind="incident_updated", tenant=TenantId("default"), at=desk.clock.now(), subject="incident:4411")]
        )
        await desk.live()
        assert "I-4411 new" in desk.screen and desk.app.desk.mirror.total_logged == 1
