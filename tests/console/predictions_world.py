"""Predictions and their record in memory: what the page about them asks for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from data.nouns.predictions import Chance, Contribution, Prediction
from data.nouns.world import Device, Site, Ticket
from data.records import Change, IncidentId, TenantId
from engine.client import Query
from tests.fakes import world
from tests.fakes.client import FakeClient

TENANT = TenantId("default")


def prediction(id: str, probability: float = 0.86, *, made: float = 40, left: float = 79.5, **more: Any) -> Prediction:
    """An SLA breach foretold `made` minutes ago, for `left` minutes from now; its probability has risen since.

    Half a minute over, so that the words for it are the same for as long as a test lasts."""
    made_at = world.NOW - timedelta(minutes=made)
    first = round(probability * 0.7, 3)
    given: dict[str, Any] = {
        "model": "sla", "entity": f"T-{id}", "entity_kind": "ticket", "entity_name": "printer on fire", "site": "s1",
        "first": first, "threshold": 0.4,
        "history": (Chance(made_at, first), Chance(world.NOW - timedelta(minutes=made / 2), probability)),
        "reasons": ("86% of its time is used", "nobody is assigned"), "action": "assign it to the second line",
        "contributions": (Contribution("share_used", "86% of 4 h", 1.9), Contribution("assigned", "nobody", 0.7)),
    }  # fmt: skip
    due = world.NOW + timedelta(minutes=left)
    return Prediction(tenant=TENANT, id=id, made_at=made_at, due_at=due, probability=probability, **{**given, **more})


def record(model: str = "sla", **more: Any) -> dict[str, Any]:
    deciles = [
        {"low": n / 10, "high": (n + 1) / 10, "n": 0, "cases": 0.0, "mean_p": None, "observed": None} for n in range(10)
    ]
    deciles[1] |= {"n": 40, "cases": 400.0, "mean_p": 0.14, "observed": 0.1}
    deciles[8] |= {"n": 31, "cases": 31.0, "mean_p": 0.84, "observed": 0.58}
    given: dict[str, Any] = {
        "model": model, "site": "", "days": 30, "basis": "heuristic", "version": "", "labelled": 120, "needed": 500,
        "made": 22, "open": 2, "cleared": 1, "hit": 9, "false_alarm": 6, "prevented": 4, "missed": 3, "acted": 5,
        "precision": 0.6, "recall": 0.75, "median_lead_h": 1.4, "prevention_rate": 0.3077,
        "prevention_formula": "prevented ÷ (prevented + hit)", "prevention_caveat": "some would not have come anyway",
        "prevention_by_chance": 0.4, "examples": 71, "cases": 431.0, "events": 22, "base_rate": 0.12, "brier": 0.081,
        "baseline_brier": 0.105, "lead_time_h_at_p80": 0.9, "reliability": deciles,
        "drift": {"value": 0.4, "limit": 3.0, "warning": False, "words": "22 events came where 20 were expected"},
    }  # fmt: skip
    return {**given, **more}


class PredictionsClient(FakeClient):
    def __init__(self, count: int = 9, now: Any = None) -> None:
        super().__init__(count, now or (lambda: world.NOW))
        made = (
            prediction("a", incident=IncidentId(4411)),
            prediction("b", 0.35, left=20, made=10),
            prediction("c", 0.62, left=30, model="device", entity="gw-9", entity_kind="device", entity_name="Gate 9"),
            prediction("d", 0.7, made=100, left=-20, state="hit", event_at=world.NOW - timedelta(minutes=30),
                       validated_at=world.NOW - timedelta(minutes=30), lead_s=4200.0),
        )  # fmt: skip
        self.predictions = {one.id: one for one in made}
        drifting = {"value": 4.2, "limit": 3.0, "warning": True, "words": "9 events came where 3 were expected"}
        self.records = [
            record(), record("device", basis="model", version="device-7", drift=drifting), record("staffing")
        ]  # fmt: skip

    def _answer(self, query: Query) -> list[Any]:
        if query.kind == "predictions":
            return list(self.predictions.values())
        answers: dict[str, Any] = {
            "predictions/performance": self.records,
            "tickets": [Ticket(tenant=TENANT, id=query.id, opened_at=world.NOW, title="printer on fire")],
            "devices": [Device(tenant=TENANT, id=query.id, at=world.NOW, name="Gate 9")],
            "sites": [Site(tenant=TENANT, id="s1", at=world.NOW, name="Harbour")],
        }
        if query.kind == "why" and query.id.startswith("prediction:"):
            return [{"about": query.id, "code": "feature", "words": "share of the SLA used: 86%", "facts": {}}]
        return answers[query.kind] if query.kind in answers else super()._answer(query)

    def tell(self, told: Prediction, kind: str = "prediction_updated") -> None:
        """Put it into the world and on the feed."""
        self.predictions[told.id] = told
        self.seq += 1
        change = Change(
            kind=kind, tenant=TENANT, at=self.now(), subject=f"prediction:{told.id}", site=told.site,
            record=msgspec.Raw(msgspec.json.encode(told)), seq=self.seq,
        )  # fmt: skip
        self.log.append(change)
        for watcher in self._watchers:
            watcher.put_nowait([change])
