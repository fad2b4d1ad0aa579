"""The approvals page on a real engine: from a question to a verified run, and plans that change on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from data.records import DEFAULT_TENANT, Severity
from data.scope import CAPABILITIES, Scope
from engine.app import Engine, build
from engine.client import Command, Query, Refused
from engine.clock import SystemClock
from engine.playbooks.settings import ConfigurationSettings, PlaybookSettings
from engine.ports import Envelope, EnvelopeKind
from engine.settings import Settings, StoreSettings
from noc_console.app import ConsoleApp
from noc_console.desk import Options
from noc_console.dialogs.execute import ExecuteDialog
from tests.fakes.line import signal
from tests.fakes.waiting import PATIENCE

ANA = Scope(tenant=DEFAULT_TENANT, actor="ana", capabilities=CAPABILITIES)
BOB = Scope(tenant=DEFAULT_TENANT, actor="bob", capabilities=CAPABILITIES)
ASK = """
name: ask
version: 1
description: Write the file and open a ticket.
trigger: {severity: high}
steps:
  - name: write
    action: update_configuration
    params: {path: web.conf, content: "host ${alert.entity}, ${incident.severity}\\n"}
    rollback: true
  - name: open
    action: create_ticket
    params: {title: "Look at ${alert.entity}", note: "changed ${steps.write.changed}"}
