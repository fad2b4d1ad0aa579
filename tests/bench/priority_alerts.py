"""Triage of single alerts on the AIT data set, through the line: see `tests.bench.priority`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import log
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from data.records import Severity, Signal, SignalStatus
from engine.priority import novelty
from tests.bench.ait import GAP_SECONDS, Moment, moments
from tests.bench.priority import SEEN_SCENARIOS, average_precision, interval, mean, say
from tests.fakes.line import Line

#: Series in one envelope.
ENVELOPE = 200


class Judged(NamedTuple):
    """Of each series, in order of its beginning."""

    truth: Any
    unusual: Any
    rarity: Any
    #: By incident: whether an attack is in it, and its priority.
    incident_truth: Any
    incident_priority: Any


class Opening(NamedTuple):
    """A series at its first moment; whether its later ones were an attack is only known to the truth."""

    moment: Moment
    number: int


def series(found: list[Moment]) -> tuple[list[Opening], list[bool]]:
    """The series in order of their beginning, and whether any event of each was an attack step."""
    last: dict[tuple[str, str], tuple[int, float]] = {}
    openings: list[Opening] = []
    truth: list[bool] = []
    for moment in sorted(found, key=lambda moment: moment.at):
        key = (moment.name, moment.host)
        number, at = last.get(key, (-1, 0.0))
        if number < 0 or moment.at - at > GAP_SECONDS:
            number = len(openings)
            openings.append(Opening(moment, number))
            truth.append(False)
        truth[number] = truth[number] or moment.step != "-"
        last[key] = (number, moment.at)
    return openings, truth


def signals(openings: list[Opening]) -> Iterator[Signal]:
    for moment, number in openings:
        at = datetime.fromtimestamp(moment.at, UTC)
        sensor, _, words = moment.name.partition(": ")
        yield Signal(
            source=sensor,
            key=str(number),
            name=moment.name,
            severity=Severity.MEDIUM,
            status=SignalStatus.FIRING,
            title=words or moment.name,
            site="",
            entity=moment.host,
            entity_type="host",
            service="",
            client="",
            correlation="",
            starts_at=at,
            ends_at=at + timedelta(days=2),
            labels={"alertname": moment.name, "host": moment.host},
            annotations={},
        )


def judged(path: Path) -> Judged:
    openings, truth = series(list(moments(path)))
    line = Line()
    unusual, rarity = np.zeros(len(truth)), np.zeros(len(truth))
    counts: dict[str, int] = {}
    bad: dict[int, bool] = {}
    priority: dict[int, float] = {}
    waiting = list(signals(openings))
    for start in range(0, len(waiting), ENVELOPE):
        part = waiting[start : start + ENVELOPE]
        line.now = part[-1].starts_at
        line.take(*part)
        for row in part:
            alert, number = line.alert(row.key), int(row.key)
            unusual[number] = alert.unusual
            rarity[number] = -log((counts.get(row.name, 0) + 0.5) / (number + 1))
            counts[row.name] = counts.get(row.name, 0) + 1
            bad[alert.incident] = bad.get(alert.incident, False) or truth[number]
            incident = line.book.incidents[alert.incident]
            priority[alert.incident] = max(priority.get(alert.incident, 0.0), incident.priority)
        line.take(*(replace(row, status=SignalStatus.RESOLVED, ends_at=line.now) for row in part))
    numbers = sorted(bad)
    return Judged(
        np.array(truth, int),
        unusual,
        rarity,
        np.array([bad[number] for number in numbers], int),
        np.array([priority[number] for number in numbers]),
    )


def measure_alerts(paths: list[Path], ablate: bool) -> dict[str, Any]:
    found = {}
    for path in paths:
        name = path.name.removesuffix("_alerts.csv.xz")
        say(f"{name} …")
        found[name] = judged(path)
    answer = _summary(found)
    answer["in_sample"] = bool(SEEN_SCENARIOS & found.keys())
    if ablate:
        answer["without"] = {name: _without(paths, name) for name in novelty.WEIGHTS}
    return answer


def _summary(found: dict[str, Judged]) -> dict[str, Any]:
    aps = {name: average_precision(one.truth, one.unusual) for name, one in found.items()}
    truth = np.concatenate([one.truth for one in found.values()])
    scores = np.concatenate([one.unusual for one in found.values()])
    return {
        "bench": "priority",
        "data": "ait_ads",
        "series": len(truth),
        "base_rate": round(float(truth.mean()), 4),
        "triage_ap": round(mean(list(aps.values())), 3),
        "triage_ap_by_scenario": {name: round(value, 3) for name, value in aps.items()},
        "triage_ap_interval": _interval_of_mean(found),
        "triage_ap_pooled": round(average_precision(truth, scores), 3),
        "precision_at_100": round(mean([_precision(one, 100) for one in found.values()]), 3),
        "precision_at_positives": round(mean([_precision(one, int(one.truth.sum())) for one in found.values()]), 3),
        "baseline_rarity_ap": round(mean([average_precision(one.truth, one.rarity) for one in found.values()]), 3),
        "incident_ap": round(
            mean([average_precision(one.incident_truth, one.incident_priority) for one in found.values()]), 3
        ),
        "incident_base_rate": round(mean([float(one.incident_truth.mean()) for one in found.values()]), 3),
    }


def _precision(one: Judged, count: int) -> float:
    best = np.argsort(-one.unusual, kind="stable")[:count]
    return float(one.truth[best].mean()) if len(best) else 0.0


def _interval_of_mean(found: dict[str, Judged]) -> list[float]:
    """The mean of the scenarios' intervals: scenarios are not resampled, they are few."""
    bounds = [interval(average_precision, one.truth, one.unusual) for one in found.values()]
    return [round(mean([low for low, _ in bounds]), 3), round(mean([high for _, high in bounds]), 3)]


def _without(paths: list[Path], name: str) -> float:
    """`triage_ap` when one figure is not looked at."""
    kept = novelty._WEIGHTS
    place = novelty.Figures._fields.index(name)
    novelty._WEIGHTS = (*kept[:place], 0.0, *kept[place + 1 :])
    try:
        found = [judged(path) for path in paths]
    finally:
        novelty._WEIGHTS = kept
    return round(mean([average_precision(one.truth, one.unusual) for one in found]), 3)
