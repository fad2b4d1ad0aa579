"""Suppress: rules of the configuration that fold an alert into the cluster that it has joined, or forbid that.

Beside the clustering's own folding of what is nearly the same. An alert that is worse than its incident, or at a site
that its incident does not know, is never folded. What is folded is stored, counted and listed, and says by which rule.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from data.records import RANK, Alert, Reason
from engine.book import Draft
from engine.reasons import ReasonCode
from engine.rules import SuppressRule
from engine.stages.hits import SUPPRESSION, hit


def suppress(draft: Draft, alert: Alert) -> Alert:
    """`alert`, which has just got its cluster, as the first rule that matches wants it."""
    for rule in draft.rules.suppressions:
        if rule.match(alert.labels):
            return _by_rule(draft, alert, rule)
    return alert


def _by_rule(draft: Draft, alert: Alert, rule: SuppressRule) -> Alert:
    if rule.never:
        return _unfolded(draft, alert, rule) if alert.suppressed else alert
    reason = alert.why[-1] if alert.why else None
    if alert.suppressed or reason is None or reason.code != ReasonCode.JOINED_SIMILAR:
        return alert
    score = reason.facts.get("score")
    if not isinstance(score, float | int) or score < rule.above or not _may_be_folded(draft, alert):
        return alert
    hit(draft, SUPPRESSION, rule.name)
    _count(draft, alert, 1)
    told = Reason(code=ReasonCode.SUPPRESSED_RULE, facts={**reason.facts, "rule": rule.name})
    return replace(alert, suppressed=True, why=(*alert.why[:-1], told))


def _unfolded(draft: Draft, alert: Alert, rule: SuppressRule) -> Alert:
    hit(draft, SUPPRESSION, rule.name)
    _count(draft, alert, -1)
    facts = {**alert.why[-1].facts, "rule": rule.name} if alert.why else {}
    return replace(alert, suppressed=False, why=(*alert.why[:-1], Reason(code=ReasonCode.JOINED_SIMILAR, facts=facts)))


def _may_be_folded(draft: Draft, alert: Alert) -> bool:
    """Not worse than any that is there, and at a site that is known."""
    others = list(_others(draft, alert))
    if not others:
        return False
    if RANK[alert.severity] > max(rank for rank, _ in others):
        return False
    return not alert.site or any(alert.site in sites for _, sites in others)


def _others(draft: Draft, alert: Alert) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Rank and sites of what the incident is made of so far."""
    incident = draft.book.incidents.get(alert.incident)
    if incident is not None:
        yield RANK[incident.severity], incident.sites
    for joined in draft.joined.get(alert.incident, ()):
        yield RANK[joined.severity], (joined.site,)


def _count(draft: Draft, alert: Alert, by: int) -> None:
    found = draft.book.clusters.get(alert.cluster)
    if found is not None:
        draft.count_cluster(replace(found, suppressed=found.suppressed + by))
