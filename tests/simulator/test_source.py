"""The simulator as a source: through the door of posted events, at the clock's pace, nothing lost when refused."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from data.records import Partition, TenantId
from engine.domain.events import DeviceData, DomainEvent, SampleData
from engine.ports import Envelope, EnvelopeKind, Overloaded, Receipt
from engine.simulator import truth
from engine.simulator.pace import PacedClock
from engine.simulator.source import ROWS, Play, SimulatorSource
from tests.fakes.still_clock import StillClock
from tests.fakes.world import NOW

SMALL = Play(seed=4, scale=0.2, history_hours=2.0)


class Enough(Exception):
    """The test has seen what it wanted."""


class StoppingClock(StillClock):
    """Ends the source at its n-th pause between two looks at the simulator."""

    def __init__(self, pauses: int) -> None:
        super().__init__()
        self.left = pauses

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        if seconds == 1.0:
            self.left -= 1
            if not self.left:
                raise Enough


class Taker:
    """An inbox that takes everything, or refuses each n-th envelope once."""

    def __init__(self, refuse_each: int = 0) -> None:
        self.refuse_each, self.offered = refuse_each, 0
        self.taken: list[Envelope] = []
        self.when: list[Any] = []
        self.refused = 0

    async def emit(self, envelope: Envelope) -> Receipt:
        self.offered += 1
        if self.refuse_each and self.offered % self.refuse_each == 0:
            self.refused += 1
            raise Overloaded(0.5)
        self.taken.append(envelope)
        return Receipt(partition=Partition(0), seq=len(self.taken))

    def events(self) -> list[DomainEvent]:
        return [row for envelope in self.taken if envelope.kind is EnvelopeKind.EVENTS for row in envelope.payload]

    def rows(self) -> Counter[str]:
        return Counter(
            f"{row.type}/{row.id}/{row.row}" if isinstance(row, DomainEvent) else f"{row.labels}/{row.starts_at}"
            for envelope in self.taken
            for row in envelope.payload
        )


async def played(clock: StoppingClock, taker: Taker, play: Play = SMALL) -> SimulatorSource:
    source = SimulatorSource(play, clock, TenantId("main"))
    with pytest.raises(Enough):
        await source.run(taker.emit)
    return source


async def test_the_last_hours_come_first_and_then_each_second() -> None:
    taker = Taker()
    source = await played(StoppingClock(1), taker)
    assert source.simulator is not None
    assert {envelope.kind for envelope in taker.taken} == {EnvelopeKind.EVENTS, EnvelopeKind.SIGNALS}
    at = [event.at for event in taker.events()]
    assert min(at) < NOW - timedelta(hours=2) < NOW - timedelta(minutes=1) < max(at) <= NOW
    history = len(taker.taken)
    await played(StoppingClock(120), taker)
    assert len(taker.taken) > 2 * history


async def test_the_routine_of_the_past_is_thinned_and_the_rest_is_whole() -> None:
    taker = Taker()
    source = await played(StoppingClock(1), taker)
    events = taker.events()
    fresh = NOW - timedelta(minutes=10)
    sampled = Counter(
        (event.data.labels["site"], event.at)
        for event in events
        if isinstance(event.data, SampleData) and event.at < fresh
    )
    per_site = Counter(site for site, _ in sampled)
    assert per_site and max(per_site.values()) <= 3
    for event in events:
        if isinstance(event.data, DeviceData) and event.at < fresh:
            assert event.data.status != "seen" or event.data.type is not None
    assert source.simulator is not None
    world = source.simulator.world
    assert len({event.data.id for event in events if isinstance(event.data, DeviceData)}) == len(world.devices)


async def test_the_past_is_told_in_its_order_and_with_its_times() -> None:
    taker = Taker()
    source = await played(StoppingClock(1), taker)
    told = [envelope for envelope in taker.taken if envelope.at is not None]
    assert told and all(envelope.at is None for envelope in taker.taken[: len(taker.taken) - len(told)])
    times = [envelope.at for envelope in told]
    assert times == sorted(times, key=str)
    for envelope in told:
        assert all(row.at <= envelope.at for row in envelope.payload if isinstance(row, DomainEvent))
    live = len(taker.taken)
    assert source.live and not source.behind
    with pytest.raises(Enough):
        source._clock.left = 1  # type: ignore[attr-defined]
        await source.run(taker.emit)
    assert all(envelope.at is None for envelope in taker.taken[live:])


async def test_deliveries_are_small() -> None:
    taker = Taker()
    await played(StoppingClock(3), taker)
    assert max(len(envelope.payload) for envelope in taker.taken) < 2 * ROWS


async def test_what_is_refused_comes_again_and_nothing_twice() -> None:
    smooth, rough = Taker(), Taker(refuse_each=3)
    await played(StoppingClock(1), smooth)
    await played(StoppingClock(1), rough)
    assert rough.refused > 3
    assert max(rough.rows().values()) == 1
    assert smooth.rows() == {key: 1 for key in smooth.rows()}
    # The refusals took time, in which a little more has happened.
    assert smooth.rows().keys() <= rough.rows().keys()


async def test_truth_goes_to_whoever_asked_and_is_not_kept() -> None:
    records: list[truth.Record] = []
    clock = StoppingClock(2)
    source = SimulatorSource(
        Play(seed=4, scale=0.3, history_hours=6), clock, TenantId("main"), lambda found: records.extend(found)
    )
    with pytest.raises(Enough):
        await source.run(Taker().emit)
    assert records
    assert source.simulator is not None
    assert not source.simulator.truth.records
    assert all(isinstance(record, truth.Incident) for record in source.standing())


async def test_an_act_reaches_the_world() -> None:
    source = await played(StoppingClock(1), Taker())
    assert source.simulator is not None
    gateway = source.simulator.world.sites[0].of_type("gateway")[0]
    assert source.act("restart_service", gateway.id) in ("harm", "nothing", "ended")
    assert [row.kind for row in source.simulator.truth.records if isinstance(row, truth.Act)] == ["restart_service"]
    assert SimulatorSource(SMALL, StillClock(), TenantId("main")).act("restart_service", gateway.id) == "nothing"


async def test_a_paced_clock_runs_ahead_and_waits_for_real() -> None:
    inner = StillClock()
    clock = PacedClock(inner, 60)
    await clock.sleep(2)
    assert clock.now() == NOW + timedelta(minutes=2)
    assert clock.monotonic() == inner.monotonic()
    with pytest.raises(ValueError, match="speed"):
        PacedClock(inner, 0)
