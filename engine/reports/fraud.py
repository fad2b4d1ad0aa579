"""Fraud in several rows: live scores, a person's month, heatmaps, how well the scores do, and why one came out so.

Owns the shapes of these answers. Everything takes security:fraud:view; sites of the scope hold as in every read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from math import floor, log, nan
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from data.nouns.fraud import FRAUD_VIEW, FraudPrediction
from data.query_ast import Compare, Op
from data.scope import Scope
from engine.client import Refused
from engine.fraud import heuristics
from engine.fraud.anomalies import BIOMETRIC_LEAST, REST_HOURS, TRAVEL_KMH
from engine.fraud.features import FEATURES
from engine.fraud.judging import ALERT_FROM
from engine.fraud.model import in_words
from engine.fraud.surroundings import day_of, hour_of
from engine.fraud.words import words
from engine.reports.registry import report

if TYPE_CHECKING:
    from engine.desk import Desk

CACHE_SECONDS = 300.0
ROWS_MOST = 50_000
HISTORY_DAYS = 30
#: Sizes of the squares of a heatmap, in degrees.
GRIDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
#: What would have kept an anomaly from being one.
_LIMITS = {
    "impossible_travel": f"at most {TRAVEL_KMH:.0f} km/h",
    "device_sharing": "nobody else on the device within 24 h",
    "buddy_checkin": "nobody else on the device within 5 min",
    "geofence": "a position inside the fence",
    "biometric_low": f"a biometric match of {BIOMETRIC_LEAST:.2f} or more",
    "too_little_rest": f"at most {REST_HOURS:.0f} h since a rest of 8 h",
    "ghost_round": "movement between the checkpoints",
}

Days = Annotated[int, Meta(ge=1, le=365)]


class LiveParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    least: Annotated[float, Meta(ge=0, le=1)] = 0.0


class PersonParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    person: Annotated[str, Meta(min_length=1, max_length=200)]


class HeatmapParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`by`: site_hour (hour of the day at the site), site_day (date there), grid (squares of `degrees`, taken as the
    nearest of `GRIDS`: each other size would be another answer to work out and keep)."""

    by: Literal["site_hour", "site_day", "grid"] = "site_hour"
    days: Days = HISTORY_DAYS
    degrees: Annotated[float, Meta(ge=0.001, le=10)] = 0.05

    def __post_init__(self) -> None:
        nearest = min(GRIDS, key=lambda size: abs(log(size / self.degrees)))
        force_setattr(self, "degrees", nearest if self.by == "grid" else GRIDS[0])


class CaseParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: Annotated[str, Meta(min_length=1, max_length=64)]


@report("fraud/scores/live", capability=FRAUD_VIEW, params=LiveParams)
async def live(desk: Desk, scope: Scope, params: LiveParams) -> Sequence[Any]:
    """The newest fraud scores, whole, newest first."""
    where = Compare(field="value", op=Op.GE, value=params.least) if params.least else None
    rows: list[Any] = await desk.rows(scope, kind="fraud_scores", where=where, limit=params.limit)
    return rows


@report("fraud/scores/{person}/history", capability=FRAUD_VIEW, params=PersonParams, cache_seconds=CACHE_SECONDS)
async def history(desk: Desk, scope: Scope, params: PersonParams) -> Sequence[Any]:
    """The fraud scores of a person in the last 30 days, newest first."""
    since = desk.clock.now() - timedelta(days=HISTORY_DAYS)
    where = Compare(field="entity", op=Op.EQ, value=params.person)
    rows: list[Any] = await desk.rows(scope, kind="fraud_scores", where=where, since=since, limit=1000)
    return rows


@report("fraud/heatmap", capability=FRAUD_VIEW, params=HeatmapParams, cache_seconds=CACHE_SECONDS)
async def heatmap(desk: Desk, scope: Scope, params: HeatmapParams) -> Sequence[Any]:
    """Cells {"site", "hour" | "day"} or {"lat", "lon"} with "events", "flagged" (score ≥ 0.80), "mean" and "max"."""
    since = desk.clock.now() - timedelta(days=params.days)
    scores = await desk.rows(scope, kind="fraud_scores", since=since, limit=ROWS_MOST)
    sites = {site.id: site for site in await desk.rows(scope, kind="sites", limit=ROWS_MOST)}
    cells: dict[tuple[Any, ...], list[FraudPrediction]] = defaultdict(list)
    for score in scores:
        key = _cell(score, sites.get(score.site), params)
        if key is not None:
            cells[key].append(score)
    names = {"site_hour": ("site", "hour"), "site_day": ("site", "day"), "grid": ("lat", "lon")}[params.by]
    return [{**dict(zip(names, key, strict=True)), **_summed(cells[key])} for key in sorted(cells)]


