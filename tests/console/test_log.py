"""The log: feed, sources, rejects, health, KPIs."""

from __future__ import annotations

from msgspec.structs import replace

from data.records import Change
from engine.client import Refused
from noc_console.desk import Options
from noc_console.directory import Directory
from noc_console.feed_words import change_pieces
from noc_console.screens.log_tables import silent_seconds
from noc_console.widgets.feed_view import FeedView
from noc_console.widgets.pane import Pane
from tests.console.conftest import Opened
from tests.fakes import answers, world
from tests.fakes.client import FakeClient


async def test_feed_follows_and_pauses_with_a_count(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("9")
        await desk.settled()
        assert "Nothing has happened" in desk.screen
        for number in range(30):
            desk.client.push(replace(desk.client.incidents[4411], title=f"step {number}"))
        await desk.live()
        assert "step 29" in desk.screen and "following" in desk.screen
        await desk.press("k", "k")
        desk.client.push(*[replace(desk.client.incidents[4411], title="later")] * 7)
        await desk.live()
        assert "paused +7 new" in desk.screen and "later" not in desk.screen
        await desk.press("G")
        assert "following" in desk.screen and "later" in desk.screen


async def test_feed_shows_what_was_before_this_console(opened: Opened) -> None:
    client = FakeClient()
    client.push(replace(client.incidents[4411], title="before"))
    async with opened(client=client) as desk:
        await desk.press("9")
        await desk.settled()
        assert "before" in desk.screen


async def test_feed_marks_times_wrap_and_opens(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("9")
        desk.client.push(replace(desk.client.incidents[4410], title="first " + "word " * 30 + "end"))
        desk.client.push(*[desk.client.incidents[4411]] * 3)
        await desk.live()
        await desk.press("g", "m")
        assert "1 marked" in desk.screen and desk.line("I-4410").startswith(">*")
        await desk.press("w")
        assert "word end" in desk.screen.replace("\n", " ").replace("  ", "")
        await desk.press("t", "t")
        assert "2026-11-20 14:03" in desk.screen
        await desk.press("G", "n")
        assert desk.line("I-4410").startswith(">*")
        await desk.press("enter")
        await desk.settled()
        assert "I-4410  critical" in desk.screen


async def test_feed_filter(opened: Opened) -> None:
    async with opened() as desk:
        desk.client.push(desk.client.incidents[4411], desk.client.incidents[4410])
        await desk.live()
        await desk.press("9", "slash")
        await desk.type("site=Depot*")
        await desk.press("enter")
        assert "Feed > site=Depot*" in desk.screen and "I-4410" in desk.screen and "I-4411" not in desk.screen


async def test_a_pane_that_is_read_again_leaves_the_keys_to_the_line_that_is_typed(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("9", "colon")
        for letters in ("log ", "sour", "ces"):
            await desk.type(letters)
            desk.client.push(replace(desk.client.incidents[4411], title=f"while {letters}is typed"))
            await desk.live()
        assert ":log sources" in desk.screen
        await desk.press("enter")
        await desk.settled()
        assert "Sources" in desk.line("heard since") and ":log sources" not in desk.screen
        await desk.press("L", "k")
        assert "paused" in desk.screen, "the keys are the page's again"


async def test_sources_name_the_silent(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("9", "s")
        await desk.settled()
        assert "! silent" in desk.line("grafana") and "42m" in desk.line("grafana")
        assert "sending" in desk.line("prometheus") and "1 silent" in desk.screen.splitlines()[1]


def test_silence_is_measured_against_the_habit() -> None:
    fast, slow = answers.sources(world.NOW)
    assert not silent_seconds(fast, world.NOW) and silent_seconds(slow, world.NOW) == 42 * 60
    assert not silent_seconds({**slow, "envelopes": 3}, world.NOW)
    assert silent_seconds({**slow, "last_at": slow["last_at"].isoformat()}, world.NOW) == 42 * 60


async def test_reject_is_read_and_discarded(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("9", "r")
        await desk.settled()
        await desk.press("enter")
        await desk.settled()
        for words in ("title: expected text, got a number", "send the title as a string", '{"title": 7}'):
            assert words in desk.screen
        await desk.press("d")
        await desk.settled()
        assert "Discard reject:2?" in desk.screen or "Discard R-2?" in desk.screen
        await desk.calm("y")
        await desk.settled()
        assert desk.client.commands[-1].verb == "discard_reject"
        assert desk.client.commands[-1].targets == ("reject:2",)
        assert "1 wait" in desk.screen


async def test_reject_is_corrected_and_replayed(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("9", "r")
        await desk.settled()
        await desk.press("e")
        await desk.settled()
        await desk.press("end", *["backspace"] * 2, "8", "}", "ctrl+s")
        await desk.settled()
        assert desk.client.commands[-1].verb == "replay_reject"
        assert desk.client.commands[-1].params == {"body": '{"title": 8}'}


async def test_reject_unchanged_is_replayed_as_it_was(opened: Opened) -> None:
    async with opened() as desk:
        desk.client.rejects = {r.id: r for r in answers.rejects(world.NOW, world.EVIL)}
        await desk.press("9", "r")
        await desk.settled()
        await desk.press("e")
        await desk.settled()
        assert "cannot be shown" in desk.screen
        await desk.press("ctrl+s")
        await desk.settled()
        assert desk.client.commands[-1].params == {}


async def test_reject_that_is_still_wrong_is_told(opened: Opened) -> None:
    async with opened() as desk:
        desk.client.refuse_next(Refused("title: expected text", field="body", remedy="send a string"))
        await desk.press("9", "r")
        await desk.settled()
        await desk.press("R")
        await desk.settled()
        assert "refused: title: expected text [body]" in desk.screen and "2 wait" in desk.screen


async def test_health_has_banners_lag_and_inbox(opened: Opened) -> None:
    async with opened() as desk:
        desk.client.banners, desk.client.state = ("the disk is 97 % full",), "degraded"
        await desk.app.feed.ask()
        await desk.press("9", "b")
        await desk.live()
        for words in ("degraded", "the disk is 97 % full", "arrivals", "lag", "inbox", "committed"):
            assert words in desk.screen


async def test_kpis_come_with_formulas(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("9", "K")
        await desk.settled()
        assert "3m" in desk.line("MTTA") and "mean of first ack" in desk.line("MTTA")
        assert "no data" in desk.line("MTTR")


async def test_refused_pane_says_so(opened: Opened) -> None:
    async with opened() as desk:
        desk.client.refuse_query("kpis", Refused("this takes noc:view", remedy="ask for a token"))
        await desk.press("9", "K")
        await desk.settled()
        assert "Could not be read: this takes noc:view; ask for a token" in desk.screen


async def test_panes_by_tab_and_by_command(opened: Opened) -> None:
    async with opened() as desk:
        desk.app.command("log rejects")
        await desk.settled()
        assert "2 wait" in desk.screen
        for title in ("Silences", "Health"):
            await desk.press("tab")
            await desk.settled()
            assert title in desk.screen.splitlines()[2]


async def test_readonly_holds_inside_the_dialog_too(opened: Opened) -> None:
    async with opened(options=Options(readonly=True)) as desk:
        await desk.press("9", "r")
        await desk.settled()
        for key in ("e", "R", "d"):
            await desk.press("enter")
            await desk.settled()
            await desk.press(key)
            await desk.settled()
            assert "this console is read-only" in desk.screen and len(desk.app.screen_stack) == 1
        assert not desk.client.commands


async def test_a_feed_that_was_hidden_while_it_was_read_is_shown_at_its_newest_message(opened: Opened) -> None:
    """Nothing comes in later that would put it there."""
    client = FakeClient()
    async with opened(client=client) as desk:
        await desk.press("9")
        await desk.settled()
        view = desk.app.screen.query_one(FeedView)
        assert not view.size.height
        for number in range(100):
            client.push(replace(client.incidents[4411], title=f"step {number}."))
        view.replace(client.log)
        assert isinstance(view.parent, Pane)
        view.parent.ready()
        await desk.settled()
        assert "step 99." in desk.screen and "step 0." not in desk.screen


def test_what_stands_in_columns_stays_there_behind_a_long_id() -> None:
    short, long = (
        Change(kind="tour_updated", tenant=world.TENANT, at=world.NOW, subject=f"tour:{id}", site="s1")
        for id in ("t-7", "tour-261121-site-025-evening-1-1")
    )
    lines = ["".join(piece.text for piece in change_pieces(change, Directory())) for change in (short, long)]
    assert lines[0].index("s1") == lines[1].index("s1") and "s1  tour-261121-site-025-evening-1-1" in lines[1]
