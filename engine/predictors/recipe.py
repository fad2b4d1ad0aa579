"""The recipe of a predictor's model: a table of what was scored and what came of it → a fit, calibration, figures.

Owns the split by time, calibration, threshold and measures. The first 70 % of the rows are fit, the next 15 % calibrate
and set the threshold, the last 15 % are only judged. The model that is offered is then fit on all of them by the same
recipe and with that calibration. Trees are fit beside the share of events of their own time (see `scoring`): only here,
where the past is known as a whole, that share may be of the rows around; whenever anything is judged it is the one
known at the row. Imports numpy, XGBoost and scikit-learn: never where the line runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from engine.models.calibration import Platt, logistic
from engine.models.fitting import Fitted, fit
from engine.models.trees import Trees
from engine.predictors.predictor import Predictor
from engine.training.outcome import TooFew

#: Fewer examples than this make no model; so many must be of events, and so many not.
LEAST, LEAST_OF_EACH = 500, 20
FIT, CALIBRATE = 0.70, 0.85
PRIMARY = "pr_auc"
TREES = 120
SETTINGS: dict[str, str | float | int | bool] = {
    "max_depth": 3,
    "eta": 0.06,
    "min_child_weight": 8,
    "lambda": 1.0,
    "base_score": 0.5,
}
#: With fewer rows than this a smaller model is fit: shallower, and of leaves that a dozen rows are enough for.
FEW = 2000
SMALL = {**SETTINGS, "max_depth": 2, "min_child_weight": 2}
#: Rows on either side that the share of events of a row is taken from, at least, and as a part of all.
AROUND, AROUND_PART = 150, 0.05
#: A warning is worth raising where so many of them come true.
PRECISION = 0.6

Progress = Callable[[str, int, int], Any]


def quiet(what: str, done: int, total: int) -> None:
    """Tells nobody."""


class Table(NamedTuple):
    """In the order of time: rows of features, labels 0 or 1, how many cases each stands for, and the share of events
    that was known at the row."""

    rows: Any
    labels: Any
    weights: Any
    shares: Any

    def part(self, start: int, stop: int) -> Table:
        return Table(*(column[start:stop] for column in self))


class Model(NamedTuple):
    """A fit with its calibration and threshold; `judged` are the figures of the rows that were held out."""

    fitted: Fitted
    calibration: Platt
    threshold: float
    metrics: dict[str, float]
    baseline: dict[str, float]
    held: Table

    def trees(self) -> Trees:
        return Trees.load(self.fitted.raw, self.calibration)


def learn(of: Predictor, table: Table, tell: Progress = quiet, *, least: int = LEAST) -> Model:
    """Raises TooFew with fewer than `least` rows, or LEAST_OF_EACH of either kind."""
    _enough(of, table, least)
    total = len(table.labels)
    first, second = int(total * FIT), int(total * CALIBRATE)
    tell("fitting", 0, total)
    early = _fit(of, table.part(0, first))
    tell("fitting", first, total)
    middle, held = table.part(first, second), table.part(second, total)
    calibration = platt(_margins(early, middle), middle.labels, middle.weights)
    threshold = worth(_apply(calibration, _margins(early, middle)), middle.labels, middle.weights)
    scores = _apply(calibration, _margins(early, held))
    found = Model(
        fitted=_fit(of, table),
        calibration=calibration,
        threshold=threshold,
        metrics=measures(held.labels, scores, held.weights, threshold),
        baseline=measures(held.labels, thumb(of, held), held.weights, 0.5),
        held=held,
    )
    tell("fitting", total, total)
    return found


def _enough(of: Predictor, table: Table, least: int) -> None:
    total, events = len(table.labels), int(table.labels.sum()) if len(table.labels) else 0
    if total < least or min(events, total - events) < LEAST_OF_EACH:
        raise TooFew(
            f"{of.name}: {total} outcomes, {events} of them events; {least} are needed, {LEAST_OF_EACH} of either "
            "kind. Until then rules of thumb predict"
        )


def _fit(of: Predictor, table: Table) -> Fitted:
    import numpy as np

    offsets = np.log(local := around(table.labels, table.weights)) - np.log1p(-local)
    return fit(
        table.rows,
        table.labels,
        features=of.features,
        trees=TREES if len(table.labels) >= FEW else TREES // 2,
        weights=table.weights,
        settings={**(SETTINGS if len(table.labels) >= FEW else SMALL), "monotone_constraints": _ways(of)},
        offsets=offsets,
    )


def _ways(of: Predictor) -> str:
    """Of each column whether it may only rise (1), only fall (-1), or both (0)."""
    ways = (1 if name in of.rising else -1 if name in of.falling else 0 for name in of.features)
    return f"({','.join(map(str, ways))})"


def around(labels: Any, weights: Any) -> Any:
    """The share of events among the rows before and after each row, shrunk towards that of all."""
    import numpy as np

    total = len(labels)
    reach = max(AROUND, int(total * AROUND_PART))
    came = np.concatenate([[0.0], np.cumsum(labels * weights)])
    cases = np.concatenate([[0.0], np.cumsum(weights)])
    place = np.arange(total)
    low, high = np.maximum(0, place - reach), np.minimum(total, place + reach)
    whole = came[-1] / cases[-1]
    mean = cases[-1] / total
    found = (came[high] - came[low] + 10.0 * mean * whole) / (cases[high] - cases[low] + 10.0 * mean)
    return np.clip(found, 1e-5, 1.0 - 1e-5)


def _margins(fitted: Fitted, table: Table) -> Any:
    """Log odds of each row, beside the share of events that was known at it."""
    import numpy as np

    plain = np.clip(np.asarray(fitted.predict(table.rows), dtype=np.float64), 1e-7, 1.0 - 1e-7)
    shares = np.clip(np.asarray(table.shares, dtype=np.float64), 1e-6, 1.0 - 1e-6)
    return np.log(plain) - np.log1p(-plain) + np.log(shares) - np.log1p(-shares)


def platt(margins: Any, labels: Any, weights: Any) -> Platt:
    """Slope and shift on the log odds by Newton's method, held near (1, 0) where there are few events."""
    import numpy as np

    columns = np.stack([margins, np.ones(len(margins))], axis=1)
    start = np.array([1.0, 0.0])
    found, before = start, _loss(columns, labels, weights, start)
    for _ in range(50):
        chance = 1.0 / (1.0 + np.exp(-np.clip(columns @ found, -30.0, 30.0)))
        # A normal prior of standard deviation 0.5 around (1, 0).
        slopes = columns.T @ (weights * (labels - chance)) - (found - start) / 0.25
        bend = (columns * (weights * chance * (1.0 - chance))[:, None]).T @ columns + np.eye(2) / 0.25
        step = np.linalg.solve(bend, slopes)
        # Where a whole step overshoots, half of it is taken, and half of that.
        while (after := _loss(columns, labels, weights, found + step)) > before and float(np.abs(step).max()) > 1e-6:
            step = step / 2.0
        if float(np.abs(step).max()) <= 1e-6:
            break
        found, before = found + step, after
    slope, shift = map(float, found)
    return Platt(slope=min(5.0, max(0.05, slope)), shift=shift)


