"""Operators' dispositions turned into thresholds: up after a false alarm, down after a confirmed one, both bounded.

Every change is returned as data and can be undone. A threshold is spoken of by its z-equivalent (3 by default).
Nothing here reads a clock: `at` and the disposition come with the command that closed the alarm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.detectors.thresholds import DEFAULT_Z, bounded

#: At most so much higher after one false alarm, and so much lower after one that was confirmed.
MOST_RAISE, LOWERING = 1.3, 0.9
#: The weekly rule: window, shares of false alarms, and the samples without which nothing is lowered.
WINDOW = timedelta(days=30)
RAISE_ABOVE, LOWER_BELOW, LEAST_SAMPLES = 0.30, 0.10, 100
#: The weekly rule's steps.
WEEKLY_RAISE, WEEKLY_LOWERING = 1.1, 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """What an operator said of one alarm of a subject."""

    subject: str
    at: datetime
    false_alarm: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a subject's threshold: the old and the new z, and what it rests on."""

    subject: str
    old: float
    new: float
    reason: str
    """false_alarm, confirmed, weekly_raise, weekly_lower or undone."""
    evidence: Mapping[str, float]


class Thresholds:
    """z by subject (a series, or an entity and metric); what was never changed has the default."""

    def __init__(self, initial: Mapping[str, float] | None = None) -> None:
        self._z = {subject: bounded(z) for subject, z in (initial or {}).items()}

    def z(self, subject: str) -> float:
        return self._z.get(subject, DEFAULT_Z)

    def all(self) -> dict[str, float]:
        """Every z that differs from the default, for saving."""
        return {subject: z for subject, z in self._z.items() if z != DEFAULT_Z}

    def false_alarm(self, subject: str, score: float, threshold: float) -> Change | None:
        """Raise so that this alarm would just not have sounded, at most by 1.3; None where the bound is reached.

        `score` and `threshold` are those of the alarm; ValueError unless the threshold is above 0.
        """
        if not threshold > 0:
            raise ValueError("the threshold of an alarm is above 0")
        factor = min(max(score / threshold, 1.0) * 1.001, MOST_RAISE)
        return self._set(subject, self.z(subject) * factor, "false_alarm", {"score": score, "threshold": threshold})

    def confirmed(self, subject: str, score: float, threshold: float) -> Change | None:
        """Lower by a tenth after a true alarm; None where the bound is reached."""
        evidence = {"score": score, "threshold": threshold}
        return self._set(subject, self.z(subject) * LOWERING, "confirmed", evidence)

    def weekly(self, dispositions: Iterable[Disposition], now: datetime) -> list[Change]:
        """Apply `weekly` to every subject; changes in order of the subject."""
        changes = []
        for proposed in weekly(dispositions, self.all(), now):
            change = self._set(proposed.subject, proposed.new, proposed.reason, proposed.evidence)
            if change is not None:
                changes.append(change)
        return changes

    def undo(self, change: Change) -> Change | None:
        """Back to what was before `change`; None where it is so already. Later changes of the subject are lost too."""
        return self._set(change.subject, change.old, "undone", {"old": change.old, "new": change.new})

    def _set(self, subject: str, z: float, reason: str, evidence: Mapping[str, float]) -> Change | None:
        old, new = self.z(subject), bounded(z)
        if new == old:
            return None
        self._z[subject] = new
        return Change(subject=subject, old=old, new=new, reason=reason, evidence=dict(evidence))


def weekly(dispositions: Iterable[Disposition], thresholds: Mapping[str, float], now: datetime) -> list[Change]:
    """What the false-alarm share of the last 30 days asks for, subject by subject; changes nothing itself.

    Above 30 %: a tenth higher. Below 10 % with at least 100 samples: a twentieth lower. Else as it is.
    """
    counts: dict[str, list[int]] = {}
    for disposition in dispositions:
        if now - WINDOW < disposition.at <= now:
            count = counts.setdefault(disposition.subject, [0, 0])
            count[0] += disposition.false_alarm
            count[1] += 1
    changes = []
    for subject in sorted(counts):
        false, total = counts[subject]
        share = false / total
        old = thresholds.get(subject, DEFAULT_Z)
        evidence = {"false_alarms": float(false), "samples": float(total), "share": share}
        if share > RAISE_ABOVE:
            new, reason = bounded(old * WEEKLY_RAISE), "weekly_raise"
        elif share < LOWER_BELOW and total >= LEAST_SAMPLES:
            new, reason = bounded(old * WEEKLY_LOWERING), "weekly_lower"
        else:
            continue
        if new != old:
            changes.append(Change(subject=subject, old=old, new=new, reason=reason, evidence=evidence))
    return changes
