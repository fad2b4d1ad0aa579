"""The priority model in service: a row of features → 0–100, still where little changed, with what each group added.

Owns turning the model's probability into points, and explaining it: the points of a group are what the score would lose
if only that group were as it is in a typical incident, scaled so that all groups and the start come to the score.
Never loads a file, never trains.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, nan
from typing import Any

from data.records import Contribution
from engine.models.trees import Trees
from engine.priority.features import COLUMNS, GROUPS, POSITIONS

NAME = "priority"
#: A score moves on its own only by at least so many points; what changed the incident itself moves it at once.
STILL_POINTS = 2.0
#: The contribution that says where a typical incident stands.
START = "typical"
#: Column of each group whose value is shown.
_SHOWN = {
    "severity": "severity",
    "affected_sites": "sites",
    "business_hours": "open_hours",
    "client_tier": "tier",
    "historical_impact": "mattered_name",
    "recurrence": "unusual",
    "resolution_time": "hours_name",
    "site_workload": "site_open",
    "on_call": "on_call",
    "sla": "sla_used",
}


class PriorityModel:
    """`typical` is a row of usual values, NaN where unknown. Raises ValueError for a model of other features."""

    def __init__(self, trees: Trees, typical: Sequence[float | None]) -> None:
        if trees.features != COLUMNS or len(typical) != len(COLUMNS):
            raise ValueError("the model was made for other features: train it again")
        self._trees = trees
        self._typical = [nan if value is None else value for value in typical]
        self._start = self._points(self._typical)

    @classmethod
    def of(cls, served: Any) -> PriorityModel:
        """From a model that the registry serves. Raises ValueError."""
        return cls(served.trees, served.manifest.facts.get("typical", ()))

    def score(self, row: Sequence[float]) -> float:
        """Points 0–100, whole."""
        return float(round(self._points(row)))

    def scores(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """Of many rows at once."""
        return [float(round(100.0 * share)) for share in self._trees.score(rows)]

    def share(self, row: Sequence[float]) -> float:
        """The calibrated probability that the incident matters, 0..1."""
        return self._trees.score_one(row)

    def explain(self, row: Sequence[float], score: float) -> tuple[Contribution, ...]:
        """Start and groups; their points come to `score`. Groups that change nothing are left out."""
        exact = self._points(row)
        lost = {group: exact - self._points(self.without(row, group)) for group in GROUPS}
        whole, wanted = sum(lost.values()), score - self._start
        # Where groups work together their single losses do not add up: they are scaled, or what is left is shared.
        scale = wanted / whole if whole and 0.0 < wanted / whole < 4.0 else 1.0
        parts = [
            Contribution(group, shown(row, group), round(points * scale, 1))
            for group, points in lost.items()
            if abs(points * scale) >= 0.05
        ]
        left = round(score - sum(part.points for part in parts), 1)
        return (Contribution(START, 0.0, left), *parts)

    def without(self, row: Sequence[float], group: str) -> list[float]:
        """The row with one group as it is in a typical incident."""
        changed = list(row)
        for position in POSITIONS[group]:
            changed[position] = self._typical[position]
        return changed

    def _points(self, row: Sequence[float]) -> float:
        return 100.0 * self._trees.score_one(row)


def shown(row: Sequence[float], group: str) -> float:
    """The value of a group that stands for it on the screen; 0 when it is not known."""
    value = row[COLUMNS.index(_SHOWN[group])]
    return 0.0 if isnan(value) else round(value, 3)


def settled(before: float, now: float, *, itself_changed: bool) -> float:
    """The score to show: the one before while it moved by less than `STILL_POINTS` on its own."""
    return before if not itself_changed and abs(now - before) < STILL_POINTS else now
