"""What an engine knows is what it has committed: after a start it goes on as if it had never ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from data.records import DEFAULT_TENANT, Incident, Severity, Signal, SignalStatus
from data.scope import CAPABILITIES, Scope
from engine.app import Engine, build
from engine.client import Query
from engine.ports import Envelope, EnvelopeKind
from engine.settings import Settings, StoreSettings
from tests.fakes.service import HandClock

SCOPE = Scope(tenant=DEFAULT_TENANT, actor="test", capabilities=CAPABILITIES)
Running = Callable[[], AbstractAsyncContextManager[Engine]]


class Patient(HandClock):
    """Waits of less than a second only let others go on; longer ones wait until a test moves the time."""

    async def sleep(self, seconds: float) -> None:
        if seconds < 1.0:
            await asyncio.sleep(0)
        else:
            await super().sleep(seconds)


@pytest.fixture
def clock() -> HandClock:
    return Patient()


@pytest.fixture
def running(tmp_path: Path, clock: HandClock) -> Running:
    @asynccontextmanager
    async def run() -> AsyncIterator[Engine]:
        settings = Settings(store=StoreSettings(data_dir=str(tmp_path), reserve_mib=0))
        engine = build(settings, clock, listen=False)
        await engine.start()
        yield engine
        await engine.stop()

    return run


async def say(engine: Engine, clock: HandClock, *entities: str, resolved: bool = False) -> None:
    """The entities' alerts fire, or are over."""
    rows = [
        Signal(
            source="test",
            key=entity,
            name="DiskFull",
            severity=Severity.HIGH,
            status=SignalStatus.RESOLVED if resolved else SignalStatus.FIRING,
            title="disk full",
            site="Depot",
            entity=entity,
            entity_type="host",
            service="",
            client="",
            correlation="",
            starts_at=clock.now(),
            ends_at=clock.now() + timedelta(days=0 if resolved else 2),
            labels={"alertname": "DiskFull", "host": entity},
            annotations={},
        )
        for entity in entities
    ]
    await engine.service.take(
        Envelope(kind=EnvelopeKind.SIGNALS, tenant=DEFAULT_TENANT, source="test", payload=rows)
    )


async def only(engine: Engine) -> Incident:
    (incident,) = (await engine.client(SCOPE).query(Query(kind="incidents"))).items
    assert isinstance(incident, Incident)
    return incident


async def test_an_open_incident_keeps_alerts_that_ended_long_ago(running: Running, clock: HandClock) -> None:
    async with running() as engine:
        await say(engine, clock, "a", "b", "c")
        await say(engine, clock, "a", resolved=True)
        before = await only(engine)
        assert (before.alerts, before.firing) == (3, 2)
    clock.advance(3 * 3600.0)
    async with running() as engine:
        await say(engine, clock, "b", resolved=True)
        after = await only(engine)
        assert (after.alerts, after.firing) == (3, 1)


async def test_repeats_that_were_not_counted_yet_are_counted_after_a_start(running: Running, clock: HandClock) -> None:
    async with running() as engine:
        await say(engine, clock, "a", "b")
        for _ in range(3):
            await say(engine, clock, "a")
        assert (await only(engine)).events == 2
    clock.advance(5.0)
    async with running() as engine:
        await engine.service.take(
            Envelope(kind=EnvelopeKind.TICK, tenant=DEFAULT_TENANT, source="ticks", payload=None)
        )
        assert (await only(engine)).events == 5


async def test_alarms_of_the_last_minutes_still_count_after_a_start(running: Running, clock: HandClock) -> None:
    async with running() as engine:
        await say(engine, clock, *(f"host-{number}" for number in range(12)))
        before = engine.telemetry.alarms(clock.now())
    clock.advance(60.0)
    async with running() as engine:
        assert engine.telemetry.alarms(clock.now()) == before > 0
        clock.advance(600.0)
        assert engine.telemetry.alarms(clock.now()) == 0
