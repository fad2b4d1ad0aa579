"""The scoring rule of the Numenta Anomaly Benchmark, version 1.1, written anew and vectorised.

Source: Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms", ICMLA 2015 (arXiv 1510.03336), and the
scoreboard's own conventions: the first 15 % of a file (at most 750 records) are not scored, only the earliest hit in a
window counts, every record above the threshold outside of a window is a false positive. It never sees a detector:
it takes scores.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

#: False positive and false negative weights of the three profiles; a true positive weighs 1.
PROFILES = {"standard": (0.11, 1.0), "reward_low_FP_rate": (0.22, 1.0), "reward_low_FN_rate": (0.11, 2.0)}


@dataclass(frozen=True, slots=True)
class Rules:
    """What a record of one file is worth: `gain` inside a window (1 at its left edge), `loss` outside (-1 … 0)."""

    name: str
    gain: Array
    loss: Array
    window: Array
    """Index of the window that a record lies in, -1 outside of all."""
    scored: Array
    windows: int


def sigmoid(position: Array) -> Array:
    """The scaled sigmoid of the benchmark: about 1 at -1 (left edge), 0 at 0 (right edge), -1 beyond 3."""
    value = 2.0 / (1.0 + np.exp(5.0 * np.minimum(position, 3.0))) - 1.0
    return np.where(position > 3.0, -1.0, value)


def rules_of(name: str, timestamps: Sequence[str], windows: Sequence[Sequence[str]]) -> Rules:
    """The worth of every record of a file; `windows` are pairs of first and last timestamp, as in the labels."""
    count = len(timestamps)
    gain, loss = np.zeros(count), np.full(count, -1.0)
    window = np.full(count, -1, dtype=np.int64)
    for number, (first, last) in enumerate(windows):
        left, right = _position(timestamps, first), _position(timestamps, last)
        width = right - left + 1
        inside = np.arange(left, right + 1)
        gain[inside] = sigmoid(-(right - inside + 1) / width) / float(sigmoid(np.array(-1.0)))
        window[inside] = number
        after = np.arange(right + 1, count)
        loss[after] = sigmoid((after - right) / max(width - 1, 1))
    scored = np.arange(count) >= min(int(0.15 * count), 750)
    return Rules(name, gain, loss, window, scored, len(windows))


def _position(timestamps: Sequence[str], wanted: str) -> int:
    short = wanted.split(".", maxsplit=1)[0]
    for index, stamp in enumerate(timestamps):
        if stamp.split(".", maxsplit=1)[0] == short:
            return index
    raise ValueError(f"the window edge {wanted} is no timestamp of its file")


def curve(rules: Sequence[Rules], scores: Sequence[Array], profile: str) -> tuple[Array, Array]:
    """Raw score of the corpus at every threshold that makes a difference: `(thresholds descending, raw)`.

    A record counts when its score is at least the threshold. The first threshold is infinite: nothing detected.
    """
    false_positive, false_negative = PROFILES[profile]
    at: list[Array] = []
    change: list[Array] = []
    for rule, score in zip(rules, scores, strict=True):
        outside = rule.scored & (rule.window < 0) & (score > 0)
        at.append(score[outside])
        change.append(rule.loss[outside] * false_positive)
        for number in range(rule.windows):
            hits = np.flatnonzero(rule.scored & (rule.window == number) & (score > 0))
            order = hits[np.argsort(-score[hits], kind="stable")]
            best = np.maximum.accumulate(np.concatenate(([-false_negative], rule.gain[order])))
            at.append(score[order])
            change.append(np.diff(best))
    every, changes = np.concatenate(at), np.concatenate(change)
    order = np.argsort(-every, kind="stable")
    every, changes = every[order], np.cumsum(changes[order])
    last = np.flatnonzero(np.append(every[1:] != every[:-1], True)) if every.size else np.zeros(0, dtype=np.int64)
    nothing = -false_negative * sum(rule.windows for rule in rules)
    return np.concatenate(([np.inf], every[last])), np.concatenate(([nothing], nothing + changes[last]))


def normalised(raw: float, rules: Sequence[Rules], profile: str) -> float:
    """0 for a detector that never speaks, 100 for one that is right at every window's left edge."""
    windows = sum(rule.windows for rule in rules)
    nothing = -PROFILES[profile][1] * windows
    return 100.0 * (raw - nothing) / max(windows - nothing, 1e-9)


