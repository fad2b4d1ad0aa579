"""What playbooks cost: a thousand executions that wait beside the intake, and the executor per step.

    .venv/bin/python -m tests.bench.playbooks [--alerts 4000] [--rounds 5] [--queued 1000] [--runs 200]

Prints one JSON line. CPU time only, so that other load on the machine does not count.

- `queued_cost_percent`: how many more CPU seconds the line takes for the same alerts (batches of 100, sealed into
  commits, a tick each second of their time) while so many executions wait for one target; median over the rounds, in
  turns with a line that has the same alerts and incidents standing and no executions. Limit: 5 % of the throughput.
- `queued_and_alerts_cost_percent`: the same against a line on which nothing stands: what the alerts and incidents that
  the executions are about cost by themselves is in it.
- `approval_cost_percent`, `approval_and_alerts_cost_percent`: the same with as many that wait for people.
- `looks_per_tick`: how often a tick, with nothing changed, looked at one of the executions that wait for one target.
- `step_ms`: CPU milliseconds of the executor per step, all of it: the edges on the line with their commits, the runner,
  the dry run again before the act; the act itself does nothing. Limit: 10 ms. `step_sqlite_ms` is the same on a whole
  engine with the real store and dispatcher, fsync off.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from data.records import DEFAULT_TENANT
from data.scope import CAPABILITIES, Scope
from engine.app import build
from engine.client import Query
from engine.clock import SystemClock
from engine.playbooks.settings import ConfigurationSettings, PlaybookSettings
from engine.ports import Envelope, EnvelopeKind
from engine.settings import Settings, StoreSettings
from tests.fakes.line import signal, unlike
from tests.playbooks.world import World, count_looks

#: Alerts of the load come so many a second of the line's time.
PER_SECOND = 200
_WAITING = """
name: mend
version: 1
trigger: {names: [%s]}
policy: {mode: %s, per_hour: 1000, flood_incidents: 10000, expires_minutes: 1440}
steps: [{name: one, action: unsafe, params: {target: db-1}}]
"""
_STEPS = """
name: walk
version: 1
trigger: {names: [LinkDown]}
policy: {mode: auto, per_hour: 1000, flood_incidents: 10000}
steps:
"""
_ENGINE = """
name: walk
version: 1
trigger: {names: [LinkDown]}
policy: {mode: auto, per_hour: 1000, flood_incidents: 10000}
steps:
"""
STEPS = 5


def standing(many: int, mode: str, name: str = "Waits") -> World:
    """A line on which so many alerts called "Waits" stand; the playbook is for alerts with this name."""
    world = World(_WAITING % (name, mode))
    for first in range(0, many, 100):
        rows = [unlike(f"w{number}", name="Waits") for number in range(first, min(many, first + 100))]
        world.line.later(1).take(*rows)
    world.line.tick(1)
    return world


def queued(many: int, mode: str) -> World:
    """A line on which so many executions wait."""
    world = standing(many, mode)
    states = [run.asks for run in world.runs() if run.state == "pending"]
    assert len(states) >= max(0, many - 1) and set(states) <= {"target", "approval"}, len(states)
    return world


def load(world: World, alerts: int) -> float:
    """CPU seconds for these alerts, all new, with the ticks of their time."""
    line = world.line
    batches = [[unlike(f"n{first + number}") for number in range(100)] for first in range(0, alerts, 100)]
    gc.collect()
    gc.disable()
    began = time.process_time()
    for number, batch in enumerate(batches):
        line.take(*batch)
        if (number + 1) * 100 % PER_SECOND == 0:
            line.tick(1)
    taken = time.process_time() - began
    gc.enable()
    return taken


def queue_cost(alerts: int, rounds: int, many: int, mode: str) -> tuple[float, float]:
    """Percent more CPU with a full queue than with the same alerts and no executions, and than with neither."""
    over_alerts, over_nothing = [], []
    for _ in range(rounds):
        taken = load(queued(many, mode), alerts)
        over_alerts.append(taken / load(standing(many, mode, "Never"), alerts))
        over_nothing.append(taken / load(queued(0, mode), alerts))
    return _percent(over_alerts), _percent(over_nothing)


def _percent(ratios: list[float]) -> float:
    return round(100.0 * (statistics.median(ratios) - 1.0), 2)


def looks_per_tick(many: int, ticks: int = 100) -> float:
    """Counted, not timed."""
    world = queued(many, "auto")
    counted = count_looks(world)
    for _ in range(ticks):
        world.line.tick(1)
    return round(counted.looks / ticks, 3)


def step_cost(runs: int) -> float:
    """CPU milliseconds per step on the line in memory, the alerts' own share taken off."""
    text = _STEPS + "".join(
        f'  - {{name: s{n}, action: safe, params: {{target: "${{alert.entity}}"}}}}\n' for n in range(STEPS)
    )
    world = World(text)
    began = time.process_time()
    for number in range(runs):
        world.line.take(unlike(f"s{number}", name="LinkDown"))
        world.work()
    taken = time.process_time() - began
    plain = World(_WAITING % ("Never", "auto"))
    began = time.process_time()
    for number in range(runs):
        plain.line.take(unlike(f"s{number}", name="LinkDown"))
    taken -= time.process_time() - began
    assert sum(run.state == "success" for run in world.runs()) == runs
    return round(1000.0 * taken / (runs * STEPS), 3)


