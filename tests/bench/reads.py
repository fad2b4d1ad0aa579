"""How quickly the API answers while 100,000 alerts are open. Prints one JSON line.

For each read its p50 and p95 in milliseconds over HTTP, one after the other, the targets spread over all that is
open. quiet_ms is the same way there and back for an answer of one word, in the same run.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.beside import engine, fill, gauge, get, load, note, percentile

#: Name of a read → its path and parameters.
_OPEN = {"active": "true", "limit": "200"}
_FIXED = {
    "alerts_page": ("/api/v1/alerts", _OPEN),
    "alerts_by_priority": ("/api/v1/alerts", {**_OPEN, "sort": "-priority"}),
    "alerts_by_last": ("/api/v1/alerts", {**_OPEN, "sort": "-last_at"}),
    "alerts_total": ("/api/v1/alerts", {**_OPEN, "total": "true"}),
    "incidents_page": ("/api/v1/incidents", _OPEN),
    "incidents_by_priority": ("/api/v1/incidents", {**_OPEN, "sort": "-priority"}),
    "clusters_page": ("/api/v1/clusters", _OPEN),
    "events_page": ("/api/v1/events", {"limit": "200"}),
    "filter_severity": ("/api/v1/alerts", {**_OPEN, "q": "severity>=high"}),
    "filter_label": ("/api/v1/alerts", {**_OPEN, "q": "label.namespace=ns-7"}),
    "filter_matchers": ("/api/v1/alerts", {**_OPEN, "q": '{job=~"job-1.*",cluster="eu-2"}'}),
    "filter_rare_label": ("/api/v1/alerts", {**_OPEN, "q": 'label.instance="10.0.9.9:9100"'}),
    "filter_text": ("/api/v1/alerts", {**_OPEN, "q": 'text~"nowhere to be found"'}),
    "filter_incidents": ("/api/v1/incidents", {**_OPEN, "q": "severity>=high and state=open"}),
    "kpis": ("/api/v1/kpis", {}),
    "health": ("/api/v1/health", {}),
    "metrics": ("/metrics", {}),
    "groups": ("/api/v2/alerts/groups", {}),
    "groups_filtered": ("/api/v2/alerts/groups", {"filter": 'namespace="ns-7"'}),
    "face_filtered": ("/api/v2/alerts", {"filter": 'namespace="ns-7"'}),
    "quiet": ("/-/healthy", {}),
}


def paths(name: str, alerts: Sequence[int], incidents: Sequence[int], count: int) -> list[str]:
    """The requests of one read."""
    if name in _FIXED:
        path, parameters = _FIXED[name]
        return [f"{path}?{urlencode(parameters)}"] * count
    kind, _, what = name.partition("_")
    ids = random.Random(5).choices(alerts if kind == "alert" else incidents, k=count)
    return [f"/api/v1/{kind}s/{number}" + (f"/{what}" if what != "item" else "") for number in ids]


NAMES = (
    *_FIXED,
    "alert_item",
    "alert_why",
    "incident_item",
    "incident_why",
    "incident_related",
    "incident_timeline",
    "incident_alerts",
)


async def _timed(url: str, requests: Sequence[str]) -> tuple[list[float], int, int]:
    """Seconds of each, the largest answer's bytes, and how many were not 200."""
    connection, found, size, bad = await load.connect(url), [], 0, 0
    for path in requests:
        began = time.perf_counter()
        status, body = await connection.send(load.request_bytes(url + path, b"", method="GET"))
        found.append(time.perf_counter() - began)
        size, bad = max(size, len(body)), bad + (status != 200)
        if status != 200:
            note(f"{path}: {status} {bytes(body[:200])!r}")
    connection.t.close()
    return found, size, bad


def _ids(url: str, kind: str) -> list[int]:
    """Of the oldest and the newest."""
    pages = [get(url, f"/api/v1/{kind}?active=true&limit=500&sort={sort}") for sort in ("id", "-id")]
    return [item["id"] for page in pages for item in page["items"]]


def measure(url: str, args: argparse.Namespace) -> dict[str, Any]:
    alerts, incidents = _ids(url, "alerts"), _ids(url, "incidents")
    found: dict[str, Any] = {"open_alerts": gauge(url, "noc_active_alerts")}
    over = []
    for name in args.only or NAMES:
        count = args.count if not name.startswith("groups") else max(3, args.count // 4)
        times, size, bad = load.run_async(_timed(url, paths(name, alerts, incidents, count)))
        p50, p95 = percentile(times, 0.5), percentile(times, 0.95)
        found[name] = {"first_ms": percentile(times[:1], 0.5), "p50_ms": p50, "p95_ms": p95, "bytes": size}
        found[name] |= {"failed": bad} if bad else {}
        over += [name] if p95 > 100.0 else []
        note(f"{name}: {found[name]}")
    return found | {"over_100_ms": over}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--open", type=int)
    parser.add_argument("--count", type=int)
    parser.add_argument("--only", action="append", choices=NAMES)
    args = parser.parse_args()
    args.open = args.open or (10_000 if args.quick else 100_000)
    args.count = args.count or (10 if args.quick else 40)
    with tempfile.TemporaryDirectory(prefix="noc-bench") as name, engine(Path(name) / "engine") as started:
        fill(started.url, args.open)
        print(json.dumps(measure(started.url, args)))


if __name__ == "__main__":
    main()
