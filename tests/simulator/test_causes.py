"""Causes: what they do, in which order, and which acts end them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from engine.simulator import DEFAULT_START, Simulator, rows, truth
from engine.simulator.causes.services import dependents

HOUR = timedelta(hours=1)


def begun(kind: str, seed: int = 1, scale: float = 0.4, routine: bool = False) -> tuple[Simulator, truth.Incident]:
    """A quiet world at noon in which exactly one cause begins."""
    simulator = Simulator(seed, scale, scenario="quiet", routine=routine)
    for _ in simulator.events(DEFAULT_START + 12 * HOUR):
        pass
    id = simulator.cause(kind)
    assert id
    return simulator, standing(simulator, id)


def standing(simulator: Simulator, id: str) -> truth.Incident:
    return next(cause for cause in simulator.standing() if cause.id == id)


def run(simulator: Simulator, hours: float) -> list[dict[str, Any]]:
    return list(simulator.events(simulator.now + hours * HOUR))


def ended(simulator: Simulator, id: str) -> truth.Incident:
    found = [row for row in simulator.truth.records if isinstance(row, truth.Incident) and row.id == id]
    assert len(found) == 1
    return found[0]


def offline(events: list[dict[str, Any]], status: str = "offline") -> dict[str, str]:
    """Device → when it first had the status."""
    first: dict[str, str] = {}
    for event in events:
        if event["type"] == "noc.device":
            for row in rows(event):
                if row["status"] == status:
                    first.setdefault(row["id"], event["time"])
    return first


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_power_outage_drains_the_battery_and_then_takes_the_site_down_from_the_top(seed: int) -> None:
    simulator, cause = begun("power", seed, 0.1, routine=True)
    ups = next(id for id in cause.entities if "-ups-" in id)
    events = run(simulator, 4)
    incident = ended(simulator, cause.id)
    down = {id: at for id, at in offline(events).items() if id in incident.entities}
    charge = [
        row["value"]
        for event in events
        if event["type"] == "noc.sample" and incident.start <= event["time"] < (incident.end or "")
        for row in rows(event)
        if row["name"] == "battery_percent" and row["labels"].get("device") == ups
    ]
    assert charge == sorted(charge, reverse=True)
    assert charge[-1] < 90
    for id, at in down.items():
        assert at >= incident.start
        assert all(down[above.id] <= at for above in simulator.world.device[id].above())
    if down:
        assert down.keys() >= {id for id in incident.entities if "-camera-" in id}
        assert offline(events, "online").keys() >= down.keys()


def test_some_outages_outlast_the_battery_and_some_do_not() -> None:
    dark = 0
    for seed in range(8):
        simulator, cause = begun("power", seed, 0.1)
        dark += any(id in cause.entities for id in offline(run(simulator, 5)))
    assert 0 < dark < 8


def test_heartbeats_stop_while_a_site_is_dark_and_tickets_follow() -> None:
    simulator, cause = begun("switch", 1, 0.1, routine=True)
    events = run(simulator, 3)
    incident = ended(simulator, cause.id)
    down, up = offline(events), offline(events, "online")
    switch = incident.targets[0]
    # Everything has followed half a minute later per level.
    silent = [
        row["id"]
        for event in events
        if event["type"] == "noc.device" and later(down[switch], 90) < event["time"] < up[switch]
        for row in rows(event)
        if row["status"] == "seen"
    ]
    assert not set(silent) & set(incident.entities)
    opened = [event for event in events if event["type"] == "noc.ticket" and event["data"].get("entity") == switch]
    assert opened and opened[0]["time"] > down[switch]
    assert {event["id"] for event in opened} <= set(incident.events)


def later(text: str, seconds: float) -> str:
    moved = datetime.fromisoformat(text) + timedelta(seconds=seconds)
    return moved.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_a_region_goes_with_its_provider() -> None:
    simulator, cause = begun("region")
    events = run(simulator, 3)
    gateways = {id for id in cause.entities if "-gateway-" in id}
    assert gateways <= offline(events).keys()
    assert len({simulator.world.device[id].site.city.region for id in gateways}) == 1
    assert not cause.remediable


def test_a_bad_firmware_is_a_change_and_then_errors_of_the_devices_that_took_it() -> None:
    simulator, cause = begun("firmware")
    events = run(simulator, 6)
    changed = next(event for event in events if event["id"] == cause.targets[0])
    assert changed["type"] == "noc.change" and changed["data"]["target"] == cause.targets[1]
    took: dict[str, str] = {}
    faults = 0
    for event in events:
        for row in rows(event) if event["type"] == "noc.device" else ():
            if row.get("firmware"):
                took[row["id"]] = event["time"]
            if row["status"] in ("error", "sync_failed") and event["id"] in standing(simulator, cause.id).events:
                assert took[row["id"]] < event["time"]
                faults += 1
    assert faults > len(took) > 5
    assert min(took.values()) > changed["time"]


def test_a_service_takes_those_that_need_it_with_it() -> None:
    simulator, cause = begun("service", seed=3)
    root = cause.entities[0]
    assert set(cause.entities) == {name for name, _ in dependents(root)}
    events = run(simulator, 0.75)
    first: dict[str, str] = {}
    for event in events:
        if event["id"] in standing(simulator, cause.id).events and event["type"] == "noc.alert":
            first.setdefault(event["data"]["service"], event["time"])
    assert min(first, key=lambda name: first[name]) == root
    assert set(first) <= set(cause.entities)
    assert len(first) > 1


def test_weather_and_illness_keep_people_away() -> None:
    simulator, cause = begun("illness", scale=0.2)
    run(simulator, 60)
    gaps = [row for row in simulator.truth.records if isinstance(row, truth.Gap) and row.site in cause.sites]
    assert gaps
    simulator, cause = begun("weather", scale=0.3)
    run(simulator, 2)
    assert all(site.weather > 0 for site in simulator.world.sites if site.id in cause.sites)
    run(simulator, 14)
    assert all(site.weather == 0 for site in simulator.world.sites)


REMEDIES: dict[str, Callable[[truth.Incident], tuple[str, str]]] = {
    "switch": lambda cause: ("restart_service", cause.targets[0]),
    "firmware": lambda cause: ("rollback", cause.targets[0]),
    "service": lambda cause: (cause.remedy, cause.targets[0]),
    "power": lambda cause: ("dispatch", cause.sites[0]),
    "intrusion": lambda cause: ("dispatch", cause.sites[0]),
}


@pytest.mark.parametrize("kind", sorted(REMEDIES))
@pytest.mark.parametrize("seed", [1, 2])
def test_the_right_act_ends_a_cause_sooner(kind: str, seed: int) -> None:
    alone, cause = begun(kind, seed)
    run(alone, 24)
    helped, same = begun(kind, seed)
    assert same == cause
    run(helped, 0.1)
    effect = helped.act(*REMEDIES[kind](cause))
    assert effect in ("ended", "shortened")
    run(helped, 24)
    without, with_help = ended(alone, cause.id), ended(helped, cause.id)
    assert with_help.end is not None and without.end is not None
    assert with_help.end < without.end
    assert with_help.ended_by == cause.remedy and without.ended_by == "itself"
    acts = [row for row in helped.truth.records if isinstance(row, truth.Act)]
    assert [(act.effect, act.cause) for act in acts] == [(effect, cause.id)]


@pytest.mark.parametrize("kind", sorted(REMEDIES))
def test_the_wrong_act_does_not(kind: str) -> None:
    alone, cause = begun(kind)
    run(alone, 24)
    other, _ = begun(kind)
    run(other, 0.1)
    assert other.act("collect_diagnostics", cause.targets[0]) == "nothing"
    assert other.act("rollback", "something-else") == "nothing"
    run(other, 24)
    assert ended(other, cause.id).end == ended(alone, cause.id).end


def test_restarting_what_works_is_harm_of_its_own() -> None:
    simulator = Simulator(1, 0.2, scenario="quiet", routine=False)
    run(simulator, 1)
    gateway = simulator.world.sites[0].of_type("gateway")[0]
    assert simulator.act("restart_service", gateway.id) == "harm"
    assert simulator.act("restart_service", "auth") == "harm"
    events = run(simulator, 0.5)
    assert {gateway.id, *(child.id for child in gateway.children)} <= offline(events).keys()
    assert not gateway.down
    assert [row.effect for row in simulator.truth.records if isinstance(row, truth.Act)] == ["harm", "harm"]


def test_an_act_may_be_planned() -> None:
    simulator, cause = begun("switch")
    at = simulator.now + timedelta(minutes=20)
    assert simulator.act("restart_service", cause.targets[0], at) == "scheduled"
    run(simulator, 2)
    act = next(row for row in simulator.truth.records if isinstance(row, truth.Act))
    assert (act.effect, datetime.fromisoformat(act.at)) == ("ended", at)


def test_an_assigned_ticket_is_taken_up_at_once() -> None:
    simulator = Simulator(1, routine=False)
    run(simulator, 10)
    waiting = None
    for event in simulator.events(simulator.now + 10 * HOUR):
        if event["type"] == "noc.ticket" and event["data"]["state"] == "NEW":
            waiting = event["data"]["id"]
            break
    assert waiting is not None
    assert simulator.act("assign", waiting) == "ended"
    event = next(event for event in simulator.events(simulator.now + HOUR) if event["type"] == "noc.ticket")
    assert event["data"]["id"] == waiting and event["data"]["state"] == "ASSIGNED"
    assert simulator.act("assign", waiting) == "nothing"


def test_an_open_shift_is_covered_by_a_replacement() -> None:
    simulator = Simulator(2, scenario="illness", routine=False)
    covered = 0
    while simulator.now < DEFAULT_START + 48 * HOUR and not covered:
        run(simulator, 0.6)
        for gap in [row for row in simulator.truth.take() if isinstance(row, truth.Gap)]:
            if simulator.act("assign", gap.shift) == "ended":
                events = run(simulator, 1)
                arrived = [
                    event
                    for event in events
                    if event["type"] == "noc.attendance" and event["data"]["shift"] == f"{gap.shift}-relief"
                ]
                assert arrived
                covered += 1
                break
    assert covered
