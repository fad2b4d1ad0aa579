"""Reports over the world, asked of a whole engine: telemetry, compliance, SLA, and the look over all modules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from threading import get_ident
from typing import Any

import pytest

from data.records import DEFAULT_TENANT, Severity, Signal, SignalStatus, TenantId
from data.scope import CAPABILITIES, Scope
from engine.app import Engine, build
from engine.client import Command, Query, Refused
from engine.domain.events import DomainEvent
from engine.ports import Envelope, EnvelopeKind
from engine.reports.fraud import GRIDS
from engine.reports.observability import FIGURES
from engine.settings import Settings, StoreSettings
from tests.domain.timeline import At, event
from tests.fakes.line import ANA, at, unlike
from tests.fakes.service import HandClock


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    settings = Settings(store=StoreSettings(data_dir=str(tmp_path), reserve_mib=0))
    running = build(settings, HandClock(at(5000)), listen=False)
    await running.start()
    await take(running, *world())
    yield running
    await running.stop()


def world() -> list[DomainEvent]:
    points = [{"id": "a"}, {"id": "b"}]
    return [
        event("client", 0, id="acme", name="Acme", tier="gold"),
        event("site", 0, id="Depot", client="acme", name="Depot"),
        event("person", 0, id="ann", name="Ann", sites=["Depot"]),
        event("device", 1, id="gw", site="Depot", status="offline", type="gateway"),
        event("device", 1, id="cam", site="Depot", status="online", type="camera"),
        event("tour", 10, id="t1", action="scheduled", site="Depot", person="ann", shift="s1", checkpoints=points,
              starts_at=At(100), ends_at=At(4000)),
        event("tour", 3000, id="t1", action="scan", checkpoint="a", person="ann", site="Depot", dwell_s=30),
        event("tour", 3100, id="t1", action="finished"),
        event("ticket", 20, id="T1", state="NEW", site="Depot", priority="high"),
        event("activity", 4000, person="ann", kind="movement", metres=20, site="Depot"),
        event("activity", 4100, person="ann", kind="sos", site="Depot"),
    ]  # fmt: skip


async def take(engine: Engine, *rows: DomainEvent, tenant: TenantId = DEFAULT_TENANT) -> None:
    await engine.service.take(Envelope(kind=EnvelopeKind.EVENTS, tenant=tenant, source="ops", payload=list(rows)))
    await engine.service.take(Envelope(kind=EnvelopeKind.TICK, tenant=DEFAULT_TENANT, source="tick", payload=None))


async def hear(engine: Engine, *rows: Signal) -> None:
    signals = Envelope(kind=EnvelopeKind.SIGNALS, tenant=DEFAULT_TENANT, source="test", payload=list(rows))
    await engine.service.take(signals)


async def ask(engine: Engine, kind: str, scope: Scope = ANA, **params: Any) -> list[Any]:
    return list((await engine.client(scope).query(Query(kind=kind, params=params))).items)


async def test_the_signs_of_a_person_and_a_site(engine: Engine) -> None:
    (person,) = await ask(engine, "telemetry/persons/{person}/signals", person="ann")
    assert person["totals"] == {"checkpoint": 1.0, "movement": 20.0, "sos": 1.0}
    assert person["tours"][0]["missed"] == ["b"]
    assert person["tours"][0]["compliance"] == 0.5
    (site,) = await ask(engine, "telemetry/sites/{site}/signals", site="Depot")
    assert site["totals"] == person["totals"]
    (found, *_) = await ask(engine, "telemetry/correlations", person="ann")
    assert (found.alert_name, found.type, found.score > 0.9) == ("guard_sos", "guard_distress", True)
    with pytest.raises(Refused, match="no person"):
        await ask(engine, "telemetry/persons/{person}/signals", person="nobody")


async def test_others_see_nothing_of_it(engine: Engine) -> None:
    other = Scope(tenant=TenantId("other"), actor="eve", capabilities=CAPABILITIES)
    elsewhere = Scope(tenant=DEFAULT_TENANT, actor="eve", capabilities=CAPABILITIES, sites=frozenset({"Harbour"}))
    for scope in (other, elsewhere):
        with pytest.raises(Refused, match="no site"):
            await ask(engine, "telemetry/sites/{site}/signals", scope, site="Depot")
        assert await ask(engine, "telemetry/correlations", scope) == []
        assert await ask(engine, "tours/compliance", scope) == []
        (look,) = await ask(engine, "observability", scope)
        assert {figure["value"] for figure in look["figures"]} == {0}
        assert look["below"] == []


async def test_compliance_and_sla(engine: Engine) -> None:
    (row,) = await ask(engine, "tours/compliance", by="shift")
    assert (row["site"], row["shift"], row["due"], row["scanned"], row["compliance"]) == ("Depot", "s1", 2, 1, 0.5)
    (figures,) = await ask(engine, "tickets/sla", site="Depot")
    # One came in, one was opened for the gateway that has been offline for long.
    assert (figures["tickets"], figures["by_state"]) == (2, {"new": 2})


async def test_every_figure_opens_its_rows(engine: Engine) -> None:
    for params in ({}, {"client": "acme"}, {"site": "Depot"}, {"site": "Depot", "entity": "gw"}):
        (look,) = await ask(engine, "observability", **params)
        figures = {(figure["module"], figure["name"]): figure for figure in look["figures"]}
        for figure in figures.values():
            if figure["value"] is None:
                continue
            page = await engine.client(ANA).query(
                Query(kind=figure["kind"], q=figure["q"], active=figure["active"], since=figure["since"], limit=1000)
            )
            assert len(page.items) == figure["value"], figure
        assert figures["Devices", "offline"]["value"] == 1
    (look,) = await ask(engine, "observability")
    assert look["below"][0]["id"] == "acme"
    (look,) = await ask(engine, "observability", client="acme")
    assert look["below"][0]["id"] == "Depot"
    (look,) = await ask(engine, "observability", site="Depot")
    assert {row["id"] for row in look["below"]} == {"gw", "cam", "ann"}


async def test_rows_of_clients_come_to_the_figure_of_all(engine: Engine) -> None:
    (look,) = await ask(engine, "observability")
    assert [row["id"] for row in look["below"]] == ["acme"], "nothing is without a client"
    await hear(engine, unlike("a", 4000, site=""), unlike("b", 4000), unlike("c", 4000, site="Depot"))
    # An answer is kept for some seconds: one over another time is not that of before.
    (look,) = await ask(engine, "observability", hours=12.0)
    (whole,) = (f["value"] for f in look["figures"] if (f["module"], f["name"]) == ("NOC", "open incidents"))
    counts = {row["name"]: row["incidents open incidents"] for row in look["below"]}
    assert counts["no client"] == 2 and sum(counts.values()) == whole
    rest = look["below"][-1]
    page = await engine.client(ANA).query(Query(kind=rest["kind"], q=rest["q"]))
    assert len(page.items) == 2
    (look,) = await ask(engine, "observability", client="acme")
    assert [row["id"] for row in look["below"]] == ["Depot"]


async def test_a_reader_of_some_sites_sees_people_as_far_as_these_are_concerned(engine: Engine) -> None:
    await take(
        engine,
        event("person", 10, id="both", name="Bo", sites=["Depot", "Harbour"]),
        event("person", 10, id="there", sites=["Harbour"]),
        event("attendance", 50, person="both", site="Depot"),
        event("attendance", 60, person="both", site="Depot", kind="out"),
        event("attendance", 70, person="both", site="Harbour"),
    )
    limited = Scope(tenant=DEFAULT_TENANT, actor="x", capabilities=CAPABILITIES, sites=frozenset({"Depot"}))
    people = {p.id: p for p in (await engine.client(limited).query(Query(kind="people"))).items}
    assert sorted(people) == ["ann", "both"]
    found = people["both"]
    assert (found.sites, found.on_site, found.on_site_since, found.last_seen) == (("Depot",), "", None, None)
    assert {check.site for check in found.checks} == {"Depot"}
    (whole,) = (await engine.client(ANA).query(Query(kind="people", id="both"))).items
    assert (whole.sites, whole.on_site, len(whole.checks)) == (("Depot", "Harbour"), "Harbour", 3)


async def test_every_size_of_square_is_one_of_a_few(engine: Engine) -> None:
    asked = 0

    async def rows(scope: Scope, **select: Any) -> list[Any]:
        nonlocal asked
        asked += 1
        return []

    engine.service.rows = rows  # type: ignore[method-assign]
    for size in range(1, 400):
        await ask(engine, "fraud/heatmap", by="grid", degrees=size / 40)
    assert 0 < asked <= 2 * len(GRIDS)
    before = asked
    for size in range(1, 40):
        await ask(engine, "fraud/heatmap", by="site_day", degrees=size / 4)
    assert asked - before <= 2


async def test_the_look_over_all_modules_counts_on_a_thread_of_its_own(engine: Engine) -> None:
    pages: list[str] = []
    counted: list[int] = []
    reader = engine.service._reader
    select, totals = reader.select, reader.counting.totals  # type: ignore[attr-defined]

    async def noted(scope: Scope, select_: Any, now: Any) -> Any:
        pages.append(select_.kind)
        return await select(scope, select_, now)

    def noted_totals(*given: Any) -> Any:
        counted.append(get_ident())
        return totals(*given)

    reader.select = noted  # type: ignore[method-assign]
    reader.counting.totals = noted_totals  # type: ignore[attr-defined]
    await ask(engine, "observability")
    of_worlds = {figure.kind for figure in FIGURES} | {"clients", "sites"}
    assert sorted(kind for kind in pages if kind in of_worlds) == ["clients", "sites"]
    assert len(counted) == 1 and counted[0] != get_ident()


async def test_critical_is_counted_in_one_way(engine: Engine) -> None:
    bad: dict[str, Any] = {"severity": Severity.CRITICAL}
    await hear(engine, *(unlike(key, 4000, **bad) for key in "abcd"))
    await hear(engine, unlike("d", 4000, status=SignalStatus.RESOLVED, ends_at=at(4500), **bad))
    client = engine.client(ANA)
    incidents = {i.names[0]: i for i in (await client.query(Query(kind="incidents"))).items}
    await client.command(Command(verb="ack", targets=(f"incident:{incidents['Onlya'].id}",)))
    await client.command(Command(verb="shelve", targets=(f"incident:{incidents['Onlyb'].id}",), params={"minutes": 30}))
    assert incidents["Onlyd"].state == "returned"
    (look,) = await ask(engine, "observability")
    figures = {(f["module"], f["name"]): f["value"] for f in look["figures"]}
    critical = (await client.health()).active[Severity.CRITICAL]
    # Beside these four the world has the incident of the call for help.
    assert critical == figures["NOC", "critical"] == 3
    assert figures["NOC", "unacknowledged critical"] == 2