verification: {condition: 'incident.alerts >= 1', resolves: true}
"""
HAND = """
name: hand-over
version: 1
policy: {mode: auto}
steps: [{name: give, action: assign_resource, params: {assignee: bo}}]
"""
BROKEN = """
name: elsewhere
version: 1
steps: [{name: write, action: update_configuration, params: {path: "${alert.service}/x", content: y}}]
"""


class Post:
    def __init__(self, app: ConsoleApp, pilot: Pilot[Any], engine: Engine, folder: Path) -> None:
        self.app, self.pilot, self.engine, self.folder = app, pilot, engine, folder

    @property
    def screen(self) -> str:
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)

    async def until(self, *words: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not all(word in self.screen for word in words):
                    await self.pilot.pause(0.02)
        except TimeoutError:
            raise AssertionError(f"never saw {words} in\n{self.screen}") from None

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def insist(self, key: str, *words: str) -> None:
        """Press as often as it takes: a key that comes too soon after another is passed over."""
        async with asyncio.timeout(PATIENCE):
            while not all(word in self.screen for word in words):
                await self.pilot.pause(0.35)
                await self.press(key)
                await self.pilot.pause(0.1)

    async def let_go(self) -> None:
        """E and y in the dialog, with the pauses that somebody makes who reads."""
        async with asyncio.timeout(PATIENCE):
            while isinstance(self.app.screen, ExecuteDialog):
                if "ARMED" not in self.screen:
                    await self.insist("E", "ARMED")
                await self.pilot.pause(0.35)
                await self.press("y")
                await self.pilot.pause(0.1)

    async def fire(self, key: str = "web-1", severity: Severity = Severity.HIGH) -> None:
        now = self.engine.clock.now()
        row = replace(signal(key), severity=severity, starts_at=now, ends_at=now + timedelta(hours=1))
        envelope = Envelope(kind=EnvelopeKind.SIGNALS, tenant=DEFAULT_TENANT, source="test", payload=[row])
        await self.engine.service.take(envelope)


Opened = Callable[..., AbstractAsyncContextManager[Post]]


@pytest.fixture
def post(tmp_path: Path) -> Opened:
    @asynccontextmanager
    async def open_post(*texts: str) -> AsyncIterator[Post]:
        books, files = tmp_path / "playbooks", tmp_path / "files"
        books.mkdir()
        files.mkdir()
        for number, text in enumerate(texts):
            (books / f"{number}.yaml").write_text(text)
        settings = Settings(
            store=StoreSettings(data_dir=str(tmp_path / "data"), synchronous="normal", reserve_mib=0),
            playbooks=PlaybookSettings(directory=str(books), configuration=ConfigurationSettings(directory=str(files))),
        )
        engine = build(replace(settings, metrics=replace(settings.metrics, own=False)), SystemClock(), listen=False)
        await engine.start()
        app = ConsoleApp(engine.client(BOB), SystemClock(), Options(actor="bob"))
        try:
            async with app.run_test(size=(120, 50)) as pilot:
                yield Post(app, pilot, engine, files)
        finally:
            await engine.stop()

    return open_post


async def test_from_the_question_to_a_verified_run(post: Opened) -> None:
    async with post(ASK) as desk:
        await desk.fire()
        await desk.press("4")
        await desk.until("ask", "I-1", "0 of 1", "2 of 2 steps would run, plan unchanged")
        desk.app.command("hold 60")
        await desk.until("held by bob")
        await desk.press("E")
        await desk.until("ARMED: y within 10 s")
        await desk.let_go()
        await desk.until("+ success", "2 of 2 steps", "verified: incident.alerts >= 1, and the incident resolved")
        assert (desk.folder / "web.conf").read_text() == "host web-1, high\n"
        await desk.press("B")
        await desk.until("100%", "1 of 1 that acted")


async def test_a_plan_that_changes_while_it_is_looked_at_is_asked_for_anew(post: Opened) -> None:
    async with post(ASK) as desk:
        await desk.fire()
        await desk.press("4")
        await desk.until("plan unchanged")
        await desk.press("enter")
        await desk.until("E, then y within 10 s")
        await desk.fire(severity=Severity.CRITICAL)
        await desk.until("C!")
        await desk.insist("E", "ARMED")
        await desk.insist("y", "the plan has changed since; it is asked for again")
        assert not (desk.folder / "web.conf").exists()
        await desk.until("host web-1, critical", "host web-1, high", "plan unchanged")
        await desk.let_go()
        await desk.until("+ success")
        assert (desk.folder / "web.conf").read_text() == "host web-1, critical\n"


async def test_a_playbook_from_an_incident_by_its_dry_run(post: Opened) -> None:
    async with post(HAND, BROKEN) as desk:
        await desk.fire()
        await desk.press("2")
        await desk.until("I-1", "link down")
        await desk.press("enter")
        await desk.until("Playbooks", "Timeline")
        await desk.press("p")
        await desk.until("Playbooks for I-1", "hand-over", "at once", "elsewhere")
        await desk.insist("1", "RUN?  hand-over on I-1")
        await desk.until("it begins at once, nobody else is asked", "1 of 1 steps would run")
        await desk.let_go()
        await desk.until("hand-over goes for I-1", "+ success")
        (incident,) = (await desk.engine.client(BOB).query(Query(kind="incidents"))).items
        assert incident.owner == "bo"
        await desk.press("escape")
        await desk.until("PRI-")


async def test_two_people_at_once_are_one_decision(post: Opened) -> None:
    async with post(ASK) as desk:
        await desk.fire()
        await desk.press("4")
        await desk.until("plan unchanged")
        await desk.press("enter")
        await desk.until("E, then y within 10 s")
        (asked,) = (await desk.engine.client(ANA).query(Query(kind="approvals"))).items
        answer = Command(
            verb="reject", targets=(f"approval:{asked.id}",), params={"reason": "not now"}, request="first"
        )
        await desk.engine.client(ANA).command(answer)
        await desk.until("decided meanwhile: rejected by ana: not now")
        await desk.press("E", "y")
        await desk.press("escape")
        await desk.until("No playbook waits")
        assert not (desk.folder / "web.conf").exists()


async def test_reports_plan_a_waiting_run_and_refuse_what_is_over(post: Opened) -> None:
    async with post(ASK, HAND, BROKEN) as desk:
        await desk.fire()
        await desk.press("4")
        await desk.until("plan unchanged")
        client = desk.engine.client(BOB)
        (asked,) = (await client.query(Query(kind="approvals"))).items
        params = {"execution": asked.execution}
        (plan,) = (await client.query(Query(kind="playbooks/plan", params=params))).items
        assert (plan["changed"], plan["sha256"]) == (False, asked.plan_sha256)
        fitting = (await client.query(Query(kind="playbooks/fitting", params={"incident": 1}))).items
        found = [(row["playbook"], row["triggered"], bool(row["trouble"]), row["blast_radius"]) for row in fitting]
        assert found[0][:3] == ("ask", True, False) and found[-1][:3] == ("elsewhere", False, True)
        reject = Command(verb="reject", targets=(f"approval:{asked.id}",), params={"reason": "no"})
        await client.command(reject)
        with pytest.raises(Refused, match="it is over"):
            await client.query(Query(kind="playbooks/plan", params=params))
