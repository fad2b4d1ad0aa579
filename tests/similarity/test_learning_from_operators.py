"""From operators' merges to another decision: the running engine learns what it was taught, goes by it, and can be
taken back."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from data.records import DEFAULT_TENANT
from data.scope import CAPABILITIES, Scope
from engine.app import Engine, build
from engine.client import Command, Query
from engine.clock import SystemClock
from engine.ports import Envelope, EnvelopeKind
from engine.reports import load
from engine.settings import ClusteringSettings, Settings, StoreSettings
from engine.training.settings import TrainingSettings
from tests.fakes.line import signal

SCOPE = Scope(tenant=DEFAULT_TENANT, actor="ana", capabilities=CAPABILITIES)
TROUBLES = 27
SECONDS = 200.0
#: The real child, without the made-up recordings that are learned beside: they take most of its time.
CHILD = """
import sys
import engine.similarity.training as training
from engine.training.child import main
training._SCENARIOS = ()
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    load()
    settings = Settings(
        store=StoreSettings(data_dir=str(tmp_path), reserve_mib=0),
        clustering=ClusteringSettings(method="xgboost_similarity"),
        training=TrainingSettings(weekly=False),
    )
    running = build(settings, SystemClock(), listen=False)
    running.training.command = lambda module, *arguments: [sys.executable, "-c", CHILD, *arguments]
    await running.start()
    yield running
    await running.stop()


class Plant:
    """Alerts of pumps that stop, of visitors who smell it a minute later, and of badges that have nothing to do with
    it, at four sites."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._now = engine, datetime.now(UTC)

    async def trouble(self, number: int, seconds_ago: float) -> None:
        site = f"plant {number % 4}"
        for key, late, name, title, kind in (
            ("pump", 0, "PumpStopped", "pump stopped", "pump"),
            ("badge", 30, "BadgeLost", "badge lost", "person"),
            ("smell", 60, "VisitorComplaint", "visitor complains of a smell", "desk"),
        ):
            at = self._now - timedelta(seconds=seconds_ago - late)
            ends = self._now + timedelta(hours=9)
            given = {"name": name, "title": title, "site": site, "entity": f"{kind}-{number}", "entity_type": kind}
            row = signal(f"{key} {number}", starts_at=at, ends_at=ends, **given)
            await self._engine.service.take(
                Envelope(kind=EnvelopeKind.SIGNALS, tenant=DEFAULT_TENANT, source="test", payload=[row])
            )

    async def homes(self) -> dict[str, int]:
        page = await self._engine.client(SCOPE).query(Query(kind="alerts", limit=1000))
        return {alert.key: alert.incident for alert in page.items}

    async def together(self, number: int) -> bool:
        homes = await self.homes()
        assert homes[f"badge {number}"] != homes[f"pump {number}"]
        return homes[f"pump {number}"] == homes[f"smell {number}"]

    async def act(self, verb: str, *targets: str) -> None:
        result = await self._engine.client(SCOPE).command(Command(verb=verb, targets=targets))
        assert result.changed and not result.refused

    async def model(self, result: str) -> dict[str, Any]:
        """Once its last training, or way back, came to this."""
        async with asyncio.timeout(SECONDS):
            while True:
                page = await self._engine.client(SCOPE).query(Query(kind="models/training"))
                found: dict[str, Any] = next((row for row in page.items if row["model"] == "clustering"), {})
                if found.get("result") and found["state"] == "idle" and not found["wish"]:
                    assert found["result"] == result, found["why"]
                    return found
                await asyncio.sleep(0.05)


async def test_what_operators_merge_comes_together_by_itself_afterwards(engine: Engine) -> None:
    plant = Plant(engine)
    for number in range(TROUBLES):
        await plant.trouble(number, 500_000.0 - 8000.0 * number)
    assert not await plant.together(0)
    homes = await plant.homes()
    for number in range(TROUBLES):
        await plant.act("merge", f"incident:{homes[f'pump {number}']}", f"incident:{homes[f'smell {number}']}")

    await plant.act("train", "model:clustering")
    model = await plant.model("promoted")
    last = model["last"]
    assert last.pr_auc > last.champion["pr_auc"] and last.baseline.keys() == last.metrics.keys()
    assert (model["champion"], model["before"], last.by) == ("0001", "shipped", "ana")
    await plant.trouble(100, 3000.0)
    assert await plant.together(100)

    await plant.act("rollback_model", "model:clustering")
    assert (await plant.model("rolled_back"))["champion"] == "shipped"
    await plant.trouble(201, 1000.0)
    assert not await plant.together(201)