def _loss(columns: Any, labels: Any, weights: Any, found: Any) -> float:
    """What `platt` makes as small as it can: the cross entropy, and the distance from (1, 0)."""
    import numpy as np

    margins = columns @ found
    entropy = weights @ (np.logaddexp(0.0, margins) - labels * margins)
    return float(entropy + ((found - np.array([1.0, 0.0])) ** 2).sum() / 0.5)


def _apply(calibration: Platt, margins: Any) -> Any:
    import numpy as np

    return np.array([calibration.apply(logistic(float(margin))) for margin in margins])


def worth(scores: Any, labels: Any, weights: Any) -> float:
    """The lowest threshold at which PRECISION of the warnings come true; one half where none is."""
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    right, cases = np.cumsum((labels * weights)[order]), np.cumsum(weights[order])
    good = np.flatnonzero((right >= PRECISION * cases) & (np.arange(len(order)) >= 9))
    return float(min(0.9, max(0.2, scores[order[good[-1]]]))) if len(good) else 0.5


def thumb(of: Predictor, table: Table) -> Any:
    """What the rules of thumb make of these rows."""
    import numpy as np

    rows, shares = table.rows, table.shares
    return np.array(
        [
            logistic(of.margin(tuple(map(float, row)), float(share), None))
            for row, share in zip(rows, shares, strict=True)
        ]
    )


def measures(labels: Any, scores: Any, weights: Any, threshold: float) -> dict[str, float]:
    """PR-AUC (average precision), ROC-AUC, Brier, precision and recall at `threshold`; empty when only one kind is
    there."""
    from sklearn import metrics  # type: ignore[import-untyped]

    if len(set(labels.tolist())) < 2:
        return {}
    raised = scores >= threshold
    found = {
        "pr_auc": metrics.average_precision_score(labels, scores, sample_weight=weights),
        "roc_auc": metrics.roc_auc_score(labels, scores, sample_weight=weights),
        "brier": metrics.brier_score_loss(labels, scores, sample_weight=weights),
        "precision": metrics.precision_score(labels, raised, sample_weight=weights, zero_division=0.0),
        "recall": metrics.recall_score(labels, raised, sample_weight=weights),
        "base_rate": float((labels * weights).sum() / weights.sum()),
    }
    return {name: round(float(value), 4) for name, value in found.items()}


def base_rate(table: Table) -> float:
    """The share of events among the newest tenth."""
    newest = table.part(int(0.9 * len(table.labels)), len(table.labels))
    share = float((newest.labels * newest.weights).sum() / newest.weights.sum())
    return min(0.999, max(1e-5, round(share, 6)))