def best(rules: Sequence[Rules], scores: Sequence[Array], profile: str) -> tuple[float, float]:
    """The scoreboard's figure and the threshold that gives it, optimised on these very files."""
    thresholds, raw = curve(rules, scores, profile)
    top = int(np.argmax(raw))
    return normalised(float(raw[top]), rules, profile), float(thresholds[top])


def raw_at(rule: Rules, score: Array, threshold: float, profile: str) -> float:
    """Raw score of one file at one threshold."""
    false_positive, false_negative = PROFILES[profile]
    hit = rule.scored & (score >= threshold) & (score > 0)
    total = float(rule.loss[hit & (rule.window < 0)].sum()) * false_positive
    for number in range(rule.windows):
        gains = rule.gain[hit & (rule.window == number)]
        total += float(gains.max()) if gains.size else -false_negative
    return total


def total_at(rules: Sequence[Rules], scores: Sequence[Array], threshold: float, profile: str) -> float:
    """Normalised score of the corpus at one threshold."""
    raw = sum(raw_at(rule, score, threshold, profile) for rule, score in zip(rules, scores, strict=True))
    return normalised(raw, rules, profile)


def held_out(
    rules: Sequence[Rules], scores: Sequence[Array], profile: str = "standard", shuffles: int = 4, folds: int = 5
) -> float:
    """Mean figure when each fold of files is judged by the threshold that is best on the other folds."""
    generator = np.random.default_rng(0)
    totals = []
    for _ in range(shuffles):
        fold = generator.permutation(len(rules)) % folds
        raw = 0.0
        for number in range(folds):
            others = [index for index in range(len(rules)) if fold[index] != number]
            thresholds, curves = curve([rules[i] for i in others], [scores[i] for i in others], profile)
            threshold = float(thresholds[int(np.argmax(curves))])
            raw += sum(raw_at(rules[i], scores[i], threshold, profile) for i in np.flatnonzero(fold == number).tolist())
        totals.append(normalised(raw, rules, profile))
    return float(np.mean(totals))


def read_corpus(folder: Path) -> list[tuple[Rules, list[str], Array]]:
    """`(rules, timestamps, values)` of every labelled file below `folder` that is there; plain or gzip."""
    labels: Mapping[str, Sequence[Sequence[str]]] = json.loads((folder / "labels/combined_windows.json").read_text())
    corpus = []
    for name in sorted(labels):
        path = next((p for p in (folder / "data" / name, folder / "data" / f"{name}.gz") if p.exists()), None)
        if path is None:
            continue
        rows = read_rows(path)
        stamps = [row["timestamp"] for row in rows]
        values = np.array([float(row["value"]) for row in rows])
        corpus.append((rules_of(name, stamps, labels[name]), stamps, values))
    return corpus


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a comma-separated file, plain or gzip."""
    opened = gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="")
    with opened as lines:
        return list(csv.DictReader(lines))


def check(folder: Path) -> dict[str, float]:
    """Greatest difference to the published totals of each detector whose scores ship with the corpus.

    At the published thresholds: one of them is not the best on its own scores.
    """
    corpus = read_corpus(folder)
    published = json.loads((folder / "results/final_results.json").read_text())
    thresholds = json.loads((folder / "config/thresholds.json").read_text())
    differences = {}
    for detector in sorted(path.name for path in (folder / "oracle_scores").iterdir() if path.is_dir()):
        scores = []
        for rule, _, _ in corpus:
            rows = read_rows(folder / "oracle_scores" / detector / f"{rule.name}.gz")
            scores.append(np.array([float(row["anomaly_score"]) for row in rows]))
        rules = [rule for rule, _, _ in corpus]
        differences[detector] = max(
            abs(
                total_at(rules, scores, float(thresholds[detector][profile]["threshold"]), profile)
                - published[detector][profile]
            )
            for profile in PROFILES
        )
    return differences
