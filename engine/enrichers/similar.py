"""Similar past incidents: of the last 90 days, by pattern and by the words of the title, with how they were resolved.

Candidates come by index: the latest of the same kinds of alert, and where these are few the latest of the tenant. They
are ranked by kind, place, words in common and age. Fails where the same trouble has another kind and other words each
time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from data.nouns.priority import PastIncident
from data.query_ast import And, Compare, Node, Op
from data.records import Incident
from engine.enrichers import Asking, Enricher, Items

WINDOW = timedelta(days=90)
MOST = 5
_OF_A_KIND, _LATEST, _KINDS, _ENOUGH = 100, 100, 3, 20
_LEAST = 0.3


async def gather(asking: Asking) -> Items:
    incident = asking.incident
    now = asking.now
    found: dict[int, PastIncident] = {}
    for name in incident.names[:_KINDS]:
        for past in await asking.rows("past_incidents", where=_of_kind(name), limit=_OF_A_KIND, sort="-at"):
            if now - past.at <= WINDOW:
                found[past.incident] = past
    if len(found) < _ENOUGH:
        for past in await asking.rows("past_incidents", since=now - WINDOW, limit=_LATEST, sort="-at"):
            found.setdefault(past.incident, past)
    found.pop(incident.id, None)
    items = [_item(incident, past, now) for past in found.values()]
    return sorted((item for item in items if item["score"] >= _LEAST), key=_best)[:MOST]


def _of_kind(name: str) -> Node:
    """Without a time, and with a name that is said not to be empty: so the index by entity is used; the one by time
    would have to be read for 90 days."""
    same = Compare(field="entity", op=Op.EQ, value=name)
    return And(parts=(same, Compare(field="entity", op=Op.NE, value="")))


def _best(item: dict[str, Any]) -> tuple[float, int]:
    return -item["score"], -item["incident"]


def _item(incident: Incident, past: PastIncident, now: datetime) -> dict[str, Any]:
    reasons, score = [], 0.0
    if past.pattern in incident.names:
        reasons.append(f"same pattern {past.pattern}")
        score += 0.4
    if past.site and past.site in incident.sites:
        reasons.append(f"same site {past.site}")
        score += 0.2
    alike = likeness(incident.title, past.title)
    if alike >= 0.2:
        reasons.append(f"{alike:.0%} of the words")
        score += 0.3 * alike
    score += 0.1 * max(0.0, 1.0 - (now - past.at) / WINDOW)
    hours = past.seconds / 3600.0
    how = past.resolution or ("by itself" if not past.by else "without a note")
    return {
        "what": past.title,
        "reason": ", ".join(reasons),
        "subject": f"incident:{past.incident}",
        "incident": past.incident,
        "site": past.site,
        "at": past.at,
        "resolved": how,
        "by": past.by,
        "took": f"{hours:.1f} h" if hours >= 1 else f"{past.seconds / 60.0:.0f} min",
        "score": round(score, 2),
    }


def likeness(one: str, other: str) -> float:
    """Share of words in common (Jaccard), numbers and single letters left out.

    >>> likeness("link down eth0", "Link down eth1")
    1.0
    """
    first, second = _words(one), _words(other)
    whole = first | second
    return len(first & second) / len(whole) if whole else 0.0


def _words(text: str) -> frozenset[str]:
    letters = "".join(letter if letter.isalpha() else " " for letter in text.lower()[:200])
    return frozenset(word for word in letters.split() if len(word) > 1)


ENRICHER = Enricher(
    category="similar_incidents",
    order=30,
    most=MOST,
    words="Like it in the last 90 days, and how they ended.",
    gather=gather,
)
