"""Chance by seed: named streams that do not disturb each other, and the distributions the models share.

A stream belongs to one subject (the tickets of a site, the samples of another), so that an act which ends one cause
leaves everything else as it was. Never asks the machine for randomness.
"""

from __future__ import annotations

from math import exp
from random import Random


class Draws:
    """Streams by name, the same for the same seed on every machine."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def of(self, *names: str) -> Random:
        """The stream of these names, at its beginning."""
        return Random(f"{self.seed}/{'/'.join(names)}")


def around(random: Random, median: float, spread: float) -> float:
    """Log-normal: durations of handling and repair, with `spread` as sigma of the logarithm."""
    return random.lognormvariate(0.0, spread) * median


def between(random: Random, low: float, high: float) -> float:
    return low + (high - low) * random.random()


def count(random: Random, mean: float) -> int:
    """Poisson (Knuth's product method), for means up to a few dozen."""
    limit, product, drawn = exp(-min(mean, 50.0)), random.random(), 0
    while product > limit:
        product *= random.random()
        drawn += 1
    return drawn
