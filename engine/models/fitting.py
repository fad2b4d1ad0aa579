"""Fitting: rows and labels → the bytes of a model, its golden rows and its manifest's common part.

Owns the calls of XGBoost. Imported in training processes only: it brings numpy and xgboost, and keeps them to one
thread. Source: Chen and Guestrin, "XGBoost: A Scalable Tree Boosting System", KDD 2016.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any, NamedTuple

from engine.models.manifest import Golden
from engine.version import VERSION

GOLDEN_ROWS = 20
#: Small on purpose: a score costs about 10 µs. `seed` makes a training repeatable.
DEFAULTS: dict[str, str | float | int | bool] = {
    "objective": "binary:logistic",
    "max_depth": 3,
    "eta": 0.1,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "min_child_weight": 5,
    "lambda": 2.0,
    "seed": 7,
    "nthread": 1,
}


class Fitted(NamedTuple):
    """`raw` is XGBoost's JSON; `settings` and `versions` go into the manifest; `booster` scores while training goes
    on."""

    raw: bytes
    golden: tuple[Golden, ...]
    settings: dict[str, str | float | int | bool]
    versions: dict[str, str]
    booster: Any

    def predict(self, rows: Any) -> Any:
        """XGBoost's own probabilities of a 2-D array."""
        import numpy as np
        import xgboost

        return self.booster.predict(xgboost.DMatrix(np.asarray(rows, dtype=np.float32)))


def fit(
    rows: Any,
    labels: Any,
    *,
    features: Sequence[str],
    trees: int = 60,
    weights: Any = None,
    settings: Mapping[str, str | float | int | bool] | None = None,
    offsets: Any = None,
) -> Fitted:
    """`rows` n × features with NaN for missing, `labels` n. `offsets`: log odds that are known of each row beforehand;
    the trees learn what is to be added to them. Raises ValueError when XGBoost refuses them."""
    import numpy as np
    import xgboost

    used = {**DEFAULTS, **(settings or {})}
    table = np.asarray(rows, dtype=np.float32)
    data = xgboost.DMatrix(table, label=np.asarray(labels, dtype=np.float32), weight=weights, base_margin=offsets)
    booster = xgboost.train(dict(used), data, trees)
    picked = np.unique(np.linspace(0, len(table) - 1, GOLDEN_ROWS).astype(int))
    scores = booster.predict(xgboost.DMatrix(table[picked]))
    golden = tuple(
        Golden(tuple(None if isnan(value) else value for value in row), float(score))
        for row, score in zip(table[picked].tolist(), scores, strict=True)
    )
    booster.feature_names = list(features)
    raw = bytes(booster.save_raw("json"))
    booster.feature_names = None
    versions = {"noc-console": VERSION, "xgboost": xgboost.__version__, "numpy": np.__version__}
    return Fitted(raw, golden, {**used, "trees": trees}, versions, booster)


def typical(rows: Any) -> list[float | None]:
    """The median of each column; null where it is never known."""
    import warnings

    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = np.nanmedian(np.asarray(rows, dtype=np.float64), axis=0)
    return [None if isnan(value) else round(float(value), 4) for value in found]