async def engine_cost(folder: Path, runs: int) -> float:
    """CPU milliseconds per step of a whole engine, the alerts' own share taken off."""
    with_playbook = await _engine_seconds(folder / "with", runs, steps=STEPS)
    without = await _engine_seconds(folder / "without", runs, steps=0)
    return round(1000.0 * (with_playbook - without) / (runs * STEPS), 3)


async def _engine_seconds(folder: Path, runs: int, *, steps: int) -> float:
    books = folder / "playbooks"
    books.mkdir(parents=True)
    (folder / "files").mkdir()
    if steps:
        text = _ENGINE + "".join(
            f'  - {{name: s{n}, action: update_configuration, params: {{path: "{n}-${{alert.entity}}", content: a}}}}\n'
            for n in range(steps)
        )
        (books / "walk.yaml").write_text(text)
    settings = Settings(
        store=StoreSettings(data_dir=str(folder / "data"), synchronous="off", reserve_mib=0),
        playbooks=PlaybookSettings(
            directory=str(books), configuration=ConfigurationSettings(directory=str(folder / "files"))
        ),
    )
    engine = build(replace(settings, metrics=replace(settings.metrics, own=False)), SystemClock(), listen=False)
    await engine.start()
    client = engine.client(Scope(tenant=DEFAULT_TENANT, actor="bench", capabilities=CAPABILITIES))
    try:
        now = engine.clock.now()
        rows: list[Any] = [
            replace(signal(f"s{n}", site=f"site {n}"), starts_at=now, ends_at=now.replace(year=now.year + 1))
            for n in range(runs)
        ]
        began = time.process_time()
        await engine.service.take(
            Envelope(kind=EnvelopeKind.SIGNALS, tenant=DEFAULT_TENANT, source="bench", payload=rows)
        )
        await engine.idle()
        while steps:
            page = await client.query(Query(kind="executions", q="state=success", limit=runs))
            if len(page.items) >= runs:
                break
            await engine.clock.sleep(1.0)
        return time.process_time() - began
    finally:
        await engine.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--alerts", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--queued", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        queued_cost, queued_and_alerts = queue_cost(given.alerts, given.rounds, given.queued, "auto")
        approval_cost, approval_and_alerts = queue_cost(given.alerts, given.rounds, given.queued, "approval")
        found = {
            "bench": "playbooks",
            **vars(given),
            "queued_cost_percent": queued_cost,
            "queued_and_alerts_cost_percent": queued_and_alerts,
            "approval_cost_percent": approval_cost,
            "approval_and_alerts_cost_percent": approval_and_alerts,
            "looks_per_tick": looks_per_tick(given.queued),
            "step_ms": step_cost(given.runs),
            "step_sqlite_ms": asyncio.run(engine_cost(Path(folder), given.runs)),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
