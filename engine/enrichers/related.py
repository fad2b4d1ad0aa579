"""Related alerts: what else began within half an hour of the opening, at the same places or of the same kinds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from data.query_ast import And, Compare, Node, Op, Or
from data.records import Alert, Incident
from engine.enrichers import Asking, Enricher, Items

WINDOW = timedelta(minutes=30)
MOST = 20
_LOOKED_AT = 200
_VALUES_MOST = 5


async def gather(asking: Asking) -> Items:
    incident = asking.incident
    ways = _ways(incident)
    if not ways:
        return []
    elsewhere = Compare(field="incident", op=Op.NE, value=float(incident.id))
    found = await asking.rows(
        "alerts",
        where=And(parts=(ways[0] if len(ways) == 1 else Or(parts=ways), elsewhere)),
        since=incident.opened_at - WINDOW,
        until=incident.opened_at + WINDOW,
        limit=_LOOKED_AT,
    )
    items = [_item(incident, alert) for alert in found if _is_other(incident, alert) and _near(incident, alert)]
    return sorted(items, key=lambda item: -item["score"])[:MOST]


def _is_other(incident: Incident, alert: Alert) -> bool:
    return bool(alert.incident) and alert.incident != incident.id


def _near(incident: Incident, alert: Alert) -> bool:
    """It may have come within the window and say that it began long before."""
    return abs(alert.starts_at - incident.opened_at) <= WINDOW


def _ways(incident: Incident) -> tuple[Node, ...]:
    sites = tuple(Compare(field="site", op=Op.EQ, value=site) for site in incident.sites[:_VALUES_MOST])
    names = tuple(Compare(field="name", op=Op.EQ, value=name) for name in incident.names[:_VALUES_MOST])
    return (*sites, *names)


def _item(incident: Incident, alert: Alert) -> dict[str, Any]:
    reasons, score = [], 0.0
    if alert.site and alert.site in incident.sites:
        reasons.append(f"same site {alert.site}")
        score += 0.6
    if alert.name in incident.names:
        reasons.append(f"same type {alert.name}")
        score += 0.3
    apart = abs((alert.starts_at - incident.opened_at).total_seconds())
    reasons.append(f"{int(apart // 60)} min apart")
    score += 0.1 * max(0.0, 1.0 - apart / WINDOW.total_seconds())
    return {
        "what": alert.title,
        "reason": ", ".join(reasons),
        "subject": f"alert:{alert.id}",
        "incident": alert.incident,
        "severity": alert.severity,
        "site": alert.site,
        "at": alert.starts_at,
        "score": round(score, 2),
    }


ENRICHER = Enricher(
    category="related_alerts", order=10, most=MOST, words="Alerts of the same half hour elsewhere.", gather=gather
)