@report("fraud/models", capability=FRAUD_VIEW, cache_seconds=CACHE_SECONDS)
async def performance(desk: Desk, scope: Scope, params: Any) -> Sequence[Any]:
    """How scores did by the verdicts of 90 days, per model: {"model", "scored", "judged", "precision", "recall", …}."""
    since = desk.clock.now() - timedelta(days=90)
    by_model: dict[str, list[FraudPrediction]] = defaultdict(list)
    for score in await desk.rows(scope, kind="fraud_scores", since=since, limit=ROWS_MOST):
        by_model[score.model].append(score)
    judged = sum(score.verdict in {"confirmed", "dismissed"} for rows in by_model.values() for score in rows)
    return [_performance(name, by_model[name], judged) for name in sorted(by_model)]


@report("fraud/scores/{id}/why", capability=FRAUD_VIEW, params=CaseParams)
async def why(desk: Desk, scope: Scope, params: CaseParams) -> Sequence[Any]:
    """Why a score is what it is: each {"what", "words", "points"}, and what would have changed it."""
    found = await desk.rows(scope, kind="fraud_scores", ids=(params.id,), limit=1)
    if not found:
        raise Refused("no such fraud score", field="id", remedy="look it up in fraud_scores", status=404)
    score: FraudPrediction = found[0]
    lines: list[dict[str, Any]] = [
        {"what": "score", "words": f"{score.score:.0%} by {_by(score.model)}", "points": 100.0 * score.score}
    ]
    for reason in score.reasons:
        lines.append({"what": reason.feature, "words": in_words(reason), "points": reason.points})
    for kind in score.anomalies:
        changed = f"would not stand with {_LIMITS.get(kind, 'other numbers')}"
        lines.append({"what": kind, "words": changed, "points": None})
    for name, value in zip(FEATURES, score.features, strict=False):
        lines.append({"what": name, "words": words(name, nan if value is None else value), "points": None})
    return lines


def _by(model: str) -> str:
    return "weights, not a trained model: it ranks" if model == heuristics.NAME else f"model {model}"


def _cell(score: FraudPrediction, site: Any, params: HeatmapParams) -> tuple[Any, ...] | None:
    zone = site.zone if site is not None else "UTC"
    if params.by == "site_hour":
        return score.site, hour_of(score.at, zone)
    if params.by == "site_day":
        return score.site, day_of(score.at, zone)
    if site is None or site.point is None:
        return None
    step = params.degrees
    return round(floor(site.point.lat / step) * step, 6), round(floor(site.point.lon / step) * step, 6)


def _summed(scores: Sequence[FraudPrediction]) -> dict[str, Any]:
    values = [score.score for score in scores]
    return {
        "events": len(values),
        "flagged": sum(value >= ALERT_FROM for value in values),
        "mean": round(sum(values) / len(values), 4),
        "max": round(max(values), 4),
    }


def _performance(model: str, scores: Sequence[FraudPrediction], judged_in_all: int) -> dict[str, Any]:
    judged = [score for score in scores if score.verdict in {"confirmed", "dismissed"}]
    frauds = [score for score in judged if score.verdict == "confirmed"]
    raised = [score for score in judged if score.score >= ALERT_FROM]
    caught = sum(score.verdict == "confirmed" for score in raised)
    return {
        "model": model,
        "is_model": model != heuristics.NAME,
        "scored": len(scores),
        "flagged": sum(score.score >= ALERT_FROM for score in scores),
        "judged": len(judged),
        "confirmed": len(frauds),
        "precision": _ratio(caught, len(raised)),
        "recall_of_judged": _ratio(caught, len(frauds)),
        "brier": _ratio(_brier(judged), len(judged)),
        "labelled_for_training": judged_in_all,
        "labelled_needed": heuristics.LABELLED_LEAST,
    }


def _brier(judged: Iterable[FraudPrediction]) -> float:
    return sum((score.score - (score.verdict == "confirmed")) ** 2 for score in judged)


def _ratio(top: float, bottom: int) -> float | None:
    return round(top / bottom, 4) if bottom else None
