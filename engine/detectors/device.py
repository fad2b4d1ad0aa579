"""One score for a device from its many series, and the series that made it.

Each series is predicted from the others by the device's running covariance; what cannot be predicted, in spreads of
what usually cannot, is the deviation of that series (partial residuals of a Gaussian graphical model; Whittaker 1990,
"Graphical Models in Applied Multivariate Statistics"). Deviations are compressed, so that one wild series does not
outvote several. It fails while it has seen little: below `WARM_UP` records the score is 0. Causal: scored, then learnt.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]

WARM_UP = 100
#: Records after which the past is forgotten as fast as the present comes.
MEMORY = 100_000
#: Weight of a record in the smoothed values; of the identity in the covariance of scaled series.
SMOOTHING, SHRINKAGE = 0.3, 1.0
#: Deviations of a series beyond so many spreads are cut; spreads are at least this share of the range.
MOST_DEVIATION, LEAST_SPREAD = 20.0, 0.01
#: The covariance is inverted again after so many records.
RENEWAL = 64
MOST_METRICS = 512
#: An alarm is a score of at least so much, above the one that this share of the device's own records exceeds.
LEAST_ALARM, EXCEEDED = 0.5, 0.002
#: Records before the first alarm, and how fast the quantile moves.
ALARM_WARM_UP, QUANTILE_RATE = 300, 0.0005
_VERSION = "1"


@dataclass(frozen=True, slots=True)
class DeviceVerdict:
    """Score (at least 0), the contributing metrics by number, the largest share first, and the decision.

    `alarm` lasts as long as the score is above `threshold`; whether that is news is for the caller to know.
    """

    score: float
    contributors: tuple[tuple[int, float], ...]
    threshold: float = math.inf
    alarm: bool = False


class _Saved(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A device on paper: counts, the quantile, and its arrays as little-end doubles."""

    version: str
    metrics: int
    seen: int
    quantile: float | None
    arrays: list[bytes]


