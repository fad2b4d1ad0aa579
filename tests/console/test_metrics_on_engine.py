"""The pages about metrics and predictions on a real engine: what they ask for is what it answers."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from data.records import DEFAULT_TENANT
from engine.app import build
from engine.clock import SystemClock
from engine.domain.events import DomainEvent, SampleData
from engine.ports import Envelope, EnvelopeKind
from engine.settings import MetricsSettings, Settings, StoreSettings
from noc_console.app import ConsoleApp
from noc_console.desk import Options
from tests.console.test_on_engine import SCOPE, Post

LONG_SECONDS = 60


class Patient(Post):
    """Waits longer: the first answers of an engine that has just begun compete with its start."""

    async def until(self, *words: str) -> None:
        async with asyncio.timeout(LONG_SECONDS):
            while not all(word in self.screen for word in words):
                await self.pilot.pause(0.05)


async def test_samples_become_series_plots_and_ranges(tmp_path: Path) -> None:
    clock = SystemClock()
    store, metrics = StoreSettings(data_dir=str(tmp_path), reserve_mib=0), MetricsSettings(own=False)
    engine = build(Settings(store=store, metrics=metrics), clock, listen=False)
    await engine.start()
    now = clock.now()
    events = [
        DomainEvent(
            type="noc.sample",
            source="probe",
            id=f"{name}-{minutes}",
            at=now - timedelta(minutes=minutes),
            data=SampleData(name=name, value=50.0 + minutes % 7, labels={"device": "gw-1", "site": "Depot"}),
        )
        for name in ("cpu_percent", "latency_ms")
        for minutes in range(400, 0, -5)
    ]
    envelope = Envelope(kind=EnvelopeKind.EVENTS, tenant=DEFAULT_TENANT, source="probe", payload=events, id="")
    await engine.service.take(envelope)
    app = ConsoleApp(engine.client(SCOPE), clock, Options(actor="ana", zone="UTC"))
    try:
        async with app.run_test(size=(120, 36)) as pilot:
            post = Patient(app, pilot, engine)
            await post.press("8")
            await post.until("cpu_percent", "latency_ms", "2, 0 odd", "▁", "24h by 5m (auto), UTC", "avg 53")
            await post.press("slash", *"late", "enter")
            await post.until("Series > late")
            await post.press("enter", "p")
            await post.until("latency_ms gw-1 at Depot", "═ p95")
            for words in ("7d by 5m", "30d by 1h"):
                await post.press("b")
                await post.until(words, "n 80")
            await post.press("6")
            await post.until("Nothing is foretold", "heuristic, 0 of 500 cases")
    finally:
        await engine.stop()
