"""Alerts for the console's benchmark: many open ones at once, then a steady stream as a live operation has it.

Posts to /api/v2/alerts from a thread; remembers when each post was acknowledged.
"""

from __future__ import annotations

import random
import threading
import time
from itertools import count
from typing import Any

import httpx

BATCH = 500
#: Alerts of one site become one incident: thousands of incidents at 100,000 alerts, hundreds at 1,000.
ALERTS_PER_SITE = 25
_SEVERITIES = ("critical", "high", "warning", "info")
_CHECKS = ("link down", "no heartbeat", "battery low", "camera offline", "door held open", "tour late", "disk full")


def alert(number: int, sites: int) -> dict[str, Any]:
    check = _CHECKS[number % len(_CHECKS)]
    site = number % sites
    return {
        "labels": {
            "alertname": check.title().replace(" ", ""),
            "site": f"{('Harbour', 'Depot', 'Tower', 'Clinic', 'Mall')[site % 5]} {site}",
            "device": f"d{number}",
            "severity": _SEVERITIES[site * 7 // 3 % len(_SEVERITIES)],
        },
        "annotations": {"summary": f"{check} on device d{number}"},
    }


def sites_of(alerts: int) -> int:
    return max(40, alerts // ALERTS_PER_SITE)


def load(url: str, alerts: int) -> None:
    """Open so many alerts; waits where the engine says that it is full."""
    with httpx.Client(base_url=url, trust_env=False, timeout=60.0) as client:
        for first in range(0, alerts, BATCH):
            batch = [alert(n, sites_of(alerts)) for n in range(first, min(first + BATCH, alerts))]
            while (answer := client.post("/api/v2/alerts", json=batch)).status_code == 503:
                time.sleep(0.1)
            answer.raise_for_status()


class LiveFeed(threading.Thread):
    """`each` alerts, `per_second` times a second: three are new, the rest is open already. A context.

    Now and then one is from a new site. No two feeds of one process send the same new alerts.
    """

    _feeds = count(1)

    def __init__(self, url: str, alerts: int, *, per_second: float = 10.0, each: int = 10) -> None:
        super().__init__(daemon=True)
        self._url, self._alerts, self._period, self._each = url, alerts, 1 / per_second, each
        self._random = random.Random(next(self._feeds))
        self._over = threading.Event()
        self.acknowledged: list[float] = []

    def run(self) -> None:
        with httpx.Client(base_url=self._url, trust_env=False, timeout=60.0) as client:
            while not self._over.wait(self._period):
                try:
                    if client.post("/api/v2/alerts", json=self._batch()).status_code == 200:
                        self.acknowledged.append(time.monotonic())
                except httpx.HTTPError:
                    continue

    def _batch(self) -> list[dict[str, Any]]:
        sites, known = sites_of(self._alerts), self._alerts
        fresh = [alert(self._random.randrange(known, known * 1_000), sites) for _ in range(3)]
        if self._random.random() < 0.1:
            fresh[0]["labels"]["site"] = f"Annex {self._random.randrange(1_000_000)}"
        return [*fresh, *(alert(self._random.randrange(known), sites) for _ in range(self._each - 3))]

    def __enter__(self) -> LiveFeed:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join(5.0)
