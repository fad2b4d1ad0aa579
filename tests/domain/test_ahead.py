"""Samples judged ahead of their turn: what comes of a stream is the same whoever waited together, to the last bit."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from data.records import DEFAULT_TENANT
from engine.board import CommittedBoard
from engine.book import Batch, Draft
from engine.bus import Bus
from engine.domain import ahead, detection
from engine.domain.events import DomainEvent
from engine.inbox import Inbox
from engine.ports import Envelope, EnvelopeKind
from engine.rules import Rules
from engine.supervise import Supervisor
from engine.telemetry import Telemetry
from engine.worker import Worker
from tests.domain.timeline import event
from tests.fakes.line import T0, at
from tests.fakes.memory_store import MemoryStore
from tests.fakes.still_clock import StillClock

DEVICES, TURNS, POISONED = 5, 150, (30, 125)


def sample(number: int, seconds: float, value: float) -> DomainEvent:
    labels = {"device": f"d{number % DEVICES}", "site": "Depot"}
    name = f"m{number % 3}"
    return event("sample", seconds, event_id=f"{number}-{seconds}", name=name, value=value, labels=labels)


def stream() -> list[list[Envelope]]:
    """Deliveries in the order in which they come: series at paces of their own, spikes, repeats, late and equal
    times, a series twice in one delivery, a ticket between samples, the clock, and what the line cannot take."""
    dice = random.Random(7)
    found = []
    for turn in range(TURNS):
        now = 300.0 * turn
        envelopes = []
        for number in range(15):
            if dice.random() < 0.1:
                continue
            value = dice.gauss(50.0, 1.0) + (500.0 if turn > 120 and dice.random() < 0.04 else 0.0)
            rows = [sample(number, now - dice.choice([0.0, 0.0, 0.0, 1.0, 400.0]), value)]
            if dice.random() < 0.1:
                rows.append(sample(number, now + 1.0, value + 1.0))
            envelopes.append(enveloped(EnvelopeKind.EVENTS, rows, now, f"{turn}-{number}"))
        dice.shuffle(envelopes)
        envelopes.append(dice.choice(envelopes))
        rows = [event("ticket", now, id=f"t{turn}", state="NEW", title="broken", site="Depot")]
        envelopes.insert(dice.randrange(len(envelopes)), enveloped(EnvelopeKind.EVENTS, rows, now, f"{turn}-t"))
        if turn % 7 == 0:
            envelopes.insert(dice.randrange(len(envelopes)), enveloped(EnvelopeKind.TICK, None, now, ""))
        if turn in POISONED:
            rows = [sample(turn, now + 2.0, 50.0), poisonous(turn, now)]
            envelopes.insert(dice.randrange(len(envelopes)), enveloped(EnvelopeKind.EVENTS, rows, now, f"{turn}-bad"))
        found.append(envelopes)
    return found


def poisonous(turn: int, now: float) -> DomainEvent:
    """What fails when it is looked at, or only in its turn."""
    if turn % 2:
        found = event("ticket", now, id="bad", state="NEW")
        return replace(found, data=None)  # type: ignore[arg-type]
    bad: Any = sample(turn, now, 50.0)
    return replace(bad, data=replace(bad.data, value="high"))


def enveloped(kind: EnvelopeKind, payload: Any, seconds: float, id: str) -> Envelope:
    return Envelope(kind=kind, tenant=DEFAULT_TENANT, source="ops", payload=payload, id=id, at=at(seconds))


class Running:
    """A worker of its own on a store in memory."""

    def __init__(self) -> None:
        self.clock = StillClock(T0)
        self.store, self.inbox = MemoryStore(), Inbox(self.clock, 100_000)
        self.worker = Worker(
            store=self.store,
            inbox=self.inbox,
            bus=Bus(),
            board=CommittedBoard(),
            clock=self.clock,
            rules=Rules(),
            telemetry=Telemetry(),
            owner="test",
        )

    async def take(self, deliveries: Sequence[Sequence[Envelope]]) -> None:
        await self.worker.open()
        supervisor = Supervisor(self.clock)
        supervisor.start("worker", self.worker.run)
        try:
            for envelopes in deliveries:
                self.clock.advance(max(0.0, (envelopes[0].at - self.clock.now()).total_seconds()))  # type: ignore[operator]
                await self.inbox.put_all(envelopes)
        finally:
            await supervisor.stop_all()

    def picture(self) -> dict[str, Any]:
        derived = self.worker.book.derived
        anomalies = self.worker.book.nouns["anomalies"]
        return {
            "detector": derived[detection.TABLE]["detector"].state(),
            "numbers": derived["domain.series_numbers"],
            "series": derived["domain.series"],
            "alerts": {alert.id: alert for alert in self.store.alerts.values()},
            "baselines": self.worker.book.nouns["baselines"],
            "open": anomalies,
            "told": [(change.kind, change.subject) for change in self.store.changes if "anomaly" in change.subject],
            "rejects": [reject.body for reject in self.store.rejects],
        }


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many samples were judged ahead, each time."""
    found: list[int] = []
    real = ahead._judge

    def judge(draft: Draft, rows: Sequence[detection.Sample]) -> None:
        found.append(len(rows))
        real(draft, rows)

    monkeypatch.setattr(ahead, "_judge", judge)
    return found


