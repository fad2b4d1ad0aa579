"""How long the context of an incident takes with 100,000 past incidents; prints one JSON line.

    python -m tests.bench.context [--history 100000] [--asked 100]

A store is filled with past incidents of 200 kinds at 300 sites over 90 days, with changes, devices, people and tickets;
an engine runs on it, and the context of open incidents is asked for, each one once, so that no answer is cached.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from data.nouns.priority import PastIncident
from data.nouns.world import Device, Person, Ticket, WorldChange
from data.ports import Commit
from data.records import DEFAULT_TENANT, IncidentId, IncidentState, Partition
from data.scope import CAPABILITIES, Scope
from data.store import SqliteStore
from engine.app import build
from engine.client import Query
from engine.clock import SystemClock
from engine.enrichers import Asking, enrichers
from engine.reports import load
from engine.settings import EngineSettings, Settings, StoreSettings
from tests.fakes.stored import alert, incident

KINDS, SITES = 200, 300
BLOCK = 2000
WORDS = (
    "link",
    "down",
    "battery",
    "low",
    "camera",
    "gateway",
    "panel",
    "door",
    "power",
    "sync",
    "disk",
    "slow",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=int, default=100_000)
    parser.add_argument("--asked", type=int, default=100)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(measure(Path(folder), wanted.history, wanted.asked))))


async def measure(folder: Path, history: int, asked: int) -> dict[str, Any]:
    now = datetime.now(UTC)
    await _fill(folder, history, asked, now)
    settings = Settings(
        engine=EngineSettings(tenant=DEFAULT_TENANT), store=StoreSettings(data_dir=str(folder), reserve_mib=0)
    )
    load()
    engine = build(settings, SystemClock(), listen=False)
    await engine.start()
    try:
        return await _asked(engine, history, asked)
    finally:
        await engine.stop()


async def _asked(engine: Any, history: int, asked: int) -> dict[str, Any]:
    scope = Scope(tenant=DEFAULT_TENANT, actor="bench", capabilities=CAPABILITIES)
    times: list[float] = []
    used = 0.0
    by_category: dict[str, list[float]] = {}
    sizes: dict[str, int] = {}
    for number in range(1, asked + 1):
        found = await engine.service.rows(scope, kind="incidents", ids=(str(history + number),), limit=1)
        for enricher in enrichers():
            began = time.perf_counter()
            items = await enricher.gather(Asking(engine.service, scope, found[0]))
            by_category.setdefault(enricher.category, []).append(time.perf_counter() - began)
            sizes[enricher.category] = sizes.get(enricher.category, 0) + len(items)
        began, busy = time.perf_counter(), time.process_time()
        await engine.service.query(scope, Query(kind="context", params={"id": f"incident:{history + number}"}))
        times.append(time.perf_counter() - began)
        used += time.process_time() - busy
    return {
        "bench": "context",
        "history": history,
        "asked": asked,
        "p50_ms": _percentile(times, 0.5),
        "p95_ms": _percentile(times, 0.95),
        "cpu_ms_mean": round(1000 * used / asked, 1),
        "max_ms": _percentile(times, 1.0),
        "p95_ms_by_category": {category: _percentile(found, 0.95) for category, found in by_category.items()},
        "items_mean": {category: round(count / asked, 1) for category, count in sizes.items()},
    }


def _percentile(seconds: list[float], share: float) -> float:
    ordered = sorted(seconds)
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)


async def _fill(folder: Path, history: int, opened: int, now: datetime) -> None:
    store = SqliteStore(folder, reserve_bytes=0)
    await store.open()
    epoch = await store.acquire(Partition(0), "bench", now, 600.0)
    assert epoch is not None
    dice = random.Random(3)
    block: list[Any] = []
    for record in (*_world(dice, now), *_past(dice, history, now)):
        block.append(record)
        if len(block) == BLOCK:
            await store.commit(Commit(partition=Partition(0), epoch=epoch, at=now, nouns=block))
            block = []
    await store.commit(Commit(partition=Partition(0), epoch=epoch, at=now, nouns=block))
    closed = [_closed(number, dice, now) for number in range(1, history + 1)]
    for start in range(0, len(closed), BLOCK):
        part = closed[start : start + BLOCK]
        await store.commit(Commit(partition=Partition(0), epoch=epoch, at=now, incidents=part))
    fresh = [_open(history + number, dice, now) for number in range(1, opened + 1)]
    alerts = [
        alert(
            number,
            incident=one.id,
            site=one.site,
            name=one.names[0],
            entity=f"device-{dice.randrange(3000)}",
            starts_at=one.opened_at,
            received_at=one.opened_at,
            last_at=now,
            ends_at=now + timedelta(days=1),
        )
        for number, one in enumerate((one for one in fresh for _ in range(20)), 1)
    ]
    await store.commit(Commit(partition=Partition(0), epoch=epoch, at=now, incidents=fresh, alerts=alerts))
    await store.release(Partition(0), epoch)
    await store.close()
    print(f"{history} past incidents are written", file=sys.stderr)


def _title(dice: random.Random, kind: int) -> str:
    return f"{WORDS[kind % len(WORDS)]} {dice.choice(WORDS)} {dice.choice(WORDS)} {dice.randrange(1000)}"


def _past(dice: random.Random, history: int, now: datetime) -> Iterator[PastIncident]:
    for number in range(1, history + 1):
        kind = dice.randrange(KINDS)
        yield PastIncident(
            tenant=DEFAULT_TENANT,
            id=str(number),
            at=now - timedelta(days=90 * (1 - number / history)),
            incident=IncidentId(number),
            pattern=f"Kind{kind}",
            title=_title(dice, kind),
            severity="high",
            site=f"site-{dice.randrange(SITES)}",
            seconds=dice.expovariate(1 / 3600),
            resolution="cable replaced",
            by="ana",
        )


def _closed(number: int, dice: random.Random, now: datetime) -> Any:
    at = now - timedelta(days=90 * dice.random(), hours=1)
    return incident(
        number,
        state=IncidentState.CLOSED,
        opened_at=at,
        resolved_at=at + timedelta(hours=1),
        closed_at=at + timedelta(hours=1),
        site=f"site-{dice.randrange(SITES)}",
        merged_into=None,
    )


def _open(number: int, dice: random.Random, now: datetime) -> Any:
    kind, site = dice.randrange(KINDS), f"site-{dice.randrange(SITES)}"
    return incident(
        number,
        state=IncidentState.OPEN,
        title=_title(dice, kind),
        names=(f"Kind{kind}",),
        site=site,
        sites=(site,),
        opened_at=now - timedelta(minutes=dice.randrange(1, 60)),
        last_at=now,
        resolved_at=None,
        closed_at=None,
        merged_into=None,
    )


def _world(dice: random.Random, now: datetime) -> Iterator[Any]:
    for number in range(3000):
        site = f"site-{number % SITES}"
        yield Device(tenant=DEFAULT_TENANT, id=f"device-{number}", at=now, site=site, state="online", parent="")
        yield Person(tenant=DEFAULT_TENANT, id=f"person-{number}", at=now, sites=(site,), on_site=site)
        yield Ticket(tenant=DEFAULT_TENANT, id=f"ticket-{number}", opened_at=now - timedelta(hours=3), site=site)
        yield WorldChange(
            tenant=DEFAULT_TENANT,
            id=f"change-{number}",
            at=now - timedelta(minutes=dice.randrange(1, 2000)),
            kind="deployment",
            what="firmware",
            target=f"device-{dice.randrange(3000)}",
            site=site,
        )


if __name__ == "__main__":
    main()
