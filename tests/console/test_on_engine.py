"""The console on a real engine in the same process: what its dialogs send is what the engine takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from data.records import DEFAULT_TENANT, Reject, Severity, Signal, SignalStatus
from data.scope import CAPABILITIES, Scope
from engine.app import Engine, build
from engine.client import Query
from engine.clock import SystemClock
from engine.ports import Envelope, EnvelopeKind
from engine.settings import Settings, StoreSettings
from noc_console.app import ConsoleApp
from noc_console.desk import Options
from tests.fakes.waiting import PATIENCE

SCOPE = Scope(tenant=DEFAULT_TENANT, actor="ana", capabilities=CAPABILITIES)


class Post:
    """A console in use on an engine: `until` looks at the screen again and again until it holds the words."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[Any], engine: Engine) -> None:
        self.app, self.pilot, self.engine = app, pilot, engine

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

    async def confirm(self) -> None:
        """Press y as often as it takes: a key that comes too soon after another is passed over."""
        depth = len(self.app.screen_stack)
        async with asyncio.timeout(PATIENCE):
            while len(self.app.screen_stack) >= depth:
                await self.pilot.pause(0.35)
                await self.press("y")


Opened = Callable[[], AbstractAsyncContextManager[Post]]


@pytest.fixture
def post(tmp_path: Path) -> Opened:
    @asynccontextmanager
    async def open_post() -> AsyncIterator[Post]:
        settings = Settings(store=StoreSettings(data_dir=str(tmp_path), reserve_mib=0))
        engine = build(settings, SystemClock(), listen=False)
        await engine.start()
        app = ConsoleApp(engine.client(SCOPE), SystemClock(), Options(actor="ana"))
        try:
            async with app.run_test(size=(120, 36)) as pilot:
                yield Post(app, pilot, engine)
        finally:
            await engine.stop()

    return open_post


async def _fire(engine: Engine, name: str, site: str, count: int) -> None:
    now = engine.clock.now()
    rows = [
        Signal(
            source="test",
            key=f"{name}/{site}/{n}",
            name=name,
            severity=Severity.HIGH,
            status=SignalStatus.FIRING,
            title=f"{name} of camera {n}",
            site=site,
            entity=f"camera-{n}",
            entity_type="device",
            service="",
            client="",
            correlation="",
            starts_at=now,
            ends_at=now + timedelta(hours=1),
            labels={"alertname": name, "site": site, "instance": f"camera-{n}"},
            annotations={},
        )
        for n in range(count)
    ]
    envelope = Envelope(kind=EnvelopeKind.SIGNALS, tenant=DEFAULT_TENANT, source="test", payload=rows, id=name)
    await engine.service.take(envelope)


async def test_silence_previewed_sent_and_taken_back(post: Opened) -> None:
    async with post() as desk:
        await _fire(desk.engine, "CameraDown", "Harbour 2", 3)
        await desk.press("2")
        await desk.until("I-1", "CameraDown")
        await desk.press("S")
        await desk.until("3 alerts in 1 incident", 'alertname="CameraDown", site="Harbour 2"')
        await desk.press("tab", "tab", "tab", *"CHG")
        await desk.pilot.pause(0.35)
        await desk.press("enter")
        await desk.until("[u] undo: silenced", "3 of them muted")
        await desk.press("u")
        await desk.until("undone: silenced")


async def test_detail_of_a_real_incident(post: Opened) -> None:
    async with post() as desk:
        await _fire(desk.engine, "CameraDown", "Harbour 2", 3)
        await desk.press("2")
        await desk.until("I-1")
        await desk.press("enter")
        await desk.until("Timeline 3", "opened", "joined", "A-1")
        await desk.press("w")
        await desk.until("by formula", "starts an incident of its own")
        await desk.press("i", *"fuse", "enter")
        await desk.until("noted I-1")
        await desk.press("t")
        await desk.until("ana: fuse")


async def test_split_and_its_undo_in_the_tree(post: Opened) -> None:
    async with post() as desk:
        await _fire(desk.engine, "CameraDown", "Harbour 2", 3)
        await desk.press("3")
        await desk.until("C-1")
        await desk.press("enter")
        await desk.until("A-1")
        await desk.press("j", "x")
        await desk.until("Split off A-3?")
        await desk.confirm()
        await desk.until("[u] undo: split off I-2")
        await desk.until("I-2")
        await desk.press("u")
        await desk.until("undone: split off I-2")


async def test_close_says_what_fires_and_can_be_taken_back(post: Opened) -> None:
    async with post() as desk:
        await _fire(desk.engine, "CameraDown", "Harbour 2", 3)
        await desk.press("2")
        await desk.until("I-1")
        await desk.press("c")
        await desk.until("Close I-1?", "3 alerts still fire")
        await desk.confirm()
        await desk.until("[u] undo: closed I-1")
        await desk.press("u")
        await desk.until("undone: closed I-1")


async def test_dead_letter_is_corrected_and_taken(post: Opened) -> None:
    async with post() as desk:
        letter = Reject(
            tenant=DEFAULT_TENANT, source="webhook/generic", format="generic", at=desk.engine.clock.now(),
            field="body", reason="not valid JSON", remedy="send valid JSON", body='{"title": "disk full"',
        )  # fmt: skip
        envelope = Envelope(
            kind=EnvelopeKind.REJECTS, tenant=DEFAULT_TENANT, source="webhook/generic", payload=[letter], id="1"
        )
        await desk.engine.service.take(envelope)
        await desk.press("9", "r")
        await desk.until("not valid JSON", "1 wait")
        await desk.press("e")
        await desk.until("Correct R-1")
        await desk.press("end", "}", "ctrl+s")
        await desk.until("No dead letter waits")
        found = await desk.engine.client(SCOPE).query(Query(kind="alerts"))
        assert [alert.title for alert in found.items] == ["disk full"]


async def test_sources_health_and_kpis_of_a_real_engine(post: Opened) -> None:
    async with post() as desk:
        await _fire(desk.engine, "CameraDown", "Harbour 2", 3)
        await desk.press("9", "s")
        await desk.until("test", "sending")
        await desk.press("b")
        await desk.until("takes everything in")
        await desk.press("K")
        await desk.until("alerts per incident")
