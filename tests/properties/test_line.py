"""What holds for every stream of signals: cuts, crashes, repetition, order, tenants, dropped drafts."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from data.matchers import parse_matchers
from data.records import DEFAULT_TENANT, IncidentId, Severity, Signal, TenantId
from data.scope import CAPABILITIES, Scope
from engine import pipeline
from engine.book import Book, Draft
from engine.client import Command
from engine.ports import Envelope, EnvelopeKind
from engine.restore import restore
from engine.rules import Rules, inhibit_rule
from engine.stages.apply import Asked
from tests.fakes.line import T0, Line, at, signal
from tests.fakes.memory_store import MemoryStore, digest, memory, picture

OTHER = TenantId("other")
#: A cap that streams of some dozen alerts reach, and inhibition between what they name.
RULES = Rules(
    cap_alerts=6,
    inhibitions=(
        inhibit_rule("gate", parse_matchers('alertname="LinkDown"'), parse_matchers('alertname="PingLost"'), ("site",)),
    ),
)
_TITLES = {"LinkDown": "link down", "PingLost": "no answer to ping", "BatteryLow": "battery low on reader"}


class Step(Struct, frozen=True):
    """Something that comes in: `after` seconds since the step before, an act or signals."""

    after: float
    rows: tuple[tuple[str, str, str, str, float, bool], ...] = ()
    act: str = ""
    tenant: str = "default"


_row = st.tuples(
    st.sampled_from("abcd"),
    st.sampled_from(sorted(_TITLES)),
    st.sampled_from(["Depot", "Harbour"]),
    st.sampled_from(["critical", "medium", "low"]),
    st.sampled_from([0.0, 0.0, 1.0, 30.0, 200.0]),
    st.booleans(),
)
_ACTS = ["ack", "unack", "resolve", "close", "note", "assign", "shelve", "silence", "merge", "split", "undo"]
_step = st.builds(
    Step,
    st.sampled_from([0.0, 1.0, 5.0, 61.0, 700.0, 2500.0]),
    st.lists(_row, min_size=1, max_size=4).map(tuple),
    st.sampled_from(["", "", "", "", "tick", "tick", *_ACTS]),
)
_steps = st.lists(_step, min_size=1, max_size=25)
_many = settings(max_examples=10_000 if os.environ.get("NIGHTLY") == "1" else 300, deadline=None)


def row_signal(row: tuple[str, str, str, str, float, bool], now: float) -> Signal:
    entity, name, site, severity, age, over = row
    key = f"{entity}/{name}/{site}"
    fields: dict[str, Any] = {"name": name, "site": site, "entity": entity, "title": _TITLES[name]}
    if over:
        return signal(key, now - age - 10, ends=now - age, severity=Severity(severity), **fields)
    return signal(key, now - age, severity=Severity(severity), ends_at=at(now - age + 3600), **fields)


def envelopes(steps: Sequence[Step]) -> list[Envelope]:
    """The steps as stamped envelopes, each under an id of its own."""
    found, now = [], 0.0
    for number, step in enumerate(steps):
        now += step.after
        found.append(_envelope(step, number, now))
    return found


def _envelope(step: Step, number: int, now: float) -> Envelope:
    tenant, stamp = TenantId(step.tenant), at(now)
    if step.act == "tick":
        return Envelope(kind=EnvelopeKind.TICK, tenant=tenant, source="tick", payload=None, at=stamp)
    if step.act:
        scope = Scope(tenant=tenant, actor="ana", capabilities=CAPABILITIES)
        asked: Any = Asked(command=_command(step, number), scope=scope)
        kind = EnvelopeKind.COMMAND
    else:
        asked, kind = [row_signal(row, now) for row in step.rows], EnvelopeKind.SIGNALS
    return Envelope(kind=kind, tenant=tenant, source="test", payload=asked, id=f"{number}", at=stamp)


def _command(step: Step, number: int) -> Command:
    """Targets by small numbers, so that some are there: refusals are part of the stream."""
    dice = random.Random(f"{number}/{step.rows}")
    params: dict[str, Any] = {
        "ack": {"minutes": dice.choice([0, 1, 20])},
        "note": {"text": "seen"},
        "assign": {"owner": "bo"},
        "shelve": {"minutes": 2},
        "silence": {"matchers": f'site="{step.rows[0][2]}"', "minutes": dice.choice([1, 30])},
    }.get(step.act, {})
    numbers = [dice.randint(1, 6) for _ in range(3 if step.act == "merge" else 1)]
    kind = {"split": "alert", "undo": "undo"}.get(step.act, "incident")
    targets = () if step.act == "silence" else tuple(f"{kind}:{number}" for number in numbers)
    return Command(verb=step.act, targets=targets, params=params, request=f"{number}")


def run(batches: Sequence[Sequence[Envelope]], rules: Rules = RULES) -> Line:
    line = Line(rules)
    for batch in batches:
        line.now = batch[-1].at or line.now
        line.put(*(_named(line.store, envelope) for envelope in batch))
    return line


def _named(store: MemoryStore, envelope: Envelope) -> Envelope:
    """An act with the targets that the desk would give it: merged incidents followed, and for an undo the youngest
    that there is, as its id is known only to the run."""
    if envelope.kind is not EnvelopeKind.COMMAND:
        return envelope
    asked = envelope.payload
    targets = tuple(_followed(store, target) for target in asked.command.targets)
    if asked.command.verb == "undo":
        youngest = max(store.undos.values(), key=lambda undo: (undo.at, undo.id), default=None)
        targets = (f"undo:{youngest.id}",) if youngest is not None else ()
    return replace(envelope, payload=Asked(command=replace(asked.command, targets=targets), scope=asked.scope))


def _sent_again(store: MemoryStore, batch: Sequence[Envelope]) -> list[Envelope]:
    """What a sender repeats who got no answer; an act that was refused may be allowed by now, so it is left out."""
    return [item for item in batch if (item.tenant, item.source, item.id) in store.seen]


def _followed(store: MemoryStore, target: str) -> str:
    kind, _, number = target.partition(":")
    found = store.incidents.get(IncidentId(int(number))) if kind == "incident" else None
    while found is not None and found.merged_into is not None:
        found = store.incidents[found.merged_into]
    return target if found is None else f"incident:{found.id}"


def cut(items: Sequence[Envelope], dice: random.Random) -> list[list[Envelope]]:
    """Batches of 1 to 6; an act begins one, as its targets are looked up in what is committed."""
    batches: list[list[Envelope]] = []
    room = 0
    for item in items:
        if room == 0 or item.kind is EnvelopeKind.COMMAND:
            batches.append([])
            room = dice.randint(1, 6)
        batches[-1].append(item)
        room -= 1
    return batches


@_many
@given(_steps, st.randoms(use_true_random=False))
def test_any_cut_into_batches_is_stored_alike(steps: list[Step], dice: random.Random) -> None:
    stream = envelopes(steps)
    assert picture(run(cut(stream, dice)).store) == picture(run([[item] for item in stream]).store)


@_many
@given(st.lists(_row, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_any_cut_of_rows_into_envelopes_comes_to_the_same(rows: list[Any], dice: random.Random) -> None:
    """Alerts, memberships, clusters, states and timelines; not versions, the points of other incidents at the site
    and the steps of a severity, which are taken once per envelope."""
    signals = [row_signal(row, now * 20.0 // 60 * 60) for now, row in enumerate(rows)]
    stamps = [T0 + timedelta(seconds=now * 20.0 // 60 * 60) for now in range(len(rows))]

    def fed(most: int) -> Line:
        line = Line(RULES)
        pending: list[Signal] = []
        for number, (row, stamp) in enumerate(zip(signals, stamps, strict=True)):
            pending.append(row)
            last = number + 1 == len(rows) or stamps[number + 1] != stamp
            if last or dice.randint(1, most) == 1:
                line.now = stamp
                line.take(*pending)
                pending = []
        return line

    assert _states(fed(4).store) == _states(fed(1).store)


def _states(store: MemoryStore) -> dict[str, Any]:
    found = picture(store)
    varying = ("version", "priority", "contributions", "notices", "last_at", "due_at", "muted")
    for incident in found["incidents"]:
        for name in varying:
            incident.pop(name, None)
    found["timeline"] = [entry for entry in found["timeline"] if b'"severity_rose"' not in entry]
    return {name: found[name] for name in ("alerts", "clusters", "incidents", "timeline", "patterns")}


@_many
@given(_steps, st.integers(0, 30), st.randoms(use_true_random=False))
def test_a_crash_at_any_commit_changes_nothing(steps: list[Step], crash: int, dice: random.Random) -> None:
    """What was not committed is taken again, and so is the last batch, of which the answer was lost."""
    batches = cut(envelopes(steps), dice)
    line = Line(RULES)
    for number, batch in enumerate(batches):
        line.now = batch[-1].at or line.now
        named = [_named(line.store, envelope) for envelope in batch]
        line.put(*named)
        if number == crash % len(batches):
            line.restart()
            line.put(*_sent_again(line.store, named))
    assert picture(line.store) == picture(run(batches).store)


@_many
@given(_steps)
def test_a_book_read_back_is_the_book(steps: list[Step]) -> None:
    line = run([[item] for item in envelopes(steps)])
    again = restore(line.store.snapshot(line.now, RULES.recent_seconds), RULES)
    assert memory(again) == memory(line.book)


@_many
@given(_steps, _step)
def test_a_dropped_draft_leaves_no_trace(steps: list[Step], last: Step) -> None:
    line = run([[item] for item in envelopes(steps)])
    (envelope,) = envelopes([replace(last, after=(line.now - T0).total_seconds() + last.after)])
    envelope = replace(_named(line.store, envelope), id="the last")
    tables = _tables(line.book)
    draft = Draft(line.book, RULES, envelope.tenant, envelope.at or line.now)
    pipeline.run(draft, envelope)
    draft.drop()
    assert _tables(line.book) == tables


def _tables(book: Book) -> dict[str, Any]:
    """Everything but the two heaps, whose entries are hints that are checked when they come up, and the index of runs,
    which a dropped draft takes along and which is learned anew."""
    kept = {name: value for name, value in vars(book).items() if name not in ("ending", "timers")}
    kept["derived"] = {name: table for name, table in book.derived.items() if name != "playbooks.due"}
    return deepcopy(kept)


@_many
@given(st.lists(_row, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_repetition_and_order_do_not_matter_to_alerts(rows: list[Any], dice: random.Random) -> None:
    """Whether a key fires and when it ended, for any order; and its beginning, while its incident waits for an ack
    (an incident that ended in between has given the key a new episode, which another order does not)."""
    signals = [row_signal((*row[:3], "high", 0.0, row[5]), 30.0 * number) for number, row in enumerate(rows)]
    late = T0 + timedelta(seconds=30.0 * len(rows))

    def ends(order: Sequence[Signal]) -> dict[str, Any]:
        line = Line(Rules())
        line.now = late
        for row in order:
            line.take(row)
        return {
            key: (alert.name, alert.ended_at is None, alert.starts_at if alert.incident else None, alert.ended_at)
            for key in line.book.current[DEFAULT_TENANT]
            for alert in [line.alert(key)]
        }

    order = [row for row in signals for _ in range(10)]
    dice.shuffle(order)
    assert ends(order) == ends(signals)


@_many
@given(_steps, _steps, st.randoms(use_true_random=False))
def test_a_tenant_never_feels_another(mine: list[Step], theirs: list[Step], dice: random.Random) -> None:
    alone = run([[item] for item in envelopes(_only_signals(mine))])
    both = [replace(item, id="") for item in envelopes(_only_signals(mine))]
    others = [
        replace(item, tenant=OTHER, id=f"other-{item.id}")
        for item in envelopes([step for step in theirs if step.act != "undo"])
        if item.kind is EnvelopeKind.SIGNALS
    ]
    mixed = sorted((*both, *others), key=lambda item: (item.at, dice.random()))
    line = run([[item] for item in _in_order(mixed, both)])
    assert _of(line.store, DEFAULT_TENANT) == _of(alone.store, DEFAULT_TENANT)


def _in_order(mixed: list[Envelope], mine: list[Envelope]) -> list[Envelope]:
    """The mix with my own envelopes in the order they had."""
    rest = iter(mine)
    return [next(rest) if item.tenant == DEFAULT_TENANT else item for item in mixed]


def _only_signals(steps: list[Step]) -> list[Step]:
    return [step for step in steps if not step.act]


def _of(store: MemoryStore, tenant: TenantId) -> dict[str, Any]:
    """What a tenant has, its ids counted from 1 in their order."""
    alerts = sorted((alert for alert in store.alerts.values() if alert.tenant == tenant), key=lambda alert: alert.id)
    incidents = sorted(found.id for found in store.incidents.values() if found.tenant == tenant)
    rank = {number: position for position, number in enumerate(incidents, 1)}
    return {
        "alerts": [
            (alert.key, alert.state, alert.starts_at, alert.ended_at, alert.count, rank.get(alert.incident, 0))
            for alert in alerts
        ],
        "incidents": [
            (found.title, found.state, found.alerts, found.firing, found.events, found.severity, found.priority)
            for number in incidents
            for found in [store.incidents[number]]
        ],
    }


def _stream(dice: random.Random) -> list[Step]:
    """A longer stream than hypothesis makes by itself."""

    def row() -> tuple[str, str, str, str, float, bool]:
        return (
            dice.choice("abcd"),
            dice.choice(sorted(_TITLES)),
            dice.choice(["Depot", "Harbour"]),
            dice.choice(["critical", "medium", "low"]),
            dice.choice([0.0, 0.0, 1.0, 30.0, 200.0]),
            dice.random() < 0.4,
        )

    return [
        Step(
            dice.choice([0.0, 1.0, 5.0, 61.0, 700.0, 2500.0]),
            tuple(row() for _ in range(dice.randint(1, 4))),
            dice.choice(["", "", "", "", "tick", "tick", *_ACTS]),
        )
        for _ in range(40)
    ]


@pytest.mark.parametrize("seed", range(60))
def test_long_streams_survive_crashes_at_every_fifth_commit(seed: int) -> None:
    dice = random.Random(seed)
    stream = envelopes(_stream(dice))
    batches = cut(stream, dice)
    line = Line(RULES)
    for number, batch in enumerate(batches):
        line.now = batch[-1].at or line.now
        named = [_named(line.store, envelope) for envelope in batch]
        line.put(*named)
        if number % 5 == 0:
            line.restart()
            line.put(*_sent_again(line.store, named))
    assert picture(line.store) == picture(run([[item] for item in stream]).store)


def test_the_digest_sees_a_difference() -> None:
    one, two = Line(), Line()
    one.fire("a")
    two.fire("a")
    assert digest(one.store) == digest(two.store)
    two.later(1).fire("a", 0)
    assert digest(one.store) != digest(two.store)
