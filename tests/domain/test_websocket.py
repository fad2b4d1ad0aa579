"""The websocket source: frames in, durable envelopes out, and connecting again; its settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec import json

from data.records import DEFAULT_TENANT, Partition
from engine.config_check import ConfigError, Surroundings, settings_of
from engine.destinations import Forbidden
from engine.formats.intake import IntakeSettings
from engine.ports import Envelope, EnvelopeKind, Overloaded, Receipt
from engine.sources.websocket import WebSocketSource
from engine.stages.normalise import IntakeRules
from tests.fakes.still_clock import StillClock

EVENT = {"specversion": "1.0", "id": "1", "source": "ops", "type": "noc.person", "data": {"id": "ann"}}


class Waits(StillClock):
    """Counts the waits, and ends the test after the last one."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.waits: list[float] = []
        self.most = most

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        if len(self.waits) >= self.most:
            raise asyncio.CancelledError
        await super().sleep(seconds)


async def run(connections: list[list[bytes] | Exception], waits: int, refuse: int = 0) -> tuple[list[Envelope], Waits]:
    taken: list[Envelope] = []
    clock = Waits(waits)
    refusals = [refuse]

    @asynccontextmanager
    async def connect() -> AsyncIterator[AsyncIterator[bytes]]:
        found = connections.pop(0) if connections else OSError("gone")
        if isinstance(found, Exception):
            raise found

        async def frames() -> AsyncIterator[bytes]:
            for frame in found:
                yield frame

        yield frames()

    async def emit(envelope: Envelope) -> Receipt:
        if refusals[0]:
            refusals[0] -= 1
            raise Overloaded(3.0)
        taken.append(envelope)
        return Receipt(partition=Partition(0), seq=1)

    settings = IntakeSettings(rules=IntakeRules())
    source = WebSocketSource(
        "feed", "wss://feed.example/x", tenant=DEFAULT_TENANT, clock=clock, settings=settings, connect=connect
    )
    with pytest.raises(asyncio.CancelledError):
        await source.run(emit)
    return taken, clock


async def test_frames_of_every_form_are_taken() -> None:
    alert = {"labels": {"alertname": "X"}}
    lines = json.encode({**EVENT, "id": "2"}) + b"\n" + json.encode(alert)
    batch = json.encode([{**EVENT, "id": "3"}, {**EVENT, "id": "4"}])
    taken, _ = await run([[json.encode(EVENT), lines, batch, b"{broken"]], 1)
    kinds = [envelope.kind for envelope in taken]
    assert kinds.count(EnvelopeKind.EVENTS) == 4
    assert kinds.count(EnvelopeKind.SIGNALS) == 1
    assert kinds.count(EnvelopeKind.REJECTS) == 1
    ids = [envelope.id for envelope in taken if envelope.kind is EnvelopeKind.EVENTS]
    assert len(set(ids)) == 4 and all(ids), "each event is known again after a cut"


async def test_it_connects_again_and_waits_longer_each_time() -> None:
    frames = [json.encode(EVENT)]
    taken, clock = await run([OSError("no"), OSError("no"), TimeoutError(), frames], 6)
    assert len(taken) == 1
    assert clock.waits == [1.0, 2.0, 4.0, 1.0, 2.0, 4.0]


async def test_a_full_engine_is_waited_for() -> None:
    taken, clock = await run([[json.encode(EVENT)]], 3, refuse=2)
    assert len(taken) == 1
    assert clock.waits == [3.0, 3.0, 1.0]


async def test_where_it_may_not_go_it_does_not_hurry() -> None:
    _, clock = await run([Forbidden("private", "list it")], 1)
    assert clock.waits == [60.0]


@pytest.mark.parametrize(
    ("given", "key", "says"),
    [
        ({"format": "cloudevents", "type": "websocket"}, "sources.x.url", "wss://host/path"),
        ({"format": "grafana", "type": "websocket", "url": "wss://a.example/"}, "sources.x.format", "cloudevents"),
        ({"format": "cloudevents", "url": "wss://a.example/"}, "sources.x.url", "websocket"),
        ({"format": "cloudevents", "type": "websocket", "url": "ws://a.example/"}, "sources.x.url", "allow_http"),
        ({"format": "cloudevents", "type": "websocket", "url": "wss://10.0.0.1/"}, "sources.x.url", "allow_hosts"),
        ({"format": "cloudevents", "type": "socket"}, "sources.x.type", "websocket"),
    ],
)
def test_a_wrong_setting_is_named_with_its_cure(given: dict[str, str], key: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_of({"sources": {"x": given}}, Surroundings({}, Path()))
    assert caught.value.key == key
    assert says in str(caught.value)


def test_a_right_setting_is_taken() -> None:
    given = {"format": "cloudevents", "type": "websocket", "url": "wss://feed.example/events"}
    assert settings_of({"sources": {"x": given}}, Surroundings({}, Path())).sources["x"].url == given["url"]
