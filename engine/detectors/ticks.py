"""The shape of a tick: whether its series are in order, and how it falls into rounds in which each occurs once."""

from __future__ import annotations

from operator import lt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detectors.columns import FEW

Floats = NDArray[Any]
Ints = NDArray[np.int64]


def spread(at: Any, shape: tuple[int, ...]) -> Floats:
    return np.broadcast_to(np.asarray(at, dtype=np.float64), shape)


def increases(series: Ints) -> bool:
    """Whether each number is above the one before. A few are told sooner as a list than as an array."""
    if len(series) > FEW:
        return bool((series[1:] > series[:-1]).all())
    listed = series.tolist()
    return listed == list(range(listed[0], listed[0] + len(listed))) or all(map(lt, listed, listed[1:]))


def rounds(series: Ints) -> list[NDArray[np.int64]]:
    """Places of a tick in rounds of strictly increasing series; the k-th occurrence of a series is in round k."""
    order = np.argsort(series, kind="stable")
    ordered = series[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    turn = np.arange(len(ordered)) - np.repeat(starts, np.diff(np.append(starts, len(ordered))))
    return [order[turn == number] for number in range(int(turn.max()) + 1)]
