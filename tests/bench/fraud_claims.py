"""Labelled vehicle claims through the product's training code: measures the learning, not the attendance logic."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import nan
from pathlib import Path
from typing import Any

from engine.fraud.fitting import Table, fit
from engine.fraud.metrics import bootstrap, measure, top
from tests.bench.tabular import rows

LABEL = "FraudFound_P"
#: They name the case and the split, not the claim.
LEFT_OUT = {"PolicyNumber", "Year", LABEL}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NUMBER = re.compile(r"\d+")
_BESIDE = {"more": 1.0, "less": -1.0, "under": -6.0}
_PUBLISHED = {"logistic_regression_pr": 0.099, "lightgbm_pr": 0.144}
_COMMON = 15
#: Years for an address that never changed: longer than all others.
_NEVER = 20.0


def run(train: Path, data: Path) -> dict[str, Any]:
    """Fit on the claims of `train` and report those of `data`; one file gives its first 70 % and the rest."""
    before = sorted(rows(train), key=_when)
    after = sorted(rows(data), key=_when)
    if train.resolve() == data.resolve():
        cut = int(len(before) * 0.7)
        before, after = before[:cut], after[cut:]
    columns = _Columns(before)
    made = fit(Table(features=columns.names, rows=columns.of(before), labels=_labels(before)))
    labels = _labels(after)
    scores = made.trees().score(columns.of(after))
    figures = measure(labels, scores, made.threshold)
    best, worst = top(labels, scores, 0.01), top(labels, scores, 0.05)
    return {
        "insurance_pr": round(figures["pr_auc"], 4),
        "insurance": {
            **{name: round(value, 4) for name, value in figures.items()},
            "interval": [round(bound, 4) for bound in bootstrap(labels, scores)],
            "precision_at_1": round(best["precision"], 3),
            "recall_at_5": round(worst["recall"], 3),
            "cases": len(labels),
            "baseline": _logistic_regression(columns, before, after) | {"published_on_1996": _PUBLISHED},
            "settings": {name: made.settings[name] for name in ("trees", "max_depth", "scale_pos_weight")},
        },
    }


def _when(row: dict[str, str]) -> tuple[str, int, int]:
    month = row.get("Month", "")
    week = row.get("WeekOfMonth", "0")
    return row.get("Year", ""), _MONTHS.index(month) if month in _MONTHS else 0, int(week) if week.isdigit() else 0


def _labels(claims: Sequence[dict[str, str]]) -> list[int]:
    return [int(row[LABEL]) for row in claims]


class _Columns:
    """Ordered text becomes its number, other text one column per value that occurs at least 15 times."""

    def __init__(self, claims: Sequence[dict[str, str]]) -> None:
        self._numbers: list[str] = []
        self._values: list[tuple[str, str]] = []
        for name in claims[0]:
            values = [row[name] for row in claims]
            if name in LEFT_OUT:
                continue
            if sum(_number(value) == _number(value) for value in values) > len(values) // 5:
                self._numbers.append(name)
            else:
                common = sorted(value for value in set(values) if values.count(value) >= _COMMON)
                self._values += [(name, value) for value in common]
        self.names = (*self._numbers, *(f"{name}={value}" for name, value in self._values))

    def of(self, claims: Sequence[dict[str, str]]) -> list[list[float]]:
        return [
            [
                *(_number(row.get(name, "")) for name in self._numbers),
                *(float(row.get(name) == value) for name, value in self._values),
            ]
            for row in claims
        ]


def _number(text: str) -> float:
    """Of "26 to 30" 26, of "more than 69000" 69001, of "under 6 months" 0, of months and days their place, else NaN."""
    for ordered in (_MONTHS, _DAYS):
        if text in ordered:
            return float(ordered.index(text))
    if text.lower() in {"none", "new"}:
        return 0.0
    if text.lower() == "no change":
        return _NEVER
    found = _NUMBER.search(text)
    if found is None:
        return nan
    return float(found[0]) + _BESIDE.get(text.split()[0], 0.0)


def _logistic_regression(columns: _Columns, before: Any, after: Any) -> dict[str, float]:
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    filled = [np.nan_to_num(np.asarray(columns.of(part))) for part in (before, after)]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(filled[0], _labels(before))
    scores = model.predict_proba(filled[1])[:, 1].tolist()
    return {"logistic_regression_pr": round(measure(_labels(after), scores, 0.5)["pr_auc"], 4)}
