"""Fraud of the simulator, found by the product's own stage: how well it knows the simulator, no more.

The model is fit on one seed and reported on another that it never saw; the heuristic needs no fit. Events go through
the handlers of the line one by one, so every score comes from what was known before it.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from math import nan
from typing import Any

import msgspec

from data.nouns.fraud import FraudPrediction
from data.records import DEFAULT_TENANT
from engine import pipeline
from engine.book import Batch, Book, Draft
from engine.domain.events import DATA, DomainEvent
from engine.fraud.features import FEATURES
from engine.fraud.fitting import Table, fit
from engine.fraud.metrics import bootstrap, measure
from engine.ports import Envelope, EnvelopeKind
from engine.rules import Rules
from engine.simulator.simulator import DEFAULT_START, Simulator
from engine.simulator.truth import Fraud

SCALE, DAYS = 0.5, 24
#: The first days are learned from and not reported: nobody has habits yet.
WARM_UP_DAYS = 5
_WANTED = frozenset(
    {"noc.client", "noc.site", "noc.person", "noc.device", "noc.shift", "noc.attendance", "noc.tour", "noc.activity"}
)
ROUND = "ghost_rounds"


def run(seed: int, scale: float = SCALE, days: int = DAYS) -> dict[str, Any]:
    """Figures of `seed`; the model is fit on another one."""
    fitted, reported = played(seed + 1000, scale, days), played(seed, scale, days)
    before = _attendance(fitted)
    made = fit(
        Table(features=FEATURES, rows=[_row(score) for score, _ in before], labels=[bool(what) for _, what in before])
    )
    trees = made.trees()
    after = _attendance(reported)
    labels = [int(bool(what)) for _, what in after]
    scores = trees.score([_row(score) for score, _ in after])
    by_model = [(what, found >= made.threshold) for (_, what), found in zip(after, scores, strict=True)]
    by_weights = [(what, score.score >= 0.8) for score, what in reported]
    return {
        "simulated_only": True,
        "seed": seed,
        "events": len(after),
        "fit_on_seed": seed + 1000,
        "model": {
            **{name: round(value, 4) for name, value in measure(labels, scores, made.threshold).items()},
            "interval": [round(bound, 4) for bound in bootstrap(labels, scores)],
            "threshold": round(made.threshold, 4),
            "patterns": _patterns(by_model),
        },
        "heuristic": {
            "pr_auc": round(measure(labels, [score.score for score, _ in after], 0.8)["pr_auc"], 4),
            "patterns": _patterns(by_weights),
        },
    }


def played(seed: int, scale: float, days: int) -> list[tuple[FraudPrediction, str]]:
    """Each judgement after the warm-up with the pattern behind its event, "" for an honest one."""
    simulator = Simulator(seed, scale)
    until = DEFAULT_START + timedelta(days=days)
    book, found = Book(), []
    for event in simulator.events(until):
        if _matters(event):
            found += _judged(book, event)
    frauds = {record.event: record.pattern for record in simulator.truth.records if isinstance(record, Fraud)}
    ghosts = {
        (record.person, record.at[:13])
        for record in simulator.truth.records
        if isinstance(record, Fraud) and record.pattern == ROUND
    }
    since = DEFAULT_START + timedelta(days=WARM_UP_DAYS)
    return [
        (score, frauds.get(score.event_id, "") if score.features else _ghost(score, ghosts))
        for score in found
        if score.at >= since
    ]


def _matters(event: dict[str, Any]) -> bool:
    """Master data and what people do; not the heartbeats of devices, nor what phones tell beside movement."""
    data = event["data"]
    if event["type"] == "noc.device":
        return isinstance(data, list) or "type" in data
    if event["type"] == "noc.activity":
        return isinstance(data, list) or data.get("kind") == "movement"
    return event["type"] in _WANTED


def _ghost(score: FraudPrediction, ghosts: set[tuple[str, str]]) -> str:
    hours = (score.at, score.at - timedelta(hours=1))
    return ROUND if any((score.person, at.strftime("%Y-%m-%dT%H")) in ghosts for at in hours) else ""


def _judged(book: Book, event: dict[str, Any]) -> list[FraudPrediction]:
    """Put one event through the line, kept."""
    given = event["data"]
    rows = given if isinstance(given, list) else [given]
    moment = datetime.fromisoformat(event["time"])
    events = tuple(
        DomainEvent(
            type=event["type"],
            source=event["source"],
            id=event["id"],
            at=moment,
            data=msgspec.convert(row, DATA[event["type"]]),
            row=number,
        )
        for number, row in enumerate(rows)
    )
    envelope = Envelope(kind=EnvelopeKind.EVENTS, tenant=DEFAULT_TENANT, source="simulator", payload=events, at=moment)
    draft = Draft(book, Rules(), DEFAULT_TENANT, moment)
    pipeline.run(draft, envelope)
    Batch(book).absorb(draft)
    return [record for record in draft.nouns.values() if isinstance(record, FraudPrediction)]


def _attendance(found: list[tuple[FraudPrediction, str]]) -> list[tuple[FraudPrediction, str]]:
    return [(score, what) for score, what in found if score.features]


def _row(score: FraudPrediction) -> list[float]:
    return [nan if value is None else value for value in score.features]


def _patterns(found: list[tuple[str, bool]]) -> dict[str, Any]:
    """Recall per pattern, and the precision of all alarms together: an alarm does not say which pattern it means."""
    there = Counter(what for what, _ in found if what)
    caught = Counter(what for what, alarm in found if what and alarm)
    alarms = sum(alarm for _, alarm in found)
    honest = sum(not what for what, _ in found)
    return {
        **{what: {"events": there[what], "recall": round(caught[what] / there[what], 3)} for what in sorted(there)},
        "precision": round(sum(caught.values()) / alarms, 3) if alarms else None,
        "false_alarms_per_1000": round(1000.0 * (alarms - sum(caught.values())) / max(1, honest), 3),
    }
