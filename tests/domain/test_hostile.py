"""Hostile names, other tenants, and many at once."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec import to_builtins

from data.nouns import NOUNS
from data.records import DEFAULT_TENANT, TenantId
from engine.ports import EnvelopeKind
from tests.domain.test_any_order import STORY
from tests.domain.timeline import At, World, event, guarded
from tests.fakes.line import T0, at
from tests.fakes.world import EVIL

OTHER = TenantId("other")


def test_hostile_names_are_kept_as_they_are_and_break_nothing() -> None:
    evil = EVIL[:150]
    world = World()
    world.say("site", 0, id=evil, client=evil, supervisor=evil, zone=evil, posts={evil: 2})
    world.say("client", 0, id=evil, name=evil, zone=evil, manager=evil, sla_minutes={evil: 10**9})
    world.say("person", 0, id=evil, name=evil, sites=[evil, evil], device=evil)
    world.say("shift", 0, id=evil, site=evil, person=evil, post=evil, starts_at=At(60), ends_at=At(3600))
    world.say("device", 0, id=evil, site=evil, parent=evil, type=evil, status="offline", error=evil)
    world.say("tour", 0, id=evil, action="scan", checkpoint=evil, site=evil, person=evil)
    world.say("ticket", 0, id=evil, state="NEW", priority=evil, site=evil, title=evil * 20, note=evil * 100)
    world.say("workorder", 0, id=evil, title=evil, site=evil, due_at=At(60))
    world.say("activity", 60, person=evil, kind="sos", site=evil)
    world.say("sample", 60, name=evil, value=1e308, labels={evil: evil})
    world.until(3 * 3600, 60)
    assert world.noun("people", evil).name == evil
    assert {"device_offline", "guard_sos", "work_order_overdue", "staffing_shortfall"} <= {
        alert.name for alert in world.alerts()
    }
    assert all(len(alert.title) <= 300 for alert in world.alerts())
    assert not world.store.rejects


def test_a_ring_of_parents_ends() -> None:
    world = World()
    for name, parent in (("a", "b"), ("b", "c"), ("c", "a")):
        world.say("device", 0, id=name, parent=parent, status="offline")
    world.until(3600, 60)
    assert {device.state for device in world.nouns("devices")} == {"offline"}


def test_a_sender_of_ever_new_names_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.domain import known

    monkeypatch.setattr(known, "STUBS", 10)
    world = World()
    for number in range(50):
        world.say("activity", number, person=f"p{number}", kind="phone", site=f"s{number}")
    assert len(world.nouns("people")) == len(world.nouns("sites")) == 10
    world.say("person", 60, id="p1", name="known now").say("activity", 61, person="p99", kind="phone")
    assert world.noun("people", "p99").verified is False


def test_fifty_racing_duplicates_are_one() -> None:
    world = guarded(devices=False)
    rows = [event("activity", 100, person="ann", kind="sos", site="Depot", event_id=f"e{n}") for n in range(50)]
    rows += [event("ticket", 100, id="T1", state="NEW", title="x", event_id=f"t{n}") for n in range(50)]
    rows += [event("attendance", 100, person="bob", site="Depot", event_id=f"a{n}") for n in range(50)]
    random.Random(7).shuffle(rows)
    world.now = at(100)
    world.put(*(world.envelope(EnvelopeKind.EVENTS, [row], id=row.id) for row in rows))
    assert len(world.alerts("guard_sos")) == 1
    assert len(world.nouns("tickets")) == len(world.nouns("attendance")) == 1
    assert len(world.noun("tickets", "T1").history) == 1
    (window,) = [found for found in world.nouns("signals") if found.entity == "ann"]
    assert window.kinds == {"sos": 1.0}


def run(tenants: list[tuple[TenantId, int]]) -> World:
    """The story told by several tenants, each row by row."""
    world = World()
    for tenant, number in tenants:
        world.now = at(8 * 3600 + number)
        world.take_events(STORY[number], tenant=tenant)
    world.now = at(9 * 3600)
    for _ in range(130):
        world.tick(60)
    return world


#: What is not judged here, and what is of sources.
_ELSEWHERE = ("fraud", "attendance_anomaly", "rhythm")
#: Numbers that are given out over all tenants.
_COUNTED = frozenset({"incident", "alert", "foretold"})


def of_tenant(world: World, tenant: TenantId) -> dict[str, Any]:
    """All that is a tenant's own: records, alerts, and what the feed said, in its order."""
    return {
        "nouns": {
            (kind, id): {name: value for name, value in to_builtins(found).items() if name not in _COUNTED}
            for (kind, of, id), found in world.store.nouns.items()
            if of == tenant and kind not in ("rhythms", "correlations", "fraud_scores", "attendance_anomalies")
        },
        "alerts": sorted(
            (alert.name, alert.entity, str(alert.starts_at), str(alert.ended_at), alert.count)
            for alert in world.store.alerts.values()
            if alert.tenant == tenant
        ),
        "feed": sorted(
            (change.kind, change.subject if not change.subject.startswith(("alert", "incident", "correlation")) else "")
            for change in world.store.changes
            if change.tenant == tenant and not change.subject.startswith(_ELSEWHERE)
        ),
    }


def test_what_another_tenant_does_changes_nothing() -> None:
    mine = [(DEFAULT_TENANT, number) for number in range(len(STORY))]
    both = [(tenant, number) for number in range(len(STORY)) for tenant in (OTHER, DEFAULT_TENANT, OTHER)]
    alone, beside = of_tenant(run(mine), DEFAULT_TENANT), of_tenant(run(both), DEFAULT_TENANT)
    assert beside["nouns"] == alone["nouns"]
    assert beside["alerts"] == alone["alerts"]
    assert beside["feed"] == alone["feed"]
    assert alone["alerts"], "a story in which nothing happens proves nothing"
    kinds = {kind for kind, _ in alone["nouns"]}
    assert {"findings", "tickets", "tours", "devices", "people"} <= kinds <= set(NOUNS)


def test_every_record_and_change_is_of_the_tenant_that_it_came_from() -> None:
    world = run([(OTHER, number) for number in range(len(STORY))])
    mine = {tenant for _, tenant, _ in world.store.nouns} | {change.tenant for change in world.store.changes}
    assert mine == {OTHER}
    assert {alert.tenant for alert in world.store.alerts.values()} == {OTHER}
    assert world.now > T0
