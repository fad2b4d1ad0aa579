"""Which type of alarm explains which: ordered pairs of types of a telecom network against experts' causal graph.

    python -m tests.bench.correlation --train ../shared/datasets/alarms_telecom --data FOLDER
    python -m tests.bench.correlation            each network of the folder by models of the others

A folder holds networks (or is one): `alarms.csv.xz` (alarm_id, device_id, start_timestamp, end_timestamp),
`causal_edges.csv`, and `topology_edges.csv` where links are known. Networks of --train are learned from, those of
--data are scored; one that is in both is never learned from for its own score. Prints one line: `pair_ap` average
precision over all ordered pairs (mean over networks), `base_rate`, `interval` (bootstrap over pairs, of the first
network), `precision_at_v`, `baseline` lift of the lagged co-occurrence within 60 s at one device or linked ones, in
the same run.
"""

from __future__ import annotations

import argparse
import csv
import json
import lzma
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.similarity import causation, quality
from engine.similarity.causation import Network, Occurrence
from engine.similarity.topology import Topology
from tests.fakes.headless import ROOT

DATA = ROOT.parent / "shared" / "datasets" / "alarms_telecom"


def networks(folder: Path) -> dict[str, Network]:
    places = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    return {place.name: network(place) for place in places if (place / "alarms.csv.xz").exists()}


def network(folder: Path) -> Network:
    with lzma.open(folder / "alarms.csv.xz", "rt", newline="") as file:
        seen = [
            Occurrence(row["alarm_id"], row["device_id"], float(row["start_timestamp"]), float(row["end_timestamp"]))
            for row in csv.DictReader(file)
        ]
    links = [(row[0], row[1]) for row in _rows(folder / "topology_edges.csv")]
    causes = frozenset((row[0], row[1]) for row in _rows(folder / "causal_edges.csv"))
    return Network(seen, Topology(links), causes)


def _rows(path: Path) -> list[list[str]]:
    """Without the heading."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [row for row in csv.reader(file) if len(row) >= 2 and row[0].strip().lstrip("-").isdigit()]


def lift(found: Network, pairs: Sequence[tuple[Any, Any]], window: float = 60.0) -> list[float]:
    """The baseline: how much oftener the first comes within a minute before the second than by chance."""
    by_device: dict[str, list[Occurrence]] = defaultdict(list)
    for seen in sorted(found.seen, key=lambda seen: seen.start):
        by_device[seen.device].append(seen)
    both: Counter[tuple[Any, Any]] = Counter()
    for device, alarms in by_device.items():
        around = [other for near in (device, *found.topology.neighbours(device)) for other in by_device.get(near, ())]
        around.sort(key=lambda seen: seen.start)
        low = 0
        for alarm in alarms:
            while around[low].start < alarm.start - window:
                low += 1
            kinds = set()
            for other in around[low:]:
                if other.start >= alarm.start:
                    break
                kinds.add(other.type)
            for kind in kinds:
                both[kind, alarm.type] += 1
    counts = Counter(seen.type for seen in found.seen)
    return [both[pair] * len(found.seen) / (counts[pair[0]] * counts[pair[1]]) for pair in pairs]


def judge(pairs: Sequence[Any], scores: Sequence[float], causes: frozenset[Any], types: int) -> dict[str, float]:
    labels = [pair in causes for pair in pairs]
    top = sorted(range(len(scores)), key=lambda number: -scores[number])[:types]
    return {
        "pair_ap": round(quality.average_precision(labels, scores, [1.0] * len(labels)), 4),
        "precision_at_v": round(sum(labels[number] for number in top) / len(top), 4),
        "base_rate": round(sum(labels) / len(labels), 4),
    }


def interval(pairs: Sequence[Any], scores: Sequence[float], causes: frozenset[Any], rounds: int = 300) -> list[float]:
    dice = random.Random(1)
    labels = [pair in causes for pair in pairs]
    found = []
    for _ in range(rounds):
        picked = dice.choices(range(len(labels)), k=len(labels))
        some = [labels[number] for number in picked]
        if any(some):
            found.append(quality.average_precision(some, [scores[number] for number in picked], [1.0] * len(some)))
    found.sort()
    return [round(found[int(share * len(found))], 4) for share in (0.025, 0.975)]


def measure(train: dict[str, Network], data: dict[str, Network]) -> dict[str, Any]:
    known = {name: causation.figures(found) for name, found in {**train, **data}.items()}
    per: dict[str, Any] = {}
    for name, target in data.items():
        learned = [(found, known[other]) for other, found in train.items() if other != name]
        figures = known[name]
        scores = causation.score(figures, learned, bool(target.topology))
        types = len(figures.habits)
        per[name] = {
            **judge(figures.pairs, scores, target.causes, types),
            "interval": interval(figures.pairs, scores, target.causes),
            "baseline": judge(figures.pairs, lift(target, figures.pairs), target.causes, types),
            "alike": {
                other: round(causation.alike(figures.habits, known[other].habits), 3)
                for other in train
                if other != name
            },
        }
    first = next(iter(per.values()))
    return {
        "benchmark": "correlation",
        "pair_ap": round(sum(one["pair_ap"] for one in per.values()) / len(per), 4),
        "base_rate": round(sum(one["base_rate"] for one in per.values()) / len(per), 4),
        "interval": first["interval"],
        "baseline": round(sum(one["baseline"]["pair_ap"] for one in per.values()) / len(per), 4),
        "per_network": per,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, default=DATA)
    parser.add_argument("--data", type=Path, default=DATA)
    wanted = parser.parse_args()
    for folder in (wanted.train, wanted.data):
        if not folder.is_dir():
            raise SystemExit(f"{folder} is not there: name the folder with --train and --data")
    train, data = networks(wanted.train), networks(wanted.data)
    if not data:
        raise SystemExit(f"{wanted.data} holds no network with alarms.csv.xz")
    print(json.dumps(measure(train, data)))


if __name__ == "__main__":
    main()
