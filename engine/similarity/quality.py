"""Quality of a clustering against the truth: pairs, adjusted Rand index, best match, B-cubed.

Owns the measures; pure. Items are alerts; `truths` names the incident of each ("" = noise), `homes` the cluster it is
in. Sources: Rand index adjusted for chance (Hubert and Arabie 1985); B-cubed (Bagga and Baldwin 1998).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from math import nan
from typing import Any

Items = Sequence[Any]


def pairs(truths: Items, homes: Items) -> dict[str, float]:
    """Precision, recall and F1 over pairs of alerts: put together ↔ of one incident. Noise is of no incident, so a pair
    with noise in it is never right to put together.

    >>> pairs(["a", "a", "b", ""], [1, 1, 1, 2])["precision"]
    0.3333333333333333
    """
    together = sum(_choose(count) for count in Counter(homes).values())
    labelled = [(truth, home) for truth, home in zip(truths, homes, strict=True) if truth]
    true = sum(_choose(count) for count in Counter(truth for truth, _ in labelled).values())
    right = sum(_choose(count) for count in Counter(labelled).values())
    precision = right / together if together else 0.0
    recall = right / true if true else 0.0
    f1 = 2 * right / (together + true) if together + true else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}


def adjusted_rand(truths: Items, homes: Items) -> float:
    """1 = equal, 0 = as by chance. Each noise alert counts as an incident of its own.

    >>> adjusted_rand(["a", "a", "b", "b"], [1, 1, 2, 2])
    1.0
    """
    named = [truth or ("noise", number) for number, truth in enumerate(truths)]
    total = _choose(len(named))
    both = sum(_choose(count) for count in Counter(zip(named, homes, strict=True)).values())
    one = sum(_choose(count) for count in Counter(named).values())
    other = sum(_choose(count) for count in Counter(homes).values())
    expected = one * other / total if total else 0.0
    most = (one + other) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def best_matches(truths: Items, homes: Items) -> dict[Hashable, tuple[float, float]]:
    """Incident → F1 of the cluster that matches it best, and the share of that cluster that is not of it.

    >>> best_matches(["a", "a", ""], [1, 1, 1])
    {'a': (0.8, 0.33333333333333337)}
    """
    sizes, incidents = Counter(homes), Counter(truth for truth in truths if truth)
    shared: dict[Hashable, Counter[Hashable]] = defaultdict(Counter)
    for truth, home in zip(truths, homes, strict=True):
        if truth:
            shared[truth][home] += 1
    found = {}
    for truth, counts in shared.items():
        scores = {home: 2 * count / (sizes[home] + incidents[truth]) for home, count in counts.items()}
        best = max(scores, key=lambda home: scores[home])
        found[truth] = (scores[best], 1.0 - counts[best] / sizes[best])
    return found


def b_cubed(truths: Items, homes: Items) -> float:
    """F1 of B-cubed precision and recall over the labelled alerts.

    >>> b_cubed(["a", "a"], [1, 1])
    1.0
    """
    labelled = [(truth, home) for truth, home in zip(truths, homes, strict=True) if truth]
    if not labelled:
        return 0.0
    both = Counter(labelled)
    one, other = Counter(truth for truth, _ in labelled), Counter(home for _, home in labelled)
    precision = sum(count * count / other[home] for (_, home), count in both.items()) / len(labelled)
    recall = sum(count * count / one[truth] for (truth, _), count in both.items()) / len(labelled)
    return 2 * precision * recall / (precision + recall)


def average_precision(labels: Sequence[bool], scores: Sequence[float], weights: Sequence[float]) -> float:
    """Area under precision over recall of a ranking; ties count as one step. Weighted."""
    order = sorted(range(len(scores)), key=lambda number: -scores[number])
    whole = sum(weight for weight, label in zip(weights, labels, strict=True) if label)
    right = taken = area = last = 0.0
    for place, number in enumerate(order):
        taken += weights[number]
        right += weights[number] * labels[number]
        following = order[place + 1] if place + 1 < len(order) else None
        if following is None or scores[following] != scores[number]:
            area += (right - last) * right / taken if taken else 0.0
            last = right
    return area / whole if whole else 0.0


def roc_auc(labels: Sequence[bool], scores: Sequence[float]) -> float:
    """The chance that a true one scores above a false one, ties half; nan when there is only one kind.

    >>> roc_auc([True, False, True, False], [0.9, 0.8, 0.8, 0.1])
    0.875
    """
    order = sorted(range(len(scores)), key=lambda number: scores[number])
    rank_sum, place = 0.0, 0
    while place < len(order):
        end = place
        while end < len(order) and scores[order[end]] == scores[order[place]]:
            end += 1
        rank_sum += (place + end + 1) / 2 * sum(labels[number] for number in order[place:end])
        place = end
    true = sum(labels)
    false = len(labels) - true
    return (rank_sum - true * (true + 1) / 2) / (true * false) if true and false else nan


def at_threshold(labels: Sequence[bool], scores: Sequence[float], threshold: float) -> tuple[float, float]:
    """Precision and recall of what scores at least `threshold`.

    >>> at_threshold([True, False, True], [0.9, 0.8, 0.1], 0.5)
    (0.5, 0.5)
    """
    taken = [label for label, score in zip(labels, scores, strict=True) if score >= threshold]
    right = sum(taken)
    return right / len(taken) if taken else 0.0, right / sum(labels) if any(labels) else 0.0


def _choose(count: int) -> int:
    return count * (count - 1) // 2
