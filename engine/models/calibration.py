"""Calibration: a raw probability → one that means what it says.

Owns the two usual maps and their JSON form. Never fits: that is done where the model is trained.
Source: Platt, "Probabilistic outputs for support vector machines" (1999); Zadrozny and Elkan, KDD 2002 (isotonic).
"""

from __future__ import annotations

from bisect import bisect_right
from math import exp, isfinite, log
from typing import Annotated

from msgspec import Meta, Struct

from engine.models.refused import ModelRefused

_TINY = 1e-9
Points = Annotated[tuple[float, ...], Meta(min_length=2, max_length=10_000)]


class Platt(Struct, frozen=True, kw_only=True, tag="platt", tag_field="kind"):
    """1 / (1 + exp(-(slope · logit(p) + shift))).

    >>> round(Platt(slope=1.0, shift=0.0).apply(0.3), 6)
    0.3
    """

    slope: float
    shift: float

    def check(self) -> None:
        if not (isfinite(self.slope) and isfinite(self.shift)) or self.slope <= 0:
            raise ModelRefused("malformed", "the calibration does not rise")

    def apply(self, probability: float) -> float:
        held = min(max(probability, _TINY), 1.0 - _TINY)
        return logistic(self.slope * log(held / (1.0 - held)) + self.shift)


class Isotonic(Struct, frozen=True, kw_only=True, tag="isotonic", tag_field="kind"):
    """Straight lines between the points (x, y), level outside them. `x` rises, `y` never falls.

    >>> Isotonic(x=(0.0, 0.5, 1.0), y=(0.0, 0.25, 1.0)).apply(0.75)
    0.625
    """

    x: Points
    y: Points

    def check(self) -> None:
        rising = all(a < b for a, b in zip(self.x, self.x[1:], strict=False))
        falling = any(a > b for a, b in zip(self.y, self.y[1:], strict=False))
        if len(self.x) != len(self.y) or not all(map(isfinite, (*self.x, *self.y))) or not rising or falling:
            raise ModelRefused("malformed", "the calibration does not rise")

    def apply(self, probability: float) -> float:
        x, y = self.x, self.y
        if probability <= x[0]:
            return y[0]
        if probability >= x[-1]:
            return y[-1]
        above = bisect_right(x, probability)
        share = (probability - x[above - 1]) / (x[above] - x[above - 1])
        return y[above - 1] + share * (y[above] - y[above - 1])


Calibration = Platt | Isotonic


def logistic(margin: float) -> float:
    """1 / (1 + exp(-margin)), without overflow."""
    if margin >= 0:
        return 1.0 / (1.0 + exp(-margin))
    grown = exp(max(margin, -700.0))
    return grown / (1.0 + grown)
