"""What it costs to find the cluster of an alert while many are open; one JSON line.

    python -m tests.bench.decisions [--sizes 10 1000 10000 100000] [--alerts 1000]

For each method and number of open alerts: CPU microseconds of the decision alone (median and 99th percentile over the
alerts), and alerts per CPU-second of dedup and clustering together. Alerts of 300 types from 40 sites and 2,000
hosts, all within the window.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from data.records import DEFAULT_TENANT, Severity, Signal, SignalStatus
from engine.book import Batch, Book, Draft
from engine.rules import Rules
from engine.similarity import registry
from engine.stages.cluster import cluster
from engine.stages.dedup import dedup

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
WORDS = ("link", "disk", "queue", "latency", "memory", "backup", "door", "power", "session", "replica", "probe", "fan")


def signals(count: int, dice: random.Random, first: datetime, seconds: float) -> Iterator[Signal]:
    for number in range(count):
        kind = int(300 * dice.random() ** 3)
        host = dice.randrange(2000)
        at = first + timedelta(seconds=seconds * number / count)
        name = f"{WORDS[kind % 12].title()}{WORDS[kind // 12 % 12].title()}{kind}"
        yield Signal(
            source="bench",
            key=f"{first.timestamp()} {number}",
            name=name,
            severity=dice.choice(list(Severity)),
            status=SignalStatus.FIRING,
            title=f"{WORDS[kind % 12]} {WORDS[kind // 12 % 12]} trouble {number}",
            site=f"site {host % 40}",
            entity=f"host-{host}",
            entity_type="host",
            service=WORDS[host % 12],
            client="",
            correlation="",
            starts_at=at,
            ends_at=at + timedelta(days=1),
            labels={"alertname": name},
            annotations={},
        )


def measure(method: str, size: int, alerts: int) -> dict[str, Any]:
    rules, book, dice = Rules(method=registry()[method].make()), Book(), random.Random(1)
    for signal in signals(size, dice, NOW, 1200.0):
        _take(book, rules, signal)
    spent = []
    began = time.process_time()
    for signal in signals(alerts, dice, NOW + timedelta(seconds=1200), 60.0):
        spent.append(_take(book, rules, signal))
    whole = time.process_time() - began
    spent.sort()
    return {
        "median_us": round(1e6 * spent[len(spent) // 2], 1),
        "p99_us": round(1e6 * spent[int(0.99 * len(spent))], 1),
        "mean_us": round(1e6 * sum(spent) / len(spent), 1),
        "alerts_per_cpu_s": round(alerts / whole),
        "clusters": len(book.clusters),
    }


def _take(book: Book, rules: Rules, signal: Signal) -> float:
    draft = Draft(book, rules, DEFAULT_TENANT, signal.starts_at)
    alert = dedup(draft, signal)
    assert alert is not None
    began = time.thread_time()
    alert = cluster(draft, alert)
    spent = time.thread_time() - began
    draft.add_alert(alert)
    draft.dirty.clear()
    Batch(book).absorb(draft)
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 1000, 10_000, 100_000])
    parser.add_argument("--alerts", type=int, default=1000)
    wanted = parser.parse_args()
    found = {
        method: {str(size): measure(method, size, wanted.alerts) for size in wanted.sizes}
        for method in sorted(registry())
    }
    print(json.dumps({"benchmark": "decisions", **found}))


if __name__ == "__main__":
    main()
