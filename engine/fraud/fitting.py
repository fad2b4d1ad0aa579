"""Fitting: labelled rows in the order of time become a calibrated ensemble with a threshold.

Owns the slices of time, the weight of the rare class, when to stop, calibration and threshold. Knows nothing of where
rows come from, so that any table of numbers can go through it. Imports xgboost inside `fit`, in the training process
only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import exp, log, sqrt
from typing import Any

from msgspec import Struct

from engine.fraud.metrics import Costs, cheapest
from engine.models.calibration import Platt
from engine.models.manifest import Golden
from engine.models.trees import Trees
from engine.training.outcome import TooFew

Progress = Callable[[str, float], None]

#: Shares of the rows, oldest first: each pair is fit up to the first and stopped on what follows up to the second; what
#: is left after all calibrates and sets the threshold.
FOLDS = ((0.50, 0.675), (0.675, 0.85))
DEPTHS = (3, 5)
TREES_MOST = 300
PATIENCE = 40
_TINY = 1e-9


class Table(Struct, frozen=True, kw_only=True):
    """Rows of `features` values (NaN = missing) with labels 0 or 1, oldest first."""

    features: tuple[str, ...]
    rows: Sequence[Sequence[float]]
    labels: Sequence[int]

    def part(self, start: int, stop: int) -> Table:
        return Table(features=self.features, rows=self.rows[start:stop], labels=self.labels[start:stop])


class Fit(Struct, frozen=True, kw_only=True):
    """What a fit made. `settings` are what was chosen on the slice that stopped it."""

    raw: bytes
    calibration: Platt
    threshold: float
    settings: dict[str, str | float | int | bool]
    versions: dict[str, str]
    golden: tuple[Golden, ...]

    def trees(self) -> Trees:
        return Trees.load(self.raw, self.calibration)


def fit(table: Table, costs: Costs | None = None, progress: Progress | None = None) -> Fit:
    """Depth, weight of the rare class and number of trees are those with the best mean PR-AUC on two later slices of
    time, each fit stopping early on its slice; then all before the last slice is fit, and the last one calibrates and
    sets the threshold. Raises TooFew."""
    from engine.models import fitting

    told = progress or _silent
    cuts = [(int(len(table.rows) * start), int(len(table.rows) * stop)) for start, stop in FOLDS]
    end = cuts[-1][1]
    folds = [(table.part(0, start), table.part(start, stop)) for start, stop in cuts]
    last = table.part(end, len(table.rows))
    _check([part for fold in folds for part in fold] + [last])
    settings, trees = _best([(_matrix(before), _matrix(after)) for before, after in folds], _ratio(table), told)
    before = table.part(0, end)
    fitted = fitting.fit(before.rows, before.labels, features=table.features, trees=trees, settings=settings)
    scores = [float(score) for score in fitted.predict(last.rows)]
    calibration = platt(scores, last.labels)
    threshold = cheapest(last.labels, [calibration.apply(score) for score in scores], costs or Costs())
    told(f"{trees} trees, threshold {threshold:.2f}", 1.0)
    return Fit(
        raw=fitted.raw,
        calibration=calibration,
        threshold=threshold,
        settings=fitted.settings,
        versions=fitted.versions,
        golden=fitted.golden,
    )


def _best(folds: Sequence[tuple[Any, Any]], ratio: float, told: Progress) -> tuple[dict[str, Any], int]:
    """The settings and number of trees with the best mean PR-AUC over the folds."""
    best: tuple[float, dict[str, Any], int] = (-1.0, {}, 1)
    choices = list(product(DEPTHS, (1.0, sqrt(ratio), ratio)))
    for number, (depth, weight) in enumerate(choices):
        settings = _settings(depth, weight)
        curves = [_curve(settings, before, after) for before, after in folds]
        for trees, values in enumerate(zip(*curves, strict=False), start=1):
            if sum(values) / len(values) > best[0]:
                best = (sum(values) / len(values), settings, trees)
        told(f"depth {depth}, weight {weight:.1f}: best PR-AUC so far {best[0]:.3f}", (number + 1) / (len(choices) + 1))
    return best[1], best[2]


def _curve(settings: dict[str, Any], before: Any, after: Any) -> list[float]:
    """PR-AUC on the later slice by number of trees, until it has not grown for long."""
    import xgboost

    found: dict[str, dict[str, list[float]]] = {}
    xgboost.train(
        settings,
        before,
        TREES_MOST,
        evals=[(after, "later")],
        evals_result=found,
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    return found["later"]["aucpr"]


def _check(parts: Sequence[Table]) -> None:
    if any(len(set(part.labels)) < 2 for part in parts):
        raise TooFew("a slice of time has cases of one kind only: label more, of both kinds, over more time")


def _ratio(table: Table) -> float:
    """Honest cases per fraud."""
    return (len(table.labels) - sum(table.labels)) / sum(table.labels)


def _silent(_: str, __: float) -> None:
    return None


def _settings(depth: int, weight: float) -> dict[str, Any]:
    return {
        "objective": "binary:logistic",
        "eval_metric": "aucpr",
        "max_depth": depth,
        "eta": 0.05,
        "min_child_weight": 3.0,
        "lambda": 1.0,
        "subsample": 0.8,
        "colsample_bytree": 1.0,
        "scale_pos_weight": round(weight, 4),
        "tree_method": "hist",
        "nthread": 1,
        "seed": 7,
    }


def _matrix(table: Table) -> Any:
    import numpy as np
    import xgboost

    rows = np.asarray(table.rows, dtype=np.float32)
    return xgboost.DMatrix(rows, label=np.asarray(table.labels), feature_names=list(table.features), nthread=1)


def platt(scores: Sequence[float], labels: Sequence[int], steps: int = 50) -> Platt:
    """Slope and shift on the log odds that make these scores likeliest, by Newton's method on Platt's smoothed targets.

    Platt and not isotonic: with few fraud cases a step function ties what the trees tell apart. Where the scores run
    against the labels, the slope is kept at 1 and only the shift is fit.
    """
    positives = sum(labels)
    high, low = (positives + 1.0) / (positives + 2.0), 1.0 / (len(labels) - positives + 2.0)
    data = [(_logit(score), high if label else low) for score, label in zip(scores, labels, strict=True)]
    slope, shift = _newton(data, steps, with_slope=True)
    if not slope > 0.05:
        slope, shift = _newton(data, steps, with_slope=False)
    return Platt(slope=slope, shift=shift)


def _newton(data: Sequence[tuple[float, float]], steps: int, *, with_slope: bool) -> tuple[float, float]:
    slope, shift = 1.0, 0.0
    for _ in range(steps):
        ga = gb = haa = hab = hbb = 0.0
        for x, target in data:
            p = 1.0 / (1.0 + exp(-max(-500.0, min(500.0, slope * x + shift))))
            weight = max(p * (1.0 - p), 1e-12)
            ga += (p - target) * x
            gb += p - target
            haa += weight * x * x
            hab += weight * x
            hbb += weight
        if not with_slope:
            ga = hab = 0.0
            haa = 1.0
        haa, hbb = haa + 1e-6, hbb + 1e-6
        determinant = haa * hbb - hab * hab
        da, db = (hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant
        da, db = max(-1.0, min(1.0, da)), max(-2.0, min(2.0, db))
        slope, shift = slope - da, shift - db
        if abs(da) + abs(db) < 1e-7:
            break
    return slope, shift


def _logit(score: float) -> float:
    held = min(max(score, _TINY), 1.0 - _TINY)
    return log(held / (1.0 - held))
