"""The Prometheus source: on answers of every shape, and on a real Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from data.records import DEFAULT_TENANT
from engine.destinations import Forbidden
from engine.outbound import Answer, Outbound, Unreached
from engine.ports import Envelope, Overloaded, Receipt
from engine.sources.prometheus import PrometheusSource
from tests.fakes.prometheus import PROMETHEUS, Prometheus, Targets
from tests.metrics.metering import NOON, Metered, SetClock

SECOND = NOON.timestamp()


class Answers(Outbound):
    """Gives the same answer to every request, or raises it."""

    def __init__(self, body: Any, status: int = 200, cut: bool = False) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._body, self._status, self._cut = body, status, cut

    async def request(
        self, method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str], allow_http: bool = False
    ) -> Answer:
        self.asked.append(url)
        if isinstance(self._body, Exception):
            raise self._body
        found = self._body if isinstance(self._body, bytes) else json.encode(self._body)
        return Answer(self._status, {}, found, self._cut)


def vector(*rows: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "vector", "result": list(rows)}}


def row(value: str, **labels: str) -> dict[str, Any]:
    return {"metric": {"__name__": "up", **labels}, "value": [SECOND, value]}


def source(outbound: Outbound, url: str = "https://prometheus.example", **given: Any) -> PrometheusSource:
    fields: dict[str, Any] = {"queries": {"up": 'up{job="a b"}'}, "every": 60.0, "tenant": DEFAULT_TENANT, **given}
    return PrometheusSource("prom", url, clock=SetClock(NOON), outbound=outbound, **fields)


async def emitted(of: PrometheusSource) -> list[Envelope]:
    found: list[Envelope] = []

    async def emit(envelope: Envelope) -> Receipt:
        found.append(envelope)
        return Receipt(partition=0, seq=1)  # type: ignore[arg-type]

    await of.round(emit)
    return found


async def test_a_round_asks_for_its_moment_and_takes_every_number() -> None:
    outbound = Answers(vector(row("1", job="a"), row("NaN", job="b"), row("+Inf"), row("2.5", job="c")))
    asking = source(outbound)
    (envelope,) = await emitted(asking)
    assert outbound.asked == [
        f"https://prometheus.example/api/v1/query?query=up%7Bjob%3D%22a+b%22%7D&time={SECOND:.0f}"
    ]
    assert [(event.data.name, event.data.value, event.data.labels) for event in envelope.payload] == [
        ("up", 1.0, {"job": "a"}),
        ("up", 2.5, {"job": "c"}),
    ]
    assert (envelope.id, envelope.source, asking.state) == (f"up@{SECOND:.0f}", "prom", "connected")


async def test_a_scalar_is_a_series_without_labels() -> None:
    answer = {"status": "success", "data": {"resultType": "scalar", "result": [SECOND, "7"]}}
    (envelope,) = await emitted(source(Answers(answer)))
    assert [(event.data.value, event.data.labels) for event in envelope.payload] == [(7.0, {})]


@pytest.mark.parametrize(
    "answer",
    [
        Answers({"status": "error", "error": "parse error"}, 400),
        Answers(b"<html>", 502),
        Answers(vector(row("1")), cut=True),
        Answers({"status": "success", "data": {"resultType": "matrix", "result": []}}),
        Answers(vector({"metric": {"a": 5}, "value": [1, "1"]})),
        Answers(vector(row("many"))),
        Answers(vector({"metric": {}, "value": [1e300, "1"]})),
        Answers(vector(*[row("1")] * 5001)),
        Answers(Unreached("nobody there")),
        Answers(Forbidden("is not public", "list it")),
    ],
)
async def test_a_round_that_fails_is_a_gap(answer: Answers) -> None:
    asking = source(answer)
    assert await emitted(asking) == []
    assert asking.state == "waiting"


async def test_a_full_engine_is_a_gap() -> None:
    asking = source(Answers(vector(row("1"))))

    async def full(_: Envelope) -> Receipt:
        raise Overloaded

    await asking.round(full)
    assert asking.state == "waiting"


@pytest.mark.real
@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed (package prometheus)")
async def test_a_real_prometheus_is_read_through(metered: Metered, tmp_path: Path) -> None:
    targets = Targets("web")
    prometheus = Prometheus(tmp_path / "prometheus", targets, "127.0.0.1:1")
    try:
        port = int(prometheus.url.rpartition(":")[2])
        outbound = Outbound(allow_hosts=("127.0.0.1",), ports=(port,))
        queries = {"answer": "vector(42)", "bad": "sum(", "nothing": "absent_metric"}
        asking = source(outbound, prometheus.url, queries=queries, allow_http=True)
        await asking.round(metered.engine.service.take)
        assert asking.state == "waiting", "one expression was refused"
        await asking.round(metered.engine.service.take)
    finally:
        prometheus.close()
        targets.close()
    (found,) = await metered.ask("metrics/series")
    assert (found["name"], found["last"]) == ("answer", 42.0)
    (point,) = await metered.points(series="answer")
    assert point["count"] == 1, "the same moment twice counts once"
