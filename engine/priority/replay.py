"""Replay: labelled tickets through the line of a scratch engine, so that their features are those of their time.

Owns a Book that is never stored. Every ticket is taken when it was seen and ends when it ended; its label is only known
from then on. Tickets are not clustered: each has a label of its own. Pure but for the file of `read`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from data.nouns.priority import PriorityExample
from data.records import DEFAULT_TENANT, ENDED, Incident, IncidentId, Severity, Signal, SignalStatus
from engine import pipeline
from engine.book import Batch, Book, Draft
from engine.ports import Envelope, EnvelopeKind
from engine.priority import features, labels
from engine.reasons import ReasonCode
from engine.rules import Rules
from engine.stages import triage

_YEARS = timedelta(days=20 * 365)
#: Ended incidents leave the Book after so many more have ended.
_KEPT = 500


class Ticket(Struct, frozen=True, kw_only=True):
    """A line of a file of labelled tickets. `seen_at` is when it came in, `starts_at` when it began (earlier for one
    that was entered late), `ended_at` when its label became known."""

    id: str
    seen_at: datetime
    ended_at: datetime
    mattered: bool
    name: str
    starts_at: datetime | None = None
    severity: Severity = Severity.MEDIUM
    title: str = ""
    site: str = ""
    service: str = ""
    entity: str = ""
    client: str = ""
    labels: dict[str, str] = {}


class Opened(NamedTuple):
    """A ticket as it was ranked when it came in."""

    ticket: Ticket
    incident: Incident
    row: list[float]


def read(path: Path) -> Iterator[Ticket]:
    """Tickets of a JSONL file. Raises ValueError that names the line, OSError."""
    decoder = msgspec.json.Decoder(Ticket)
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield decoder.decode(line)
                except msgspec.MsgspecError as error:
                    raise ValueError(f"{path.name}, line {number}: {error}") from error


class Replay:
    """`rules` as the engine has them; clustering is turned off."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = replace(rules or Rules(), join_at=1.01, suppress_above=1.01, needs_ack=frozenset())
        self.book = Book()
        self._ending: list[tuple[datetime, int, str, IncidentId]] = []
        self._tickets: dict[str, Ticket] = {}
        self._over: list[IncidentId] = []

    def run(self, tickets: Iterable[Ticket], progress: Callable[[int], Any] = lambda done: None) -> Iterator[Opened]:
        """Each ticket as it is ranked at its coming, in the order of time."""
        for done, ticket in enumerate(sorted(tickets, key=lambda ticket: (ticket.seen_at, ticket.id)), 1):
            self._end_until(ticket.seen_at)
            yield self._open(ticket, done)
            progress(done)

    def _open(self, ticket: Ticket, number: int) -> Opened:
        draft = self._draft(ticket.seen_at)
        envelope = Envelope(
            kind=EnvelopeKind.SIGNALS,
            tenant=DEFAULT_TENANT,
            source="tickets",
            payload=[_signal(ticket)],
            at=ticket.seen_at,
        )
        pipeline.run(draft, envelope)
        incident = self.book.incidents[self.book.alerts[self.book.current[DEFAULT_TENANT][ticket.id]].incident]
        row = features.row(draft, incident)
        Batch(self.book).absorb(draft)
        self._tickets[ticket.id] = ticket
        heapq.heappush(self._ending, (max(ticket.ended_at, ticket.seen_at), number, ticket.id, incident.id))
        return Opened(ticket, incident, row)

    def _end_until(self, now: datetime) -> None:
        while self._ending and self._ending[0][0] <= now:
            at, _, name, number = heapq.heappop(self._ending)
            ticket, incident = self._tickets.pop(name), self.book.incidents[number]
            if incident.state not in ENDED:
                self._end(at, ticket, incident)

    def _end(self, at: datetime, ticket: Ticket, incident: Incident) -> None:
        draft = self._draft(at)
        labels.tell(draft, incident.id, ticket.mattered)
        ended = triage.resolve(draft, incident, ReasonCode.BY_OPERATOR)
        labels.observe(draft, ended)
        Batch(self.book).absorb(draft)
        self._over.append(incident.id)
        if len(self._over) >= 2 * _KEPT:
            self._forget(self._over[:_KEPT])
            del self._over[:_KEPT]

    def _forget(self, numbers: Sequence[IncidentId]) -> None:
        book = self.book
        for number in numbers:
            for alert in book.members.pop(number, ()):
                found = book.alerts.pop(alert)
                book.current[found.tenant].pop(found.key, None)
            for table in (book.incidents, book.tallies, book.repeats):
                table.pop(number, None)
        # Nothing here waits for a timer: tickets end when their file says so.
        book.timers.clear()
        book.ending.clear()

    def _draft(self, now: datetime) -> Draft:
        return Draft(self.book, self.rules, DEFAULT_TENANT, now)


def _signal(ticket: Ticket) -> Signal:
    return Signal(
        source="tickets",
        key=ticket.id,
        name=ticket.name,
        severity=ticket.severity,
        status=SignalStatus.FIRING,
        title=ticket.title or ticket.name,
        site=ticket.site,
        entity=ticket.entity,
        entity_type="",
        service=ticket.service,
        client=ticket.client,
        correlation="",
        starts_at=min(ticket.starts_at or ticket.seen_at, ticket.seen_at),
        ends_at=ticket.seen_at + _YEARS,
        labels=ticket.labels,
        annotations={},
    )


def example_row(example: PriorityExample) -> list[float]:
    """Raises struct.error when it is damaged."""
    return list(labels.unpacked(example.row))
