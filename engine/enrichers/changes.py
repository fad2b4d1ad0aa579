"""Recent changes: deployments, configuration, schedules and staff in the four hours before, nearest cause first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from data.nouns.world import WorldChange
from data.records import Incident
from engine.enrichers import Asking, Enricher, Items
from engine.enrichers.places import places_of

WINDOW = timedelta(hours=4)
MOST = 20
_LOOKED_AT = 200


async def gather(asking: Asking) -> Items:
    incident = asking.incident
    found = await asking.rows("changes", since=incident.opened_at - WINDOW, until=incident.last_at, limit=_LOOKED_AT)
    targets = (await places_of(asking)).entities
    items = [_item(incident, targets, change) for change in found]
    return sorted((item for item in items if item["score"] > 0), key=lambda item: -item["score"])[:MOST]


def _item(incident: Incident, targets: frozenset[str], change: WorldChange) -> dict[str, Any]:
    reasons, score = [], 0.0
    if change.target and change.target in targets:
        reasons.append(f"it changed {change.target}, which is in the incident")
        score += 1.0
    if change.site and change.site in incident.sites:
        reasons.append(f"same site {change.site}")
        score += 0.5
    if not change.site and not change.target:
        reasons.append("it was for everything")
        score += 0.2
    before = (incident.opened_at - change.at).total_seconds()
    if score:
        reasons.append(f"{int(before // 60)} min before" if before >= 0 else "while it was open")
        score += 0.3 * max(0.0, 1.0 - abs(before) / WINDOW.total_seconds())
    return {
        "what": change.what,
        "reason": ", ".join(reasons),
        "subject": f"change:{change.id}",
        "kind": change.kind,
        "who": change.who,
        "target": change.target,
        "site": change.site,
        "at": change.at,
        "score": round(score, 2),
    }


ENRICHER = Enricher(
    category="recent_changes", order=20, most=MOST, words="What was changed in the four hours before.", gather=gather
)
