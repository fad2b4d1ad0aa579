"""What is told of predictions: their record, why they were made, the KPIs, and that a site stays what it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from data.records import DEFAULT_TENANT
from data.scope import CAPABILITIES, Scope
from engine.app import Engine, build
from engine.client import Query
from engine.ports import Envelope, EnvelopeKind
from engine.settings import PredictionSettings, Settings, StoreSettings
from tests.domain.timeline import At, event
from tests.fakes.line import ANA, at
from tests.fakes.service import HandClock

ELSEWHERE = Scope(tenant=DEFAULT_TENANT, actor="eve", capabilities=CAPABILITIES, sites=frozenset({"Other"}))


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    settings = Settings(
        store=StoreSettings(data_dir=str(tmp_path), reserve_mib=0), predictions=PredictionSettings(sla_at=0.1)
    )
    clock = HandClock(at(1200))
    running = build(settings, clock, listen=False)
    await running.start()
    rows = [
        event("site", 0, id="Depot", client="acme", name="Depot"),
        event("ticket", 20, id="T1", state="NEW", site="Depot", priority="high", due_at=At(4000), title="No vpn"),
    ]
    await running.service.take(Envelope(kind=EnvelopeKind.EVENTS, tenant=DEFAULT_TENANT, source="ops", payload=rows))
    tick = Envelope(kind=EnvelopeKind.TICK, tenant=DEFAULT_TENANT, source="tick", payload=None)
    await running.service.take(tick)
    yield running
    await running.stop()


async def ask(engine: Engine, kind: str, scope: Scope = ANA, id: str = "", **params: Any) -> list[Any]:
    return list((await engine.client(scope).query(Query(kind=kind, id=id, params=params))).items)


async def test_it_is_listed_counted_and_explained(engine: Engine) -> None:
    (found,) = await ask(engine, "predictions")
    assert (found.entity, found.state) == ("T1", "open")
    words = [line["words"] for line in await ask(engine, "why", id=f"prediction:{found.id}")]
    assert any("breaches its SLA" in line and "rules of thumb" in line for line in words)
    assert any("nobody works on it" in line for line in words)
    kpis = {line["name"]: line for line in await ask(engine, "kpis")}
    assert kpis["predictions"]["value"] == 1
    assert "÷" in kpis["prevention rate"]["formula"] and "anyway" in kpis["prevention rate"]["formula"]


async def test_the_record_has_every_model_and_says_what_serves(engine: Engine) -> None:
    rows = await ask(engine, "predictions/performance")
    assert [row["model"] for row in rows] == ["sla", "device", "staffing"]
    assert rows[0]["open"] == 1 and rows[0]["basis"] == "heuristic" and rows[0]["needed"] == 500
    assert len(rows[0]["reliability"]) == 10
    assert [row["model"] for row in await ask(engine, "predictions/performance", model="device")] == ["device"]


async def test_other_sites_see_none_of_it(engine: Engine) -> None:
    assert await ask(engine, "predictions", ELSEWHERE) == []
    assert (await ask(engine, "predictions/performance", ELSEWHERE))[0]["made"] == 0
