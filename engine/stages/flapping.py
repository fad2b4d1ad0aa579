"""Flapping: does an alert go on and off more than it stays?

The share of the last `window` observations at which it changed between firing and resolved; on above
`flapping_on`, off below `flapping_off` (hysteresis, so that it does not itself flap).
"""

from __future__ import annotations

from engine.rules import Rules


def share(transitions: tuple[int, ...], count: int, window: int) -> float:
    """Share (0..1) of the last `window` observations that were changes.

    >>> share((2, 3, 4, 9), count=10, window=10)
    0.4
    """
    return sum(1 for at in transitions if at > count - window) / window


def observe(transitions: tuple[int, ...], count: int, changed: bool, rules: Rules) -> tuple[int, ...]:
    """`transitions` after the observation number `count`; those out of the window are forgotten.

    An end does not raise the count, so two changes may bear one number: at most `window` of them are kept.
    """
    if not changed:
        return transitions
    kept = tuple(at for at in transitions if at > count - rules.flapping_window)
    return (*kept, count)[-rules.flapping_window :]


def flaps(flapping: bool, transitions: tuple[int, ...], count: int, rules: Rules) -> bool:
    """Whether it flaps now, given whether it did before."""
    changed = share(transitions, count, rules.flapping_window)
    return changed >= rules.flapping_off if flapping else changed > rules.flapping_on
