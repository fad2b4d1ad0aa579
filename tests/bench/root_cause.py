"""How often the product names the culprit of an incident; prints one JSON line, progress goes to stderr.

    python -m tests.bench.root_cause --data FOLDER [--ablate]

FOLDER is in the form of the data sets `microservice_faults_nezha` (any of its days) or `petshop_rca` (any traffic with
a `noissue` run, or any that finds one in another traffic's folder). Deviations become alerts, the alerts of one fault
go through the line into one incident, and `engine.root_cause` ranks its entities. `top1`, `top3`: share of the faults
whose culprit is the first, or among the first three. A culprit that raised no alert, or is not in the data, is a miss.

nezha: incident at the fault's time, alerts of the 240 s after it; a figure is off by its robust z against the 30
minutes before, mean over the window. Baseline: the pod with the largest of all deviations.
petshop: alerts of the alarm's own figure on the nodes that the alarm's node reaches in the call graph, against the run
without an issue; rows up to 300 s after the alarm. Baseline: the node with the largest deviation.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.records import Severity, Signal, SignalStatus
from engine.root_cause import ranking, settling
from engine.rules import Rules
from tests.fakes.headless import ROOT
from tests.fakes.line import Line

DATASETS = ROOT.parent / "shared" / "datasets"
RESAMPLES = 1000


class Deviation(NamedTuple):
    """One figure of one entity that is off: by `score` standard deviations, since `at` (unix seconds)."""

    entity: str
    entity_type: str
    name: str
    score: float
    at: float


class Fault(NamedTuple):
    group: str
    number: int
    culprit: str
    deviations: list[Deviation]
    #: Entity → what it asks.
    depends_on: dict[str, list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATASETS / "microservice_faults_nezha")
    parser.add_argument("--ablate", action="store_true", help="also without each part of the score")
    wanted = parser.parse_args()
    print(json.dumps(measure(wanted.data, wanted.ablate)))


def measure(data: Path, ablate: bool) -> dict[str, Any]:
    from tests.bench import root_cause_nezha, root_cause_petshop

    for reader in (root_cause_nezha, root_cause_petshop):
        if reader.is_in(data):
            faults = list(reader.faults(data))
            break
    else:
        return {"bench": "root_cause", "skipped": f"neither faults.json nor target.json below {data}"}
    answer = {"bench": "root_cause", "data": reader.NAME, **_summary(faults, ranked)}
    answer["baseline_largest_deviation"] = {
        key: value for key, value in _summary(faults, largest).items() if key in ("top1", "top3", "by_group")
    }
    if ablate:
        answer["without"] = _ablation(faults)
    return answer


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def ranked(fault: Fault) -> list[str]:
    """The entities of the incident that the line makes of the deviations, as the product ranks them."""
    line = Line(Rules(suppress_above=1.01))
    signals = [_signal(fault, number, found) for number, found in enumerate(fault.deviations)]
    if not signals:
        return []
    line.now = max(signal.starts_at for signal in signals)
    line.take(*signals)
    incidents = {line.alert(signal.key).incident for signal in signals}
    alerts = [alert for number in sorted(incidents) for alert in sorted(_members(line, number), key=lambda one: one.id)]
    return [suspect.entity for suspect in settling.suspects_of(alerts, fault.depends_on)]


def _members(line: Line, incident: Any) -> list[Any]:
    return [line.book.alerts[number] for number in line.book.members[incident]]


def largest(fault: Fault) -> list[str]:
    strongest: dict[str, float] = {}
    for found in fault.deviations:
        strongest[found.entity] = max(strongest.get(found.entity, 0.0), found.score)
    return sorted(strongest, key=lambda entity: -strongest[entity])


def _signal(fault: Fault, number: int, found: Deviation) -> Signal:
    at = datetime.fromtimestamp(found.at, UTC)
    return Signal(
        source="metrics",
        key=f"{found.entity}/{found.name}/{number}",
        name=found.name,
        severity=Severity.HIGH if found.score >= 5 else Severity.LOW,
        status=SignalStatus.FIRING,
        title=found.name,
        site="",
        entity=found.entity,
        entity_type=found.entity_type,
        service="",
        client="",
        correlation=f"{fault.group}/{fault.number}",
        starts_at=at,
        ends_at=at + timedelta(days=2),
        labels={"alertname": found.name, "entity": found.entity},
        annotations={"score": f"{found.score:.4f}"},
    )


def _summary(faults: Sequence[Fault], way: Callable[[Fault], list[str]]) -> dict[str, Any]:
    places = [_place(fault, way) for fault in faults]
    groups = sorted({fault.group for fault in faults})
    by_group = {}
    for group in groups:
        mine = [place for fault, place in zip(faults, places, strict=True) if fault.group == group]
        by_group[group] = {"faults": len(mine), "top1": _share(mine, 1), "top3": _share(mine, 3)}
    return {
        "faults": len(faults),
        "top1": _share(places, 1),
        "top1_interval": _interval(places, 1),
        "top3": _share(places, 3),
        "top3_interval": _interval(places, 3),
        "entities_mean": round(sum(len({one.entity for one in f.deviations}) for f in faults) / max(1, len(faults)), 1),
        "by_group": by_group,
    }


def _place(fault: Fault, way: Callable[[Fault], list[str]]) -> int:
    order = way(fault)
    return order.index(fault.culprit) if fault.culprit in order else len(order) + 1000


def _share(places: Sequence[int], most: int) -> float:
    return round(sum(place < most for place in places) / max(1, len(places)), 3)


def _interval(places: Sequence[int], most: int) -> list[float]:
    random = np.random.default_rng(7)
    hits = np.array([place < most for place in places], float)
    if not len(hits):
        return [0.0, 0.0]
    means = [hits[random.integers(0, len(hits), len(hits))].mean() for _ in range(RESAMPLES)]
    return [round(float(bound), 3) for bound in np.percentile(means, [2.5, 97.5])]


def _ablation(faults: Sequence[Fault]) -> dict[str, Any]:
    found = {}
    for part in ("EXPLAINED", "FIRST", "UNUSUAL", "FAN_OUT", "REMOTE"):
        kept = getattr(ranking, part)
        setattr(ranking, part, 1.0 if part == "REMOTE" else 0.0)
        try:
            places = [_place(fault, ranked) for fault in faults]
        finally:
            setattr(ranking, part, kept)
        found[part.lower()] = {"top1": _share(places, 1), "top3": _share(places, 3)}
    return found


if __name__ == "__main__":
    main()
