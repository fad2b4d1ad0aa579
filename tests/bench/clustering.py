"""Incidents from the alerts of three intrusion detectors: the product's clusters against labelled multi-step attacks.

    python -m tests.bench.clustering --data ../shared/datasets/ait_ads
    python -m tests.bench.clustering --method cosine
    python -m tests.bench.clustering --cross [--drop GROUP]      each scenario by a model trained on the others
    python -m tests.bench.clustering --ablation                  what each group of figures is worth; three reasons
    python -m tests.bench.clustering --write FOLDER              the scenarios as labelled recordings (JSONL)

Every `<scenario>_alerts.csv.xz` of the folder is read. Alerts become series (same name and host, no gap over 60 s),
each a generic alert with its own key, sent at its first moment; when a series is over, its end is sent. They go
through the formats and the whole line of a scratch engine in the order of time, and the incidents are read back.
Truth: the two incidents of each scenario, by the attack phase of the time interval (`time_label`). Keys of the line
that is printed: `reduction` moments to incidents, `best_match_f1` mean over incidents of the best F1 of any cluster,
`bcubed_f1` on phases over attack series, `contamination` share of alien series in the best clusters,
`strict_best_match_f1` the same with the label of the single event; `baseline`: one session over all hosts, gap 120 s,
in the same run; `interval` bootstrap over incidents; `base_rate` share of series that are of an incident.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from engine.similarity import figures, quality
from engine.similarity.cosine import Cosine
from engine.similarity.method import Method, Streaming
from engine.similarity.recording import Line, replay
from engine.similarity.scratch import Scratch
from tests.bench import clustering_ablation
from tests.bench.ait import GAP_SECONDS, Moment, moments
from tests.fakes.headless import ROOT

DATA = ROOT.parent / "shared" / "datasets" / "ait_ads"
INCIDENTS = {
    "intrusion": {
        "network_scans", "service_scans", "wpscan", "dirb", "webshell", "cracking", "reverse_shell",
        "privilege_escalation",
    },
    "exfil": {"service_stop", "dnsteal"},
}  # fmt: skip


class Series(NamedTuple):
    name: str
    host: str
    first: float
    last: float
    count: int
    phases: frozenset[str]
    steps: frozenset[str]

    def incident(self, labels: frozenset[str]) -> str:
        return next((name for name, phases in INCIDENTS.items() if phases & labels), "")


def series(found: Iterable[Moment]) -> list[Series]:
    """By first moment."""
    open_: dict[tuple[str, str], list[Moment]] = {}
    over: list[list[Moment]] = []
    for moment in sorted(found, key=lambda moment: moment.at):
        key = (moment.name, moment.host)
        known = open_.get(key)
        if known is None or moment.at - known[-1].at > GAP_SECONDS:
            known = open_[key] = []
            over.append(known)
        known.append(moment)
    return [
        Series(
            some[0].name,
            some[0].host,
            some[0].at,
            some[-1].at,
            len(some),
            frozenset(moment.phase for moment in some),
            frozenset(moment.step for moment in some),
        )
        for some in over
    ]


def lines(found: Sequence[Series]) -> Iterator[Line]:
    """Statements in the order of time: each series fires at its first moment, and is over a minute after its last."""
    events = [(one.first, 0, number) for number, one in enumerate(found)]
    events += [(one.last + GAP_SECONDS, 1, number) for number, one in enumerate(found)]
    for _, over, number in sorted(events):
        one = found[number]
        sensor, _, words = one.name.partition(": ")
        row = {
            "title": words or one.name,
            "name": one.name,
            "host": one.host,
            "labels": {"sensor": sensor},
            "startsAt": _text(one.first),
            "dedup_key": f"series {number}",
        }
        if over:
            row |= {"status": "resolved", "endsAt": _text(one.last + GAP_SECONDS)}
        yield Line(row, one.incident(one.phases))


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def incidents(found: Sequence[Series], method: Method | Streaming) -> list[int]:
    """The incident of each series, as the product has it."""
    from engine.rules import Rules

    scratch = Scratch(Rules(method=method))
    taken = replay(scratch, lines(found))
    if len(taken.homes) != len(found):
        raise SystemExit(f"{len(found)} series became {len(taken.homes)} alerts")
    return taken.homes


def sessions(found: Sequence[Series], gap: float = 120.0) -> list[int]:
    """The baseline: everything without a pause of `gap` seconds is one."""
    homes, number, end = [], 0, float("-inf")
    for one in found:
        if one.first - end > gap:
            number += 1
        homes.append(number)
        end = max(end, one.last)
    return homes


def figures_of(found: Sequence[Series], homes: Sequence[int]) -> dict[str, Any]:
    truths = [one.incident(one.phases) for one in found]
    strict = [one.incident(one.steps) for one in found]
    phases = [_phase(one) for one in found]
    best, best_strict = quality.best_matches(truths, homes), quality.best_matches(strict, homes)
    return {
        "moments": sum(one.count for one in found),
        "series": len(found),
        "incidents": len(set(homes)),
        "best": {str(name): round(score, 4) for name, (score, _) in best.items()},
        "alien": [alien for _, alien in best.values()],
        "strict": [score for score, _ in best_strict.values()],
        "bcubed_f1": quality.b_cubed(phases, homes),
        "labelled": sum(bool(truth) for truth in truths),
    }


def _phase(one: Series) -> str:
    known = set().union(*INCIDENTS.values())
    return min(one.phases & known, default="")


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return round(sum(found) / len(found), 4) if found else 0.0


def interval(values: Sequence[float], rounds: int = 2000) -> list[float]:
    dice = random.Random(1)
    means = sorted(sum(dice.choices(values, k=len(values))) / len(values) for _ in range(rounds))
    return [round(means[int(share * rounds)], 4) for share in (0.025, 0.975)]


def summary(per: dict[str, dict[str, Any]]) -> dict[str, Any]:
    scores = [score for one in per.values() for score in one["best"].values()]
    return {
        "reduction": _mean(1.0 - one["incidents"] / one["moments"] for one in per.values()),
        "noise_percent": round(100 * _mean(1.0 - one["incidents"] / one["series"] for one in per.values()), 2),
        "best_match_f1": _mean(scores),
        "interval": interval(scores),
        "bcubed_f1": _mean(one["bcubed_f1"] for one in per.values()),
        "contamination": _mean(alien for one in per.values() for alien in one["alien"]),
        "strict_best_match_f1": _mean(score for one in per.values() for score in one["strict"]),
    }


def learned(trees: Any, join_at: float) -> Streaming:
    from engine.similarity.xgboost_similarity import XgboostSimilarity

    return XgboostSimilarity(trees, join_at)  # the scenarios name no sites: nothing is passed over


def method_of(name: str) -> Method | Streaming:
    from engine.similarity import registry

    return Cosine() if name == "cosine" else registry()[name].make()


def crossed(found: dict[str, list[Series]], drop: Sequence[str], join_at: float) -> dict[str, Streaming]:
    """A method for each scenario whose model has not seen it."""
    from engine.clock import SystemClock
    from engine.models.trees import Trees
    from engine.similarity.training import train

    methods = {}
    for held in found:
        others = [list(firing(some)) for name, some in found.items() if name != held]
        trained = train(others, what="other scenarios", now=SystemClock().now(), join_at=join_at, drop=drop)
        methods[held] = learned(Trees.load(trained.offer.raw), join_at)
    return methods


def firing(found: Sequence[Series]) -> Iterator[Line]:
    return (line for line in lines(found) if "status" not in line.row)


def write(found: dict[str, list[Series]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, some in found.items():
        with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for line in firing(some):
                file.write(json.dumps({**line.row, "labels": {**line.row["labels"], "truth": line.truth}}) + "\n")


def measure(found: dict[str, list[Series]], methods: dict[str, Method | Streaming]) -> dict[str, Any]:
    per, base = {}, {}
    began = time.process_time()
    for name, some in found.items():
        per[name] = figures_of(some, incidents(some, methods[name]))
    seconds = time.process_time() - began
    for name, some in found.items():
        base[name] = figures_of(some, sessions(some))
    whole = sum(len(some) for some in found.values())
    return {
        "benchmark": "clustering",
        "method": next(iter(methods.values())).name,
        **summary(per),
        "baseline": summary(base),
        "base_rate": round(sum(one["labelled"] for one in per.values()) / whole, 4),
        "alerts_per_cpu_s": round(2 * whole / seconds),
        "per_scenario": {name: one["best"] for name, one in per.items()},
    }


def ablate(found: dict[str, list[Series]], method: Method | Streaming) -> None:
    recordings = {name: list(firing(some)) for name, some in found.items()}
    table = clustering_ablation.table(recordings)
    why = clustering_ablation.whys(next(iter(recordings.values())), method)
    print(json.dumps({"benchmark": "clustering", "ablation": table, "why": why}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--method", default="xgboost_similarity")
    parser.add_argument("--cross", action="store_true")
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--drop", action="append", default=[], choices=sorted(figures.GROUPS))
    parser.add_argument("--join-at", type=float, default=0.3)
    parser.add_argument("--write", type=Path, default=None)
    wanted = parser.parse_args()
    paths = sorted(wanted.data.glob("*_alerts.csv.xz")) if wanted.data.is_dir() else []
    if not paths:
        raise SystemExit(f"{wanted.data} holds no *_alerts.csv.xz: name the folder with --data")
    found = {path.name.removesuffix("_alerts.csv.xz"): series(moments(path)) for path in paths}
    if wanted.write is not None:
        return write(found, wanted.write)
    if wanted.ablation:
        return ablate(found, method_of(wanted.method))
    methods: dict[str, Any] = {}
    if wanted.cross:
        dropped = [name for group in wanted.drop for name in figures.GROUPS[group]]
        methods = dict(crossed(found, dropped, wanted.join_at))
    else:
        methods = dict.fromkeys(found, method_of(wanted.method))
    print(json.dumps({**measure(found, methods), **({"dropped": wanted.drop} if wanted.drop else {})}))
    return None


if __name__ == "__main__":
    main()
