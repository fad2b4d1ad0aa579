"""Input that breaks the line: it alone becomes a dead letter, and after the mend it can be replayed, once."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import msgspec
import pytest

from data.records import DEFAULT_TENANT
from data.scope import CAPABILITIES, Scope
from engine.api.server import serve
from engine.app import Engine, build
from engine.clock import SystemClock
from engine.inbox import Told
from engine.ports import Envelope, EnvelopeKind, Receipt
from engine.settings import ListenSettings, Settings, StoreSettings
from tests.fakes.service import FakeTokens
from tests.fakes.waiting import PATIENCE

SCOPE = Scope(tenant=DEFAULT_TENANT, actor="test", capabilities=CAPABILITIES)
GOOD, POISONS = 2000, 12


class Raises(dict[str, str]):
    """Labels that break whoever looks at them."""

    def get(self, *_: Any) -> Any:
        raise RuntimeError("a defect of the line")


class Hangs(dict[str, str]):
    def get(self, *_: Any) -> Any:
        while True:
            pass


class Eats(dict[str, str]):
    def get(self, *_: Any) -> Any:
        raise MemoryError("as much as there was")


KINDS: dict[str, type[dict[str, str]]] = {"raises": Raises, "hangs": Hangs, "eats": Eats}


class Defective:
    """The engine's service with a defect in it: alerts with a label `poison` break the line until it is mended."""

    def __init__(self, engine: Engine) -> None:
        self._service = engine.service
        self.mended = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)

    async def take(self, envelope: Envelope) -> Receipt:
        return await self._service.take(self._spoiled(envelope))

    def offer(self, envelope: Envelope, told: Told) -> None:
        self._service.offer(self._spoiled(envelope), told)

    def _spoiled(self, envelope: Envelope) -> Envelope:
        if self.mended or envelope.kind is not EnvelopeKind.SIGNALS:
            return envelope
        rows = [self._poisoned(row) if "poison" in row.labels else row for row in envelope.payload]
        return msgspec.structs.replace(envelope, payload=rows)

    def _poisoned(self, signal: Any) -> Any:
        return msgspec.structs.replace(signal, labels=KINDS[signal.labels["poison"]](signal.labels))


class Site:
    def __init__(self, http: httpx.AsyncClient, service: Defective) -> None:
        self.http, self.service = http, service

    async def post(self, *rows: dict[str, str], key: str = "") -> httpx.Response:
        body = json.dumps([{"labels": {"alertname": "A", **row}} for row in rows])
        headers = {"content-type": "application/json", **({"idempotency-key": key} if key else {})}
        return await self.http.post("/api/v2/alerts", content=body, headers=headers)

    async def hosts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        after = ""
        while True:
            params = {"limit": "1000", **({"after": after} if after else {})}
            page = (await self.http.get("/api/v1/alerts", params=params)).json()
            found |= {row["labels"]["host"]: row["count"] for row in page["items"]}
            after = page["next"]
            if not after:
                return found

    async def letters(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.http.get("/api/v1/rejects", params={"limit": 100})).json()["items"]
        return found


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    settings = Settings(store=StoreSettings(data_dir=str(tmp_path), reserve_mib=0), listen=ListenSettings(port=0))
    engine = build(settings, SystemClock(), listen=False)
    await engine.start()
    service = Defective(engine)
    server = await serve(service, settings, FakeTokens())  # type: ignore[arg-type]
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=PATIENCE) as http:
        # A silence makes the line look at the labels of every alert.
        made = await http.post(
            "/api/v2/silences",
            json={
                "matchers": [{"name": "nothing", "value": "has this", "isRegex": False}],
                "startsAt": datetime.now(UTC).isoformat(),
                "endsAt": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
                "createdBy": "test",
                "comment": "test",
            },
        )
        assert made.status_code == 200, made.text
        yield Site(http, service)
    await server.stop()
    await engine.stop()


async def test_poison_among_thousands_costs_itself_only(site: Site) -> None:
    rows = [{"host": f"h{number}"} for number in range(GOOD)]
    for number in range(POISONS):
        rows.insert(number * (GOOD // POISONS) + 7, {"host": f"p{number}", "poison": ("raises", "eats")[number % 2]})
    took = []
    for start in range(0, len(rows), 100):
        began = time.monotonic()
        assert (await site.post(*rows[start : start + 100])).status_code == 200
        took.append(time.monotonic() - began)
    assert set(await site.hosts()) == {f"h{number}" for number in range(GOOD)}
    letters = await site.letters()
    assert len(letters) == POISONS
    assert {letter["attempts"] for letter in letters} == {3}
    assert {"RuntimeError" in letter["reason"] or "MemoryError" in letter["reason"] for letter in letters} == {True}
    assert median(took) <= 1.0, "the others were held up"


async def test_a_delivery_with_poison_that_is_sent_again_counts_once(site: Site) -> None:
    for _ in range(3):
        answer = await site.post({"host": "a"}, {"host": "p", "poison": "raises"}, {"host": "b"}, key="same")
        assert answer.status_code == 200
    assert await site.hosts() == {"a": 1, "b": 1}
    assert len(await site.letters()) == 1
    for _ in range(2):
        assert (await site.post({"host": "q", "poison": "raises"}, key="alone")).status_code == 200
    assert len(await site.letters()) == 2


async def test_what_hangs_is_cut_and_the_rest_goes_on(site: Site) -> None:
    # Without the watchdog there would be no answer at all.
    assert (await site.post({"host": "p", "poison": "hangs"})).status_code == 200
    (letter,) = await site.letters()
    assert "too long" in letter["reason"]
    assert (await site.post({"host": "a"})).status_code == 200
    assert await site.hosts() == {"a": 1}


async def test_a_dead_letter_is_replayed_once_after_the_mend(site: Site) -> None:
    assert (await site.post({"host": "p", "poison": "raises"})).status_code == 200
    (letter,) = await site.letters()
    assert (await site.http.get("/api/v1/health")).json()["state"] == "live"
    site.service.mended = True
    first = await site.http.post(f"/api/v1/rejects/{letter['id']}/replay", json={})
    assert first.status_code == 200, first.text
    again = await site.http.post(f"/api/v1/rejects/{letter['id']}/replay", json={})
    assert again.status_code in (200, 409, 422)
    assert await site.hosts() == {"p": 1}
    assert [row["state"] for row in await site.letters() if row["state"] == "waiting"] == []
