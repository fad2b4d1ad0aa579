"""Domain events by POST at a steady rate: from the POST to the change at a subscriber, and what it costs.

    .venv/bin/python -m tests.bench.domain_events [--rate 1000] [--seconds 15] [--devices 300]

Each POST is a batch of ten CloudEvents as an operation sends them: six samples, two heartbeats, a phone's movement and
a ticket that is new. Open loop: latency counts from the moment a batch was due, to the ticket of it at a subscriber of
the feed in a process of its own. One JSON line: `event_p50_ms`, `event_p99_ms`, `taken_p99_ms` (to the 2xx),
`missing`, and `cpu_percent`, the engine's share of a core by the kernel's clock, with `cpu_us_per_event`.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench.beside import CONNECTIONS, engine, gauge, load, percentile
from tests.bench.events import LATE_SECONDS, receiver
from tests.fakes.waiting import until

PATH, BATCH = "/ingest/events", 10
HEADERS = {"Content-Type": "application/cloudevents-batch+json"}
WARM_UP_SECONDS = 3
SITES = 20


def _event(kind: str, id: str, data: Any) -> dict[str, Any]:
    time_ = datetime.now(UTC).isoformat()
    return {"specversion": "1.0", "type": f"noc.{kind}", "source": "bench", "id": id, "time": time_, "data": data}


def inventory(devices: int) -> bytes:
    """Sites, people and devices, as one batch."""
    sites = [{"id": f"s{n}", "posts": {"day": 2}, "point": {"lat": 52.5, "lon": 13.4}} for n in range(SITES)]
    people = [{"id": f"p{n}", "name": f"Person {n}", "sites": [f"s{n % SITES}"]} for n in range(100)]
    park = [{"id": f"d{n}", "type": "camera", "site": f"s{n % SITES}", "status": "online"} for n in range(devices)]
    return bytes(
        load.dumps([_event("site", "i1", sites), _event("person", "i2", people), _event("device", "i3", park)])
    )


def batch(number: int, run: str, devices: int) -> tuple[str, bytes]:
    """→ (the id of its ticket, a body)."""
    tag, first = f"svc-{number}-{number % 0xFFFFFFF:07x}-{run}", 6 * number
    rows = [
        _event("sample", f"{tag}-s{n}", {"name": f"metric_{n % 3}", "value": 50.0 + (number * 7 + n) % 11,
                                        "labels": {"device": f"d{(first + n) % devices}"}})
        for n in range(6)
    ]  # fmt: skip
    rows += [
        _event("device", f"{tag}-d{n}", {"id": f"d{(2 * number + n) % devices}", "status": "seen"}) for n in (0, 1)
    ]
    rows.append(_event("activity", f"{tag}-a", {"person": f"p{number % 100}", "kind": "movement", "metres": 12.0}))
    ticket = {"id": tag, "state": "NEW", "type": "vpn", "title": f"case {number}", "site": f"s{number % SITES}"}
    rows.append(_event("ticket", f"{tag}-t", ticket))
    return tag, bytes(load.dumps(rows))


async def _steady(url: str, made: Sequence[tuple[str, bytes]], rate: float) -> tuple[dict[str, float], list[float]]:
    """When each was due, and the seconds from then to its 2xx."""
    raws = [load.request_bytes(url + PATH, body, HEADERS) for _, body in made]
    began = time.perf_counter() + 0.05
    due = {tag: began + number / rate for number, (tag, _) in enumerate(made)}
    times, errors = await load.open_loop(url, raws, rate, CONNECTIONS)
    assert not errors, errors
    return due, times


def _arrived(file: Path) -> dict[str, float]:
    words = (line.split() for line in file.read_text().splitlines())
    return {pair[0]: float(pair[1]) for pair in words if len(pair) == 2}


def measure(folder: Path, rate: float, seconds: float, devices: int) -> dict[str, Any]:
    run, batches = secrets.token_hex(4), int(rate * seconds / BATCH)
    with engine(folder) as started:
        url, seen = started.url, folder / "seen"
        status, said = load.post_once(url + PATH, inventory(devices), HEADERS)
        assert status < 300, (status, said[:300])
        with receiver("feed", f"ws://{urlsplit(url).netloc}/ws", seen):
            until(lambda: gauge(url, "noc_watchers") >= 1, 20.0, "a subscriber on the feed")
            before = range(int(rate * WARM_UP_SECONDS / BATCH))
            warm = [batch(number, secrets.token_hex(4), devices) for number in before]
            load.run_async(_steady(url, warm, rate / BATCH))
            made = [batch(number, run, devices) for number in range(batches)]
            pids = load.tree(started.pid)
            cpu, began = load.cpu_of(pids), time.perf_counter()
            due, taken = load.run_async(_steady(url, made, rate / BATCH))
            used, wall = load.cpu_of(pids) - cpu, time.perf_counter() - began
            end = time.perf_counter() + LATE_SECONDS
            while time.perf_counter() < end and due.keys() - _arrived(seen).keys():
                time.sleep(0.05)
            came = _arrived(seen)
    latencies = [came[tag] - moment for tag, moment in due.items() if tag in came]
    return {
        "bench": "domain_events",
        "rate": rate,
        "events": batches * BATCH,
        "event_p50_ms": percentile(latencies, 0.5),
        "event_p99_ms": percentile(latencies, 0.99),
        "taken_p99_ms": percentile(taken, 0.99),
        "missing": len(due) - len(latencies),
        "cpu_percent": round(100.0 * used / wall, 1),
        "cpu_us_per_event": round(1e6 * used / (batches * BATCH), 1),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.bench.domain_events", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--devices", type=int, default=300)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), asked.rate, asked.seconds, asked.devices)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
