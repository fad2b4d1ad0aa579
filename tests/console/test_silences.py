"""Silences on the screen: marks in the list, the count, the list of silences, what a silence would cover."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from data.records import Matcher, Silence, TenantId
from noc_console.screens.silence_proposals import Subject, likeliest, proposals
from noc_console.screens.silence_rows import matchers_text
from tests.console.conftest import Opened
from tests.fakes import world
from tests.fakes.client import FakeClient
from tests.fakes.waiting import PATIENCE

MATCHERS = (
    Matcher(name="site", value='Harbour "2"'),
    Matcher(name="severity", value="low|info", is_regex=True, is_equal=False),
)


class SilencedClient(FakeClient):
    """With one silence that holds for ten minutes more."""

    def _answer(self, query: Any) -> list[Any]:
        if query.kind != "silences":
            return super()._answer(query)
        now = self.now()
        silence = Silence(
            id="s-1",
            tenant=TenantId("default"),
            matchers=(Matcher(name="site", value="Harbour 2"),),
            starts_at=now - timedelta(hours=1),
            ends_at=now + timedelta(minutes=10),
            created_by="ana",
            comment="works on the roof",
            updated_at=now,
            ticket="CHG-7",
        )
        return [silence]


async def test_what_is_muted_is_marked_in_the_list_by_a_word(opened: Opened) -> None:
    async with opened() as desk:
        first = desk.client.incidents[4411]
        desk.client.push(replace(first, muted=first.firing))
        await desk.press("2")
        await desk.live()
        assert "I-4411 muted" in desk.screen and "all that fires is muted" in desk.screen.replace("\n", " ")
        desk.client.push(replace(first, muted=1))
        await desk.live()
        assert "I-4411 new " in desk.screen and "(1 of them muted)" in desk.screen


async def test_silenced_alerts_are_counted_in_the_status_bar(opened: Opened) -> None:
    async with opened(size=(120, 36)) as desk:
        health = desk.app.desk.mirror.health
        assert health is not None
        desk.app.desk.mirror.health = replace(health, silenced=12)
        await desk.live(0.5)
        assert "silenced 12" in desk.line("LIVE")


async def test_the_list_of_silences_says_what_who_until_when_and_what_it_hits(opened: Opened) -> None:
    async with opened(client=SilencedClient(), size=(120, 36)) as desk:
        desk.app.command("silences")
        await desk.live()
        await desk.settled()
        line = desk.line("works on the roof")
        assert 'site="Harbour 2"' in line and "ana" in line and "x active" in line
        hits = sum(alert.labels.get("site") == "Harbour 2" for alert in desk.client.alerts.values())
        assert f" {hits} " in line


async def test_a_silence_is_extended_from_its_end_and_ended_by_key(opened: Opened) -> None:
    async with opened(client=SilencedClient(), size=(120, 36)) as desk:
        await desk.press("9", "S")
        await desk.live()
        await desk.settled()
        await desk.press("e")
        await desk.write("2h")
        await desk.calm("enter")
        await desk.settled()
        sent = desk.client.commands[-1]
        assert sent.verb == "silence" and sent.params["id"] == "s-1" and sent.params["created_by"] == "ana"
        assert sent.params["matchers"] == 'site="Harbour 2"'
        await desk.press("x")
        assert "End this silence now?" in desk.screen
        await desk.calm("y")
        await desk.settled()
        assert (desk.client.commands[-1].verb, desk.client.commands[-1].targets) == ("expire_silence", ("silence:s-1",))


def test_matchers_are_written_as_they_are_typed() -> None:
    assert matchers_text(MATCHERS) == 'site="Harbour \\"2\\"", severity!~"low|info"'


def test_proposals_that_hit_all_alerts_come_before_those_that_hit_a_part() -> None:
    alerts = [
        replace(alert, labels={"alertname": name, "site": "H 2", "host": host})
        for (name, host), alert in zip((("A.b", "x"), ("C", "y")), world.operation(2, world.NOW)[2], strict=False)
    ]
    first = 'alertname="A.b", site="H 2"'
    found = proposals(first, alerts)
    assert found[0] == first and 'site="H 2"' in found and 'alertname=~"A\\\\.b|C"' in found
    subject = Subject("I-1", alerts)
    assert [subject.hits(text) for text in found] == [1, *[2] * (len(found) - 1)]


def test_the_first_that_hits_something_is_begun_with() -> None:
    alerts = [replace(world.operation(1, world.NOW)[2][0], labels={"alertname": "Down", "site": "H2"})]
    assert likeliest(['alertname="Up"', "site=~(", 'site="H2"', 'alertname="Down"'], alerts) == 'site="H2"'
    assert likeliest(['alertname="Up"', 'site="H3"'], alerts) == 'alertname="Up"' and likeliest([], alerts) == ""


def test_labels_that_are_hard_to_write_are_proposed_as_matchers_that_hit() -> None:
    odd = {"alertname": 'say "x" \\ y', "site": "H\n2", 'a b"=~{,\n': "\x1b[2J", "": "no name"}
    alerts = [replace(alert, labels=odd) for alert in world.operation(2, world.NOW)[2][:2]]
    found = proposals("", alerts)
    assert found
    assert [Subject("I-1", alerts).hits(text) for text in found] == [2] * len(found)


async def test_the_dialog_says_how_much_of_the_incident_is_hit_and_offers_others(opened: Opened) -> None:
    async with opened(size=(120, 36)) as desk:
        await desk.press("2", "S")
        total = sum(alert.incident == 4411 for alert in desk.client.alerts.values())
        told = (f"the {total} active alerts of I-4411", f"all {total} active alerts")
        async with asyncio.timeout(PATIENCE):
            while not any(words in desk.screen for words in told):
                await desk.pilot.pause(0.05)
        await desk.settled()
