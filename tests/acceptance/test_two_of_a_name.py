"""Two tokens of one name: what one has asked or sent says nothing of the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from engine.api.auth import issue
from engine.app import Engine, build
from engine.client import Query
from engine.clock import SystemClock
from engine.settings import ListenSettings, Settings, StoreSettings
from tests.fakes.line import ANA
from tests.fakes.waiting import PATIENCE

ALERT = [{"labels": {"alertname": "LinkDown", "host": "h1", "severity": "critical"}}]


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    settings = Settings(listen=ListenSettings(port=0), store=StoreSettings(data_dir=str(tmp_path), reserve_mib=0))
    running = build(settings, SystemClock())
    await running.start()
    yield running
    await running.stop()


async def _tokens(engine: Engine, *capabilities: str) -> list[str]:
    texts = []
    for _ in range(2):
        token, text = issue(name="shift", capabilities=capabilities, now=datetime.now(UTC))
        await engine._store.save_token(token)
        texts.append(text)
    return texts


async def test_a_request_of_one_is_no_answer_for_the_other(engine: Engine) -> None:
    first, second = await _tokens(engine, "noc:view", "noc:ack", "ingest:write")
    async with httpx.AsyncClient(base_url=engine.url, trust_env=False, timeout=PATIENCE) as http:
        await http.post("/api/v2/alerts", json=ALERT, headers={"authorization": f"Bearer {first}"})
        texts = []
        for token in (first, first, second):
            head = {"authorization": f"Bearer {token}", "idempotency-key": "r1"}
            answer = await http.post("/api/v1/incidents/1/note", json={"text": "seen"}, headers=head)
            assert answer.status_code < 300, answer.text
            texts.append(answer.json()["seq"])
    assert texts[0] == texts[1] != texts[2]


async def test_a_delivery_of_one_does_not_use_up_the_key_of_the_other(engine: Engine) -> None:
    first, second = await _tokens(engine, "ingest:write")
    async with httpx.AsyncClient(base_url=engine.url, trust_env=False, timeout=PATIENCE) as http:
        for token, host in ((first, "h1"), (first, "h2"), (second, "h3")):
            rows = [{"labels": {"alertname": "LinkDown", "host": host}}]
            head = {"authorization": f"Bearer {token}", "idempotency-key": "k1"}
            assert (await http.post("/api/v2/alerts", json=rows, headers=head)).status_code == 200
    alerts = (await engine.client(ANA).query(Query(kind="alerts"))).items
    assert sorted(alert.entity for alert in alerts) == ["h1", "h3"]
