"""Times on the line: ends that were cut off, ticks that come late, what expires, and what is known for how long."""

from __future__ import annotations

from datetime import timedelta

import pytest

from data.records import IncidentState, Severity
from engine.clock import SystemClock
from engine.ports import Envelope, EnvelopeKind, Overloaded, Receipt
from engine.rules import Rules
from engine.scheduler import Scheduler
from engine.telemetry import Telemetry
from tests.fakes.line import T0, Line, at, signal

# -- ends that were cut off


@pytest.mark.parametrize(("begun", "ends"), [(10.7, 10), (10.0004, 10), (10.1237, 10.123)])
def test_an_end_that_was_cut_to_the_second_or_millisecond_ends_what_began_within_it(begun: float, ends: float) -> None:
    line = Line().at(begun)
    line.fire("a", begun, undated=True)
    line.later(0.3).take(signal("a", ends, ends=ends, undated=True))
    alert = line.alert("a")
    assert alert.ended_at == alert.starts_at == at(begun)


@pytest.mark.parametrize(("begun", "ends"), [(10.7, 9), (11.0, 10), (10.7, 10.1234), (10.1241, 10.123)])
def test_an_end_from_before_the_beginning_is_of_an_older_stretch(begun: float, ends: float) -> None:
    line = Line().at(begun)
    line.fire("a", begun)
    line.later(0.3).take(signal("a", ends, ends=ends, undated=True))
    assert line.alert("a").ended_at is None


# -- ticks


def test_a_late_tick_does_what_was_due_since_the_one_before() -> None:
    line = Line()
    line.fire("a")
    line.later(1).take(signal("a", 0))
    line.later(1).tick()
    before = line.now
    assert line.incident("a").events == 1
    line.later(4.5)
    line.put(line.envelope(EnvelopeKind.TICK, before))
    assert line.incident("a").events == 2


def test_a_late_tick_scores_the_incidents_whose_turn_was_missed() -> None:
    line = Line(Rules(sla_minutes={Severity.HIGH: 240.0}))
    line.fire("a")
    number = line.incident("a").id
    scored = line.incident("a").priority
    line.at(7200 + number % 60 + 7)
    line.put(line.envelope(EnvelopeKind.TICK, line.now - timedelta(seconds=5)))
    assert line.incident("a").priority == scored
    line.later(1)
    line.put(line.envelope(EnvelopeKind.TICK, line.now - timedelta(seconds=30)))
    assert line.incident("a").priority > scored


async def test_each_tick_carries_the_time_of_the_last_one_that_was_taken() -> None:
    clock = _Stepping()
    taken: list[Envelope] = []

    async def emit(envelope: Envelope) -> Receipt:
        taken.append(envelope)
        if len(taken) == 2:
            raise Overloaded(1.0)
        if len(taken) == 4:
            raise _Enough
        return Receipt(partition=0, seq=0)  # type: ignore[arg-type]

    with pytest.raises(_Enough):
        await Scheduler(clock, "t", Telemetry()).run(emit)  # type: ignore[arg-type]
    first = taken[1].payload
    assert [row.payload for row in taken] == [None, first, first, first + timedelta(seconds=2)]


class _Enough(Exception):
    pass


class _Stepping(SystemClock):
    """Sleeping is all that takes time."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self):  # type: ignore[no-untyped-def]
        return T0 + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


# -- what expires


@pytest.mark.parametrize("verb", ["ack", "shelve"])
def test_what_expires_raises_the_version(verb: str) -> None:
    line = Line()
    line.fire("a")
    line.act(verb, f"incident:{line.incident('a').id}", minutes=1.0)
    version = line.incident("a").version
    line.tick(61)
    incident = line.incident("a")
    assert (incident.ack, incident.shelved_until) == (None, None)
    assert incident.version == version + 1


def test_a_silence_may_end_at_the_end_of_the_calendar() -> None:
    line = Line()
    line.fire("a")
    line.act("silence", matchers='alertname="LinkDown"', ends_at="9999-12-31T23:59:59.999Z")
    assert line.alert("a").silenced_by
    line.tick(1).restart().tick(86_400 * 400)
    assert line.alert("a").silenced_by


# -- last news


def moments(line: Line) -> dict[str, object]:
    return {"a": line.incident("a").last_at, "b": line.incident("b").last_at}


def test_merge_split_and_undo_leave_the_time_of_the_newest_news() -> None:
    line = Line()
    line.at(0).fire("a")
    line.at(60).fire("b", site="Quay", name="DiskFull", title="disk is full", severity=Severity.CRITICAL)
    one, two = line.incident("a"), line.incident("b")
    merged = line.at(3600).act("merge", f"incident:{one.id}", f"incident:{two.id}")
    assert line.incident("a").last_at == at(60)
    line.at(3700).act("undo", f"undo:{merged.undo}")
    assert moments(line) == {"a": at(0), "b": at(60)}
    line.at(3800).act("merge", f"incident:{one.id}", f"incident:{two.id}")
    line.at(3900).act("split", f"alert:{line.alert('b').id}")
    assert moments(line) == {"a": at(0), "b": at(60)}


def test_a_merge_that_was_undone_leaves_each_incident_with_its_own() -> None:
    line = Line()
    line.at(0).fire("a")
    line.at(1).fire("a2")
    line.at(60).fire("b", site="Quay", name="DiskFull", title="disk is full", severity=Severity.CRITICAL)
    line.at(61).take(signal("b", 60, site="Quay", name="DiskFull", title="disk is full", severity=Severity.CRITICAL))
    line.at(65).tick()
    kept = ("sites", "names", "clusters", "alerts", "firing", "events", "severity", "root", "title", "due_at", "state")
    before = {key: {name: getattr(line.incident(key), name) for name in kept} for key in ("a", "b")}
    priority = {key: line.incident(key).priority for key in ("a", "b")}
    merged = line.at(70).act("merge", f"incident:{line.incident('a').id}", f"incident:{line.incident('b').id}")
    line.at(75).tick()
    joined = line.incident("a")
    assert (joined.alerts, joined.events, joined.severity) == (3, 4, Severity.CRITICAL)
    assert (joined.sites, joined.names) == (("Depot", "Quay"), ("LinkDown", "DiskFull"))
    line.at(78).act("undo", f"undo:{merged.undo}")
    line.at(80).tick()
    assert {key: {name: getattr(line.incident(key), name) for name in kept} for key in ("a", "b")} == before
    assert {key: line.incident(key).priority for key in ("a", "b")} == pytest.approx(priority, abs=1.0)
    assert line.incident("b").state is IncidentState.OPEN


# -- what is known for how long


def test_a_delivery_is_known_for_a_day_live_and_after_a_restart() -> None:
    for restarts in (False, True):
        line = Line()
        for seconds, count in ((0, 1), (80_000, 1), (86_399, 1), (86_401, 2), (86_402, 2)):
            line.at(seconds)
            if restarts:
                line.restart()
            line.put(line.envelope(EnvelopeKind.SIGNALS, [signal("a", 0)], id="once"))
            assert line.alert("a").count == count


def test_keys_that_are_too_old_leave_memory() -> None:
    line = Line(Rules(seen_limit=50))
    for number in range(200):
        line.at(number).put(line.envelope(EnvelopeKind.SIGNALS, [], id=f"d{number}"))
    assert len(line.book.seen) == 50
    line.at(90_000)
    for number in range(20):
        line.put(line.envelope(EnvelopeKind.SIGNALS, [], id=f"e{number}"))
    assert len(line.book.seen) == 20
