"""The context of an incident: five categories, each item with its reason, kept, and only what the scope may see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from data.nouns.world import Device, Person, Ticket, WorldChange
from data.records import DEFAULT_TENANT, Incident
from data.scope import CAPABILITIES, Scope
from engine.app import Engine, build
from engine.client import Command, Query, Refused
from engine.clock import SystemClock
from engine.domain.contexts import GATHERED
from engine.domain.events import DATA, DomainEvent
from engine.domain.registry import on
from engine.enrichers import enrichers
from engine.enrichers.similar import likeness
from engine.ports import Envelope, EnvelopeKind
from engine.reports import load
from engine.settings import ClusteringSettings, Settings, StoreSettings
from tests.fakes.line import signal
from tests.fakes.waiting import PATIENCE

SCOPE = Scope(tenant=DEFAULT_TENANT, actor="ana", capabilities=CAPABILITIES)


@on("test.noun")
def _keep(draft: Any, event: DomainEvent) -> None:
    draft.put_noun(event.data)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    load()
    store = StoreSettings(data_dir=str(tmp_path), reserve_mib=0)
    settings = Settings(store=store, clustering=ClusteringSettings(join_at=1.0))
    running = build(settings, SystemClock(), listen=False)
    await running.start()
    yield running
    await running.stop()


def ago(**given: float) -> datetime:
    return datetime.now(UTC) - timedelta(**given)


def change(id: str, hours: float, **given: Any) -> WorldChange:
    return WorldChange(tenant=DEFAULT_TENANT, id=id, at=ago(hours=hours), kind="deployment", what="firmware", **given)


async def take(engine: Engine, kind: EnvelopeKind, *payload: Any) -> None:
    await engine.service.take(Envelope(kind=kind, tenant=DEFAULT_TENANT, source="test", payload=list(payload)))


async def nouns(engine: Engine, *records: Any) -> None:
    events = [DomainEvent(type="test.noun", source="t", id=str(n), at=ago(), data=one) for n, one in enumerate(records)]
    await take(engine, EnvelopeKind.EVENTS, *events)


def firing(key: str, **given: Any) -> Any:
    now = datetime.now(UTC)
    return signal(key, **{"starts_at": now, "ends_at": now + timedelta(hours=5), **given})


async def opened(engine: Engine, key: str, **given: Any) -> Incident:
    await take(engine, EnvelopeKind.SIGNALS, firing(key, **given))
    (found,) = await engine.service.rows(SCOPE, kind="alerts", limit=1, sort="-id")
    (incident,) = await engine.service.rows(SCOPE, kind="incidents", ids=(str(found.incident),), limit=1)
    assert isinstance(incident, Incident)
    return incident


async def context(engine: Engine, number: int, scope: Scope = SCOPE) -> dict[str, list[dict[str, Any]]]:
    page = await engine.service.query(scope, Query(kind="context", params={"id": f"incident:{number}"}))
    return {line["category"]: line["items"] for line in page.items}


def test_there_are_the_five_categories_in_their_order() -> None:
    assert [one.category for one in enrichers()] == [
        "related_alerts",
        "recent_changes",
        "similar_incidents",
        "affected_resources",
        "current_state",
    ]


def test_words_in_common_leave_numbers_out() -> None:
    assert likeness("link down eth0", "Link DOWN eth7") == 1.0
    assert likeness("link down", "battery low") == 0.0
    assert likeness("", "") == 0.0


async def test_every_category_says_why(engine: Engine) -> None:
    now = ago()
    await nouns(
        engine,
        Device(tenant=DEFAULT_TENANT, id="cam-1", at=now, site="Depot", state="offline", type="camera"),
        Device(tenant=DEFAULT_TENANT, id="lens-1", at=now, site="Depot", state="online", parent="cam-1"),
        Person(tenant=DEFAULT_TENANT, id="p1", at=now, name="Bo", sites=("Depot",), on_site="Depot"),
        Ticket(tenant=DEFAULT_TENANT, id="t1", opened_at=now, site="Depot", title="door"),
        WorldChange(
            tenant=DEFAULT_TENANT, id="c1", at=ago(hours=1), kind="deployment", what="firmware", target="cam-1"
        ),
        WorldChange(tenant=DEFAULT_TENANT, id="c2", at=ago(hours=9), kind="deployment", what="old", target="cam-1"),
        change("c3", 1, target="x", site="Y"),
    )
    incident = await opened(engine, "a", entity="cam-1", name="CameraDown", title="camera is down")
    other = await opened(engine, "b", entity="gate", name="GateOpen", title="gate held open", entity_type="gate")
    assert incident.id != other.id
    found = await context(engine, incident.id)
    assert [item["subject"] for item in found["recent_changes"]] == ["change:c1"]
    assert "cam-1" in found["recent_changes"][0]["reason"]
    assert {item["incident"] for item in found["related_alerts"]} == {other.id}
    kinds = {(item["kind"], item["id"]) for item in found["affected_resources"]}
    assert {("site", "Depot"), ("device", "cam-1"), ("device", "lens-1")} <= kinds
    said = " / ".join(item["what"] for item in found["current_state"])
    assert "1 of 1 people are on site" in said
    assert "1 tickets are open" in said
    assert "1 offline" in said
    assert all(item["reason"] for items in found.values() for item in items)


async def test_similar_ones_come_with_how_they_were_resolved(engine: Engine) -> None:
    before = await opened(engine, "a", entity="cam-1", name="CameraDown", title="camera is down")
    act = Command(verb="resolve", targets=(f"incident:{before.id}",), params={"note": "power was off"})
    await engine.service.command(SCOPE, act)
    again = await opened(engine, "b", entity="cam-2", name="CameraDown", title="camera is down")
    assert again.id != before.id
    (item, *_) = (await context(engine, again.id))["similar_incidents"]
    assert item["incident"] == before.id
    assert item["resolved"] == "power was off"
    assert "same pattern CameraDown" in item["reason"]
    assert "100% of the words" in item["reason"]


async def test_it_is_kept_with_the_incident(engine: Engine) -> None:
    incident = await opened(engine, "a", entity="cam-1")
    await context(engine, incident.id)
    (kept,) = await engine.service.rows(SCOPE, kind="contexts", ids=(str(incident.id),), limit=1)
    assert kept.incident == incident.id
    assert set(kept.items) == {one.category for one in enrichers()}


async def test_what_opens_gets_its_context_unasked(engine: Engine) -> None:
    incident = await opened(engine, "a", entity="cam-1")
    async with asyncio.timeout(PATIENCE):
        while not await engine.service.rows(SCOPE, kind="contexts", ids=(str(incident.id),), limit=1):
            await asyncio.sleep(0.05)


async def test_a_narrow_scope_sees_its_sites_only_and_keeps_nothing(engine: Engine) -> None:
    await opened(engine, "far", entity="x", name="CameraDown", site="Elsewhere", title="camera is down over there")
    incident = await opened(engine, "a", entity="cam-1", name="CameraDown", title="camera is down")
    narrow = Scope(tenant=DEFAULT_TENANT, actor="bo", capabilities=CAPABILITIES, sites=frozenset({"Depot"}))
    found = await context(engine, incident.id, narrow)
    assert all(item.get("site") in ("Depot", "", None) for item in found["related_alerts"])
    elsewhere = Scope(tenant=DEFAULT_TENANT, actor="cy", capabilities=CAPABILITIES, sites=frozenset({"Nowhere"}))
    with pytest.raises(Refused):
        await context(engine, incident.id, elsewhere)


async def test_an_unknown_incident_is_refused(engine: Engine) -> None:
    with pytest.raises(Refused, match="not found"):
        await context(engine, 999)


def test_no_sender_can_bring_a_context() -> None:
    assert GATHERED not in DATA


async def test_the_likely_cause_can_be_asked_for(engine: Engine) -> None:
    incident = await opened(engine, "a", entity="cam-1", name="cpu high")
    page = await engine.service.query(SCOPE, Query(kind="incidents/{id}/root_cause", params={"id": incident.id}))
    assert page.items[0]["entity"] == "cam-1"
    assert page.items[0]["words"].startswith("cam-1: its processor stands out")


async def test_related_alerts_began_within_half_an_hour_of_the_opening(engine: Engine) -> None:
    incident = await opened(engine, "a", name="CameraDown", title="camera is down")
    near = await opened(engine, "b", name="GateOpen", title="gate held open", starts_at=ago(minutes=20))
    far = await opened(engine, "c", name="HvacHot", title="air is hot", starts_at=ago(hours=9))
    assert len({incident.id, near.id, far.id}) == 3
    related = (await context(engine, incident.id))["related_alerts"]
    assert [item["incident"] for item in related] == [near.id]
    assert any(f"{minutes} min apart" in related[0]["reason"] for minutes in (19, 20, 21))
