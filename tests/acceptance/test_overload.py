"""What the door does while the line is closed: nothing is parsed but what looks urgent and is small."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from engine.api.server import serve
from engine.clock import SystemClock
from engine.settings import ListenSettings, Settings, SourceSettings
from tests.fakes.service import FakeService, FakeTokens
from tests.fakes.waiting import PATIENCE


@pytest.fixture
def service() -> FakeService:
    return FakeService(SystemClock())


@pytest.fixture
async def http(service: FakeService) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(listen=ListenSettings(port=0), sources={"any": SourceSettings(format="generic")})
    server = await serve(service, settings, FakeTokens())
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=PATIENCE) as client:
        yield client
    await server.stop()


FIRING = {"labels": {"alertname": "A", "severity": "critical"}}
ENDED = {"labels": {"alertname": "A"}, "startsAt": "2001-01-01T00:00:00Z", "endsAt": "2001-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/v2/alerts", [FIRING], 200),
        ("/api/v2/alerts", [ENDED], 200),
        ("/api/v2/alerts", [{"labels": {"alertname": "A", "severity": "warning"}}], 503),
        ("/api/v2/alerts", [{**FIRING, "annotations": {"description": "x" * 20_000}}], 503),
        ("/ingest/webhook/any", {"title": "disk", "severity": "P1"}, 202),
        ("/ingest/webhook/any", {"title": "disk", "status": "resolved"}, 202),
        ("/ingest/webhook/any", {"title": "disk", "severity": "high"}, 503),
        ("/ingest/webhook/any", "not an alert at all", 503),
    ],
)
async def test_a_closed_line_reads_on_for_what_is_urgent(
    http: httpx.AsyncClient, service: FakeService, path: str, body: Any, status: int
) -> None:
    service.wait = 3.0
    answer = await http.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert ("retry-after" in answer.headers) is (status == 503)
    assert len(service.taken) == (status != 503)
    service.wait = None
    opened = await http.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
    assert opened.status_code in (200, 202, 422)


async def test_a_body_of_unknown_length_waits_like_a_large_one(http: httpx.AsyncClient, service: FakeService) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield json.dumps([FIRING]).encode()

    service.wait = 3.0
    answer = await http.post("/api/v2/alerts", content=pieces(), headers={"content-type": "application/json"})
    assert answer.status_code == 503 and not service.taken
