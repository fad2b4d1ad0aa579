"""Causation between types of alerts: which type explains which, from when and where they come.

Owns the figures of an ordered pair of types and the scoring of pairs. Two kinds of knowledge: how the pair behaves in
this network (who comes first within seconds to half an hour at one device and at linked ones, who is active when the
other begins, how common, long-lived and wide-spread each is), judged by a model that learned from networks whose
causes experts named; and, where types of the same name behave alike in a network that was learned, its pairs
themselves. Which figures point to causes differs between technologies: in one, causes come before effects, in another
the far end reports the effect first. So only networks of the target's kind are learned from, where there are any.
Runs beside the line (training, benchmarks); never in it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from math import exp, log, log1p
from typing import Any, NamedTuple

from engine.similarity.topology import Topology

WINDOWS = (1.0, 30.0, 300.0, 1800.0)
NEAR_WINDOWS = (30.0, 300.0)
#: An alert after a silence of so many seconds at its device begins something.
_SILENCE = 300.0
#: Types of one name behave alike when the rank correlation of their habits is at least this.
SAME_NAMES = 0.6
_FEWEST_SHARED = 6
#: Columns of a row: the lift within half a minute, and where the habits of the two types begin.
_LIFT, _HABITS = 6, 24

TypeId = Hashable
Pair = tuple[TypeId, TypeId]


class Occurrence(NamedTuple):
    """One alert: its type, device, and beginning and end in seconds."""

    type: TypeId
    device: str
    start: float
    end: float


class Network(NamedTuple):
    """What was seen of one network; `causes`: (cause, effect) pairs that experts named, empty where unknown."""

    seen: Sequence[Occurrence]
    topology: Topology
    causes: frozenset[Pair] = frozenset()


class Habits(NamedTuple):
    """Of one type: alerts, devices, median duration, share that began after silence, came before others more than
    after."""

    alerts: int
    devices: int
    duration: float
    first: float
    leads: float


class Figures(NamedTuple):
    """Rows for all ordered pairs of types of a network."""

    pairs: list[Pair]
    rows: list[list[float]]
    habits: dict[TypeId, Habits]


class _Counts:
    """How often an alert of one type came within a window before one of another."""

    def __init__(self) -> None:
        self.before: list[Counter[Pair]] = [Counter() for _ in WINDOWS]
        self.near: list[Counter[Pair]] = [Counter() for _ in NEAR_WINDOWS]
        self.tied: Counter[Pair] = Counter()
        self.active: Counter[Pair] = Counter()
        self.first: Counter[TypeId] = Counter()


def figures(network: Network) -> Figures:
    """One row for each ordered pair of two types that occur."""
    by_device: dict[str, list[Occurrence]] = defaultdict(list)
    for seen in network.seen:
        by_device[seen.device].append(seen)
    for alerts in by_device.values():
        alerts.sort(key=lambda alert: alert.start)
    counts = _Counts()
    for alerts in by_device.values():
        _count_device(alerts, counts)
    _count_near(by_device, network.topology, counts)
    habits = _habits(network, counts)
    spans = [seen.start for seen in network.seen]
    length = max(spans) - min(spans) + 1.0
    ranks = _ranks(habits)
    pairs = [(one, other) for one in habits for other in habits if one != other]
    return Figures(pairs, [_row(pair, habits, ranks, counts, length) for pair in pairs], habits)


def _count_device(alerts: Sequence[Occurrence], counts: _Counts) -> None:
    times = [alert.start for alert in alerts]
    for alert in alerts:
        low, high = bisect_left(times, alert.start - WINDOWS[-1]), bisect_left(times, alert.start)
        latest: dict[TypeId, float] = {}
        for before in alerts[low:high]:
            latest[before.type] = before.start
        for kind, start in latest.items():
            for window, counter in zip(WINDOWS, counts.before, strict=True):
                if alert.start - start <= window:
                    counter[kind, alert.type] += 1
        for kind in {before.type for before in alerts[low:high] if before.end >= alert.start}:
            counts.active[kind, alert.type] += 1
        for kind in {beside.type for beside in alerts[high : bisect_right(times, alert.start)]}:
            counts.tied[kind, alert.type] += 1
        if high == 0 or alert.start - times[high - 1] > _SILENCE:
            counts.first[alert.type] += 1


def _count_near(by_device: Mapping[str, Sequence[Occurrence]], topology: Topology, counts: _Counts) -> None:
    times = {device: [alert.start for alert in alerts] for device, alerts in by_device.items()}
    for device, alerts in by_device.items():
        for near in topology.neighbours(device):
            beside = by_device.get(near)
            if not beside:
                continue
            for alert in alerts:
                high = bisect_right(times[near], alert.start)
                for window, counter in zip(NEAR_WINDOWS, counts.near, strict=True):
                    low = bisect_left(times[near], alert.start - window)
                    for kind in {other.type for other in beside[low:high]}:
                        counter[kind, alert.type] += 1


def _habits(network: Network, counts: _Counts) -> dict[TypeId, Habits]:
    durations: dict[TypeId, list[float]] = defaultdict(list)
    devices: dict[TypeId, set[str]] = defaultdict(set)
    for seen in network.seen:
        durations[seen.type].append(seen.end - seen.start)
        devices[seen.type].add(seen.device)
    leads: Counter[TypeId] = Counter()
    follows: Counter[TypeId] = Counter()
    for (one, other), count in counts.before[2].items():
        leads[one] += count
        follows[other] += count
    return {
        kind: Habits(
            len(found),
            len(devices[kind]),
            sorted(found)[len(found) // 2],
            counts.first[kind] / len(found),
            leads[kind] / max(1, follows[kind]),
        )
        for kind, found in sorted(durations.items(), key=lambda item: str(item[0]))
    }


def _ranks(habits: Mapping[TypeId, Habits]) -> dict[TypeId, list[float]]:
    """The place of each type among all, 0..1, for each habit: networks differ in size, places do not."""
    found: dict[TypeId, list[float]] = {kind: [] for kind in habits}
    for at in range(len(Habits._fields)):
        for place, kind in enumerate(sorted(habits, key=lambda kind: habits[kind][at])):
            found[kind].append(place / len(habits))
    return found


def _row(
    pair: Pair, habits: Mapping[TypeId, Habits], ranks: Mapping[TypeId, list[float]], counts: _Counts, length: float
) -> list[float]:
    one, other = pair
    back = (other, one)
    causes, effects = habits[one].alerts, habits[other].alerts
    row: list[float] = []
    for window, counter in zip(WINDOWS, counts.before, strict=True):
        there, again = counter[pair], counter[back]
        chance = effects * (1.0 - exp(-causes / habits[one].devices * window / length))
        row += [
            there / effects,
            again / causes,
            log((there + 1.0) / (chance + 1.0)),
            (there - again) / (there + again + 2.0),
        ]
    near, near_back = counts.near[1][pair], counts.near[1][back]
    row += [
        counts.tied[pair] / effects,
        counts.tied[pair] / causes,
        counts.active[pair] / effects,
        counts.active[back] / causes,
        counts.near[0][pair] / effects,
        near / effects,
        near_back / causes,
        (near - near_back) / (near + near_back + 2.0),
    ]
    for left, right in zip(ranks[one], ranks[other], strict=True):
        row += [left, right, left - right]
    return [*row, log1p(habits[one].duration), log1p(habits[other].duration)]


def score(target: Figures, learned: Sequence[tuple[Network, Figures]], linked: bool) -> list[float]:
    """A score for each pair of the target, higher = the first explains the second.

    `linked`: the target has a topology. Only networks of its kind (with one, or without) are learned from; where none
    is known, a pair scores by how much oftener than by chance the first comes within half a minute before the second.
    """
    named = [(network, figure) for network, figure in learned if network.causes]
    kin = [(network, figure) for network, figure in named if bool(network.topology) == linked]
    judged = _judged(target, kin) if kin else [row[_LIFT] for row in target.rows]
    places = _shares(judged)
    prior = _prior(target, named)
    return [place + (2.0 * prior[pair] if prior else 0.0) for place, pair in zip(places, target.pairs, strict=True)]


def _judged(target: Figures, kin: Sequence[tuple[Network, Figures]]) -> list[float]:
    """The mean place among all pairs that three judges give: small trees on all figures, on the habits of both types
    alone, and a logistic regression. Few pairs are known, and each judge alone hangs on which."""
    import numpy as np

    rows = np.array([row for _, figure in kin for row in figure.rows])
    labels = np.array([pair in network.causes for network, figure in kin for pair in figure.pairs])
    asked = np.array(target.rows)
    judges = [_trees(rows, labels, asked), _trees(rows[:, _HABITS:], labels, asked[:, _HABITS:])]
    judges.append(_straight(rows, labels, asked))
    return [sum(found) for found in zip(*map(_shares, judges), strict=True)]


def _trees(rows: Any, labels: Any, asked: Any) -> list[float]:
    """The sum over several seeds."""
    from engine.models.fitting import fit

    names = [f"f{number}" for number in range(rows.shape[1])]
    total = [0.0] * len(asked)
    for seed in range(5):
        settings = {"max_depth": 2, "eta": 0.07, "subsample": 0.7, "colsample_bytree": 0.5, "lambda": 3.0, "seed": seed}
        found = fit(rows, labels, features=names, settings=settings).predict(asked)
        total = [one + float(other) for one, other in zip(total, found, strict=True)]
    return total


def _straight(rows: Any, labels: Any, asked: Any) -> list[float]:
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
    from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
    from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

    found = make_pipeline(StandardScaler(), LogisticRegression(C=0.02, max_iter=300)).fit(rows, labels)
    return [float(value) for value in found.decision_function(asked)]


def _shares(values: Sequence[float]) -> list[float]:
    """The place of each value, 0..1."""
    return [place / max(1, len(values) - 1) for place in _places(values)]


def _prior(target: Figures, learned: Sequence[tuple[Network, Figures]]) -> dict[Pair, float]:
    """1 for pairs that are causes in a network whose types of the same names behave alike, {} where none does."""
    found: dict[Pair, float] = {}
    for network, figure in learned:
        if alike(target.habits, figure.habits) >= SAME_NAMES:
            for pair in target.pairs:
                found[pair] = max(found.get(pair, 0.0), float(pair in network.causes))
    return found


def alike(one: Mapping[TypeId, Habits], other: Mapping[TypeId, Habits]) -> float:
    """Mean rank correlation (Spearman) of count, devices and duration over the types that both have; 0 when too few."""
    shared = sorted(set(one) & set(other), key=str)
    if len(shared) < _FEWEST_SHARED:
        return 0.0
    total = 0.0
    for at in range(3):
        left, right = _places([one[kind][at] for kind in shared]), _places([other[kind][at] for kind in shared])
        middle = (len(shared) - 1) / 2
        both = sum((a - middle) * (b - middle) for a, b in zip(left, right, strict=True))
        total += both / sum((a - middle) ** 2 for a in left)
    return total / 3


def _places(values: Sequence[float]) -> list[int]:
    order = sorted(range(len(values)), key=lambda number: values[number])
    found = [0] * len(values)
    for place, number in enumerate(order):
        found[number] = place
    return found
