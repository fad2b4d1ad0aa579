"""What a training costs: time and memory of the children that fit clustering and priority; one JSON line.

    python -m tests.bench.training [--alerts 100000] [--model clustering --model priority]

Each model is fit by the process that the product starts, under its limits: clustering on a made-up recording of so many
alerts of which a fifth is labelled, priority on as many tickets of the same alerts (an outage's mattered, and one in
twenty of all others). `seconds` of wall and `cpu_seconds` of CPU, `peak_mib` the most resident memory, as the kernel
count them; `examples` the pairs or rows that were learned from. Limits: 120 s of CPU (they use one core), 1,024 MiB.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from engine.models.child import CLUSTERING, PRIORITY, command, environment
from engine.similarity import scenarios
from engine.similarity.recording import Line

#: Of a made-up outage, in the mean.
_ALERTS_PER_OUTAGE = 22
_LIMITS = {"cpu_seconds": 120.0, "peak_mib": 1024.0}


def recording(alerts: int) -> list[Line]:
    outages = alerts // 5 // _ALERTS_PER_OUTAGE
    found = scenarios.recording(77, days=alerts / 1600.0, sites=120, outages=outages, chatter=alerts * 4 // 5)
    return found[:alerts]


def write_recording(found: list[Line], path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for line in found:
            file.write(json.dumps({**line.row, "labels": {**line.row["labels"], "truth": line.truth}}) + "\n")


def write_tickets(found: list[Line], path: Path) -> None:
    dice = random.Random(5)
    with path.open("w", encoding="utf-8") as file:
        for line in found:
            row, began = line.row, datetime.fromisoformat(line.row["startsAt"])
            ticket = {
                "id": row["dedup_key"],
                "seen_at": row["startsAt"],
                "ended_at": (began + timedelta(minutes=dice.randrange(5, 600))).isoformat(),
                "mattered": bool(line.truth) or dice.random() < 0.05,
                "name": row["name"],
                "severity": row["severity"],
                "title": row["title"],
                "site": row["site"],
                "entity": row["host"],
            }
            file.write(json.dumps(ticket) + "\n")


def measure(words: list[str]) -> dict[str, Any]:
    """Run the child to its end."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.DEVNULL, env=environment()
        )
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        answer = json.loads(said.read() or b"{}")
    found = {
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_mib": round(used.ru_maxrss / 1024.0, 1),
    }
    return {
        **found,
        "above": [name for name, most in _LIMITS.items() if found[name] > most],
        "examples": answer.get("examples", 0),
        **({"error": answer["error"]} if "error" in answer else {}),
    }


def clustering(folder: Path, found: list[Line]) -> dict[str, Any]:
    write_recording(found, folder / "recording.jsonl")
    return measure(command(CLUSTERING, "--models", str(folder / "models"), str(folder / "recording.jsonl")))


def priority(folder: Path, found: list[Line]) -> dict[str, Any]:
    write_tickets(found, folder / "tickets.jsonl")
    return measure(command(PRIORITY, str(folder), "--from", str(folder / "tickets.jsonl")))


MODELS = {"clustering": clustering, "priority": priority}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alerts", type=int, default=100_000)
    parser.add_argument("--model", action="append", choices=list(MODELS))
    wanted = parser.parse_args()
    lines = recording(wanted.alerts)
    found: dict[str, Any] = {"benchmark": "training", "alerts": len(lines)}
    with tempfile.TemporaryDirectory(prefix="noc-bench") as name:
        for model in wanted.model or MODELS:
            found[model] = MODELS[model](Path(name), lines)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
