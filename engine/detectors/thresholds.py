"""What a threshold is spoken of by: a z-equivalent, its default and its bounds. One place for detector and feedback.

Loads nothing: it is read before the first sample, and where no numerical library may be.
"""

from __future__ import annotations

#: The threshold of a series that was never tuned, and the bounds of all others. Thresholds are in proportion to z.
DEFAULT_Z, LEAST_Z, MOST_Z = 3.0, 2.0, 5.0


def bounded(z: float) -> float:
    """The nearest allowed z."""
    return min(max(z, LEAST_Z), MOST_Z)
