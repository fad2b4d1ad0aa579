"""A part that crashes is started again three times, then given up: the rest goes on and health says so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.app import Engine, build
from engine.clock import SystemClock
from engine.settings import ListenSettings, Settings, StoreSettings
from engine.supervise import RESTARTS
from tests.fakes.waiting import PATIENCE

ALERT = [{"labels": {"alertname": "A", "host": "h"}}]


class Part:
    """A part that counts its starts and does `work` in each."""

    def __init__(self, crashes: int) -> None:
        self.starts, self._crashes = 0, crashes
        self.works = asyncio.Event()

    async def run(self) -> None:
        self.starts += 1
        if self.starts <= self._crashes:
            raise RuntimeError("a defect of this part")
        self.works.set()
        await asyncio.Event().wait()


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    settings = Settings(store=StoreSettings(data_dir=str(tmp_path), reserve_mib=0), listen=ListenSettings(port=0))
    made = build(settings, SystemClock())
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def http(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=engine.url, trust_env=False, timeout=PATIENCE) as client:
        yield client


async def state(http: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await http.get("/api/v1/health")).json()
    return found


async def wait_for(http: httpx.AsyncClient, wanted: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while (health := await state(http))["state"] != wanted:
            await asyncio.sleep(0.02)
    return health


async def test_a_part_that_crashes_at_once_is_given_up_and_the_rest_goes_on(
    engine: Engine, http: httpx.AsyncClient
) -> None:
    bad, good = Part(1000), Part(0)
    engine._supervisor.start("source bad", bad.run)
    engine._supervisor.start("source good", good.run)
    health = await wait_for(http, "degraded")
    assert bad.starts == RESTARTS + 1 == 4
    assert good.starts == 1 and good.works.is_set()
    assert any("source bad" in banner for banner in health["banners"])
    assert (await http.post("/api/v2/alerts", json=ALERT)).status_code == 200
    assert (await http.post("/api/v1/incidents/1/ack", json={})).status_code == 200
    assert (await http.get("/-/healthy")).status_code == 200
    assert (await http.get("/-/ready")).status_code == 200, "intake still commits"
    metrics = (await http.get("/metrics")).text
    assert "noc_parts_degraded 1.0" in metrics


async def test_a_part_that_recovers_is_kept(engine: Engine, http: httpx.AsyncClient) -> None:
    part = Part(2)
    engine._supervisor.start("source shaky", part.run)
    async with asyncio.timeout(PATIENCE):
        await part.works.wait()
    assert part.starts == 3
    assert (await state(http))["state"] == "live"


async def test_a_loop_that_is_held_shows_in_the_metrics(engine: Engine, http: httpx.AsyncClient) -> None:
    def stalls(text: str) -> float:
        return float(next(line.split()[-1] for line in text.splitlines() if line.startswith("noc_loop_stalls_total ")))

    before = stalls((await http.get("/metrics")).text)

    async def block() -> None:
        while True:
            time.sleep(0.3)
            await asyncio.sleep(0.05)

    engine._supervisor.start("source that blocks", block)
    async with asyncio.timeout(PATIENCE):
        while stalls((await http.get("/metrics")).text) <= before:
            await asyncio.sleep(0.05)
    assert (await http.post("/api/v2/alerts", json=ALERT)).status_code == 200
