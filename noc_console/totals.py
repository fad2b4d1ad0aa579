"""Counts over the active incidents, kept up by what changed instead of counted anew for every frame. Pure.

What changes by time alone (a shelf or an acknowledgement that runs out) is noticed within `RECOUNT_SECONDS`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from data.records import Incident, IncidentState, Severity
from noc_console.lapses import is_shelved, is_unacked

RECOUNT_SECONDS = 10.0


class Share(Struct, frozen=True):
    """What one incident adds."""

    severity: Severity
    #: Shelved, or returned to normal: counted under no severity.
    aside: bool
    unacked: bool
    suppressed: int


class Totals:
    """Tell it with `touch` what changed; ask `at(now)` first, then read."""

    def __init__(self, incidents: Mapping[int, Incident]) -> None:
        self._incidents = incidents
        self._shares: dict[int, Share] = {}
        self._touched: set[int] = set()
        self._recounted_at: datetime | None = None
        self.counts: Counter[Severity] = Counter()
        self.unacked = 0
        self.suppressed = 0

    def touch(self, number: int) -> None:
        self._touched.add(number)

    def start_over(self, incidents: Mapping[int, Incident]) -> None:
        self._incidents, self._recounted_at = incidents, None

    def at(self, now: datetime) -> Totals:
        """These totals as of `now`."""
        if self._recounted_at is None or (now - self._recounted_at).total_seconds() >= RECOUNT_SECONDS:
            self._touched = self._shares.keys() | self._incidents.keys()
            self._recounted_at = now
        for number in self._touched:
            self._count(number, now)
        self._touched.clear()
        return self

    def _count(self, number: int, now: datetime) -> None:
        old, incident = self._shares.pop(number, None), self._incidents.get(number)
        if old is not None:
            self._add(old, -1)
        if incident is not None:
            aside = is_shelved(incident, now) or incident.state is IncidentState.RETURNED
            share = Share(incident.severity, aside, is_unacked(incident, now), incident.suppressed)
            self._shares[number] = share
            self._add(share, 1)

    def _add(self, share: Share, sign: int) -> None:
        if not share.aside:
            self.counts[share.severity] += sign
        self.unacked += sign * share.unacked
        self.suppressed += sign * share.suppressed
