"""Series, their history and anomalies in memory: what the page about metrics asks for."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from math import sin
from typing import Any

import msgspec

from data.nouns.samples import AnomalyRecord
from data.records import Change, TenantId
from engine.client import Query, Refused
from tests.fakes import world
from tests.fakes.client import FakeClient

TENANT = TenantId("default")
_SECONDS = {"5m": 300, "1h": 3600, "1d": 86_400}


def series(name: str, last: float = 1.0, **labels: str) -> dict[str, Any]:
    id = name + "".join(f"#{value}" for value in labels.values())
    return {
        "id": id, "name": name, "labels": labels, "site": labels.get("site", ""), "last": last,
        "last_at": world.NOW - timedelta(minutes=3),
    }  # fmt: skip


def anomaly(
    series: str, id: str = "a1", *, minutes: float = 90, lasted: float | None = 20, **more: Any
) -> AnomalyRecord:
    """One that began `minutes` ago."""
    at = world.NOW - timedelta(minutes=minutes)
    given: dict[str, Any] = {
        "kind": "spike", "score": 6.5, "value": 99.0, "expected": 50.0, "name": series.partition("#")[0],
        "state": "open" if lasted is None else "closed",
        "ended_at": None if lasted is None else at + timedelta(minutes=lasted),
    }  # fmt: skip
    return AnomalyRecord(tenant=TENANT, id=id, at=at, series=series, **{**given, **more})


class MetricsClient(FakeClient):
    """`gap` are minutes ago (from, to) in which no series has samples."""

    def __init__(self, count: int = 9, now: Any = None) -> None:
        super().__init__(count, now or (lambda: world.NOW))
        self.series = {
            one["id"]: one
            for one in (
                series("cpu_percent", 41.25, device="gw-1", site="s1"),
                series("latency_ms", 240.0, device="gw-1", site="s1"),
                series("noc_alarms_10m", 3.0),
            )
        }
        self.anomalies = {one.id: one for one in (anomaly("latency_ms#gw-1#s1", "a2", lasted=None, kind="drift"),)}
        self.gap: tuple[float, float] = (600, 480)

    def asked(self, kind: str) -> list[dict[str, Any]]:
        return [query.params for query in self.queries if query.kind == kind]

    def _answer(self, query: Query) -> list[Any]:
        if query.kind == "anomalies":
            return [one for one in self.anomalies.values() if one.state == "open"]
        if query.kind == "metrics/series":
            words = query.params["text"].lower().split()
            found = sorted(one["id"] for one in self.series.values() if all(word in str(one).lower() for word in words))
            return [self.series[id] for id in found if id > query.params["after"]][: query.params["limit"]]
        if query.kind == "metrics/latest":
            wanted = [id for id in json.loads(query.params["series"]) if id in self.series]
            averages = [float(place % 9) for place in range(query.params["slots"])]
            return [{**self.series[id], "averages": averages} for id in wanted]
        return [self._history(query)] if query.kind == "metrics/query" else super()._answer(query)

    def _history(self, query: Query) -> dict[str, Any]:
        params, now = query.params, self.now()
        if params["series"] not in self.series:
            raise Refused("no series", field="series", status=404)
        since = datetime.fromisoformat(params["from"])
        back = (now - since).total_seconds() / 86_400
        resolution = params["resolution"] or ("5m" if back <= 7 else "1h" if back <= 90 else "1d")
        step = _SECONDS[resolution]
        step *= max(1, -(-int((now - since).total_seconds() // step) // params["points"]))
        points, at = [], since.timestamp() - since.timestamp() % step
        while at < now.timestamp():
            ago = (now.timestamp() - at) / 60
            if not self.gap[1] <= ago <= self.gap[0]:
                value = 50 + 30 * sin(at / 9000)
                more = {f"p{float(q) * 100:g}": value + 8 for q in params["quantiles"].split(",") if q}
                points.append(
                    {"at": _at(at, now), "to": _at(at + step, now), "avg": value, "min": value - 9, "max": value + 9,
                     "sum": value * 5, "count": 5, **more}
                )  # fmt: skip
            at += step
        named = ("id", "at", "ended_at", "kind", "state", "value", "expected", "score")
        marks = [one for one in self.anomalies.values() if one.series == params["series"]]
        return {
            **self.series[params["series"]], "from": since, "to": now, "resolution": resolution, "zone": "UTC",
            "points": points, "anomalies": [{name: getattr(one, name) for name in named} for one in marks],
        }  # fmt: skip

    def tell(self, record: AnomalyRecord) -> None:
        """Put it into the world and on the feed."""
        self.anomalies[record.id] = record
        self.seq += 1
        change = Change(
            kind="anomaly_detected", tenant=TENANT, at=self.now(), subject=f"anomaly:{record.id}", site=record.site,
            record=msgspec.Raw(msgspec.json.encode(record)), seq=self.seq,
        )  # fmt: skip
        self.log.append(change)
        for watcher in self._watchers:
            watcher.put_nowait([change])


def _at(seconds: float, like: datetime) -> datetime:
    return datetime.fromtimestamp(seconds, like.tzinfo)
