"""A scratch engine: alerts as JSON through formats and line into a Book that nobody stores.

Owns the clock of a replay: each alert is taken at the moment it began, and once a minute of that time the tick runs.
For training, evaluation and experiments. Never writes anything down.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from data.nouns.world import Device
from data.records import DEFAULT_TENANT, Alert, IncidentId, Signal
from engine import pipeline
from engine.book import Batch, Book, Draft
from engine.formats import alert_rows
from engine.formats.intake import IntakeSettings
from engine.ports import Envelope, EnvelopeKind, FormatError, Received
from engine.rules import Rules
from engine.stages.cluster import cluster
from engine.stages.dedup import dedup

_TICK_SECONDS = 60.0
_SOURCE = "replay"
#: A lean engine keeps so many of its newest alerts at least, and twice as many at most.
_LEAN_ALERTS = 10_000


class Scratch:
    """`take_signal` in the order of time, then read `homes`."""

    def __init__(
        self,
        rules: Rules,
        intake: IntakeSettings | None = None,
        *,
        lean: bool = False,
        parents: Mapping[str, str] | None = None,
    ) -> None:
        """`lean`: dedup and clustering alone, without incidents; for training. `parents`: device → what it hangs on."""
        self.rules = rules
        self._lean = lean
        self.book = Book()
        self.now = datetime(1970, 1, 1, tzinfo=UTC)
        #: Alert → the incident that took it, also of those that the Book has forgotten.
        self.homes: dict[int, IncidentId] = {}
        self._intake = intake
        self._ticked = self.now
        devices = self.book.nouns["devices"]
        for device, parent in (parents or {}).items():
            devices[DEFAULT_TENANT, device] = Device(tenant=DEFAULT_TENANT, id=device, at=self.now, parent=parent)

    def signal(self, row: Any) -> Signal:
        """One alert, Alertmanager's or generic, as the intake reads it. Raises FormatError."""
        received = Received(
            body=b"", headers={}, source=_SOURCE, tenant=DEFAULT_TENANT, now=self._time(row), settings=self._intake
        )
        return alert_rows.signal_of(row, received)

    def take_signal(self, signal: Signal) -> Alert | None:
        """→ the alert as it is now; None when it is not known (the end of nothing)."""
        began = signal.ends_at if signal.ends_at <= self.now else signal.starts_at
        self.now = max(self.now, began)
        if not self._lean and (self.now - self._ticked).total_seconds() >= _TICK_SECONDS:
            self._ticked = self.now
            self._put(EnvelopeKind.TICK, None)
        if self._lean:
            self._cluster(signal)
        else:
            self._put(EnvelopeKind.SIGNALS, (signal,))
        number = self.book.current.get(DEFAULT_TENANT, {}).get(signal.key)
        alert = None if number is None else self.book.alerts.get(number)
        if alert is not None and alert.incident:
            self.homes[alert.id] = alert.incident
        return alert

    def _time(self, row: Any) -> datetime:
        """The time that the row names, never before one that was taken."""
        from engine.stages.times import parse_time

        if not isinstance(row, dict):
            return self.now
        for field in ("endsAt", "startsAt", "time", "timestamp"):
            try:
                found = parse_time(row.get(field), field)
            except FormatError:
                continue
            if found is not None:
                return max(self.now, found)
        return self.now

    def _cluster(self, signal: Signal) -> None:
        draft = Draft(self.book, self.rules, DEFAULT_TENANT, self.now)
        alert = dedup(draft, signal)
        if alert is not None:
            draft.add_alert(cluster(draft, alert))
        draft.dirty.clear()
        Batch(self.book).absorb(draft)
        if len(self.book.alerts) >= 2 * _LEAN_ALERTS:
            self._forget()

    def _forget(self) -> None:
        """Old alerts, and clusters that nothing can join any more: no tick does it here."""
        book = self.book
        for number in list(islice(book.alerts, len(book.alerts) - _LEAN_ALERTS)):
            alert = book.alerts.pop(number)
            mine = book.current.get(alert.tenant, {})
            if mine.get(alert.key) == number:
                del mine[alert.key]
            if book.members.get(alert.incident, {}).pop(number, 0) is None and not book.members[alert.incident]:
                del book.members[alert.incident]
                book.tallies.pop(alert.incident, None)
        last = self.now - timedelta(seconds=2.0 * self.rules.window_seconds)
        for cluster_id in [one.id for one in book.clusters.values() if one.last_at < last]:
            del book.clusters[cluster_id]
            book.cluster_seen.pop(cluster_id, None)

    def _put(self, kind: EnvelopeKind, payload: Any) -> None:
        envelope = Envelope(kind=kind, tenant=DEFAULT_TENANT, source=_SOURCE, payload=payload, at=self.now)
        draft = Draft(self.book, self.rules, DEFAULT_TENANT, self.now)
        pipeline.run(draft, envelope)
        Batch(self.book).absorb(draft)
