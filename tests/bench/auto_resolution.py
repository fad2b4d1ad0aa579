"""How many incidents that could be remedied the shipped playbooks end by themselves, on the simulated operation.

    .venv/bin/python -m tests.bench.auto_resolution --seed 4242

Prints one JSON line. All of it is simulated: an ordinary day (the scenario "normal" with its own rates); with
--cause-every N one cause more every N minutes, of each kind in turn. The line, the runner and the actions are the
product's; only the world outside is played. Nobody acts: what asks for approval is never approved.

- `remediable`: incidents opened in the day with at least one alert of a trouble that some act would end or shorten, as
  the simulator knew it when the alert came: a cause with a remedy, a region's outage (its gateways have a second line),
  a device broken down by itself, a failed synchronisation, an empty battery, a shift that nobody came to, a case that
  nobody has taken up, a guard who is there and gives no sign. What ends by itself within minutes and what nothing ends
  (nuisance alarms, flapping, weather, illness, late people, rounds) is not in it, and neither is suspected fraud, on
  which no playbook runs.
- `resolved`: those of them that a run resolved which a trigger had begun, whose condition was verified, and in which no
  person had a hand; and whose trouble an act of a playbook had ended or shortened, by the simulator's own record. What
  went away by itself while a playbook watched is `resolved_without_help`, and not counted. `rate` = resolved ÷
  remediable.
- `harmful`: acts that did damage, or that were done to something that was well at that moment.
- `all_incidents`, `auto_resolution_rate`: the same resolved ones and all others that were resolved so, over all.

The playbooks were written and tuned on the seeds 1 to 20.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import time
from collections import Counter, defaultdict
from typing import Any, NamedTuple

from data.records import Alert, IncidentId
from engine.simulator.causes import KINDS
from engine.simulator.world import Device
from tests.playbooks.simulated import SimulatedWorld

#: After the day: time to end what was begun in it.
AFTER_HOURS = 4.0
STEP_SECONDS = 15.0
HELPED = ("ended", "shortened")
#: Alerts that a cause brings about, by its kind; anything else on the same device is something of its own.
_OF_CAUSE = {
    "power": {"UpsOnBattery", "device_offline", "HostUnreachable"},
    "switch": {"device_offline", "HostUnreachable"},
    "region": {"device_offline", "HostUnreachable"},
    "firmware": {"device_sync_failed", "device_offline"},
    "intrusion": {"AccessDenied", "IntrusionAlarm", "device_tampered"},
    "service": {"HighErrorRate", "HighLatency", "ProbeFailed"},
}


class Trouble(NamedTuple):
    """What is behind an alert, and what an act must be on to help: the id of a cause, or of a thing."""

    kind: str
    remediable: bool
    subject: str = ""


def trouble_of(alert: Alert, world: SimulatedWorld) -> Trouble:
    """Of an alert that has just come."""
    simulator = world.simulator
    thing = alert.entity if alert.entity in simulator.world.device else alert.labels.get("host", "")
    device = simulator.world.device.get(thing)
    names = {thing, alert.service, alert.labels.get("service", "")} - {""}
    for cause in simulator.standing():
        if alert.name in _OF_CAUSE.get(cause.kind, ()) and names & set(cause.entities):
            by_thing = cause.kind == "region"  # each gateway has a second line of its own
            return Trouble(cause.kind, cause.remediable or by_thing, thing if by_thing else cause.id)
    if device is not None:
        return _of_device(alert, device)
    return _of_people(alert, world)


def _of_device(alert: Alert, device: Device) -> Trouble:
    if alert.name == "device_sync_failed":
        return Trouble("sync", True, device.id)
    if alert.name == "device_low_battery":
        return Trouble("battery", True, device.id)
    if alert.name in ("device_offline", "HostUnreachable"):
        if any(reason.startswith("fault:") for reason in device.down):
            return Trouble("fault", True, device.id)
        return Trouble("restart or flap", False)
    return Trouble("nuisance", False)


def _of_people(alert: Alert, world: SimulatedWorld) -> Trouble:
    models = world.simulator.models
    if alert.name == "attendance_missed":
        shift = models.staffing.shifts.get(alert.labels.get("shift", ""))
        return Trouble("no-show", shift is not None and not shift.present, alert.labels.get("shift", ""))
    if alert.name.startswith("ticket_sla"):
        ticket = models.helpdesk.open_tickets.get(alert.labels.get("ticket", ""))
        return Trouble("waiting case", ticket is not None and ticket.state == "NEW", alert.labels.get("ticket", ""))
    if alert.name == "guard_inactive":
        on, now = (
            [shift for shift in models.staffing.shifts.values() if shift.person.id == alert.entity],
            world.line.now,
        )
        # A shift stays "present" for ever: who only forgot to check out has gone home, and no call is a sign of him.
        there = any(shift.present and shift.starts <= now.timestamp() <= shift.ends for shift in on)
        return Trouble("silent guard", there, alert.entity)
    return Trouble("nuisance", False)


async def day(seed: int, scale: float, hours: float, cause_every: float) -> dict[str, Any]:
    world = SimulatedWorld(seed, scale, scenario="normal")
    await world.run(1.0, STEP_SECONDS)  # the first hour only fills the world
    began, seen = world.line.now, set(world.line.store.alerts)
    troubles: dict[IncidentId, set[Trouble]] = defaultdict(set)
    kinds, steps, every = list(KINDS), int(hours * 3600 / STEP_SECONDS), int(cause_every * 60 / STEP_SECONDS)
    for number in range(steps + int(AFTER_HOURS * 3600 / STEP_SECONDS)):
        if every and number < steps and number % every == 0:
            world.simulator.cause(kinds[number // every % len(kinds)])
        await world.step(STEP_SECONDS)
        if number == steps:
            ended = world.line.now
        for alert in [alert for id, alert in world.line.store.alerts.items() if id not in seen]:
            seen.add(alert.id)
            trouble = trouble_of(alert, world)
            if trouble.remediable:
                troubles[alert.incident].add(trouble)
        if number % 240 == 0:
            print(f"{number * STEP_SECONDS / 3600:.0f} h, {len(seen)} alerts", file=sys.stderr)
    return _figures(world, troubles, began, ended)


def _figures(world: SimulatedWorld, troubles: dict[IncidentId, set[Trouble]], began: Any, ended: Any) -> dict[str, Any]:
    opened = {one.id for one in world.incidents() if began <= one.opened_at < ended and one.merged_into is None}
    by_run = {run.incident for run in world.runs() if run.resolved and run.unattended and run.verified}
    remediable = {id for id in troubles if id in opened}
    helped = {subject for act in world.acts() if act.effect in HELPED for subject in (act.target, act.cause) if subject}
    resolved = {id for id in remediable & by_run if any(trouble.subject in helped for trouble in troubles[id])}
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for id in remediable:
        for kind in {trouble.kind for trouble in troubles[id]}:
            kinds[kind]["remediable"] += 1
            kinds[kind]["resolved"] += id in resolved
    harmful = world.harmful()
    return {
        "rate": round(len(resolved) / len(remediable), 4) if remediable else None,
        "resolved": len(resolved),
        "remediable": len(remediable),
        "resolved_without_help": len(remediable & by_run) - len(resolved),
        "harmful": len(harmful),
        "harmful_acts": [f"{act.kind} {act.target}: {act.effect}" for act in harmful][:20],
        "all_incidents": len(opened),
        "auto_resolution_rate": round(len(opened & by_run) / len(opened), 4) if opened else None,
        "by_trouble": {kind: dict(found) for kind, found in sorted(kinds.items())},
        "acts": len(world.acts()),
        "acts_by_effect": dict(Counter(act.effect for act in world.acts())),
        "runs": dict(Counter(run.state for run in world.runs())),
        "waiting_for_approval_or_lapsed": sum(run.asked_people for run in world.runs()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--scale", type=float, default=1.0, help="1 = 50 sites, 1,500 devices")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument(
        "--cause-every", type=float, default=0.0, metavar="MINUTES", help="more causes than by themselves"
    )
    given = parser.parse_args()
    gc.freeze()
    began = time.process_time()
    found = asyncio.run(day(given.seed, given.scale, given.hours, given.cause_every))
    words = {
        "numerator": "of these, those whose trouble an act of a playbook ended or shortened, and that a triggered, "
        "verified run resolved without any person",
        "denominator": "incidents opened in the day with at least one alert of a trouble that an act would end",
    }
    head = {"bench": "auto_resolution", "simulated": True, **vars(given)}
    print(json.dumps({**head, **found, **words, "cpu_seconds": round(time.process_time() - began, 1)}))


if __name__ == "__main__":
    main()
