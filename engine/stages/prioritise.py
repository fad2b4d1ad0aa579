"""Prioritise: the score 0–100 by which incidents are ranked, and what each feature brought.

Once a model is trained it gives the score (`engine.priority`). Until then this formula does: each of nine features and
the SLA clock is scaled to 0..1 and multiplied by its weight (`rules.Weights`, summing to 100). An incident whose firing
alerts are all muted is held at `MUTED_CAP`, by either; one that has returned to normal keeps `RETURNED_SHARE` of its
points, below all that fires.

    severity          critical 1, high .72, medium .45, low .2, info .05
    affected_sites    log2(sites) / 3, full at 8 sites
    business_hours    1 inside the configured hours and days, else 0
    client_tier       vip 1, gold .6, standard .2, unknown 0
    historical_impact log10(mean alerts of past incidents of this name) / 2, full at 100
    recurrence        past incidents of this name / 10, or how unusual its most unusual alert was, what is more
    resolution_time   mean hours to resolution of this name / 4
    site_workload     other open incidents at the site / 5
    on_call           1 when nobody is on call, 0 when someone is or it is not known
    sla               share of the time to the SLA's due moment that is used up
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log2, log10

from msgspec.structs import replace

from data.records import ENDED, Contribution, Incident, IncidentState, Severity
from engine.book import Draft
from engine.priority import features, labels, novelty
from engine.priority.model import PriorityModel, settled
from engine.priority.shares import TIER_SHARE, business_hours, sla_used

SEVERITY_SHARE = {
    Severity.CRITICAL: 1.0,
    Severity.HIGH: 0.72,
    Severity.MEDIUM: 0.45,
    Severity.LOW: 0.2,
    Severity.INFO: 0.05,
}
MUTED_CAP = 15.0
#: The worst that has returned stands below an INFO that fires, and above less bad ones that have returned.
RETURNED_SHARE = 0.02


def prioritise(draft: Draft) -> None:
    """Score the incidents that this draft changed, and keep what can be learned from them."""
    for number in list(draft.incidents):
        incident = draft.book.incidents.get(number)
        if incident is None:
            continue
        labels.observe(draft, incident)
        scored = score(draft, incident)
        if scored is not incident:
            draft.set(draft.book.incidents, number, scored)


def score(draft: Draft, incident: Incident, *, itself_changed: bool = True) -> Incident:
    """`incident` with its priority and contributions at the draft's time; unchanged when it has ended.

    itself_changed: False when only time has passed, so that small moves are not shown."""
    if incident.state in ENDED:
        return incident
    model: PriorityModel | None = draft.rules.priority_model
    if model is not None:
        return _by_model(draft, incident, model, itself_changed)
    parts = tuple(
        Contribution(name, value, round(points, 1))
        for name, value, share, weight in _features(draft, incident)
        if (points := max(0.0, min(1.0, share)) * weight)
    )
    return _capped(incident, sum(part.points for part in parts), parts)


def _by_model(draft: Draft, incident: Incident, model: PriorityModel, itself_changed: bool) -> Incident:
    row = features.row(draft, incident)
    total = model.score(row)
    held, scored = _is_muted(incident) or _has_returned(incident), bool(incident.contributions)
    if scored and not held:
        total = settled(incident.priority, total, itself_changed=itself_changed)
    if scored and incident.priority == _held(incident, total):
        return incident
    return _capped(incident, total, model.explain(row, total))


def _is_muted(incident: Incident) -> bool:
    return bool(incident.firing) and incident.muted >= incident.firing


def _has_returned(incident: Incident) -> bool:
    return incident.state is IncidentState.RETURNED


def _held(incident: Incident, total: float) -> float:
    if _has_returned(incident):
        return round(total * RETURNED_SHARE, 1)
    return round(min(total, MUTED_CAP) if _is_muted(incident) else total, 1)


def _capped(incident: Incident, total: float, parts: tuple[Contribution, ...]) -> Incident:
    held = _held(incident, total)
    if _has_returned(incident):
        parts = (*parts, Contribution("returned", 0.0, round(held - total, 1)))
    elif _is_muted(incident) and total > MUTED_CAP:
        parts = (*parts, Contribution("muted", float(incident.muted), round(MUTED_CAP - total, 1)))
    total = held
    if total == incident.priority and parts == incident.contributions:
        return incident
    return replace(incident, priority=total, contributions=parts)


def _features(draft: Draft, incident: Incident) -> Iterator[tuple[str, float, float, float]]:
    """(feature, raw value, share 0..1, weight) for each feature."""
    rules, weights = draft.rules, draft.rules.weights
    tier = rules.tiers.get(incident.client, "")
    pattern = draft.book.patterns.get((incident.tenant, incident.names[0] if incident.names else ""))
    busy = draft.book.workload.get((incident.tenant, incident.site), 1) - 1 if incident.site else 0
    open_hours = business_hours(draft.now, rules)
    share = SEVERITY_SHARE[incident.severity]
    yield "severity", share, share, weights.severity
    sites = max(1, len(incident.sites))
    yield "affected_sites", float(sites), log2(sites) / 3.0, weights.affected_sites
    yield "business_hours", float(open_hours), float(open_hours), weights.business_hours
    yield "client_tier", TIER_SHARE.get(tier, 0.0), TIER_SHARE.get(tier, 0.0), weights.client_tier
    past = pattern.incidents if pattern is not None else 0
    if pattern is not None and past:
        impact, hours = pattern.alerts / past, pattern.resolution_seconds / past / 3600.0
        yield "historical_impact", round(impact, 1), log10(max(1.0, impact)) / 2.0, weights.historical_impact
        yield "resolution_time", round(hours, 2), hours / 4.0, weights.resolution_time
    novel = novelty.unusual(draft, incident.id)
    if novel > past / 10.0:
        yield "unusual", round(novel, 3), novel, weights.recurrence
    elif past:
        yield "recurrence", float(past), past / 10.0, weights.recurrence
    yield "site_workload", float(busy), busy / 5.0, weights.site_workload
    yield "on_call", float(rules.on_call is False), float(rules.on_call is False), weights.on_call
    used = sla_used(incident, draft.now)
    yield "sla", round(used, 2), used, weights.sla
