"""The one configuration of the shipped detector, for every series there is: frozen, no training, nothing per series.

Structure and constants were chosen on public series with labels; `tests/bench/detectors.py` prints what they reach.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Configuration:
    """Constants of the detectors; durations in seconds, everything else per record or a plain ratio."""

    # Levels: weights of the exponential means that others lean on, in the order of the rows of `levels`.
    level_weights: tuple[float, ...] = (0.01, 0.002, 0.1, 0.02, 0.05, 0.2, 0.005, 0.05)
    log_floor: float = 1e-12
    """Share of the largest magnitude so far that is nothing to the logarithm."""

    # Record-breaking statistics.
    record_forgetting: float = 0.99995
    """What is left of a statistic's maximum after one record."""
    record_margin: float = 0.23
    """Excess over the old maximum that counts in full."""
    record_growth: float = 4.0
    """At most so many times does one record raise the maximum, so that one monster does not blind it."""
    sum_weight: float = 0.1
    """Weight of the sum of all evidence beside the largest."""

    # Residuals against their own running quantiles.
    exceedances_per_day: float = 8.0
    """How often a series may exceed its usual residual, whatever its polling interval."""
    least_exceedance: float = 0.002
    most_exceedance: float = 0.1
    quantile_rate: float = 0.0005
    rare_weight: float = 1.5
    """Weight of the excess over the quantile that 1 in 500 records exceeds."""
    usual_weight: float = 0.8
    usual_cap: float = 1.4
    """Most that the usual residual may say at polls of ten minutes and closer: it alone never reaches `threshold`."""
    usual_cap_seconds: float = 600.0

    # Same time of day.
    slot_seconds: float = 900.0
    day_lags: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)

    # Flat and missing.
    flat_records: int = 36
    """Equal values in a row before a series that usually moves is called flat."""
    flat_factor: float = 3.0
    """Times the longest run of equal values so far."""
    missing_intervals: float = 5.0
    missing_seconds: float = 60.0

    # Alarms.
    threshold: float = 1.2
    """The score of an alarm at the default z-equivalent of 3."""
    record_fading: float = 0.98
    usual_fading: float = 0.85
    """What is left of the recent peak after one record: an alarm must exceed it."""
    lasting_share: float = 0.3
    lasting_fading: float = 0.995
    """A share of the recent peak that fades more slowly."""
    warm_up_records: int = 100
    """Records before the first alarm of a series."""
    settling_records: int = 12
    """Records without alarms after a gap of `gap_intervals` intervals, or after the clock stepped back."""
    gap_intervals: float = 10.0
    late_records: int = 3
    """Records in a row that lie before the last one until the clock is taken to have stepped back."""


DEFAULT = Configuration()
