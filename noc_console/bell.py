"""The bell: an unacknowledged critical incident that nobody was told of rings, at most once a minute.

Owns who was told of what, and the quiet that an operator asked for. Never decides how it sounds. What is there when
the console opens is on the screen and does not ring.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from data.records import Incident, Severity
from noc_console.lapses import is_unacked
from noc_console.mirror import Dirty, Mirror

SPACING = timedelta(seconds=60)


class Bell:
    """Call `due` on every look at the mirror."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._told: set[int] | None = None
        self._waiting: set[int] = set()
        self._rang_at: datetime | None = None
        self._quiet_until: datetime | None = None

    def hush(self, until: datetime | None) -> None:
        """No bell until then; None ends the quiet."""
        self._quiet_until = until

    def quiet_until(self, now: datetime) -> datetime | None:
        return self._quiet_until if self._quiet_until is not None and self._quiet_until > now else None

    def due(self, dirty: Dirty, now: datetime) -> list[Incident]:
        """The incidents to ring for now, worst first; empty for silence."""
        if self._told is None:
            if self._mirror.loaded:
                self._told = {number for number, i in self._mirror.incidents.items() if self._rings(i, now)}
            return []
        for number in self._mirror.incidents if dirty.reset else dirty.incidents:
            self._look(number, now)
        if not self._waiting or self.quiet_until(now) or (self._rang_at and now - self._rang_at < SPACING):
            return []
        return self._ring(now)

    def _look(self, number: int, now: datetime) -> None:
        """An incident that was acknowledged, and is waiting again, rings again."""
        incident = self._mirror.incidents.get(number)
        if incident is None or not self._rings(incident, now):
            self._told_of.discard(number)
            self._waiting.discard(number)
        elif number not in self._told_of:
            self._waiting.add(number)

    def _ring(self, now: datetime) -> list[Incident]:
        found = [i for n in self._waiting if (i := self._mirror.incidents.get(n)) and self._rings(i, now)]
        self._told_of.update(self._waiting)
        self._waiting.clear()
        if found:
            self._rang_at = now
        return sorted(found, key=lambda incident: -incident.priority)

    @property
    def _told_of(self) -> set[int]:
        return self._told if self._told is not None else set()

    @staticmethod
    def _rings(incident: Incident, now: datetime) -> bool:
        return incident.severity is Severity.CRITICAL and is_unacked(incident, now)
