"""The line on a table: a Book, rules and a store in memory, driven by hand at times that the test names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from data.records import (
    DEFAULT_TENANT,
    Alert,
    Cluster,
    Incident,
    Severity,
    Signal,
    SignalStatus,
    TenantId,
)
from data.scope import CAPABILITIES, Scope
from engine import pipeline
from engine.batch import seal
from engine.book import Batch, Book, Draft
from engine.client import Command, CommandResult, Refused
from engine.ports import Envelope, EnvelopeKind
from engine.restore import restore
from engine.rules import Rules
from engine.stages.apply import Asked
from tests.fakes.memory_store import MemoryStore

T0 = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
ANA = Scope(tenant=DEFAULT_TENANT, actor="ana", capabilities=CAPABILITIES)


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return T0 + timedelta(seconds=seconds)


def signal(key: str = "a", starts: float = 0.0, **given: Any) -> Signal:
    """A firing alert of HIGH severity that its source will repeat; `ends` in seconds after noon resolves it."""
    ends = given.pop("ends", None)
    status = SignalStatus.FIRING if ends is None else SignalStatus.RESOLVED
    fields: dict[str, Any] = {
        "source": "test",
        "key": key,
        "name": "LinkDown",
        "severity": Severity.HIGH,
        "status": status,
        "title": "link down",
        "site": "Depot",
        "entity": key,
        "entity_type": "host",
        "service": "",
        "client": "",
        "correlation": "",
        "starts_at": at(starts),
        "ends_at": at(starts) + timedelta(days=2) if ends is None else at(ends),
        "annotations": {},
        **given,
    }
    labels = {"alertname": fields["name"], "site": fields["site"], "host": fields["entity"]}
    return Signal(**{"labels": labels, **fields})


class Line:
    """Every `put` is one commit of its envelopes. `now` is the stamp that envelopes get; `store` is what is durable."""

    def __init__(self, rules: Rules | None = None, tenant: TenantId = DEFAULT_TENANT) -> None:
        self.rules = rules or Rules()
        self.tenant = tenant
        self.store = MemoryStore()
        self.store.epoch = 1
        self.book = Book()
        self.now = T0

    # -- driving

    def at(self, seconds: float) -> Line:
        self.now = at(seconds)
        return self

    def later(self, seconds: float) -> Line:
        self.now += timedelta(seconds=seconds)
        return self

    def put(self, *envelopes: Envelope) -> list[Any]:
        batch = Batch(self.book)
        results = []
        for envelope in envelopes:
            draft = self.draft(envelope)
            pipeline.run(draft, envelope)
            batch.absorb(draft)
            results.append(draft.result)
        commit, encoded = seal(batch, self.store.epoch, self.now, False)
        self.store.write(commit)
        self.book.seq += len(encoded)
        return results

    def draft(self, envelope: Envelope) -> Draft:
        return Draft(self.book, self.rules, envelope.tenant, envelope.at or self.now)

    def envelope(self, kind: EnvelopeKind, payload: Any, **given: Any) -> Envelope:
        fields = {"tenant": self.tenant, "source": "test", "at": self.now, **given}
        return Envelope(kind=kind, payload=payload, **fields)

    def take(self, *signals: Signal) -> Line:
        """One envelope of signals."""
        self.put(self.envelope(EnvelopeKind.SIGNALS, signals))
        return self

    def fire(self, key: str = "a", starts: float | None = None, **given: Any) -> Alert:
        """One firing signal, which began now unless told otherwise → the alert as it is then."""
        began = (self.now - T0).total_seconds() if starts is None else starts
        self.take(signal(key, began, **given))
        return self.alert(key)

    def resolve(self, key: str = "a", ends: float | None = None, **given: Any) -> None:
        over = (self.now - T0).total_seconds() if ends is None else ends
        self.take(signal(key, ends=over, **given))

    def tick(self, seconds: float = 0.0) -> Line:
        self.later(seconds)
        self.put(self.envelope(EnvelopeKind.TICK, None))
        return self

    def act(self, verb: str, *targets: str, scope: Scope = ANA, request: str = "", **params: Any) -> CommandResult:
        """Raises the Refused that the act came to."""
        command = Command(verb=verb, targets=targets, params=params, request=request)
        payload = Asked(command=command, scope=scope)
        given: dict[str, Any] = {"tenant": scope.tenant, "id": request}
        (result,) = self.put(self.envelope(EnvelopeKind.COMMAND, payload, **given))
        if isinstance(result, Refused):
            raise result
        assert isinstance(result, CommandResult)
        return result

    def restart(self, rules: Rules | None = None) -> Line:
        """As after a power cut: only what was committed is left."""
        self.rules = rules or self.rules
        self.book = restore(self.store.snapshot(self.now, self.rules.recent_seconds), self.rules)
        return self

    # -- looking

    def alert(self, key: str = "a", tenant: TenantId | None = None) -> Alert:
        """The latest episode of a key."""
        return self.book.alerts[self.book.current[tenant or self.tenant][key]]

    def incident(self, key: str = "a") -> Incident:
        """The incident of a key's latest episode."""
        return self.book.incidents[self.alert(key).incident]

    def cluster(self, key: str = "a") -> Cluster:
        return self.book.clusters[self.alert(key).cluster]

    def incidents(self) -> list[Incident]:
        return sorted(self.book.incidents.values(), key=lambda incident: incident.id)

    def told(self, number: int) -> list[str]:
        """Kinds of the timeline of an incident."""
        return [entry.kind for entry in self.store.timeline if entry.incident == number]


def unlike(key: str, starts: float = 0.0, **given: Any) -> Signal:
    """A signal that is like no other: its own site, type and words."""
    letters = "".join(chr(ord("a") + ord(letter) % 26) for letter in key) * 3
    return signal(
        key, starts, **{"name": f"Only{key}", "site": f"site-{key}", "title": letters, "entity_type": "", **given}
    )


def spread(signals: Iterable[Signal], sizes: Sequence[int]) -> list[list[Signal]]:
    """The signals in envelopes of these sizes, the last ones one by one."""
    rows, cut = list(signals), []
    for size in sizes:
        if rows:
            cut.append(rows[:size])
            rows = rows[size:]
    return cut + [[row] for row in rows]


def like(of: Signal, **changes: Any) -> Signal:
    return replace(of, **changes)