class Device:
    """The running model of one device with a fixed list of metrics: O(metrics²) of memory and time per record."""

    def __init__(self, metrics: int) -> None:
        if not 1 <= metrics <= MOST_METRICS:
            raise ValueError(f"a device has 1 to {MOST_METRICS} metrics, not {metrics}")
        self.metrics = metrics
        self._seen = 0
        self._mean = np.zeros(metrics)
        self._covariance = np.zeros((metrics, metrics))
        self._least, self._most = np.full(metrics, np.inf), np.full(metrics, -np.inf)
        self._level = np.zeros(metrics)
        self._spread = np.ones(metrics)
        self._precision: Floats = np.eye(metrics)
        self._scale = np.ones(metrics)
        self._residual: Floats = np.zeros(metrics)
        self._quantile: float | None = None

    def step(self, values: Any) -> DeviceVerdict:
        """Judge one record of all metrics [m], then learn it. What is not finite counts as usual.

        Raises ValueError for another number of metrics.
        """
        measured = np.asarray(values, dtype=np.float64)
        if measured.shape != (self.metrics,):
            raise ValueError(f"{self.metrics} values are needed, not an array of shape {measured.shape}")
        filled = np.where(np.abs(measured) < 1e30, measured, self._mean)
        if self._seen == 0:
            self._mean = filled.copy()
        deviations = self._deviations(filled)
        parts = np.log1p((deviations / 3.0) ** 4)
        score = float(parts.mean()) if self._seen >= WARM_UP else 0.0
        threshold = self._threshold()
        self._learn(filled, deviations, score)
        return DeviceVerdict(score, _contributors(parts) if score > 0 else (), threshold, score >= threshold)

    @property
    def ready(self) -> bool:
        """Whether it may alarm."""
        return self._seen > ALARM_WARM_UP

    def remember(self) -> Callable[[], None]:
        """→ a function that puts the device back to what it is now."""
        before = {name: part.copy() if isinstance(part, np.ndarray) else part for name, part in vars(self).items()}

        def put_back() -> None:
            vars(self).update(before)

        return put_back

    def state(self) -> bytes:
        """Everything learnt, for `restored`: derived data, 8 bytes × metrics × (metrics + 5)."""
        arrays = [np.ascontiguousarray(part, dtype="<f8").tobytes() for part in self._arrays()]
        return msgspec.msgpack.encode(_Saved(_VERSION, self.metrics, self._seen, self._quantile, arrays))

    @classmethod
    def restored(cls, state: bytes) -> Device:
        """The device that was saved. Raises ValueError if it is none, or of another version."""
        try:
            saved = msgspec.msgpack.decode(state, type=_Saved)
        except msgspec.MsgspecError as error:
            raise ValueError("this is no saved device") from error
        if saved.version != _VERSION:
            raise ValueError("this device is of another version")
        device = cls(saved.metrics)
        parts = device._arrays()
        if len(parts) != len(saved.arrays) or saved.seen < 0:
            raise ValueError("this device is damaged")
        for part, raw in zip(parts, saved.arrays, strict=True):
            if len(raw) != part.nbytes:
                raise ValueError("this device is damaged")
            part[...] = np.frombuffer(raw, dtype="<f8").reshape(part.shape)
        device._seen, device._quantile = saved.seen, saved.quantile
        if device._seen >= WARM_UP:
            device._renew()
        return device

    def _arrays(self) -> tuple[Floats, ...]:
        """What is saved; scale and precision follow from it."""
        return self._mean, self._covariance, self._least, self._most, self._level, self._spread

    def _threshold(self) -> float:
        if self._quantile is None or not self.ready:
            return math.inf
        return max(LEAST_ALARM, math.exp2(self._quantile))

    def _rank(self, score: float) -> None:
        """Move the quantile of the logarithm by one score (Robbins and Monro 1951)."""
        height = math.log2(max(score, 1e-6))
        if self._quantile is None:
            self._quantile = height if score > 0 else None
            return
        rate = max(QUANTILE_RATE, min(0.5, 2.0 / self._seen))
        self._quantile += min(rate / EXCEEDED, 1.0) if height > self._quantile else -rate

    def _deviations(self, values: Floats) -> Floats:
        scaled = (values - self._mean) / self._scale
        self._level += SMOOTHING * (scaled - self._level)
        smoothed = np.minimum(np.maximum(self._level, -MOST_DEVIATION), MOST_DEVIATION)
        residual = smoothed @ self._precision / np.sqrt(np.diagonal(self._precision))
        self._residual = residual
        deviations: Floats = residual / np.maximum(np.sqrt(self._spread), 0.08)
        return deviations

    def _learn(self, values: Floats, deviations: Floats, score: float) -> None:
        """What is unusual teaches little, so that a long fault does not become the model within its own length."""
        self._seen += 1
        self._rank(score)
        weight = 1.0 / min(self._seen, MEMORY) / (1.0 + score) ** 2
        away = values - self._mean
        self._mean = self._mean + weight * away
        self._covariance += weight * ((1.0 - weight) * np.outer(away, away) - self._covariance)
        if self._seen > WARM_UP:
            usual = np.minimum(self._residual**2, 25.0 * np.maximum(self._spread, 0.01))
            # The first guess of the spread counts for ten records.
            weight = 1.0 / min(self._seen - WARM_UP + 10, MEMORY) / (1.0 + score) ** 2
            self._spread += weight * (usual - self._spread)
        self._least, self._most = np.minimum(self._least, values), np.maximum(self._most, values)
        if self._seen % RENEWAL == 0 or self._seen == WARM_UP:
            self._renew()

    def _renew(self) -> None:
        span = np.maximum(self._most - self._least, 1e-9)
        self._scale = np.maximum(np.sqrt(np.diagonal(self._covariance)), LEAST_SPREAD * span)
        scaled = self._covariance / np.outer(self._scale, self._scale)
        self._precision = np.linalg.inv(scaled + SHRINKAGE * np.eye(self.metrics))


def _contributors(parts: Floats, most: int = 5) -> tuple[tuple[int, float], ...]:
    total = float(parts.sum())
    order = np.argsort(-parts, kind="stable")[:most]
    return tuple((int(index), float(parts[index]) / total) for index in order if parts[index] > 0.05 * total)
