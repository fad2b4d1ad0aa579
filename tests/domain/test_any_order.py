"""News of the world in any order, late, repeated and under other ids: the same records come of it."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import to_builtins
from msgspec.structs import replace

from engine.domain.events import DomainEvent
from engine.ports import EnvelopeKind
from tests.domain.timeline import At, World, event
from tests.fakes.line import at

_many = settings(max_examples=10_000 if os.environ.get("NIGHTLY") == "1" else 60, deadline=None)
#: When everything was delivered, however late; and when the clock has had its say.
DELIVERED, SETTLED = 8 * 3600.0, 9 * 3600.0

STORY: tuple[DomainEvent, ...] = (
    event("client", 0, id="acme", tier="gold", sla_minutes={"high": 60}),
    event("client", 5000, id="acme", tier="vip", sla_minutes={"high": 120}),
    event("site", 1, id="Depot", client="acme", point={"lat": 52.5, "lon": 13.4}, supervisor="sam"),
    event("site", 900, id="Depot", client="acme", point={"lat": 52.5, "lon": 13.4}, supervisor="sue"),
    event("person", 2, id="ann", name="Ann", sites=["Depot"]),
    event("person", 800, id="ann", name="Ann B.", sites=["Depot", "Harbour"]),
    event("shift", 3, id="s1", site="Depot", person="ann", starts_at=At(3600), ends_at=At(14_400)),
    event("shift", 700, id="s1", site="Depot", person="ann", starts_at=At(3000), ends_at=At(14_400)),
    event("attendance", 3700, person="ann", site="Depot", kind="in", point={"lat": 52.7, "lon": 13.4}),
    event("attendance", 7000, person="ann", site="Depot", kind="in"),
    event("attendance", 14_300, person="ann", site="Depot", kind="out"),
    event("device", 10, id="gw", type="gateway", site="Depot", status="online"),
    event("device", 20, id="r1", type="reader", site="Depot", parent="gw", status="online", battery=80),
    event("device", 400, id="r1", firmware="2.0", battery=70),
    event("device", 500, id="r1", status="tampered"),
    event("device", 600, id="r1", status="seen", battery=15),
    event("device", 650, id="gw", status="offline"),
    event("device", 660, id="r1", status="error", error="timeout"),
    event("tour", 30, id="t1", action="scheduled", site="Depot", person="ann", starts_at=At(3600), ends_at=At(7200),
          checkpoints=[{"id": "a", "due_at": At(4000)}, {"id": "b", "due_at": At(5000)}, {"id": "c"}]),
    event("tour", 3900, id="t1", action="started", site="Depot", person="ann"),
    event("tour", 4000, id="t1", action="scan", checkpoint="a", dwell_s=20),
    event("tour", 4100, id="t1", action="scan", checkpoint="x", dwell_s=5),
    event("tour", 4400, id="t1", action="scan", checkpoint="a", dwell_s=9),
    event("tour", 5000, id="t1", action="scan", checkpoint="c"),
    event("tour", 7000, id="t1", action="finished"),
    event("ticket", 40, id="T1", state="NEW", priority="high", site="Depot", title="stuck"),
    event("ticket", 100, id="T1", state="ASSIGNED", assignee="bob"),
    event("ticket", 300, id="T1", state="ON_HOLD"),
    event("ticket", 900, id="T1", state="IN_PROGRESS", note="part came"),
    event("ticket", 1200, id="T1", assignee="cat"),
    event("ticket", 2000, id="T1", state="RESOLVED"),
    event("workorder", 50, id="W1", state="open", title="mend", site="Depot", due_at=At(6000)),
    event("workorder", 5000, id="W1", due_at=At(9000)),
    event("workorder", 9500, id="W1", state="done"),
    event("task", 60, id="K1", state="open", site="Harbour", due_at=At(600)),
    event("asset", 70, id="A1", name="van", site="Depot"),
    event("asset", 80, id="A1", owner="sam"),
    event("change", 90, kind="deployment", what="portal 7", site="Depot"),
    event("activity", 3800, person="ann", kind="movement", metres=12.5, site="Depot"),
    event("activity", 3805, person="ann", kind="phone", count=2, site="Depot"),
    event("activity", 9000, person="zoe", kind="sos", site="Elsewhere"),
)  # fmt: skip


def outcome(world: World) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    """The records of the world and what fires in the end, without the engine's own tickets."""
    kept = {
        (kind, id): to_builtins(record)
        for (kind, _, id), record in world.store.nouns.items()
        if kind in ("clients", "sites", "people", "shifts", "attendance", "devices", "tours", "tickets",
                    "workorders", "tasks", "assets", "changes") and not id.startswith(("A-", "fraud-"))
    }  # fmt: skip
    others = ("ticket", "fraud_suspected", "attendance_anomaly")
    return kept, {(name, entity) for name, entity in world.firing() if not name.startswith(others)}


def told(rows: list[DomainEvent], cuts: list[int]) -> World:
    """The story in this order, in deliveries of these sizes, all of it late; then the clock."""
    world = World()
    world.now = at(DELIVERED)
    rest = rows
    for size in cuts:
        if rest:
            world.take_events(*rest[:size])
            rest = rest[size:]
            world.later(1)
    for row in rest:
        world.take_events(row)
    world.now = at(SETTLED)
    for _ in range(5):
        world.tick(60)
    return world


REFERENCE = outcome(told(list(STORY), []))


@_many
@given(
    st.permutations(range(len(STORY))),
    st.lists(st.integers(0, len(STORY) - 1), max_size=12),
    st.lists(st.integers(1, 9)),
)
def test_order_repetition_and_cuts_make_no_difference(order: list[int], again: list[int], cuts: list[int]) -> None:
    rows = [STORY[number] for number in order]
    for number in again:
        position = (7 * number) % len(rows)
        rows.insert(position, replace(STORY[number], id=f"again-{number}-{position}"))
    found = outcome(told(rows, cuts))
    assert found[0] == REFERENCE[0]
    assert found[1] == REFERENCE[1]


@_many
@given(st.permutations(range(len(STORY))), st.integers(0, len(STORY)))
def test_a_restart_in_the_middle_makes_no_difference(order: list[int], stop: int) -> None:
    world = World()
    world.now = at(DELIVERED)
    for position, number in enumerate(order):
        if position == stop:
            before = {kind: dict(held) for kind, held in world.book.nouns.items()}
            world.restart()
            assert {kind: dict(held) for kind, held in world.book.nouns.items()} == before
        world.take_events(STORY[number])
    world.now = at(SETTLED)
    for _ in range(5):
        world.tick(60)
    found = outcome(world)
    assert found == REFERENCE


@_many
@given(st.permutations(range(len(STORY))), st.integers(1, len(STORY)))
def test_a_dropped_draft_leaves_nothing_behind(order: list[int], size: int) -> None:
    rows = [STORY[number] for number in order]
    world = World()
    world.now = at(DELIVERED)
    world.take_events(*rows[: size // 2])
    before = _state(world)
    from engine import pipeline

    for envelope in (world.envelope(EnvelopeKind.EVENTS, rows), world.later(60).envelope(EnvelopeKind.TICK, None)):
        draft = world.draft(envelope)
        pipeline.run(draft, envelope)
        draft.drop()
        assert _state(world) == before


def _state(world: World) -> Any:
    nouns = {kind: dict(held) for kind, held in world.book.nouns.items()}
    derived = {name: dict(table) for name, table in world.book.derived.items() if name.startswith("domain.")}
    return nouns, derived, dict(world.book.alerts), dict(world.book.counters)
