"""Fraud is seen by those who may: every kind of list, report, feed message and why is walked with and without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from data.scope import CAPABILITIES, Scope
from data.selects import LISTINGS
from engine.app import Engine, build
from engine.client import Command, Query, Refused, Resync, View
from engine.domain.events import AttendanceData, DomainEvent, Point, SiteData
from engine.ports import Envelope, EnvelopeKind
from engine.reports import REPORTS, load
from engine.settings import Settings, StoreSettings
from tests.fakes.attendance import HARBOUR, MONDAY, TOWER
from tests.fakes.line import ANA, signal
from tests.fakes.service import HandClock

load()
SUSPECT = "mallory"
BLIND = replace(ANA, actor="bo", capabilities=CAPABILITIES - {"security:fraud:view"})
#: Words that stand in nothing but what fraud is: a check-in as such is no secret.
TRACES = ("fraud", "biometric_low", "impossible_travel", "suspected:")


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    settings = Settings(store=StoreSettings(data_dir=str(tmp_path), reserve_mib=0))
    running = build(settings, HandClock(MONDAY + timedelta(hours=1)), listen=False)
    await running.start()
    yield running
    await running.stop()


async def take(engine: Engine, kind: EnvelopeKind, rows: list[Any]) -> None:
    await engine.service.take(Envelope(kind=kind, tenant=ANA.tenant, source="test", payload=rows))


async def cheat(engine: Engine) -> None:
    """A lie, beside an ordinary alert."""
    await take(engine, EnvelopeKind.SIGNALS, [signal("a", starts=-1e7)])
    events = [
        event("noc.site", SiteData(id="harbour", point=HARBOUR), 0),
        event("noc.site", SiteData(id="tower", point=TOWER), 0),
    ]
    for minute, site, point, face in ((0, "harbour", HARBOUR, 0.95), (4, "tower", TOWER, 0.3)):
        events.append(event("noc.attendance", came(site, point, face), minute))
    await take(engine, EnvelopeKind.EVENTS, events)


def came(site: str, point: Point, face: float) -> AttendanceData:
    return AttendanceData(person=SUSPECT, site=site, point=point, accuracy_m=5.0, biometric=face, device="phone")


def event(type: str, data: Any, minute: int) -> DomainEvent:
    return DomainEvent(
        type=type, source="test", id=f"{type}-{minute}-{data}"[:90], at=MONDAY + timedelta(minutes=minute), data=data
    )


async def ask(engine: Engine, scope: Scope, kind: str, **fields: Any) -> list[Any]:
    return list((await engine.client(scope).query(Query(kind=kind, **fields))).items)


def text(items: Any) -> str:
    return msgspec.json.encode(items, enc_hook=str).decode().lower()


def leaks(items: Any) -> list[str]:
    said = text(items)
    return [trace for trace in TRACES if trace in said]


async def test_the_analyst_sees_all_of_it(engine: Engine) -> None:
    await cheat(engine)
    for kind in ("fraud_scores", "attendance_anomalies", "alerts", "incidents", "clusters", "tickets"):
        assert leaks(await ask(engine, ANA, kind)), kind


@pytest.mark.parametrize("kind", [*LISTINGS, "events", "sources", "kpis"])
async def test_no_list_shows_it(engine: Engine, kind: str) -> None:
    await cheat(engine)
    (case,) = [score for score in await ask(engine, ANA, "fraud_scores") if score.score >= 0.8]
    await engine.client(ANA).command(Command(verb="confirm_fraud", targets=(f"fraud_score:{case.id}",)))
    try:
        items = await ask(engine, BLIND, kind)
    except Refused as refusal:
        assert refusal.status == 403
        return
    if kind == "models":  # that there is a model of fraud is no secret; what it has learned from is
        (own,) = [item for item in items if item.id == "fraud"]
        assert own.why == ""
        items = [item for item in items if item is not own]
    assert leaks(items) == []


@pytest.mark.parametrize("path", sorted(REPORTS))
async def test_no_report_shows_it(engine: Engine, path: str) -> None:
    await cheat(engine)
    if REPORTS[path].capability == "security:fraud:view":
        with pytest.raises(Refused) as refusal:
            await ask(engine, BLIND, path)
        assert refusal.value.status == 403
        return
    try:
        assert "fraud" not in text(await ask(engine, BLIND, path))
    except Refused:
        return


async def test_its_incident_and_alert_cannot_be_looked_up_by_number(engine: Engine) -> None:
    await cheat(engine)
    (alert,) = [alert for alert in await ask(engine, ANA, "alerts") if alert.name == "fraud_suspected"]
    assert await ask(engine, ANA, "why", id=f"alert:{alert.id}")
    for kind, id in (("alerts", alert.id), ("incidents", alert.incident), ("clusters", alert.cluster)):
        assert len(await ask(engine, ANA, kind, id=str(id))) == 1
        assert await ask(engine, BLIND, kind, id=str(id)) == []
    assert await ask(engine, ANA, "timeline", incident=alert.incident)
    assert await ask(engine, BLIND, "timeline", incident=alert.incident) == []
    for scope, told in ((ANA, "no playbook runs on a suspicion of fraud"), (BLIND, "not found among the incidents")):
        with pytest.raises(Refused, match=told):
            await ask(engine, scope, "playbooks/fitting", params={"incident": alert.incident})
    for target in (f"alert:{alert.id}", f"incident:{alert.incident}"):
        with pytest.raises(Refused) as refusal:
            await ask(engine, BLIND, "why", id=target)
        assert refusal.value.status == 404
    with pytest.raises(Refused):
        await ask(engine, BLIND, "related", id=f"incident:{alert.incident}")


async def test_searching_finds_nothing_of_it(engine: Engine) -> None:
    await cheat(engine)
    assert await ask(engine, ANA, "alerts", q="name=fraud_suspected")
    for kind in ("alerts", "incidents", "events"):
        found = await ask(engine, BLIND, kind, q="suspected")
        assert leaks(found) == []
    (counted,) = [await ask(engine, BLIND, "preview", q='alertname="fraud_suspected"')]
    assert counted[0]["alerts"] == 0


async def test_counts_leave_it_out(engine: Engine) -> None:
    await cheat(engine)
    open_alerts = await ask(engine, BLIND, "alerts", active=True)
    figures = engine.board.figures(BLIND)
    assert sum(figures.alerts.values()) == len(open_alerts)
    assert sum(engine.board.figures(ANA).alerts.values()) == len(open_alerts) + 1
    assert sum(figures.states.values()) == len(await ask(engine, BLIND, "incidents", active=True))


async def test_the_feed_tells_it_to_the_analyst_alone(engine: Engine) -> None:
    watching = {scope.actor: engine.client(scope).watch(View()) for scope in (ANA, BLIND)}
    heard: dict[str, list[Any]] = {name: [] for name in watching}

    async def listen(name: str) -> None:
        async for item in watching[name]:
            assert not isinstance(item, Resync)
            heard[name].append(item)

    listeners = [asyncio.ensure_future(listen(name)) for name in watching]
    await asyncio.sleep(0)
    await cheat(engine)
    await engine.idle()
    for _ in range(5):
        await asyncio.sleep(0)
    for listener in listeners:
        listener.cancel()
    await asyncio.gather(*listeners, return_exceptions=True)
    assert "fraud_suspected" in text(heard["ana"])
    assert heard["bo"]
    assert [change for change in heard["bo"] if "fraud" in text(change)] == []


async def test_the_log_resumed_tells_it_to_the_analyst_alone(engine: Engine) -> None:
    await cheat(engine)
    assert "fraud_suspected" in text(await ask(engine, ANA, "events", limit=1000))
    assert "fraud" not in text(await ask(engine, BLIND, "events", limit=1000))


async def test_what_is_remembered_of_incidents_tells_it_to_the_analyst_alone(engine: Engine) -> None:
    await cheat(engine)
    (incident,) = [one for one in await ask(engine, ANA, "incidents") if one.names == ("fraud_suspected",)]
    await ask(engine, ANA, "context", params={"id": f"incident:{incident.id}"})
    act = Command(verb="resolve", targets=(f"incident:{incident.id}",), params={"note": "fraud it was"})
    await engine.client(ANA).command(act)
    assert leaks(await ask(engine, ANA, "past_incidents"))
    assert await ask(engine, ANA, "contexts")
    assert leaks(await ask(engine, BLIND, "past_incidents")) == []
    assert str(incident.id) not in {str(one.incident) for one in await ask(engine, BLIND, "priority_examples")}
    for other in await ask(engine, BLIND, "incidents"):
        assert leaks(await ask(engine, BLIND, "context", params={"id": f"incident:{other.id}"})) == []
    with pytest.raises(Refused):
        await ask(engine, BLIND, "contexts")
    with pytest.raises(Refused):
        await ask(engine, replace(BLIND, capabilities=frozenset({"noc:view"})), "learned")
    assert await ask(engine, replace(ANA, sites=frozenset({incident.site})), "contexts") == []
