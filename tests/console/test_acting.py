"""Acts on what is not as it was, and keys that close, leave and take back."""

from __future__ import annotations

from msgspec.structs import replace

from data.records import IncidentState
from tests.console.conftest import Opened


async def test_a_row_that_was_merged_away_is_asked_about_before_another_is_hit(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2")
        gone = desk.client.incidents[4411]
        desk.client.push(replace(gone, merged_into=4410, state=IncidentState.CLOSED))
        await desk.live()
        desk.app.command("ack I-4411")
        await desk.settled()
        assert "Ack I-4410 instead?" in desk.screen and "I-4411 is no more" in desk.screen
        assert not desk.client.commands
        await desk.press("escape")
        assert not desk.client.commands
        desk.app.command("ack I-4411")
        await desk.settled()
        await desk.calm("y")
        await desk.settled()
        assert desk.client.commands[-1].targets == ("incident:4410",)


async def test_resolve_asks_about_what_it_became_too(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2")
        desk.client.push(replace(desk.client.incidents[4411], merged_into=4410, state=IncidentState.CLOSED))
        await desk.live()
        desk.app.command("resolve I-4411")
        await desk.settled()
        assert "Resolve I-4410 instead?" in desk.screen
        await desk.calm("y")
        await desk.settled()
        assert "Resolve I-4410?" in desk.screen and "u takes it back for 10 minutes" in desk.screen


async def test_escape_at_the_root_does_nothing(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("escape", "escape")
        assert "Leave the console?" not in desk.screen and desk.app.is_running


async def test_escape_closes_the_innermost_thing_first(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "space", "slash")
        await desk.type("sev>=high")
        await desk.press("enter", "z")
        assert desk.app.screen.has_class("-zoomed")
        await desk.press("escape")
        assert not desk.app.screen.has_class("-zoomed") and "sev>=high" in desk.screen
        await desk.press("escape")
        assert "Incidents >" not in desk.screen and "1 marked" in desk.screen
        await desk.press("escape")
        await desk.live()
        assert "1 marked" not in desk.screen


async def test_a_wrong_filter_is_kept_for_editing_and_its_error_goes_when_it_is_right(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "slash")
        await desk.type("sev>=hi")
        await desk.press("enter")
        assert "filter: at" in desk.screen
        await desk.live(60)
        assert "filter: at" in desk.screen
        await desk.press("slash")
        assert "/sev>=hi" in desk.screen
        await desk.type("gh")
        await desk.press("enter")
        assert "filter: at" not in desk.screen and "Incidents > sev>=high" in desk.screen


async def test_the_undo_badge_counts_down_the_ten_minutes(opened: Opened) -> None:
    async with opened(size=(120, 36)) as desk:
        await desk.press("2", "a")
        await desk.live()
        assert "UNDO 10m" in desk.line("LIVE")
        await desk.live(400)
        await desk.app.feed.ask()
        await desk.live()
        assert "UNDO 4m" in desk.screen
        await desk.live(250)
        await desk.app.feed.ask()
        await desk.live()
        assert "UNDO" not in desk.screen


async def test_own_column_and_own_key_mean_the_owner(opened: Opened) -> None:
    async with opened(size=(120, 36)) as desk:
        health = desk.app.desk.mirror.health
        assert health is not None
        desk.app.desk.mirror.health = replace(health, actor="maria")
        await desk.press("2", "o")
        await desk.settled()
        assert desk.client.commands[-1].params == {"owner": "maria"}