async def test_who_waits_together_makes_no_difference(looked: list[int]) -> None:
    alone, together = Running(), Running()
    await alone.take([[envelope] for envelopes in stream() for envelope in envelopes])
    assert not looked
    await together.take(stream())
    assert sum(looked) > 10 * TURNS, "most samples were judged ahead"
    one, other = alone.picture(), together.picture()
    assert one["told"] and one["alerts"], "there were anomalies"
    assert one["rejects"], "some rows were poisonous"
    for name, part in one.items():
        assert other[name] == part, name


def prepared() -> Running:
    """A worker whose detector knows three series."""
    running = Running()
    for number in range(3):
        for turn in range(5):
            envelope = enveloped(EnvelopeKind.EVENTS, [sample(number, 300.0 * turn, 50.0)], 300.0 * turn, "")
            _through(running, envelope)
    return running


def _through(running: Running, envelope: Envelope, *, keep: bool = True) -> Draft:
    from engine import pipeline

    draft = Draft(running.worker.book, running.worker.rules, envelope.tenant, envelope.at or T0)
    pipeline.run(draft, envelope)
    if keep:
        Batch(running.worker.book).absorb(draft)
    return draft


def _look(running: Running, envelopes: Sequence[Envelope]) -> int:
    draft = Draft(running.worker.book, running.worker.rules, DEFAULT_TENANT, T0)
    covered = ahead.look(draft, envelopes)
    Batch(running.worker.book).absorb(draft)
    return covered


def _state(running: Running) -> bytes:
    found: bytes = running.worker.book.derived[detection.TABLE]["detector"].state()
    return found


def _next(count: int = 3) -> list[Envelope]:
    rows = [[sample(number, 1500.0, 51.0 + number)] for number in range(count)]
    return [enveloped(EnvelopeKind.EVENTS, row, 1500.0, f"n{number}") for number, row in enumerate(rows)]


def test_what_has_no_turn_was_not_learned() -> None:
    running, beside = prepared(), prepared()
    assert _look(running, _next()) == 3
    _through(running, _next()[0])
    assert _state(running) != _state(beside)
    ahead.finish(running.worker.book)
    _through(beside, _next()[0])
    assert _state(running) == _state(beside)


def test_a_dropped_draft_leaves_its_verdicts_to_whoever_comes_again() -> None:
    running, beside = prepared(), prepared()
    _look(running, _next())
    _through(running, _next()[0], keep=False).drop()
    for envelope in _next():
        _through(running, envelope)
        _through(beside, envelope)
    ahead.finish(running.worker.book)
    assert _state(running) == _state(beside)


def test_what_was_dropped_is_not_learned_with_what_came_after_it() -> None:
    running, beside = prepared(), prepared()
    _look(running, _next())
    _through(running, _next()[0], keep=False).drop()
    _through(running, _next()[1])
    ahead.finish(running.worker.book)
    _through(beside, _next()[1])
    assert _state(running) == _state(beside)


def test_another_sample_than_was_expected_is_judged_in_its_turn_and_dropped_exactly() -> None:
    running, beside = prepared(), prepared()
    _look(running, _next())
    _through(running, _next()[0])
    other = enveloped(EnvelopeKind.EVENTS, [sample(1, 1490.0, 70.0), sample(2, 1490.0, 70.0)], 1500.0, "other")
    _through(running, other, keep=False).drop()
    _through(beside, _next()[0])
    assert _state(running) == _state(beside)
    for envelope in (other, *_next()[1:]):
        _through(running, envelope)
        _through(beside, envelope)
    ahead.finish(running.worker.book)
    assert _state(running) == _state(beside)


def test_it_looks_no_further_than_the_clock_and_its_limit() -> None:
    running = prepared()
    tick = enveloped(EnvelopeKind.TICK, None, 1500.0, "")
    assert _look(running, [*_next(2), tick, *_next()]) == 2
    assert _look(running, [tick, *_next()]) == 1
    rows = [sample(number, 1500.0 + number, 50.0) for number in range(ahead.MOST)]
    large = enveloped(EnvelopeKind.EVENTS, rows, 1500.0, "large")
    assert _look(running, [_next()[0], large]) == 1
