"""The operations page: figures and the rows behind them, the way down, tickets with their clocks, findings to judge."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.client import Refused
from noc_console.screens.operations_rows import sla
from tests.console.conftest import Desktop, Opened
from tests.console.fraud_world import OperationsClient, ticket
from tests.fakes import world


async def show(desk: Desktop, *keys: str) -> None:
    await desk.press("7")
    for _ in range(2):
        await desk.live()
        await desk.settled()
    for key in keys:
        await desk.press(key)
        await desk.settled()
    await desk.live()
    await desk.settled()


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_figures_and_what_is_below(opened: Opened, size: tuple[int, int]) -> None:
    async with opened(client=OperationsClient(), size=size) as desk:
        await show(desk)
        assert "open incidents" in desk.screen and "Quayside" in desk.screen and "as of" in desk.screen
        assert "! look" in desk.line("missed") and "24 h ^ was 1" in desk.line("missed")


async def test_a_number_opens_its_rows_with_the_query(opened: Opened) -> None:
    async with opened(client=OperationsClient(), size=(120, 36)) as desk:
        await show(desk, "enter")
        assert "query  incidents  state=open" in desk.screen and "I-4411" in desk.screen
        assert "NOC > open incidents" in desk.screen
        await desk.press("enter")
        await desk.settled()
        assert "power lost" in desk.screen
        await desk.press("escape", "escape")
        assert "Quayside" in desk.screen


async def test_incidents_behind_a_number_show_rank_and_severity_and_can_be_acted_on(opened: Opened) -> None:
    client = OperationsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        await desk.press("enter")
        await desk.live()
        await desk.settled()
        assert "PRI-" in desk.screen and "SEV" in desk.screen
        assert "97 C!  I-4411" in desk.screen
        await desk.press("a")
        assert (client.commands[-1].verb, client.commands[-1].targets) == ("ack", ("incident:4411",))
        await desk.press("slash", *"Depot", "enter")
        await desk.settled()
        assert [query.q for query in client.queries if query.kind == "incidents"][-1] == "(state=open) and (Depot)"


@pytest.mark.parametrize(("key", "shown"), [("T", "SLA"), ("A", "VERDICT"), ("M", "MODULE")])
async def test_the_parts_keys_work_from_the_rows_behind_a_number(opened: Opened, key: str, shown: str) -> None:
    async with opened(client=OperationsClient(), size=(120, 36)) as desk:
        await show(desk)
        await desk.press("j", "enter")  # tickets: no key of theirs is one of these
        await desk.settled()
        await desk.press(key)
        await desk.settled()
        await desk.live()
        assert len(desk.app.screen_stack) == 1 and shown in desk.screen


async def test_down_to_an_entity_and_up_again(opened: Opened) -> None:
    client = OperationsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk)
        for words in ("all clients > Quayside", "Quayside > Harbour", "Harbour > Panel 1"):
            await desk.press("tab", "enter")
            await desk.live()
            await desk.settled()
            assert words in desk.screen
        asked = [query.params for query in client.queries if query.kind == "observability"]
        assert asked[-1] == {"client": "c1", "site": "s1", "entity": "d1"}
        await desk.press("escape")
        await desk.settled()
        assert "Quayside > Harbour" in desk.screen and "Panel 1" in desk.screen and "offline" in desk.line("Panel 1")


async def test_what_is_of_no_client_opens_its_incidents(opened: Opened) -> None:
    client = OperationsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk, "tab", "j", "enter")
        assert "no client > open incidents" in desk.screen and "query  incidents  not site=s1" in desk.screen
        await desk.press("escape")
        await desk.settled()
        assert "Quayside" in desk.screen


async def test_tickets_show_their_clocks_the_next_to_end_first(opened: Opened) -> None:
    async with opened(client=OperationsClient(), size=(120, 36)) as desk:
        await show(desk, "T")
        assert "! -20m" in desk.line("T-2") and "risk 7m" in desk.line("T-1") and "89m" in desk.line("T-3")
        assert desk.screen.index("T-2") < desk.screen.index("T-1") < desk.screen.index("T-3")
        assert "3 tickets, 0 over, 1 at risk; 30 d: 3, 1 breached, median 65 min" in desk.screen


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"due": None}, "-"),
        ({"held_since": world.NOW}, "held"),
        ({"state": "resolved", "resolved_at": world.NOW}, "met"),
        ({"state": "resolved", "resolved_at": world.NOW, "breached": True}, "missed"),
        ({"at_risk_at": world.NOW - timedelta(minutes=1)}, "risk 90m"),
    ],
)
def test_words_of_the_clock(more: dict[str, object], words: str) -> None:
    assert sla(ticket("T", **more), world.NOW).text == words  # type: ignore[arg-type]


async def test_a_ticket_is_assigned_noted_and_moved(opened: Opened) -> None:
    client = OperationsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk, "T")
        await desk.press("O")
        await desk.settled()
        await desk.calm("b", "o", "enter")
        await desk.settled()
        await desk.press("s")
        await desk.settled()
        assert "the SLA's clock stands still" in desk.screen
        await desk.calm("h")
        await desk.settled()
        await desk.calm("enter")
        await desk.settled()
        assert [(command.verb, command.targets, command.params) for command in client.commands] == [
            ("assign_ticket", ("ticket:T-2",), {"assignee": "bo"}),
            ("move_ticket", ("ticket:T-2",), {"state": "on_hold", "note": ""}),
        ]
        await desk.live()
        assert "on hold" in desk.line("T-2")


async def test_enter_on_a_ticket_tells_its_history(opened: Opened) -> None:
    async with opened(client=OperationsClient(), size=(120, 36)) as desk:
        await show(desk, "T", "enter")
        assert "ana: new; called in" in desk.screen


async def test_a_finding_is_judged_with_a_note(opened: Opened) -> None:
    client = OperationsClient()
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk, "A")
        assert "title of f1" in desk.screen and "2 findings, 2 not judged" in desk.screen
        await desk.press("x")
        await desk.settled()
        assert "False alarm?" in desk.screen and not client.commands
        await desk.calm("enter")
        await desk.settled()
        (command,) = client.commands
        assert command.targets == ("finding:f1",) and command.params == {"verdict": "false_alarm", "note": ""}


async def test_lists_are_filtered_and_the_figures_are_not(opened: Opened) -> None:
    async with opened(client=OperationsClient(), size=(120, 36)) as desk:
        await show(desk, "A")
        await desk.press("slash")
        await desk.settled()
        await desk.type("site=s2")
        await desk.press("enter")
        await desk.settled()
        assert "title of f2" in desk.screen and "title of f1" not in desk.screen
        await desk.press("M", "slash")
        assert "filters tickets and findings" in desk.screen


async def test_read_only_and_rights_are_kept(opened: Opened) -> None:
    client = OperationsClient()
    client.capabilities = ("noc:view",)
    async with opened(client=client, size=(120, 36)) as desk:
        await show(desk, "T", "o")
        assert "you lack the right ticket:write" in desk.screen and not client.commands


async def test_what_cannot_be_read_is_said(opened: Opened) -> None:
    client = OperationsClient()
    client.refuse_query("observability", Refused("the store is busy"))
    async with opened(client=client) as desk:
        await show(desk)
        assert "Could not be read: the store is busy" in desk.screen


async def test_nothing_behind_a_number_is_said(opened: Opened) -> None:
    client = OperationsClient()
    client.incidents.clear()
    async with opened(client=client) as desk:
        await show(desk, "enter")
        assert "Nothing is behind this number now." in desk.screen
