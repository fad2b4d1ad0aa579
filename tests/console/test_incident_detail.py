"""One incident's own screen: facts, sections, live updates, acts, and every state that it can be in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from data.records import IncidentId, IncidentState
from engine.client import Refused
from tests.console.conftest import Opened
from tests.fakes import world
from tests.fakes.client import FakeClient


async def test_facts_and_timeline(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "enter")
        await desk.settled()
        lines = desk.screen.splitlines()
        assert "I-4411  critical  power lost" in lines[1]
        assert "open, not acknowledged" in desk.screen and "SLA" in desk.screen and "owned by ana" in desk.screen
        assert "severity rose" in desk.screen and "noted" in desk.screen


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (("tab",), "A-441100"),
        (("w",), "because joined_similar"),
        (("w", "t"), "severity rose"),
        (("tab", "tab", "tab"), "same site Depot 11"),
        (("shift+tab",), "noted power lost"),
    ],
)
async def test_sections_by_key(opened: Opened, keys: tuple[str, ...], words: str) -> None:
    async with opened() as desk:
        await desk.press("2", "enter", *keys)
        await desk.settled()
        assert words in desk.screen


@pytest.mark.parametrize(("width", "panes"), [(80, 1), (120, 2), (200, 3)])
async def test_as_many_panes_as_there_is_room(opened: Opened, width: int, panes: int) -> None:
    async with opened(size=(width, 36)) as desk:
        await desk.press("2", "enter")
        await desk.settled()
        shown = ("severity rose" in desk.screen, "A-441100" in desk.screen, "because joined" in desk.screen)
        assert sum(shown) == panes and shown[0]


async def test_why_opens_at_its_section_and_esc_returns_to_the_row(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "j", "j", "w")
        await desk.settled()
        assert "because joined_similar" in desk.screen and "I-4409" in desk.screen
        await desk.press("escape")
        assert "I-4409" in desk.line("> ")


async def test_is_live_while_open(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "enter", "tab")
        await desk.settled()
        asked = len([query for query in desk.client.queries if query.kind == "alerts"])
        incident = desk.client.incidents[4411]
        desk.client.alerts[999] = world.alert(999, incident)
        desk.client.push(replace(incident, alerts=13, title="power lost: all of it"))
        await desk.live(2)
        await desk.settled()
        assert "power lost: all of it" in desk.screen and "A-999" in desk.screen
        assert len([query for query in desk.client.queries if query.kind == "alerts"]) == asked + 1


async def test_a_quiet_incident_asks_nothing(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "enter")
        await desk.settled()
        asked = len(desk.client.queries)
        for _ in range(5):
            await desk.live(1)
        assert len(desk.client.queries) == asked


async def test_merged_says_where_it_went_and_leads_there(opened: Opened) -> None:
    async with opened() as desk:
        merged = replace(desk.client.incidents[4410], merged_into=IncidentId(4411), state=IncidentState.CLOSED)
        await desk.press("2", "j", "enter")
        desk.client.push(merged)
        await desk.live()
        assert "its alerts are in I-4411 now" in desk.screen
        await desk.press("enter")
        await desk.settled()
        assert "I-4411  critical" in desk.screen


async def test_returned_is_explained(opened: Opened) -> None:
    async with opened() as desk:
        at = world.NOW - timedelta(minutes=3)
        await desk.press("2", "enter")
        desk.client.push(replace(desk.client.incidents[4411], state=IncidentState.RETURNED, returned_at=at, firing=0))
        await desk.live()
        assert "back to normal (since 14:00Z), but nobody has acknowledged it" in desk.screen


async def test_one_that_ended_long_ago_is_asked_for(opened: Opened) -> None:
    client = FakeClient()
    gone = replace(world.incident(77), state=IncidentState.CLOSED, closed_at=world.NOW, resolution="fuse replaced")
    async with opened(client=client) as desk:
        client.incidents[77] = gone
        desk.app.command("incidents I-77")
        await desk.settled()
        assert "I-77" in desk.screen and "closed 20 Nov 14:03Z: fuse replaced" in desk.screen


async def test_unknown_number_is_named(opened: Opened) -> None:
    async with opened() as desk:
        desk.app.command("inc 123456")
        await desk.settled()
        assert "there is no such incident" in desk.screen


async def test_acts_are_for_this_incident(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "j", "enter", "a")
        await desk.live()
        assert desk.client.commands[-1].targets == ("incident:4410",)
        assert "acknowledged" in desk.line("state")


async def test_marked_alerts_are_split_off(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "enter", "tab")
        await desk.settled()
        await desk.press("space", "space", "x")
        assert "Split off A-441100, A-441102?" in desk.screen
        await desk.calm("y")
        assert desk.client.commands[-1].verb == "split"
        assert desk.client.commands[-1].targets == ("alert:441100", "alert:441102")


async def test_what_was_split_off_leaves_the_list(opened: Opened) -> None:
    client = FakeClient()
    async with opened(client=client) as desk:
        await desk.press("2", "enter", "tab")
        await desk.settled()
        await desk.press("x")
        assert "A-441100" in desk.screen
        await desk.press("escape", "space", "x")
        client.alerts[441100] = replace(client.alerts[441100], incident=IncidentId(9999))
        await desk.calm("y")
        await desk.settled()
        assert "split A-441100" in desk.line("A-441100") and desk.screen.count("A-441100") == 1
        assert "A-441102" in desk.screen


async def test_an_only_alert_cannot_be_split_off(opened: Opened) -> None:
    async with opened() as desk:
        desk.client.push(replace(desk.client.incidents[4411], alerts=1))
        await desk.live()
        await desk.press("2", "x")
        assert "split: I-4411 has one alert only, there is nothing to part" in desk.screen


async def test_near_repeats_on_demand(opened: Opened) -> None:
    async with opened(size=(100, 40)) as desk:
        await desk.press("2", "enter", "tab")
        await desk.settled()
        assert "A-441101" not in desk.screen and "4 near repeats folded" in desk.screen
        await desk.press("d")
        assert "A-441101" in desk.screen and "repeat" in desk.screen


async def test_next_unacked_in_place(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "enter", "n")
        await desk.settled()
        assert "I-4410  critical  guard no-show" in desk.screen
        await desk.press("escape")
        assert "Incidents" in desk.screen.splitlines()[1]


async def test_refused_section_names_reason_field_and_remedy(opened: Opened) -> None:
    async with opened() as desk:
        desk.client.refuse_query("timeline", Refused("the store is busy", field="q", remedy="try again"))
        await desk.press("2", "enter")
        await desk.settled()
        assert "Could not be read: the store is busy [q]; try again" in desk.screen
        desk.client.refuse_query("timeline", None)
        await desk.press("ctrl+r")
        await desk.settled()
        assert "severity rose" in desk.screen


async def test_lost_engine_keeps_what_was_read(opened: Opened) -> None:
    async with opened() as desk:
        await desk.press("2", "enter")
        await desk.settled()
        desk.client.go_down()
        await desk.app.feed.ask()
        await desk.live(2)
        await desk.settled()
        assert "severity rose" in desk.screen and "old]" in desk.screen and "DOWN" in desk.screen
        await desk.press("r")
        assert "Resolve: no engine to act on" in desk.screen


async def test_alert_detail(opened: Opened) -> None:
    async with opened(size=(100, 30)) as desk:
        await desk.press("2", "enter", "tab")
        await desk.settled()
        await desk.press("enter")
        await desk.settled()
        for words in ("A-441100  critical", "alertname", "summary", "https://prometheus.example/graph", "C-4411"):
            assert words in desk.screen
        await desk.press("i")
        await desk.write("fuse")
        await desk.press("enter")
        assert desk.client.commands[-1].targets == ("alert:441100",)
        await desk.press("O")
        await desk.write("bo")
        await desk.press("enter")
        assert desk.client.commands[-1].targets == ("incident:4411",)
        await desk.press("escape", "escape")
        assert "9 active" in desk.screen
