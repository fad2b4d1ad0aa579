"""Fraud, tickets, findings and figures in memory: what the pages about them ask for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from data.nouns.findings import AuditFinding
from data.nouns.fraud import FraudPrediction, FraudReason
from data.nouns.world import Person, Site, Ticket, TicketStep
from data.records import Change, Severity, TenantId
from engine.client import Command, CommandResult, Partition, Query
from tests.fakes import world
from tests.fakes.client import FakeClient

TENANT = TenantId("default")


def score(
    id: str, value: float, *, person: str = "p1", site: str = "s1", minutes: int = 5, **more: Any
) -> FraudPrediction:
    """A judged event, `minutes` ago."""
    given: dict[str, Any] = {
        "anomalies": ("impossible_travel",) if value >= 0.5 else (),
        "reasons": (FraudReason(feature="speed_kmh", points=100 * value, words="412 km/h since the last event"),),
        "features": (),
        "event_source": "/attendance",
        "event_id": f"e-{id}",
        "model": "heuristics",
        "at": world.NOW - timedelta(minutes=minutes),
    }
    return FraudPrediction(tenant=TENANT, id=id, person=person, site=site, score=value, **{**given, **more})


def ticket(id: str, *, due: float | None = 90.0, **more: Any) -> Ticket:
    """A ticket of ten minutes ago; `due` is minutes from now."""
    opened = world.NOW - timedelta(minutes=10)
    given: dict[str, Any] = {
        "title": f"title of {id}",
        "site": "s1",
        "client": "c1",
        "due_at": None if due is None else world.NOW + timedelta(minutes=due),
        "history": (TicketStep(at=opened, by="ana", state="new", note="called in"),),
    }
    return Ticket(tenant=TENANT, id=id, opened_at=opened, **{**given, **more})


def finding(id: str, severity: Severity = Severity.HIGH, **more: Any) -> AuditFinding:
    given: dict[str, Any] = {"title": f"title of {id}", "site": "s1", "evidence": {"gap_minutes": 42}}
    return AuditFinding(
        tenant=TENANT, id=id, at=world.NOW, type="tour_gap", severity=severity, audit="5 min", entity="p1",
        entity_type="person", about="tour:t1", **{**given, **more},
    )  # fmt: skip


class OperationsClient(FakeClient):
    """Answers the kinds of these pages; verdicts and ticket acts come back on the feed."""

    def __init__(self, count: int = 9, now: Any = None) -> None:
        super().__init__(count, now or (lambda: world.NOW))
        self.scores = {s.id: s for s in (score("a", 0.95), score("b", 0.62, person="p2", site="s2"), score("c", 0.3))}
        self.tickets = {t.id: t for t in (ticket("T-1", sla="at_risk", due=8), ticket("T-2", due=-20), ticket("T-3"))}
        self.findings = {f.id: f for f in (finding("f1"), finding("f2", Severity.LOW, site="s2"))}
        self.cells: list[dict[str, Any]] = [
            {"site": "s1", "hour": 13, "events": 7, "flagged": 2, "mean": 0.3, "max": 0.95},
            {"site": "s2", "hour": 13, "events": 3, "flagged": 0, "mean": 0.3, "max": 0.62},
            {"site": "s2", "hour": 14, "events": 2, "flagged": 0, "mean": 0.0, "max": 0.0},
        ]
        self.context: list[dict[str, Any]] = []

    def _answer(self, query: Query) -> list[Any]:
        held: dict[str, Any] = {"fraud_scores": self.scores, "tickets": self.tickets, "findings": self.findings}
        if query.kind in held:
            return [record for record in held[query.kind].values() if _wanted(record, query)]
        if query.kind == "fraud/heatmap":
            return self.cells if query.params["by"] == "site_hour" else [_as_day(cell) for cell in self.cells[:2]]
        answers: dict[str, Any] = {
            "fraud/models": lambda: [_MODEL],
            "fraud/scores/{id}/why": lambda: _WHY,
            "sites": lambda: [
                Site(tenant=TENANT, id="s1", at=world.NOW, name="Harbour"), Site(tenant=TENANT, id="s2", at=world.NOW)
            ],
            "people": lambda: [Person(tenant=TENANT, id="p1", at=world.NOW, name="Maya Abel")],
            "observability": lambda: [_observed(query.params)],
            "tickets/sla": lambda: [{"tickets": 3, "breached": 1, "median_minutes": 65.0}],
            "incidents/{id}/context": lambda: self.context,
        }  # fmt: skip
        return list(answers[query.kind]()) if query.kind in answers else super()._answer(query)

    def _do(self, command: Command) -> CommandResult:
        if command.verb in {"confirm_fraud", "dismiss_fraud"}:
            verdict: Any = "confirmed" if command.verb == "confirm_fraud" else "dismissed"
            for target in command.targets:
                self.tell(replace(self.scores[target.partition(":")[2]], verdict=verdict, verdict_by="ana"))
        elif command.verb == "move_ticket":
            for target in command.targets:
                self.tell(replace(self.tickets[target.partition(":")[2]], state=command.params["state"]))
        elif command.verb not in {"assign_ticket", "note_ticket", "judge_finding"}:
            return super()._do(command)
        return CommandResult(partition=Partition(0), seq=self.seq, changed=command.targets)

    def tell(self, record: Any) -> None:
        """Put it into the world and on the feed."""
        kind, held = {
            FraudPrediction: ("fraud_score", self.scores),
            Ticket: ("ticket", self.tickets),
            AuditFinding: ("finding", self.findings),
        }[type(record)]  # fmt: skip
        held[record.id] = record
        self.seq += 1
        change = Change(
            kind=f"{kind}_updated", tenant=TENANT, at=self.now(), subject=f"{kind}:{record.id}", site=record.site,
            record=msgspec.Raw(msgspec.json.encode(record)), seq=self.seq,
        )  # fmt: skip
        self.log.append(change)
        for watcher in self._watchers:
            watcher.put_nowait([change])


def _wanted(record: Any, query: Query) -> bool:
    if query.kind == "fraud_scores" and query.q == "score>=0.2":
        return bool(record.score >= 0.2)
    if query.q.startswith("site="):
        return bool(record.site == query.q[6:-1])
    if query.q.startswith("entity="):
        return bool(getattr(record, "person", "") == query.q[8:-1])
    return True


def _as_day(cell: dict[str, Any]) -> dict[str, Any]:
    return {**{key: value for key, value in cell.items() if key != "hour"}, "day": world.NOW.date().isoformat()}


def _observed(params: dict[str, Any]) -> dict[str, Any]:
    at: datetime = world.NOW
    figure = {"before": None, "active": None, "since": None}
    figures = [
        {"module": "NOC", "name": "open incidents", "value": 9, "kind": "incidents", "q": "state=open", **figure},
        {"module": "Tickets", "name": "open", "value": 3, "kind": "tickets", "q": "", **figure},
        {"module": "Tours", "name": "missed", "value": 4, "kind": "tours", "q": "", **figure, "before": 1},
    ]
    counts = {"incidents open incidents": 5, "devices offline": 2, "tickets open": 1}
    below: list[dict[str, Any]] = [{"level": "client", "id": "c1", "name": "Quayside", "q": "", **counts}]
    nowhere = {"incidents open incidents": 4, "devices offline": 0, "tickets open": 0}
    below.append({"level": "rest", "id": "", "name": "no client", "kind": "incidents", "q": "not site=s1", **nowhere})
    if "site" in params:
        below = [{"level": "device", "id": "d1", "name": "Panel 1", "state": "offline", "last_seen": at}]
    elif "client" in params:
        below = [{"level": "site", "id": "s1", "name": "Harbour", "q": "", **counts}]
    return {"level": "", "at": at, "figures": figures, "below": [] if "entity" in params else below}


_MODEL = {
    "model": "heuristics", "is_model": False, "scored": 12, "flagged": 2, "judged": 4, "confirmed": 3,
    "precision": 0.75,
    "recall_of_judged": 1.0, "brier": 0.1, "labelled_for_training": 4, "labelled_needed": 100,
}  # fmt: skip
_WHY = [
    {"what": "score", "words": "95% by weights", "points": 95.0},
    {"what": "speed_kmh", "words": "412 km/h since the last event (+95 points)", "points": 95.0},
    {"what": "impossible_travel", "words": "would not stand with at most 150 km/h", "points": None},
    {"what": "biometric", "words": "biometric match 0.79", "points": None},
]
