"""Prometheus source: asks a Prometheus for instant values of PromQL expressions, and takes them in as samples.

Owns the asking and its rhythm. A series is named by the key of its query, its labels are those of the result. Each
round carries the moment that was asked for, so that a round which is taken twice counts once. What is no number (NaN,
infinities) is a gap, and so is a round that failed. The address is checked as for every outgoing request: no redirects,
no private addresses unless listed. Never evaluates an expression.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any
from urllib.parse import urlencode

import structlog
from msgspec import DecodeError, Struct, ValidationError, json

from data.records import TenantId
from engine.destinations import Forbidden
from engine.domain.events import DomainEvent, SampleData
from engine.outbound import Outbound, Unreached
from engine.ports import Clock, Emit, Envelope, EnvelopeKind, Overloaded

log = structlog.get_logger("engine.sources.prometheus")

#: Series that one expression may give, labels of one, and characters of a label.
SERIES, LABELS, CHARACTERS = 5000, 32, 300


class Unusable(Exception):
    """The answer is none, or not what was asked for."""


class _Row(Struct):
    metric: dict[str, str] = {}
    value: tuple[float, str] | None = None


class _Data(Struct):
    resultType: str = ""
    result: list[Any] = []


class _Answer(Struct):
    status: str
    data: _Data | None = None
    error: str = ""


_decode = json.Decoder(_Answer).decode


class PrometheusSource:
    """Implements `engine.ports.Source`. `queries`: name of the series → PromQL; `every` in seconds."""

    def __init__(  # noqa: PLR0913 - what a connection needs, by name
        self,
        name: str,
        url: str,
        *,
        queries: Mapping[str, str],
        every: float,
        tenant: TenantId,
        clock: Clock,
        outbound: Outbound,
        headers: Mapping[str, str] | None = None,
        allow_http: bool = False,
    ) -> None:
        self.name = name
        self.state = "starting"
        self._url, self._queries, self._every = url.rstrip("/"), dict(queries), every
        self._tenant, self._clock, self._outbound = tenant, clock, outbound
        self._headers, self._allow_http = dict(headers or {}), allow_http

    async def run(self, emit: Emit) -> None:
        """A round every `every` seconds until cancelled. The first failure and the recovery are logged."""
        while True:
            due = self._clock.monotonic() + self._every
            await self.round(emit)
            await self._clock.sleep(max(0.0, due - self._clock.monotonic()))

    async def round(self, emit: Emit) -> None:
        """Ask every query once, for one moment."""
        at = self._clock.now().replace(microsecond=0)
        trouble = ""
        for series, expression in self._queries.items():
            try:
                events = list(_events(await self._ask(expression, at), series, self.name))
                await self._emit(emit, events, f"{series}@{at.timestamp():.0f}")
            except (Unusable, Unreached, Overloaded) as error:
                trouble = trouble or f"{series}: {error}"
            except Forbidden as error:
                trouble = trouble or f"{error.reason}; {error.remedy}"
        if trouble and self.state != "waiting":
            log.warning("source_gap", source=self.name, reason=trouble[:200])
        elif not trouble and self.state == "waiting":
            log.info("source_again", source=self.name)
        self.state = "waiting" if trouble else "connected"

    async def _ask(self, expression: str, at: datetime) -> list[Any]:
        """The rows of an instant vector."""
        words = urlencode({"query": expression, "time": f"{at.timestamp():.0f}"})
        headers = {"Accept": "application/json", **self._headers}
        url = f"{self._url}/api/v1/query?{words}"
        answer = await self._outbound.request("GET", url, headers=headers, allow_http=self._allow_http)
        if answer.cut:
            raise Unusable("the answer is longer than a mebibyte: ask for fewer series")
        try:
            found = _decode(answer.body)
        except (DecodeError, ValidationError) as error:
            raise Unusable(f"answered {answer.status} with what is no answer of the query API") from error
        if found.status != "success" or found.data is None:
            raise Unusable(f"answered {answer.status}: {found.error[:150]}")
        if found.data.resultType == "scalar":
            return [{"metric": {}, "value": found.data.result}]
        if found.data.resultType != "vector":
            raise Unusable(f"the expression gives a {found.data.resultType[:20]}, not an instant vector")
        if len(found.data.result) > SERIES:
            raise Unusable(f"the expression gives {len(found.data.result)} series, {SERIES} are taken")
        return found.data.result

    async def _emit(self, emit: Emit, events: list[DomainEvent], id: str) -> None:
        if events:
            await emit(
                Envelope(kind=EnvelopeKind.EVENTS, tenant=self._tenant, source=self.name, payload=events, id=id)
            )


def _events(rows: list[Any], name: str, source: str) -> Iterator[DomainEvent]:
    """Samples of rows. Raises Unusable."""
    from msgspec import convert

    for number, given in enumerate(rows):
        try:
            row = convert(given, _Row)
            second, value = row.value or (0.0, "NaN")
            at, found = datetime.fromtimestamp(second, UTC), float(value)
        except (ValidationError, ValueError, OverflowError, OSError) as error:
            raise Unusable("a row of the answer is no sample") from error
        if not isfinite(found):
            continue
        pairs = sorted((key, text) for key, text in row.metric.items() if key != "__name__")
        labels = {key[:CHARACTERS]: text[:CHARACTERS] for key, text in pairs[:LABELS]}
        data = SampleData(name=name, value=found, labels=labels)
        yield DomainEvent(type="noc.sample", source=source, id=f"{name}@{second:.3f}", at=at, data=data, row=number)
