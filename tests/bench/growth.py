"""Does an alert cost more when many are open already? Prints one JSON line.

cost_ratio_100k_to_1k: CPU per new alert (batches of 100, the same stream) at an engine with 100,000 open alerts over
that at one with 1,000, in interleaved rounds, median; the worse of two shapes. "services": few kinds of alert on many
machines, as Prometheus sends them. "sites": 25 alerts of different kinds at each of thousands of sites, so that many
small clusters stand open. The small engine is a fresh one in every round, because the stream itself opens alerts.
Commits, clusters and incidents stand beside, so that a reason can be seen. --method names a method of clustering other
than the default.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import feeding
from tests.bench.beside import ALERTS, HOURS, engine, gauge, get, load, median, note, rss_mib

BATCH = 100
CONNECTIONS = 8
#: Alerts that are made and sent before more are made.
CHUNK = 5000
#: Alerts that warm an engine up, of the same stream.
WARM = 1000


def services(first: int, count: int) -> list[dict[str, Any]]:
    now = time.time()
    return [load.am_alert(number, "growth", now, HOURS) for number in range(first, first + count)]


def sites(first: int, count: int) -> list[dict[str, Any]]:
    end = load.iso(time.time() + HOURS)
    return [
        {**feeding.alert(number, number // feeding.ALERTS_PER_SITE + 1), "endsAt": end}
        for number in range(first, first + count)
    ]


Shape = Callable[[int, int], list[dict[str, Any]]]
SHAPES: dict[str, Shape] = {"services": services, "sites": sites}


class Growing:
    """One engine and the stream into it: every alert is new."""

    def __init__(self, started: Any, shape: Shape, open_alerts: int) -> None:
        self.url, self.pid, self._shape, self._next = started.url, started.pid, shape, 0
        self._post(open_alerts, 1)
        self.opened = self.standing()
        self.stream(WARM)

    def _post(self, alerts: int, connections: int) -> None:
        for first in range(self._next, self._next + alerts, CHUNK):
            count = min(CHUNK, self._next + alerts - first)
            raws = [
                load.request_bytes(self.url + ALERTS, load.dumps(self._shape(number, BATCH)))
                for number in range(first, first + count, BATCH)
            ]
            _, errors = load.run_async(load.closed_loop(self.url, raws, connections))
            assert not errors, errors
        self._next += alerts

    def stream(self, alerts: int) -> dict[str, float]:
        """Microseconds of CPU per alert, alerts per transaction, and what was opened."""
        names = ("commits", "incidents", "suppressed")
        before = [gauge(self.url, f"noc_{name}_total") for name in names]
        with load.Meter([self.pid]) as meter:
            self._post(alerts, CONNECTIONS)
            time.sleep(0.3)
        after = [gauge(self.url, f"noc_{name}_total") for name in names]
        counts = dict(zip(names, (b - a for a, b in zip(before, after, strict=True)), strict=True))
        return {"cpu_us": 1e6 * meter.cpu / alerts, **counts, "foreign": meter.foreign}

    def standing(self) -> dict[str, float]:
        """How many alerts are open, and their clusters."""
        return {"alerts": gauge(self.url, "noc_active_alerts"), "clusters": _count(self.url, "clusters")}


def _count(url: str, kind: str) -> int:
    after, count = "", 0
    while True:
        page = get(url, f"/api/v1/{kind}?active=true&limit=1000&sort=id&after={after}")
        count += len(page["items"])
        after = page["next"] or ""
        if not after:
            return count


def measure(folder: Path, shape: str, args: argparse.Namespace) -> dict[str, Any]:
    rounds: dict[str, list[dict[str, float]]] = {"small": [], "large": []}
    settings = {"NOC__CLUSTERING__METHOD": args.method} if args.method else {}
    with engine(folder / shape, **settings) as started:
        large = Growing(started, SHAPES[shape], args.large)
        found: dict[str, Any] = {"large": large.opened, "large_rss_mib": round(rss_mib(large.pid), 1)}
        for _ in range(args.rounds):
            with engine(folder / secrets.token_hex(4), **settings) as fresh:
                small = Growing(fresh, SHAPES[shape], args.small)
                found["small"] = small.opened
                rounds["small"].append(small.stream(args.alerts))
            rounds["large"].append(large.stream(args.alerts))
            note(f"{shape}: small {rounds['small'][-1]} large {rounds['large'][-1]}")
        found["large_end"] = large.standing()
    ratios = [big["cpu_us"] / less["cpu_us"] for big, less in zip(rounds["large"], rounds["small"], strict=True)]
    found |= {f"{name}_{key}": median([one[key] for one in rows]) for name, rows in rounds.items() for key in rows[0]}
    return {"ratio": median(ratios), "range": [round(min(ratios), 2), round(max(ratios), 2)], **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--shape", action="append", choices=list(SHAPES))
    parser.add_argument("--method")
    parser.add_argument("--small", type=int, default=1_000)
    parser.add_argument("--large", type=int)
    parser.add_argument("--alerts", type=int, default=3_000, help="new alerts of one round")
    args = parser.parse_args()
    args.rounds = args.rounds or (3 if args.quick else 5)
    args.large = args.large or (20_000 if args.quick else 100_000)
    with tempfile.TemporaryDirectory(prefix="noc-bench") as name:
        found = {shape: measure(Path(name), shape, args) for shape in args.shape or SHAPES}
    print(json.dumps({"cost_ratio_100k_to_1k": max(one["ratio"] for one in found.values()), **found}))


if __name__ == "__main__":
    main()
