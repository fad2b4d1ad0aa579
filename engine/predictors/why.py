"""Why: a prediction in words, from what is stored with it. Owns the words; decides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from math import exp, log
from typing import Any

from data.nouns.predictions import Prediction

_EVENTS = {"sla": "breaches its SLA", "device": "goes offline", "staffing": "is short of people"}
_STATES = {
    "open": "its horizon runs",
    "cleared": "it was withdrawn, as it became unlikely",
    "hit": "the event came",
    "false_alarm": "the event did not come, and nobody had acted on it",
    "prevented": "the event did not come after somebody had acted; it might not have come anyway",
    "missed": "the event came, and no prediction stood early enough",
}


def why_prediction(of: Prediction) -> list[dict[str, Any]]:
    """Lines of {"about", "code", "words", "facts", "at"}, as for alerts and incidents."""
    about = f"prediction:{of.id}"
    return [
        {"about": about, "code": code, "words": words, "facts": facts, "at": at}
        for code, words, facts, at in (*_forecast(of), *_parts(of), *_changes(of), *_course(of))
    ]


Line = tuple[str, str, dict[str, Any], datetime | None]


def _forecast(of: Prediction) -> Iterator[Line]:
    by = f"model {of.version}" if of.basis == "model" else "rules of thumb, no trained model"
    said = f"{100.0 * of.probability:.0f} % that it {_EVENTS[of.model]} until {of.due_at:%H:%M} UTC, by {by}"
    yield "predicted", said, {"probability": of.probability, "first": of.first}, of.made_at
    yield "threshold", f"predictions are made from {100.0 * of.threshold:.0f} % on", {"threshold": of.threshold}, None


def _parts(of: Prediction) -> Iterator[Line]:
    for one in of.contributions:
        yield one.name, f"{one.weight:+.2f}  {one.words}", {"log_odds": one.weight}, None
    if of.action:
        yield "suggested", of.action, {}, None


def _changes(of: Prediction) -> Iterator[Line]:
    """What the probability would be were the strongest feature as it usually is."""
    for one in of.contributions[:1]:
        held = min(max(of.probability, 1e-6), 1.0 - 1e-6)
        other = 1.0 / (1.0 + exp(-(log(held / (1.0 - held)) - one.weight)))
        if one.weight > 0:
            words = f"would be {100.0 * other:.0f} % if its {one.name.replace('_', ' ')} were as usual"
            yield "would_change", words, {"probability": round(other, 3)}, None


def _course(of: Prediction) -> Iterator[Line]:
    if of.acted:
        yield "acted", of.acted, {}, of.acted_at
    yield of.state, _STATES[of.state], {"lead_s": of.lead_s} if of.lead_s is not None else {}, of.validated_at
