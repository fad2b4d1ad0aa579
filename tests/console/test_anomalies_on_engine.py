"""An operator's word on an anomaly by one key, on a real engine: the threshold moves, and why says so."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from math import sin, tau
from pathlib import Path

from data.records import DEFAULT_TENANT
from engine.app import Engine, build
from engine.client import Query
from engine.clock import SystemClock
from engine.domain.events import DomainEvent, SampleData
from engine.ports import Envelope, EnvelopeKind
from engine.settings import MetricsSettings, Settings, StoreSettings
from noc_console.app import ConsoleApp
from noc_console.desk import Options
from tests.console.test_metrics_on_engine import Patient
from tests.console.test_on_engine import SCOPE

SAMPLES = 301


async def excursion(engine: Engine) -> None:
    """A day of a quiet wave, and at its end a value that does not belong."""
    now, envelopes = engine.clock.now(), []
    for number in range(SAMPLES):
        value = 50.0 + 10.0 * sin(number / 288 * tau) + 0.5 * sin(number * 1.7)
        event = DomainEvent(
            type="noc.sample", source="probe", id=str(number), at=now - timedelta(seconds=300 * (SAMPLES - number)),
            data=SampleData(
                name="cpu_percent", value=90.0 if number == SAMPLES - 1 else value, labels={"device": "gw-1"}
            ),
        )  # fmt: skip
        kind, tenant = EnvelopeKind.EVENTS, DEFAULT_TENANT
        envelopes.append(Envelope(kind=kind, tenant=tenant, source="probe", payload=[event], id=""))
    await asyncio.gather(*map(engine.service.take, envelopes))  # taken in this order, committed together


async def thresholds(engine: Engine) -> list[tuple[float, float]]:
    found = await engine.client(SCOPE).query(Query(kind="thresholds"))
    return [(change.old, change.new) for change in reversed(found.items)]


async def until_moved(engine: Engine, count: int) -> list[tuple[float, float]]:
    async with asyncio.timeout(60):
        while len(found := await thresholds(engine)) < count:
            await asyncio.sleep(0.02)
    return found


async def test_an_anomaly_is_called_false_and_then_true_by_one_key_each(tmp_path: Path) -> None:
    store, metrics = StoreSettings(data_dir=str(tmp_path), reserve_mib=0), MetricsSettings(own=False)
    engine = build(Settings(store=store, metrics=metrics), SystemClock(), listen=False)
    await engine.start()
    await excursion(engine)
    app = ConsoleApp(engine.client(SCOPE), SystemClock(), Options(actor="ana", zone="UTC"))
    try:
        async with app.run_test(size=(140, 36)) as pilot:
            post = Patient(app, pilot, engine)
            await post.press("3")
            await post.until("cpu_percent of gw-1")
            await post.press("enter")
            await post.until("A-1 ")
            await post.press("X")
            await post.until("no anomaly of a metric under the cursor")
            await post.press("j", "X")
            await post.until("A-1: false alarm")
            ((old, raised),) = await until_moved(engine, 1)
            assert old == 3.0 and 3.0 < raised <= 3.9
            await post.press("enter")
            await post.until("A-1  ", "is usual")
            await post.press("w")
            await post.until("called a false alarm by ana", f"z 3.00 to z {raised:.2f}")
            await post.press("C")
            await post.until("called a true alarm by ana")
            assert (await until_moved(engine, 2))[1] == (raised, 2.7)
            await post.press("8")
            await post.until("cpu_percent", "1 odd")
            await post.press("X")
            assert (await until_moved(engine, 3))[2] == (2.7, raised)
            await post.until("the anomaly: false alarm")
    finally:
        await engine.stop()
