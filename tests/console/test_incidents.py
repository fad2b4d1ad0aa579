"""The list of incidents as an operator uses it."""

from __future__ import annotations

from msgspec.structs import replace

from data.records import IncidentState
from engine.client import Refused
from noc_console.desk import Options
from tests.console.conftest import Opened
from tests.fakes import world


async def test_worst_first_with_its_words(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2")
        lines = desk.screen.splitlines()
        assert "2 Incidents" in lines[0]
        assert "9 active" in lines[1] and "6 unacked" in lines[1]
        assert lines[3].startswith(">   97 C!  I-4411 new        6m Harbour 2  power lost")
        assert "I-4411" in desk.line("enter open")


async def test_ack_is_shown_only_when_the_engine_said_so(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "a")
        await desk.live()
        assert desk.client.commands[-1].verb == "ack"
        assert desk.client.commands[-1].targets == ("incident:4411",)
        assert "I-4411 ack" in desk.screen
        assert "[u] undo: acknowledged I-4411" in desk.screen
        assert "UNDO" in desk.line("LIVE")


async def test_undo_takes_the_last_act_back(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "a", "u")
        await desk.live()
        assert [command.verb for command in desk.client.commands] == ["ack", "undo"]
        assert "I-4411 new" in desk.screen


async def test_a_refusal_is_told_and_changes_nothing(opened: Opened) -> None:
    async with opened() as desk:
        desk.client.refuse_next(Refused("somebody else closed it", remedy="reopen it first"))
        await desk.press("2", "a")
        await desk.live()
        assert "ack refused: somebody else closed it — reopen it first" in desk.screen
        assert "I-4411 new" in desk.screen


async def test_marked_rows_are_acted_on_together(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "space", "space")
        assert "2 marked" in desk.screen
        await desk.press("a")
        await desk.live()
        assert desk.client.commands[-1].targets == ("incident:4411", "incident:4410")
        assert "marked" not in desk.screen


async def test_many_marked_rows_ask_first(opened: Opened) -> None:
    async with opened(count=30) as desk:
        await desk.press("2", *["space"] * 21, "a")
        assert "Ack 21?" in desk.screen and "This is for 21 at once" in desk.screen
        await desk.press("n")
        assert not desk.client.commands
        await desk.press("a")
        await desk.calm("y")
        assert len(desk.client.commands[-1].targets) == 21


async def test_shelve_asks_how_long(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "s", "tab")
        await desk.write("30m")
        await desk.press("tab")
        await desk.write("fan noise")
        assert "comes back by itself at 20 Nov 14:33Z" in desk.screen
        await desk.press("enter")
        await desk.live()
        assert desk.client.commands[-1].params == {"minutes": 30, "note": "fan noise"}
        assert "I-4411 shelved" in desk.screen


async def test_resolve_says_what_will_happen(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "r")
        assert "Resolve I-4411?" in desk.screen and "11 alerts still fire: muted until" in desk.screen
        await desk.press("escape")
        assert not desk.client.commands
        await desk.press("r")
        await desk.calm("y")
        assert desk.client.commands[-1].verb == "resolve"


async def test_merge_proposes_that_the_worst_stays(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "space", "j", "space", "k", "m")
        assert "> stays  C! I-4411" in desk.screen and "  joins  H  I-4409" in desk.screen
        await desk.calm("y")
        assert desk.client.commands[-1].targets == ("incident:4411", "incident:4409")


async def test_what_is_shelved_leaves_its_place_at_once_and_the_cursor_stays(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "s")
        await desk.settled()
        await desk.calm("enter")
        await desk.settled()
        await desk.live(0.6)
        await desk.live(0.6)
        assert desk.client.commands[-1].verb == "shelve"
        assert desk.line("> ").startswith(">   88 C!  I-4410"), desk.screen
        rows = [line for line in desk.screen.splitlines() if " I-4411 " in line]
        assert rows and " shelved " in rows[-1]
        assert desk.screen.index("I-4410") < desk.screen.index(" I-4411 ")


async def test_next_unacked_skips_what_is_handled(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "n", "n", "n")
        assert desk.line("> ").startswith(">   52 M   I-4407")


async def test_new_incident_is_announced_and_does_not_move_the_cursor(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "j")
        before = desk.screen.splitlines()[4]
        desk.client.push(replace(world.incident(5000, 0), priority=99, title="siren at the gate"))
        await desk.live(0.6)
        assert "+1 new C! I-5000 siren at the gate" in desk.screen
        assert desk.screen.splitlines()[4] == before
        await desk.live(6)
        assert "+1 new" not in desk.screen
        assert desk.screen.splitlines()[3].startswith("    99 C!  I-5000")
        assert desk.line(">").lstrip("> ").startswith("88 C!  I-4410")


async def test_ended_incident_stays_until_the_order_may_change(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "j")
        desk.client.push(replace(desk.client.incidents[4409], state=IncidentState.RESOLVED))
        await desk.live(0.6)
        assert "I-4409 res" in desk.screen
        await desk.live(6)
        assert "I-4409" not in desk.screen


async def test_filter_in_the_query_language(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "slash")
        await desk.type("site=Harbour*")
        await desk.press("enter")
        assert "Incidents > site=Harbour*" in desk.screen and "2 of 9 active" in desk.screen
        assert "I-4410" not in desk.screen
        await desk.press("escape")
        assert "I-4410" in desk.screen


async def test_filter_that_is_wrong_says_where(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "slash")
        await desk.type("site=")
        await desk.press("enter")
        assert "filter: at 6" in desk.screen and "9 active" in desk.screen


async def test_readonly_names_its_reason(opened: Opened) -> None:
    async with opened(options=Options(readonly=True)) as desk:
        await desk.press("2", "a")
        assert "Ack: this console is read-only" in desk.screen
        assert "RO" in desk.line("LIVE") and not desk.client.commands


async def test_missing_right_is_named(opened: Opened) -> None:
    async with opened() as desk:
        desk.client.capabilities = ("noc:view",)
        await desk.app.feed.ask()
        await desk.press("2", "a")
        assert "Ack: you lack the right noc:ack" in desk.screen and not desk.client.commands


async def test_colon_command_acts(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "colon")
        await desk.type("assign")
        await desk.press("space")
        await desk.type("bo")
        await desk.press("enter")
        assert desk.client.commands[-1].params == {"owner": "bo"}


async def test_sort_by_another_column(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "greater_than_sign", "greater_than_sign", "I")
        assert "ID^" in desk.screen
        assert "I-4403" in desk.screen.splitlines()[3]


async def test_what_is_new_is_cut_before_the_counts(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2")
        title = "a very long title that says more than there is room for on this line"
        desk.client.push(replace(world.incident(5000, 0), priority=99, title=title))
        await desk.live(0.6)
        assert "+1 new C! I-5000 a very long" in desk.screen.splitlines()[1]
        assert desk.screen.splitlines()[1].rstrip("─ ").endswith("10 active  7 unacked")


async def test_what_is_new_and_cut_stands_apart_from_the_counts(opened: Opened) -> None:
    async with opened(size=(72, 24)) as desk:
        await desk.press("2")
        title = "a very long title that says more than there is room for on this line"
        desk.client.push(replace(world.incident(5000, 0), priority=99, title=title))
        await desk.live(0.6)
        assert "…  10 active" in desk.screen.splitlines()[1]
