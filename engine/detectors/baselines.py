"""Running baselines by entity, metric and hour of the week: mean, spread and count, and the z of a value.

For rare figures that audits look at (events per hour, tours, attendance); samples of a line go to the ensemble.
Plain Python: it is asked a few times an hour. Hours of the week are of universal time unless the caller shifts `at`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite, sqrt

#: After so many values the oldest are forgotten at the pace that new ones come: a quarter of a year of weeks.
MEMORY = 13
#: Values of the very hour below which all hours of the entity and metric stand in.
LEAST_COUNT = 4
HOURS = 168
#: Spread is at least this share of the mean, so that a constant baseline gives no endless z.
LEAST_SPREAD = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What is usual: mean and standard deviation of `count` values. `hour` is None where all hours stand in."""

    mean: float
    spread: float
    count: int
    hour: int | None

    def z(self, value: float) -> float:
        """Signed distance from the mean in spreads; the spread is at least 5 % of the mean, and above 0."""
        return (value - self.mean) / max(self.spread, LEAST_SPREAD * abs(self.mean), 1e-9)


class Baselines:
    """Baselines of many entities and metrics. Ask before you learn: a value is never judged by itself."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str], dict[int, tuple[float, float, int]]] = {}

    def learn(self, entity: str, metric: str, at: datetime, value: float) -> None:
        """Take a finite value into its hour of the week, and into all hours. ValueError for a time without a zone."""
        hour = hour_of_week(at)
        if not isfinite(value):
            return
        cells = self._cells.setdefault((entity, metric), {})
        for cell, memory in ((hour, MEMORY), (-1, MEMORY * HOURS)):
            mean, variance, count = cells.get(cell, (0.0, 0.0, 0))
            count += 1
            weight = 1.0 / min(count, memory)
            away = value - mean
            cells[cell] = (mean + weight * away, (1.0 - weight) * (variance + weight * away * away), count)

    def baseline(self, entity: str, metric: str, at: datetime) -> Baseline | None:
        """What is usual at that hour of the week, or at any hour while the hour has too few values; None for none."""
        cells = self._cells.get((entity, metric), {})
        hour = hour_of_week(at)
        for cell in (hour, -1):
            mean, variance, count = cells.get(cell, (0.0, 0.0, 0))
            if count >= LEAST_COUNT:
                return Baseline(mean=mean, spread=sqrt(variance), count=count, hour=None if cell < 0 else cell)
        return None

    def z(self, entity: str, metric: str, at: datetime, value: float) -> float | None:
        """The z of a value against its baseline; None while there is none."""
        baseline = self.baseline(entity, metric, at)
        return None if baseline is None else baseline.z(value)

    def state(self) -> list[tuple[str, str, int, float, float, int]]:
        """Rows of entity, metric, hour (-1: all), mean, variance, count."""
        return [(*key, hour, *cell) for key, cells in self._cells.items() for hour, cell in cells.items()]

    def restore(self, rows: list[tuple[str, str, int, float, float, int]]) -> None:
        """Replace everything by saved rows."""
        cells: dict[tuple[str, str], dict[int, tuple[float, float, int]]] = {}
        for entity, metric, hour, mean, variance, count in rows:
            cells.setdefault((entity, metric), {})[hour] = (mean, variance, count)
        self._cells = cells


def hour_of_week(at: datetime) -> int:
    """0 for Monday 00:00 … 167 for Sunday 23:00, universal time."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone has no hour of the week")
    universal = at.astimezone(UTC)
    return universal.weekday() * 24 + universal.hour


def spoken(baseline: Baseline, value: float) -> Mapping[str, float]:
    """The numbers of a finding's evidence."""
    return {"value": value, "mean": baseline.mean, "spread": baseline.spread, "z": baseline.z(value)}
