"""The record of a predictor: what its outcomes say of its probabilities and of its warnings.

Owns the formulas; pure. Outcomes come in two kinds. `Prediction`s are warnings that were raised, with what became of
them, and events that came without one. `PredictionExample`s are a sample of everything that was scored, each standing
for `weight` cases: what is said of probabilities is of these, so that it holds for what was not raised, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import median
from typing import Any

from data.nouns.predictions import Prediction, PredictionExample

#: Precision at which the lead time is told.
PRECISION = 0.8
DECILES = 10
#: Standard deviations by which events may differ from what was expected of the newest outcomes.
DRIFT_LIMIT = 3.0
#: Outcomes that drift is judged on, the newest, and how many it takes.
DRIFT_CASES, DRIFT_LEAST = 1000, 50
PREVENTION = "prevented ÷ (prevented + hit): of the warnings that somebody acted on or that came true"
CAVEAT = (
    "an event that did not come after an act would perhaps not have come anyway: at the precision of warnings that "
    "nobody acted on, this share of them would have been false alarms"
)

Row = dict[str, Any]


def warnings(predictions: Sequence[Prediction]) -> Row:
    """Counts of outcomes and their shares; None where there is nothing to divide by.

    Prevented ones are left out of precision and recall: whether they were right cannot be known.
    """
    count = dict.fromkeys(("open", "cleared", "hit", "false_alarm", "prevented", "missed"), 0)
    for one in predictions:
        count[one.state] += 1
    hit, wrong, missed, prevented = (count[name] for name in ("hit", "false_alarm", "missed", "prevented"))
    acted = sum(bool(one.acted) for one in predictions if one.state in ("hit", "prevented"))
    precision = _ratio(hit, hit + wrong)
    leads = [one.lead_s for one in predictions if one.state == "hit" and one.lead_s is not None]
    return {
        "made": sum(count.values()) - missed,
        **count,
        "precision": precision,
        "recall": _ratio(hit, hit + missed),
        "median_lead_h": round(median(leads) / 3600.0, 3) if leads else None,
        "prevention_rate": _ratio(prevented, prevented + hit),
        "prevention_formula": PREVENTION,
        "prevention_caveat": CAVEAT,
        "prevention_by_chance": None if precision is None else round(1.0 - precision, 4),
        "acted": acted,
    }


def probabilities(examples: Sequence[PredictionExample]) -> Row:
    """Brier score beside that of the running share of events, reliability by decile, and the lead time.

    Those that somebody acted on are left out: what would have come of them is not known.
    """
    rows = [one for one in examples if not one.acted]
    weight = sum(one.weight for one in rows)
    return {
        "examples": len(rows),
        "cases": round(weight, 1),
        "events": sum(one.label for one in rows),
        "base_rate": _ratio(sum(one.weight for one in rows if one.label), weight),
        "brier": _ratio(sum(one.weight * (one.probability - one.label) ** 2 for one in rows), weight),
        "baseline_brier": _ratio(sum(one.weight * (one.recent - one.label) ** 2 for one in rows), weight),
        "reliability": reliability(rows),
        "lead_time_h_at_p80": lead_time(rows),
    }


def reliability(rows: Sequence[PredictionExample]) -> list[Row]:
    """Tenths of probability: how many cases, what was said on average, and in what share of them the event came."""
    bins: list[list[PredictionExample]] = [[] for _ in range(DECILES)]
    for one in rows:
        bins[min(DECILES - 1, int(one.probability * DECILES))].append(one)
    found = []
    for number, inside in enumerate(bins):
        weight = sum(one.weight for one in inside)
        found.append(
            {
                "low": number / DECILES,
                "high": (number + 1) / DECILES,
                "n": len(inside),
                "cases": round(weight, 1),
                "mean_p": _ratio(sum(one.weight * one.probability for one in inside), weight),
                "observed": _ratio(sum(one.weight for one in inside if one.label), weight),
            }
        )
    return found


def lead_time(rows: Sequence[PredictionExample]) -> float | None:
    """Median hours from row to event of what is above the lowest threshold at which eight of ten are right; None where
    none is."""
    ordered = sorted(rows, key=lambda one: -one.probability)
    right = wrong = 0.0
    reach = 0
    for index, one in enumerate(ordered):
        right, wrong = (right + one.weight, wrong) if one.label else (right, wrong + one.weight)
        is_last = index + 1 == len(ordered) or ordered[index + 1].probability < one.probability
        if is_last and right >= PRECISION * (right + wrong):
            reach = index + 1
    leads = [one.lead_s for one in ordered[:reach] if one.label and one.lead_s is not None]
    return round(median(leads) / 3600.0, 3) if leads else None


def drift(examples: Sequence[PredictionExample]) -> Row:
    """By how many standard deviations the events of the newest outcomes differ from what was expected.

    (observed - expected) / sqrt(sum of w²·p·(1 - p)), the z of calibration in the large (Spiegelhalter, 1986, without
    its weights by probability). Far above zero: more comes than is said.
    """
    rows = sorted((one for one in examples if not one.acted), key=lambda one: one.at)[-DRIFT_CASES:]
    if len(rows) < DRIFT_LEAST:
        return {
            "value": None,
            "limit": DRIFT_LIMIT,
            "warning": False,
            "words": f"{len(rows)} of {DRIFT_LEAST} outcomes",
        }
    observed = sum(one.weight for one in rows if one.label)
    expected = sum(one.weight * one.probability for one in rows)
    spread = sqrt(sum(one.weight**2 * one.probability * (1.0 - one.probability) for one in rows))
    value = (observed - expected) / max(spread, 1e-9)
    said = f"{observed:.0f} events came where {expected:.0f} were expected"
    return {
        "value": round(value, 2),
        "limit": DRIFT_LIMIT,
        "warning": abs(value) > DRIFT_LIMIT,
        "words": f"{said}, {abs(value):.1f} standard deviations {'more' if value > 0 else 'fewer'}",
    }


def record_of(model: str, predictions: Sequence[Prediction], examples: Sequence[PredictionExample]) -> Row:
    """Everything that is known of how this model did."""
    shown: Mapping[str, Any] = {**warnings(predictions), **probabilities(examples)}
    return {"model": model, **shown, "drift": drift(examples)}


def _ratio(top: float, bottom: float) -> float | None:
    return round(top / bottom, 4) if bottom else None
