"""Who sends: counted by tenant, also those of whom nothing could be taken."""

from __future__ import annotations

from pathlib import Path

import httpx

from data.records import DEFAULT_TENANT, TenantId
from engine.app import build
from engine.client import Query
from engine.clock import SystemClock
from engine.ports import Envelope, EnvelopeKind
from engine.senders import MOST, OTHERS, Senders
from engine.settings import ListenSettings, Settings, StoreSettings
from tests.fakes.line import ANA, T0, at, signal
from tests.fakes.waiting import PATIENCE


def _sent(source: str, kind: EnvelopeKind = EnvelopeKind.SIGNALS, tenant: TenantId = DEFAULT_TENANT) -> Envelope:
    return Envelope(kind=kind, tenant=tenant, source=source, payload=[signal()])


def test_rows_and_rejects_are_counted_apart() -> None:
    senders = Senders()
    senders.note(_sent("a"), T0)
    senders.note(_sent("a", EnvelopeKind.REJECTS), at(1))
    senders.note(_sent("a", EnvelopeKind.TICK), at(2))
    (row,) = senders.of(DEFAULT_TENANT)
    assert row == {"name": "a", "envelopes": 2, "rows": 1, "rejects": 1, "first_at": T0, "last_at": at(1)}
    assert senders.last_at(DEFAULT_TENANT) == at(1)


def test_nobody_sees_the_senders_of_another_tenant() -> None:
    senders = Senders()
    senders.note(_sent("a", tenant=TenantId("other")), T0)
    assert senders.of(DEFAULT_TENANT) == []
    assert senders.last_at(DEFAULT_TENANT) is None


def test_ever_new_names_do_not_fill_the_memory_and_sources_inside_are_no_senders() -> None:
    senders = Senders(apart=frozenset({"own"}))
    senders.note(_sent("own"), T0)
    for number in range(MOST + 5):
        senders.note(_sent(f"s{number}"), T0)
    found = senders.of(DEFAULT_TENANT)
    assert len(found) == MOST + 1
    assert (found[-1]["name"], found[-1]["rows"]) == (OTHERS, 5)


async def test_a_sender_whose_posts_are_all_rejected_is_listed(tmp_path: Path) -> None:
    settings = Settings(listen=ListenSettings(port=0), store=StoreSettings(data_dir=str(tmp_path), reserve_mib=0))
    engine = build(settings, SystemClock())
    await engine.start()
    try:
        async with httpx.AsyncClient(base_url=engine.url, trust_env=False, timeout=PATIENCE) as client:
            answer = await client.post("/ingest/events", content=b"{", headers={"content-type": "application/json"})
        assert answer.status_code == 400
        (row,) = (await engine.client(ANA).query(Query(kind="sources"))).items
        assert (row["rows"], row["rejects"]) == (0, 1)
    finally:
        await engine.stop()
