"""One suite for both clients: what is asked of an engine in the process and over the wire is answered alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from data.records import DEFAULT_TENANT, Change, Incident, IncidentState, Severity, Signal, SignalStatus
from data.scope import CAPABILITIES, Scope
from engine.app import Engine, build
from engine.client import Command, EngineClient, Query, Refused, Resync, View
from engine.clock import SystemClock
from engine.ports import Envelope, EnvelopeKind
from engine.remote import RemoteClient
from engine.settings import Settings
from tests.fakes.waiting import PATIENCE

SCOPE = Scope(tenant=DEFAULT_TENANT, actor="local", capabilities=CAPABILITIES)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    settings = Settings()
    store = replace(settings.store, data_dir=str(tmp_path / "data"), reserve_mib=0)
    running = build(replace(settings, store=store, listen=replace(settings.listen, port=0)), SystemClock())
    await running.start()
    yield running
    await running.stop()


@pytest.fixture(params=["local", "remote"])
async def client(request: pytest.FixtureRequest, engine: Engine) -> AsyncIterator[EngineClient]:
    made: EngineClient = engine.client(SCOPE) if request.param == "local" else RemoteClient(engine.url)
    yield made
    await made.close()


async def fire(engine: Engine, name: str, site: str = "Depot", status: SignalStatus = SignalStatus.FIRING) -> int:
    """One alert, committed; the feed's position after it."""
    now = datetime.now(UTC)
    signal = Signal(
        source="test",
        key=f"{name}/{site}",
        name=name,
        severity=Severity.CRITICAL,
        status=status,
        title=f"{name} at {site}",
        site=site,
        entity=f"{name}-1",
        entity_type="device",
        service="",
        client="",
        correlation="",
        starts_at=now - timedelta(seconds=5),
        ends_at=now + timedelta(hours=1),
        labels={"alertname": name, "site": site},
        annotations={},
    )
    envelope = Envelope(kind=EnvelopeKind.SIGNALS, tenant=DEFAULT_TENANT, source="test", payload=[signal])
    return (await engine.service.take(envelope)).seq


async def only(client: EngineClient) -> Incident:
    (found,) = (await client.query(Query(kind="incidents"))).items
    assert isinstance(found, Incident)
    return found


async def test_lists_hold_records(engine: Engine, client: EngineClient) -> None:
    seq = await fire(engine, "DoorForced")
    page = await client.query(Query(kind="alerts", q="site=Depot and severity>=high"))
    assert [(alert.name, alert.site, alert.severity) for alert in page.items] == [
        ("DoorForced", "Depot", Severity.CRITICAL)
    ]
    assert page.seq >= seq
    assert (await only(client)).state is IncidentState.OPEN
    assert (await client.query(Query(kind="alerts", q="site=Mall"))).items == []


async def test_pages_follow_each_other(engine: Engine, client: EngineClient) -> None:
    for number in range(5):
        await fire(engine, "DoorForced", f"Site {number}")
    seen, after = [], ""
    while True:
        page = await client.query(Query(kind="alerts", limit=2, after=after))
        seen += [alert.site for alert in page.items]
        if page.next is None:
            break
        after = page.next
    assert sorted(seen) == [f"Site {number}" for number in range(5)]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (Query(kind="alerts", q="severity>=hihg"), "q"),
        (Query(kind="alerts", sort="nonsense"), "sort"),
        (Query(kind="why", id="incident:999"), "id"),
    ],
)
async def test_a_bad_question_is_refused_by_name(client: EngineClient, query: Query, field: str) -> None:
    with pytest.raises(Refused) as caught:
        await client.query(query)
    assert caught.value.reason and caught.value.status in (404, 422)
    assert caught.value.field in (field, "")


async def test_an_act_changes_and_tells(engine: Engine, client: EngineClient) -> None:
    await fire(engine, "DoorForced")
    target = f"incident:{(await only(client)).id}"
    result = await client.command(Command(verb="ack", targets=(target,), params={"note": "mine"}, request="r1"))
    assert result.changed == (target,) and result.seq > 0
    found = await only(client)
    assert found.state is IncidentState.ACKNOWLEDGED and found.ack is not None and found.ack.note == "mine"
    again = await client.command(Command(verb="ack", targets=(target,), params={"note": "mine"}, request="r1"))
    assert again.seq == result.seq


async def test_an_act_is_refused_with_the_field(client: EngineClient) -> None:
    with pytest.raises(Refused) as caught:
        await client.command(Command(verb="silence", targets=(), params={"matchers": "", "minutes": 5}))
    assert caught.value.field == "matchers" and caught.value.remedy


async def test_what_cannot_be_found_is_said_per_target(engine: Engine, client: EngineClient) -> None:
    await fire(engine, "DoorForced")
    known = f"incident:{(await only(client)).id}"
    result = await client.command(Command(verb="note", targets=(known, "incident:999"), params={"text": "x"}))
    assert result.changed == (known,) and list(result.refused) == ["incident:999"]


async def test_watching_goes_on_from_a_cursor_without_a_gap(engine: Engine, client: EngineClient) -> None:
    start = await fire(engine, "First")
    await fire(engine, "Second", "Mall")
    watch = client.watch(View(), start)
    seen: list[Change] = []

    async def read() -> None:
        async for item in watch:
            assert not isinstance(item, Resync)
            seen.extend(item)
            if len(seen) >= 4:
                return

    reading = asyncio.ensure_future(read())
    while not seen:
        await asyncio.sleep(0)
    await fire(engine, "Third", "Clinic")
    await asyncio.wait_for(reading, PATIENCE)
    assert [change.seq for change in seen] == list(range(start + 1, start + 5))
    created = [change for change in seen if change.kind == "alert_created"]
    assert b"Second" in bytes(created[0].record) and b"Third" in bytes(created[1].record)


async def test_a_view_limits_what_is_watched(engine: Engine, client: EngineClient) -> None:
    start = await fire(engine, "First")
    await fire(engine, "Second", "Mall")
    async for item in client.watch(View(kinds=("incident_opened",), sites=("Mall",)), start):
        assert not isinstance(item, Resync)
        assert [(change.kind, change.site) for change in item] == [("incident_opened", "Mall")]
        break


async def test_a_cursor_from_the_future_is_told_to_read_anew(engine: Engine, client: EngineClient) -> None:
    seq = await fire(engine, "First")
    async for item in client.watch(View(), seq + 1000):
        assert isinstance(item, Resync) and item.seq == seq
        break


async def test_health_counts(engine: Engine, client: EngineClient) -> None:
    await fire(engine, "DoorForced")
    health = await client.health()
    assert (health.state, health.tenant) == ("live", DEFAULT_TENANT)
    assert health.active[Severity.CRITICAL] == 1
