"""From the key that approves a playbook to its first action; one JSON line.

    python -m tests.bench.approvals [--quick] [--rounds 12]

A real engine in a thread of its own with its store on disk (fsync at every commit), and a real console on it under
Textual's pilot at 120x36. In each round one operator opens the console and approves nine waiting playbooks in turn
by `E` and `y`: nine, because nobody may give more than ten answers in a minute.

key_to_start_*: milliseconds from the moment before `y` is pressed until the engine has committed that the first step
begins. key_to_acted_*: until the file that this step writes is there. answer_*: the same without the console, from
sending the act to the first step's beginning. `n` is how many were measured, `load` the machine's load average of the
last minute: above `cores` others took part of the time. Limit: key_to_start_p99_ms <= 500.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from data.records import DEFAULT_TENANT
from data.scope import CAPABILITIES, Scope
from engine.client import Command, EngineClient, Query
from engine.clock import SystemClock
from engine.playbooks.settings import ConfigurationSettings, PlaybookSettings
from engine.settings import ListenSettings, Settings, StoreSettings
from noc_console.app import ConsoleApp
from noc_console.desk import Options
from noc_console.dialogs.execute import ExecuteDialog
from noc_console.embedded import EngineThread
from tests.fakes.waiting import free_port

#: An operator's answers in a minute are ten at most.
EACH = 9
LIMIT_MS = 500.0
PLAYBOOK = """
name: mend
version: 1
trigger: {severity: high}
policy: {expires_minutes: 600, per_hour: 1000, flood_incidents: 10000}
steps:
  - name: write
    action: update_configuration
    params: {path: "${alert.entity}.conf", content: "host ${alert.entity}\\n"}
"""


def scope(name: str) -> Scope:
    return Scope(tenant=DEFAULT_TENANT, actor=name, capabilities=CAPABILITIES)


def settings_of(folder: Path) -> Settings:
    books, files = folder / "playbooks", folder / "files"
    books.mkdir()
    files.mkdir()
    (books / "mend.yaml").write_text(PLAYBOOK)
    settings = Settings(
        store=StoreSettings(data_dir=str(folder / "data"), reserve_mib=0),
        listen=ListenSettings(port=free_port()),
        playbooks=PlaybookSettings(directory=str(books), configuration=ConfigurationSettings(directory=str(files))),
    )
    return replace(settings, metrics=replace(settings.metrics, own=False))


async def fire(url: str, numbers: range) -> None:
    """One incident each: nothing that they share but the severity."""
    import httpx

    now = datetime.now().astimezone()
    alerts = [
        {
            "labels": {
                "alertname": f"Trouble{n}",
                "site": f"site-{n}",
                "device": f"d{n}",
                "entity": f"d{n}",
                "severity": "high",
            },
            "annotations": {"summary": f"trouble of its own kind {n}"},
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=6)).isoformat(),
        }
        for n in numbers
    ]
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30.0) as client:
        (await client.post("/api/v2/alerts", json=alerts)).raise_for_status()


async def waiting(client: EngineClient, count: int) -> list[Any]:
    """The open questions, once there are so many."""
    found: list[Any] = []
    for _ in range(600):
        found = list((await client.query(Query(kind="approvals", active=True, limit=1000))).items)
        if len(found) >= count:
            return found
        await asyncio.sleep(0.05)
    raise SystemExit(f"only {len(found)} of {count} playbooks asked")


async def started(client: EngineClient, id: str) -> Any:
    """The run, once its first step has ended."""
    for _ in range(2000):
        (run,) = (await client.query(Query(kind="executions", id=id))).items
        if run.steps[0].ended_at is not None:
            return run
        await asyncio.sleep(0.005)
    raise SystemExit(f"{id} did not begin")


async def by_console(engine: EngineThread, name: str, files: Path) -> list[tuple[float, float]]:
    """One operator's approvals: milliseconds to the start of the first step and to what it wrote."""
    found, client = [], engine.client(scope(name))
    app = ConsoleApp(client, SystemClock(), Options(actor=name))
    async with app.run_test(size=(120, 36)) as pilot:
        for _ in range(3):
            await pilot.pause(0.3)
        await pilot.press("4")
        for _ in range(EACH):
            await pilot.pause(0.6)
            await pilot.press("W")
            id = await shown(app, pilot)
            await pilot.pause(0.35)
            at = time.time()
            await pilot.press("y")
            found.append(await measured(client, id, at, files))
    return found


async def shown(app: ConsoleApp, pilot: Any) -> str:
    """Open the dialog with E and wait until it is armed → the run that it is about."""
    for _ in range(400):
        screen: Any = app.screen
        if isinstance(screen, ExecuteDialog):
            if screen._armed_at is not None:
                return str(screen._matter._last.execution)  # type: ignore[attr-defined]
        elif getattr(screen, "question", lambda: None)() is not None:
            await pilot.press("E")
        await pilot.pause(0.05)
    raise SystemExit("the dialog did not arm")


async def measured(client: EngineClient, id: str, at: float, files: Path) -> tuple[float, float]:
    run = await started(client, id)
    begun = run.steps[0].started_at.timestamp()
    path = run.steps[0].params["path"]
    return 1000 * (begun - at), 1000 * ((files / path).stat().st_mtime - at)


async def by_client(engine: EngineThread, name: str, files: Path) -> list[float]:
    """The same without a console."""
    found, client = [], engine.client(scope(name))
    for asked in (await waiting(client, EACH))[:EACH]:
        params = {"plan_sha256": asked.plan_sha256}
        at = time.time()
        await client.command(Command(verb="approve", targets=(f"approval:{asked.id}",), params=params))
        found.append((await measured(client, asked.execution, at, files))[0])
    return found


def figures(name: str, values: list[float]) -> dict[str, Any]:
    ordered = sorted(values)
    return {
        f"{name}_p50_ms": round(ordered[len(ordered) // 2], 1),
        f"{name}_p99_ms": round(ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))], 1),
        f"{name}_max_ms": round(ordered[-1], 1),
    }


async def measure(rounds: int, folder: Path) -> dict[str, Any]:
    settings = settings_of(folder)
    files = folder / "files"
    starts, acts, answers = [], [], []
    with EngineThread(settings) as engine:
        watcher = engine.client(scope("watcher"))
        await watcher.health()
        for number in range(rounds):
            first = number * 2 * EACH
            await fire(engine.url, range(first, first + 2 * EACH))
            await waiting(watcher, 2 * EACH)
            answers += await by_client(engine, f"robot-{number}", files)
            for start, acted in await by_console(engine, f"operator-{number}", files):
                starts.append(start)
                acts.append(acted)
            print(f"round {number + 1} of {rounds}: {max(starts[-EACH:]):.0f} ms at most", file=sys.stderr)
    return {
        "benchmark": "approvals",
        "n": len(starts),
        **figures("key_to_start", starts),
        **figures("key_to_acted", acts),
        "answers": len(answers),
        **figures("answer_to_start", answers),
        "limit_ms": LIMIT_MS,
        "within": sum(value <= LIMIT_MS for value in starts),
        "load": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12, help="operators, nine approvals each")
    parser.add_argument("--quick", action="store_true", help="two rounds")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="noc-bench-") as folder:
        print(json.dumps(asyncio.run(measure(2 if wanted.quick else wanted.rounds, Path(folder)))))


if __name__ == "__main__":
    main()
