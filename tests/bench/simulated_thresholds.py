"""Thresholds that operators' verdicts move, against fixed ones, on series whose anomalies are known."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from msgspec.structs import replace

from data.nouns.baselines import Verdict
from data.nouns.samples import AnomalyRecord
from data.records import DEFAULT_TENANT
from engine.domain import baselines, samples
from engine.domain.events import DomainEvent
from engine.formats.cloudevents import parse_event
from engine.ports import EnvelopeKind, Received
from engine.rules import Rules
from engine.simulator import DEFAULT_START, Simulator, truth
from tests.bench.simulated_line import Played, moment, scenario

SCALE, DAYS, TUNED_DAYS = 0.08, 12, 5
#: Anomalies a day over the whole world.
A_DAY = 40.0
FIXED = (3.0, 3.5, 4.0, 5.0)
#: A verdict comes so long after the alarm, and on so many of them.
JUDGED_AFTER, JUDGED_SHARE = timedelta(minutes=30), 0.5
#: An alarm so long after the end of an anomaly is still of it: the way back is a change, too.
AFTER, SILENT_EVERY = timedelta(hours=1), timedelta(minutes=5)

Place = tuple[str, str]


class Known(NamedTuple):
    """A stretch that is not as it should be; `kind` "" = trouble of the device itself, which is not scored."""

    since: datetime
    until: datetime
    kind: str


class Alarm(NamedTuple):
    place: Place
    at: datetime


class Variant:
    """One way to set thresholds, with a line of its own. `judges`: operators say what was false."""

    def __init__(self, z: float, judges: bool, stretches: dict[Place, list[Known]], seed: int) -> None:
        rules = Rules()
        self.line = Played(replace(rules, domain=replace(rules.domain, z=z)))
        self.alarms: list[Alarm] = []
        self._judges, self._stretches, self._random = judges, stretches, random.Random(seed)
        self._waiting: list[tuple[datetime, str, Alarm]] = []
        self.verdicts = 0

    def take(self, events: Sequence[DomainEvent], at: datetime) -> None:
        self._judge(at)
        self._note(self.line.put(EnvelopeKind.EVENTS, list(events), at))

    def look(self, at: datetime) -> None:
        draft = self.line.draft(at)
        samples.look_at_series(draft)
        self._note(self.line.keep(draft))

    def _note(self, batch: Any) -> None:
        for record in batch.nouns.values():
            if isinstance(record, AnomalyRecord) and record.at == record.last_at and record.state == "open":
                alarm = Alarm(_place(record.name, record.labels), record.at)
                self.alarms.append(alarm)
                if self._judges and self._random.random() < JUDGED_SHARE:
                    self._waiting.append((record.at + JUDGED_AFTER, record.id, alarm))

    def _judge(self, now: datetime) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            _, anomaly, alarm = self._waiting.pop(0)
            draft = self.line.draft(now)
            found = baselines.baseline_of_anomaly(draft, anomaly)
            if found is not None:
                is_false = not covering(self._stretches, alarm)
                baselines.judge_anomaly(draft, found, Verdict(now, is_false, anomaly), "operator")
                self.verdicts += 1
            self.line.keep(draft)


def _place(name: str, labels: dict[str, str]) -> Place:
    return name, labels.get("device") or labels.get("site", "")


def covering(stretches: dict[Place, list[Known]], alarm: Alarm) -> list[Known]:
    """What an alarm may be of: a stretch of its series, or trouble of its device."""
    return [
        known
        for place in (alarm.place, ("", alarm.place[1]))
        for known in stretches.get(place, ())
        if known.since - timedelta(minutes=5) <= alarm.at <= known.until + AFTER
    ]


def _stretches(records: Sequence[Any], end: datetime) -> dict[Place, list[Known]]:
    found: defaultdict[Place, list[Known]] = defaultdict(list)
    for record in records:
        if isinstance(record, truth.Anomaly):
            known = Known(moment(record.start), moment(record.end), record.kind)
            found[_place(record.series, record.labels)].append(known)
        elif isinstance(record, truth.Failure):
            since = moment(record.since or record.at)
            found["", record.device].append(Known(since, min(end, moment(record.at) + timedelta(hours=6)), ""))
        elif isinstance(record, truth.Decline):
            found["", record.device].append(Known(moment(record.start), moment(record.end), ""))
    return found


def _deliveries(simulator: Simulator, until: datetime) -> Iterator[tuple[datetime, tuple[DomainEvent, ...]]]:
    for event in simulator.events(until):
        if event["type"] == "noc.sample":
            at = moment(event["time"])
            received = Received(body=b"", headers={}, source="simulator", tenant=DEFAULT_TENANT, now=at)
            parsed = parse_event(event, received)
            yield at, tuple(row for part in (parsed, *parsed.parts) for row in part.events)


def run(seed: int, scale: float = SCALE, days: int = DAYS, tuned_days: int = TUNED_DAYS) -> dict[str, Any]:
    """Each variant on the same samples; those of the first `tuned_days` are learned from and not scored."""
    until, since = DEFAULT_START + timedelta(days=days), DEFAULT_START + timedelta(days=tuned_days)
    with scenario(causes={}, alerts=0.0, flaps=0.0, distortions=A_DAY / scale) as name:
        first = Simulator(seed, scale, scenario=name)
        for _ in first.events(until):
            pass
        stretches = _stretches(first.truth.records, until)
        variants = {"self_tuned": Variant(3.0, True, stretches, seed)}
        variants |= {f"z {z:g}": Variant(z, False, stretches, seed) for z in FIXED}
        next_look = DEFAULT_START
        for at, events in _deliveries(Simulator(seed, scale, scenario=name), until):
            for variant in variants.values():
                variant.take(events, at)
                if at >= next_look:
                    variant.look(at)
            if at >= next_look:
                next_look = at + SILENT_EVERY
    places = len(samples.series_of(variants["self_tuned"].line.draft(until)))
    scored = {name: _score(one, stretches, since, places * (days - tuned_days)) for name, one in variants.items()}
    return _told(scored, variants["self_tuned"].verdicts, places)


def _score(of: Variant, stretches: dict[Place, list[Known]], since: datetime, series_days: float) -> dict[str, Any]:
    alarms: defaultdict[Place, list[datetime]] = defaultdict(list)
    wrong = 0
    for alarm in of.alarms:
        alarms[alarm.place].append(alarm.at)
        wrong += alarm.at >= since and not covering(stretches, alarm)
    there: defaultdict[str, list[bool]] = defaultdict(list)
    for place, known in stretches.items():
        for one in known:
            if one.kind and one.since >= since:
                caught = any(one.since <= at <= one.until + timedelta(minutes=10) for at in alarms[place])
                there[one.kind].append(caught)
    every = [caught for found in there.values() for caught in found]
    return {
        "recall": sum(every) / max(1, len(every)),
        "false_alarms": wrong,
        "false_alarms_per_1000_series_days": 1000.0 * wrong / series_days,
        "anomalies": len(every),
        "by_kind": {kind: [sum(found), len(found)] for kind, found in sorted(there.items())},
    }


def _told(scored: dict[str, dict[str, Any]], verdicts: int, series: int) -> dict[str, Any]:
    tuned = scored["self_tuned"]
    curve = sorted((scored[f"z {z:g}"]["false_alarms"], scored[f"z {z:g}"]["recall"]) for z in FIXED)
    equal = at_equal(curve, tuned["false_alarms"])
    return {
        "series": series,
        "anomalies": tuned["anomalies"],
        "verdicts": verdicts,
        "fixed_z3": _rounded(scored["z 3"]),
        "self_tuned": _rounded(tuned),
        "fixed": {
            f"{z:g}": [scored[f"z {z:g}"]["false_alarms"], round(scored[f"z {z:g}"]["recall"], 4)] for z in FIXED
        },
        "fixed_recall_at_equal_false_alarms": None if equal is None else round(equal, 4),
        "gain_at_equal_false_alarms": None if equal is None else round(tuned["recall"] - equal, 4),
    }


def at_equal(curve: Sequence[tuple[float, float]], wanted: float) -> float | None:
    """The recall that a common threshold has at so many false alarms, between two that were tried; None outside.

    >>> at_equal([(10, 0.5), (20, 0.7)], 15)
    0.6
    """
    for (low, below), (high, above) in pairwise(curve):
        if low <= wanted <= high:
            share = (wanted - low) / (high - low) if high > low else 0.0
            return below + share * (above - below)
    return None


def _rounded(found: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in found.items()}
