"""Faults of a simulated operation, found and told apart by the product's own line."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from data.records import Alert
from engine.simulator import DEFAULT_START, Simulator, truth
from engine.simulator.nuisance import NAMES as NUISANCE
from tests.bench.simulated_line import Played, moment, scenario

SCALE, DAYS, WARM_UP_DAYS = 0.1, 4, 1
#: Of each kind so many causes begin a day, over the world that is played.
A_DAY = 2.0
KINDS = ("power", "switch", "region", "weather", "illness", "firmware")
NETWORK = ("switch", "region")
TICK = timedelta(seconds=60)
AFTERMATH = timedelta(minutes=15)
#: What befalls people shows in what they do: types of alert that belong to it at its sites.
AT_SITE: Mapping[str, frozenset[str]] = {
    "weather": frozenset({"attendance_late", "attendance_geofence", "attendance_anomaly", "PictureDegraded"}),
    "illness": frozenset({"staffing_shortfall", "staffing_gap_predicted", "attendance_missed", "tour_missed"}),
}
#: What may announce a failure; of anomalies of metrics most are of something else, so they have no precision here.
WARNINGS = ("device_failure_predicted", "device_low_battery", "metric_anomaly")
#: A warning is of use so long before the failure.
LEAST_LEAD = timedelta(minutes=2)


@dataclass(slots=True)
class Raised:
    """An alert as it was when it was raised; `incident` is where it is at the end."""

    name: str
    entity: str
    site: str
    at: datetime
    event: str
    incident: int


@dataclass(slots=True)
class Cause:
    of: truth.Incident
    since: datetime
    until: datetime
    entities: frozenset[str]

    def claims(self, alert: Raised) -> bool:
        """Whether an alert is of this cause, by where and when; what no event of the cause brought about."""
        if not self.since <= alert.at <= self.until + AFTERMATH or alert.name in NUISANCE:
            return False
        if self.of.kind in AT_SITE:
            return alert.site in self.of.sites and alert.name in AT_SITE[self.of.kind]
        return alert.entity in self.entities


def run(seed: int, scale: float = SCALE, days: int = DAYS) -> dict[str, Any]:
    """Figures by kind of cause, and of the decline of single devices."""
    until, since = DEFAULT_START + timedelta(days=days), DEFAULT_START + timedelta(days=WARM_UP_DAYS)
    rates = dict.fromkeys((*KINDS, "service", "intrusion"), A_DAY / scale)
    with scenario(causes=rates, faults=0.05) as name:
        simulator = Simulator(seed, scale, scenario=name)
        raised = played(simulator, until)
    records = [*simulator.truth.records, *simulator.standing()]
    causes = [_cause(record, until) for record in records if isinstance(record, truth.Incident)]
    labels = labelled(raised.values(), causes)
    groups = {**{kind: (kind,) for kind in KINDS if kind not in NETWORK}, "network": NETWORK}
    found: dict[str, Any] = {
        group: _figures([cause for cause in causes if cause.of.kind in kinds and cause.since >= since], labels)
        for group, kinds in sorted(groups.items())
    }
    return {"alerts": len(raised), **found, "degradation": _degradation(raised.values(), records, (since, until))}


def played(simulator: Simulator, until: datetime) -> dict[int, Raised]:
    """All alerts of the operation by their number, put through the line with its ticks."""
    line, raised = Played(), dict[int, Raised]()
    next_tick = DEFAULT_START
    for event in simulator.events(until):
        at = moment(event["time"])
        while next_tick <= at:
            _note(raised, line, line.tick(next_tick), "")
            next_tick += TICK
        for batch in line.take(event):
            _note(raised, line, batch, event["id"])
    return raised


def _note(raised: dict[int, Raised], line: Played, batch: Any, event: str) -> None:
    for number in (*batch.alerts, *(number for kind, number in batch.gone if kind == "alert")):
        alert: Alert | None = line.book.alerts.get(number) or batch.gone.get(("alert", number))
        if alert is None:
            continue
        known = raised.get(number)
        if known is None:
            raised[number] = Raised(alert.name, alert.entity, alert.site, alert.starts_at, event, alert.incident)
        elif alert.incident:
            known.incident = alert.incident


def _cause(record: truth.Incident, until: datetime) -> Cause:
    end = moment(record.end) if record.end else until
    return Cause(record, moment(record.start), end, frozenset(record.entities))


def labelled(raised: Iterable[Raised], causes: list[Cause]) -> list[tuple[Raised, str]]:
    """Each alert with the id of its cause, "" for none: by the event that raised it, else by where and when."""
    by_event = {event: cause.of.id for cause in causes for event in cause.of.events}
    latest = sorted(causes, key=lambda cause: cause.since, reverse=True)
    return [
        (alert, by_event.get(alert.event) or next((one.of.id for one in latest if one.claims(alert)), ""))
        for alert in raised
    ]


def _figures(causes: list[Cause], labels: list[tuple[Raised, str]]) -> dict[str, Any]:
    mine: defaultdict[str, list[Raised]] = defaultdict(list)
    inside: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for alert, cause in labels:
        if cause:
            mine[cause].append(alert)
        inside[alert.incident][cause] += 1
    gathered, pure, minutes = [], [], []
    for cause in causes:
        alerts = mine[cause.of.id]
        if not alerts:
            continue
        (main, count), *_ = Counter(alert.incident for alert in alerts).most_common(1)
        gathered.append(count / len(alerts))
        pure.append(count / inside[main].total())
        minutes.append((min(alert.at for alert in alerts) - cause.since).total_seconds() / 60.0)
    return {
        "causes": len(causes),
        "recall": _mean([1.0] * len(gathered), len(causes)),
        "precision": _mean(pure, len(pure)),
        "gathered": _mean(gathered, len(gathered)),
        "minutes": round(median(minutes), 1) if minutes else None,
        "alerts": sum(len(mine[cause.of.id]) for cause in causes),
    }


def _degradation(raised: Iterable[Raised], records: list[Any], span: tuple[datetime, datetime]) -> dict[str, Any]:
    """Failures that announce themselves: how many were warned of, and how many warnings were of a device in decline."""
    declines: defaultdict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    failures = [one for one in records if isinstance(one, truth.Failure) and one.since]
    for record in records:
        if isinstance(record, truth.Decline):
            declines[record.device].append((moment(record.start), moment(record.end)))
    for failure in failures:
        declines[failure.device].append((moment(failure.since or failure.at), moment(failure.at)))
    warned: defaultdict[str, list[Raised]] = defaultdict(list)
    for alert in raised:
        if alert.name in WARNINGS and alert.at >= span[0]:
            warned[alert.entity].append(alert)
    seen = [one for one in failures if span[0] <= moment(one.since or one.at) and moment(one.at) <= span[1]]
    found: dict[str, Any] = {"failures": len(seen)}
    for name in (*WARNINGS, "any"):
        caught = sum(any(_in_time(alert, one) and name in (alert.name, "any") for alert in warned[one.device])
                     for one in seen)  # fmt: skip
        found[name] = {"recall": _mean([1.0] * caught, len(seen))}
    for name in WARNINGS[:2]:
        told = [alert for alerts in warned.values() for alert in alerts if alert.name == name]
        right = sum(any(begin <= alert.at <= end for begin, end in declines[alert.entity]) for alert in told)
        found[name] |= {"precision": _mean([1.0] * right, len(told)), "warnings": len(told)}
    return found


def _in_time(alert: Raised, failure: truth.Failure) -> bool:
    return moment(failure.since or failure.at) <= alert.at <= moment(failure.at) - LEAST_LEAD


def _mean(values: list[float], count: int) -> float | None:
    return round(sum(values) / count, 4) if count else None
