"""Operators' dispositions turned into thresholds: up after a false alarm, down after a confirmed one, both bounded.

Every change is returned as data, and who keeps it can take it back. A threshold is spoken of by its z-equivalent (3 by
default). The weekly rule over many dispositions is `domain/baselines.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.detectors.thresholds import DEFAULT_Z, bounded

#: At most so much higher after one false alarm, and so much lower after one that was confirmed.
MOST_RAISE, LOWERING = 1.3, 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a subject's threshold: the old and the new z, and what it rests on."""

    subject: str
    old: float
    new: float
    reason: str
    """false_alarm or confirmed."""
    evidence: Mapping[str, float]


class Thresholds:
    """z by subject (a series, or an entity and metric); what was never changed has the default."""

    def __init__(self, initial: Mapping[str, float] | None = None) -> None:
        self._z = {subject: bounded(z) for subject, z in (initial or {}).items()}

    def z(self, subject: str) -> float:
        return self._z.get(subject, DEFAULT_Z)

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

    def _set(self, subject: str, z: float, reason: str, evidence: Mapping[str, float]) -> Change | None:
        old, new = self.z(subject), bounded(z)
        if new == old:
            return None
        self._z[subject] = new
        return Change(subject=subject, old=old, new=new, reason=reason, evidence=dict(evidence))
