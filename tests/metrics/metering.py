"""What tests of rollups drive: an engine on a hand clock, and a bare database with the tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from data import rollups
from data.migrate import head_sql
from data.records import DEFAULT_TENANT, TenantId
from data.rollups import Bucket, Rolling, Sampled, bucket_of
from data.scope import Scope
from engine.app import Engine
from engine.client import Query
from engine.domain.events import DomainEvent, SampleData
from engine.ports import Envelope, EnvelopeKind
from tests.fakes.line import ANA
from tests.fakes.service import HandClock

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


class SetClock(HandClock):
    """Sleepers never wake: what runs by itself stays out of the way."""

    def set_ahead(self, seconds: float) -> None:
        self._start += timedelta(seconds=seconds)


class Metered:
    """Samples in at times in seconds after noon; the clock stands still unless a test moves it."""

    def __init__(self, engine: Engine, clock: SetClock) -> None:
        self.engine, self.clock = engine, clock

    async def take(
        self, rows: Iterable[tuple[float, float | None]], name: str = "cpu", tenant: TenantId = DEFAULT_TENANT,
        id: str = "", **labels: str,
    ) -> None:  # fmt: skip
        """One delivery of (seconds after noon, value); `id` is its idempotency key."""
        events = [
            DomainEvent(
                type="noc.sample",
                source="probe",
                id=f"{name}-{at}",
                at=datetime.fromtimestamp(NOON.timestamp() + at, UTC),
                data=SampleData(name=name, value=value, labels=labels),
            )
            for at, value in rows
        ]
        await self.put(EnvelopeKind.EVENTS, events, tenant, id)

    async def tick(self) -> None:
        await self.put(EnvelopeKind.TICK, None, DEFAULT_TENANT, "")

    async def put(self, kind: EnvelopeKind, payload: Any, tenant: TenantId, id: str) -> None:
        await self.engine.service.take(Envelope(kind=kind, tenant=tenant, source="probe", payload=payload, id=id))

    async def ask(self, kind: str, scope: Scope = ANA, **params: Any) -> list[Any]:
        return list((await self.engine.client(scope).query(Query(kind=kind, params=params))).items)

    async def points(self, scope: Scope = ANA, **params: Any) -> list[dict[str, Any]]:
        (answer,) = await self.ask("metrics/query", scope, **{"series": "cpu", **params})
        found: list[dict[str, Any]] = answer["points"]
        return found


class Shelf:
    """The tables of rollups in memory, driven by hand. Times are seconds since 1970 UTC."""

    def __init__(self, zone: str = "UTC") -> None:
        self.zone = zone
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.executescript(head_sql())

    def put(self, now: float, *rows: tuple[float, float], series: str = "cpu", tenant: str = "default") -> int:
        """(time, value) as one commit at `now` → how many were taken."""
        samples = [
            Sampled(tenant=tenant, id=series, name=series, labels={}, at=at, value=value, zone=self.zone)
            for at, value in rows
        ]
        return rollups.take(self.connection, samples, now)

    def roll(self, now: float, most: int = 10_000) -> int:
        return rollups.roll(self.connection, Rolling(now=now, zone=self.zone, most=most))

    def buckets(self, resolution: int, series: int = 1) -> dict[int, Bucket]:
        columns = "at, count, sum, min, max, sketch"
        sql = f"SELECT {columns} FROM metric_rollups WHERE resolution = ? AND series = ? ORDER BY at"
        return {at: bucket_of(row) for at, *row in self.connection.execute(sql, (resolution, series))}

    def counts(self, resolution: int) -> dict[int, int]:
        return {at: bucket.count for at, bucket in self.buckets(resolution).items()}
