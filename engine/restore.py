"""From what is stored to a Book, and its timers set anew.

Owns how every index is rebuilt from the records. Never does I/O; nothing here goes through a Draft.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict

from data.nouns import NOUN_OF_RECORD
from data.ports import Snapshot
from data.records import ENDED, Alert, IncidentId
from engine.book import Book, Tally
from engine.rules import Rules
from engine.stages.cluster import reindex
from engine.stages.expire import set_timers
from engine.stages.mute import reindex_inhibition


def restore(snapshot: Snapshot, rules: Rules) -> Book:
    """The Book as it was when `snapshot` was committed."""
    book = Book()
    book.seq = snapshot.seq
    book.counters = {
        "alert": snapshot.next_alert,
        "cluster": snapshot.next_cluster,
        "incident": snapshot.next_incident,
    }
    book.incidents = {incident.id: incident for incident in snapshot.incidents}
    book.clusters = {cluster.id: cluster for cluster in snapshot.clusters}
    for silence in snapshot.silences:
        book.silences.setdefault(silence.tenant, {})[silence.id] = silence
    book.notes = {(note.tenant, note.key): note for note in snapshot.notes}
    book.patterns = {(pattern.tenant, pattern.name): pattern for pattern in snapshot.patterns}
    book.undos = {undo.id: undo for undo in snapshot.undos}
    for record in snapshot.nouns:
        book.nouns[NOUN_OF_RECORD[type(record)].kind][record.tenant, record.id] = record
    book.seen = OrderedDict(((seen.tenant, seen.source, seen.id), seen.at) for seen in snapshot.seen)
    _count_workload(book)
    for alert in sorted(snapshot.alerts, key=lambda alert: alert.id):
        _adopt(book, alert)
    heapq.heapify(book.ending)
    book.repeats = uncounted(book)
    reindex(book)
    set_timers(book, rules)
    reindex_inhibition(book, rules)
    return book


def rewind(book: Book, rules: Rules) -> None:
    """Set all timers anew from the records: a tick that was dropped had taken some away."""
    book.ending = [(alert.ends_at.timestamp(), alert.id) for alert in book.active()]
    heapq.heapify(book.ending)
    book.timers = []
    set_timers(book, rules)


def _count_workload(book: Book) -> None:
    for incident in book.incidents.values():
        if incident.state not in ENDED:
            for site in incident.sites:
                place = (incident.tenant, site)
                book.workload[place] = book.workload.get(place, 0) + 1


def _adopt(book: Book, alert: Alert) -> None:
    """Take an alert of the store into the indexes."""
    book.alerts[alert.id] = alert
    book.current.setdefault(alert.tenant, {})[alert.key] = alert.id
    if alert.incident:
        book.members.setdefault(alert.incident, {})[alert.id] = None
        book.tallies[alert.incident] = book.tallies.get(alert.incident, Tally()).plus(alert, 1)
    if alert.ended_at is None:
        book.ending.append((alert.ends_at.timestamp(), alert.id))


def uncounted(book: Book) -> dict[IncidentId, int]:
    """Repeats that alerts have counted and their incidents have not: the flush of them was still to come."""
    counted: dict[IncidentId, int] = {}
    for alert in book.alerts.values():
        counted[alert.incident] = counted.get(alert.incident, 0) + alert.count
    return {
        number: counted.get(number, 0) - incident.events
        for number, incident in book.incidents.items()
        if incident.state not in ENDED and counted.get(number, 0) != incident.events
    }
