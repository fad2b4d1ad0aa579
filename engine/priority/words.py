"""Words: a priority and its parts as lines that an operator reads, and what would change it.

Owns the sentences only; the numbers are those that are stored with the incident.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from data.records import Contribution
from engine.priority.model import START

_FORMULA: dict[str, str] = {
    "severity": "severity",
    "affected_sites": "{value:.0f} sites affected",
    "business_hours": "inside business hours",
    "client_tier": "contract of the client",
    "historical_impact": "past incidents of this kind had {value:.0f} alerts",
    "recurrence": "{value:.0f} past incidents of this kind",
    "unusual": "how rare an alert like this is here ({value:.0%} unusual)",
    "resolution_time": "took {value:.1f} h to resolve on average",
    "site_workload": "{value:.0f} other incidents open at the site",
    "on_call": "nobody is on call",
    "sla": "{value:.0%} of the SLA time is used",
    "muted": "all that fires is muted: held at 15",
    "returned": "nothing of it fires any more: held below what does",
}
_MODEL: dict[str, str] = {
    **_FORMULA,
    START: "where a typical incident stands",
    "severity": "severity {value:.0f} of 5",
    "business_hours": "time of day and week",
    "historical_impact": "{value:.0%} of the past incidents of this kind mattered",
    "recurrence": "how often and how unusual ({value:.0%} unusual)",
    "resolution_time": "how long the like of it took",
    "on_call": "who is on call",
}
#: What an operator or time can change, in words; the rest is as it is.
_CHANGES: dict[str, str] = {
    "affected_sites": "with one site",
    "business_hours": "outside business hours",
    "site_workload": "were it alone at its site",
    "on_call": "with somebody on call",
    "sla": "at the start of its SLA time",
    "muted": "without the mutes",
    "returned": "were it firing",
    "severity": "at a usual severity",
}
#: Points below which a change is not worth telling.
_WORTH = 0.5


def by_model(parts: Sequence[Contribution]) -> bool:
    return any(part.feature == START for part in parts)


def headline(priority: float, parts: Sequence[Contribution]) -> str:
    by = "the model" if by_model(parts) else "formula; no model yet"
    return f"priority {priority:g} by {by}"


def part_words(part: Contribution, parts: Sequence[Contribution]) -> str:
    """What the feature was, without its points."""
    texts = _MODEL if by_model(parts) else _FORMULA
    return texts.get(part.feature, part.feature.replace("_", " ")).format(value=part.value)


def changes(priority: float, parts: Sequence[Contribution]) -> Iterator[tuple[str, float]]:
    """(what would be otherwise, the priority that it would come to), largest change first."""
    for part in sorted(parts, key=lambda part: -abs(part.points)):
        words = _CHANGES.get(part.feature)
        if part.feature == "severity" and not by_model(parts):
            continue  # its points are not those over a usual severity
        if words is not None and abs(part.points) >= _WORTH:
            yield words, round(max(0.0, min(100.0, priority - part.points)), 1)
