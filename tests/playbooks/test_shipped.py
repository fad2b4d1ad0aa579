"""Each shipped playbook on the simulated operation, against the trouble that it is for: it acts, the world is better
for it, and the alert goes because of that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from data.nouns.playbooks import Execution
from data.records import Severity
from engine.playbooks.library import shipped_names
from engine.simulator.operation import text_of
from engine.simulator.staffing import Shift
from engine.simulator.world import Device
from tests.fakes.line import signal
from tests.playbooks.simulated import SimulatedWorld

MINUTE = 1 / 60.0


def first(world: SimulatedWorld, kind: str) -> Device:
    return world.simulator.world.sites[0].of_type(kind)[0]


# -- troubles


def fails_to_synchronise(world: SimulatedWorld) -> None:
    world.simulator.models.devices.report(first(world, "camera"), "sync_failed")


def hangs(world: SimulatedWorld) -> None:
    world.simulator.models.devices._break(first(world, "camera"), "software", None)


def breaks(world: SimulatedWorld) -> None:
    world.simulator.models.devices._break(first(world, "camera"), "hardware", None)


def begins(kind: str, remedy: str = "") -> Callable[[SimulatedWorld], None]:
    """A cause of this kind, and where there are several the one that this act ends."""

    def begin(world: SimulatedWorld) -> None:
        for _ in range(20):
            id = world.simulator.cause(kind)
            found = next(cause for cause in world.simulator.models.operation.causes.values() if cause.id == id)
            if not remedy or found.remedy == remedy:
                return
            found.end("the test")
        raise AssertionError(f"no {kind} is ended by {remedy}")

    return begin


def runs_empty(world: SimulatedWorld) -> None:
    reader = first(world, "reader")
    reader.battery, reader.drain = 12.0, 0.0
    world.simulator.models.operation.emit("noc.device", {"id": reader.id, "status": "seen", "battery": 12.0})


def stays_away(world: SimulatedWorld) -> None:
    """The next shift that begins within hours: somebody was to come, and nobody does."""
    now = world.simulator.models.operation.now
    shifts = world.simulator.models.staffing.shifts.values()
    shift = min((one for one in shifts if one.starts > now + 60.0), key=lambda one: one.starts)
    shift.in_at, shift.pattern = 0.0, "buddy_checkin"


def is_silent(world: SimulatedWorld) -> None:
    """A guard without rounds whose phone says nothing any more."""
    shift = _on_duty(world)
    ends, shift.ends = shift.ends, world.simulator.models.operation.now
    world.simulator.models.operation.after(1400.0, setattr, shift, "ends", ends)


def _on_duty(world: SimulatedWorld) -> Shift:
    now = world.simulator.models.operation.now
    shifts = world.simulator.models.staffing.shifts.values()
    return max(
        (one for one in shifts if one.present and one.starts < now and not one.id.endswith("-1")),
        key=lambda one: one.ends,
    )


def calls_for_help(world: SimulatedWorld) -> None:
    shift = _on_duty(world)
    data = {"person": shift.person.id, "kind": "sos", "site": shift.site.id, "point": shift.site.point()}
    world.simulator.models.operation.emit("noc.activity", data)


def is_put_aside(world: SimulatedWorld) -> None:
    desk = world.simulator.models.helpdesk
    desk.open("safety", "Unsafe stairs", "P1", world.simulator.world.sites[0])
    list(desk.open_tickets.values())[-1].queued = True


def is_not_walked(world: SimulatedWorld) -> None:
    now, site = world.simulator.models.operation.now, world.simulator.world.sites[0]
    point = {"id": site.checkpoints[0][0], "due_at": text_of(now + 300.0)}
    data = {"id": "tour-x", "action": "scheduled", "site": site.id, "person": site.people[1].id, "checkpoints": [point]}
    data |= {"starts_at": text_of(now), "ends_at": text_of(now + 600.0)}
    world.simulator.models.operation.emit("noc.tour", data)


def is_late(world: SimulatedWorld) -> None:
    now, shift = world.simulator.models.operation.now, _on_duty(world)
    data = {"id": "WO-x", "state": "open", "title": "Replace reader", "site": shift.site.id, "owner": shift.person.id}
    world.simulator.models.operation.emit("noc.workorder", data | {"due_at": text_of(now + 60.0)})


def comes_late(world: SimulatedWorld) -> None:
    """The next guard who is due comes twelve minutes after the start, and goes home after an hour."""
    now, staffing = world.simulator.models.operation.now, world.simulator.models.staffing
    shift = min((one for one in staffing.shifts.values() if one.starts > now + 60.0), key=lambda one: one.starts)
    shift.covered, shift.pattern = True, ""  # nobody else comes for it, and he not at his usual time

    def arrive() -> None:
        shift.covered = False
        staffing.begin(shift, staffing._attendance(shift, "in"))

    world.simulator.models.operation.at(shift.starts + 720.0, arrive)
    world.simulator.models.operation.at(shift.starts + 4320.0, _checks_out, world, shift)


def _checks_out(world: SimulatedWorld, shift: Shift) -> None:
    world.simulator.models.operation.emit("noc.attendance", world.simulator.models.staffing._attendance(shift, "out"))


def checks_in_from_afar(world: SimulatedWorld) -> None:
    """Five kilometres off; after the call it is done again, on site."""
    operation, shift = world.simulator.models.operation, _on_duty(world)
    here = world.simulator.models.staffing._attendance(shift, "in")
    operation.emit("noc.attendance", here | {"point": shift.site.point(5000.0, 0.0), "accuracy_m": 8.0})
    again = here | {"point": shift.site.point(), "accuracy_m": 8.0}
    operation.after(1500.0, operation.emit, "noc.attendance", again)


def is_at_two_sites(world: SimulatedWorld) -> None:
    """Checked in elsewhere without leaving; after the call that is ended."""
    operation, shift = world.simulator.models.operation, _on_duty(world)
    elsewhere = next(site for site in world.simulator.world.sites if site is not shift.site)
    there = {"person": shift.person.id, "site": elsewhere.id, "kind": "in", "method": "badge"}
    operation.emit("noc.attendance", there)
    operation.after(1500.0, operation.emit, "noc.attendance", there | {"kind": "out"})


def turns_odd(world: SimulatedWorld) -> None:
    """A series of six quiet hours, forty odd minutes, and quiet again."""
    operation, device = world.simulator.models.operation, first(world, "gateway")
    for number in range(100):
        value = 500.0 if 76 <= number < 84 else 40.0 + number * 7 % 5
        row = {"name": "latency_ms", "value": value, "labels": device.labels}
        operation.after(300.0 * number, operation.emit, "noc.sample", row)


def falls_silent(world: SimulatedWorld) -> None:
    """No part of the simulator stops sending: the alert is put in by hand."""
    now = world.line.now
    silent = signal("s", name="source_silent", entity="scanner", entity_type="source", severity=Severity.HIGH)
    world.line.take(replace(silent, starts_at=now, ends_at=now + timedelta(days=1)))


class Case(NamedTuple):
    """`act`: kind and effect that the simulator wrote down ("" = it changes nothing); `verified`: the alert went."""

    trouble: Callable[[SimulatedWorld], None]
    hours: float
    act: tuple[str, str] = ("", "")
    verified: bool = True
    approved: bool = False
    scale: float = 0.1


CASES: dict[str, Case] = {
    "resync-device": Case(fails_to_synchronise, 0.2, ("synchronise", "ended")),
    "restart-field-device": Case(hangs, 0.3, ("restart_service", "ended")),
    "restart-network-device": Case(begins("switch"), 0.6, ("restart_service", "ended")),
    "restore-gateway": Case(begins("region"), 0.4, ("fail_over", "shortened")),
    "send-technician": Case(breaks, 1.8, ("maintain", "shortened"), approved=True),
    "change-battery": Case(runs_empty, 2.5, ("maintain", "ended")),
    "send-electrician": Case(begins("power"), 0.7, ("dispatch", "shortened")),
    "send-patrol": Case(begins("intrusion"), 0.7, ("dispatch", "shortened")),
    "lock-reader": Case(begins("intrusion"), 0.2, ("configure", "ended"), approved=True),
    "restart-failed-service": Case(begins("service", "restart_service"), 0.4, ("restart_service", "ended")),
    "roll-back-deployment": Case(begins("service", "rollback"), 1.0, ("rollback", "ended"), approved=True),
    "send-stand-in": Case(stays_away, 7.5, ("assign", "ended")),
    "call-guard": Case(is_silent, 1.5, ("call", "ended")),
    "answer-sos": Case(calls_for_help, 0.1, ("call", "ended"), verified=False),
    "take-up-ticket": Case(is_put_aside, 4.5, ("assign", "ended")),
    "follow-up-round": Case(is_not_walked, 0.6, verified=False),
    "follow-up-work": Case(is_late, 0.6, ("call", "ended"), verified=False),
    "note-late-arrival": Case(comes_late, 6.5),
    "locate-guard": Case(checks_in_from_afar, 0.8, ("call", "ended")),
    "clear-up-check-in": Case(is_at_two_sites, 0.8, ("call", "ended")),
    "look-into-metric": Case(turns_odd, 8.2),
    "look-after-source": Case(falls_silent, 0.2, verified=False),
    "watch-dependent": Case(begins("service", "restart_service"), 0.5),
}


def test_each_shipped_playbook_has_its_case() -> None:
    assert set(CASES) == set(shipped_names())


async def seen(name: str, case: Case, seed: int = 3) -> SimulatedWorld:
    """A quiet world in which exactly this trouble begins; somebody approves what is asked for."""
    world = SimulatedWorld(seed, case.scale)
    await world.run(5 * MINUTE, 30.0)
    case.trouble(world)
    end = world.line.now + timedelta(hours=case.hours)
    while world.line.now < end:
        await world.step(30.0)
        for asked in world.approvals() if case.approved else ():
            if asked.playbook == name:
                world.line.act("approve", f"approval:{asked.id}", plan_sha256=asked.plan_sha256)
    return world


@pytest.mark.parametrize("name", sorted(CASES))
async def test_a_shipped_playbook_helps_against_its_trouble(name: str) -> None:
    case = CASES[name]
    world = await seen(name, case)
    runs = world.runs(name)
    assert runs, f"it did not begin; there were {sorted({alert.name for alert in world.line.store.alerts.values()})}"
    done = [run for run in runs if run.state in ("success", "partial")]
    if case.verified:
        assert [run for run in runs if run.verified], described(runs)
    elif case.act[0] != "call":
        assert done, described(runs)
    kind, effect = case.act
    if kind:
        assert (kind, effect) in {(act.kind, act.effect) for act in world.acts()}, world.acts()
    assert world.harmful() == []
    assert all(run.asked_people == case.approved for run in runs)


def described(runs: list[Execution]) -> list[Any]:
    return [
        (run.id, run.state, run.reason, [(step.name, step.state, step.error) for step in run.steps]) for run in runs
    ]
