"""Memory: what incidents of the same kind, place, team or person came to, and how many of each are open now.

Owns two bounded tables in `Book.derived`, by (tenant, facet, value): outcomes (how many ended, how many of them
mattered, how long they took) and open ones. What ends is entered when it ends, so nothing is known before its time.
Never judges.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log1p, nan
from typing import NamedTuple

from data.records import Alert, Incident
from engine.book import Draft
from engine.priority.keeping import OUTCOMES, ensure

OPEN = "priority.open"
#: Most rows of each table; the one that was entered first makes room.
LIMIT = 50_000
#: Labels of the first alert that are looked at like a field, where a sender has them.
LABELS = ("assignee", "reporter", "category", "channel")
FACETS = ("name", "site", "service", "entity", "client", "title", "work", *LABELS)
#: How many outcomes the share of the whole tenant weighs against those of one value.
_PRIOR = 5.0
_WHOLE = "*"
_VALUE_CHARS = 120

Key = tuple[str, str, str]


class Outcome(NamedTuple):
    """Of the incidents that ended: how many, how many mattered, the sum of ln(1 + hours)."""

    ended: int = 0
    mattered: float = 0.0
    log_hours: float = 0.0


def facets(incident: Incident, first: Alert | None) -> list[str]:
    """The incident's value of each of `FACETS`, "" where it has none."""
    name = incident.names[0] if incident.names else ""
    service = first.service if first is not None else ""
    labels = first.labels if first is not None else {}
    return [
        name,
        incident.site,
        service,
        first.entity if first is not None else "",
        incident.client,
        incident.title[:_VALUE_CHARS],
        f"{name}\x1f{service}" if service else "",
        *(labels.get(label, "")[:_VALUE_CHARS] for label in LABELS),
    ]


def keys(draft: Draft, incident: Incident) -> list[Key]:
    values = facets(incident, draft.book.alerts.get(incident.root))
    return [(incident.tenant, facet, value) for facet, value in zip(FACETS, values, strict=True)]


def columns(draft: Draft, incident: Incident) -> Iterator[float]:
    """Four figures for each facet: share that mattered, ln(1 + how many ended), mean ln(1 + hours), open now. What is
    not known is NaN."""
    ensure(draft)
    outcomes, opened = draft.derived(OUTCOMES), draft.derived(OPEN)
    whole: Outcome = outcomes.get((incident.tenant, _WHOLE, ""), Outcome())
    share = (whole.mattered + 1.0) / (whole.ended + 2.0)
    for key in keys(draft, incident):
        if not key[2]:
            yield from (nan, nan, nan, nan)
            continue
        found: Outcome | None = outcomes.get(key)
        if found is None or not found.ended:
            yield from (nan, 0.0, nan)
        else:
            yield (found.mattered + _PRIOR * share) / (found.ended + _PRIOR)
            yield log1p(found.ended)
            yield found.log_hours / found.ended
        yield float(opened.get(key, 0))


def names() -> list[str]:
    """The columns' names, in order."""
    return [f"{figure}_{facet}" for facet in FACETS for figure in ("mattered", "ended", "hours", "open")]


def begin(draft: Draft, incident: Incident) -> list[Key]:
    """Count a new incident among the open ones; `end` takes the keys that this returns."""
    found = [key for key in keys(draft, incident) if key[2]]
    table = draft.derived(OPEN)
    for key in found:
        _enter(draft, OPEN, key, table.get(key, 0) + 1)
    return found


def end(draft: Draft, found: list[Key], mattered: float, seconds: float) -> None:
    """Enter what an incident came to."""
    outcomes, opened = draft.derived(OUTCOMES), draft.derived(OPEN)
    hours = log1p(max(0.0, seconds) / 3600.0)
    whole = [(found[0][0], _WHOLE, "")] if found else []
    for key in (*whole, *found):
        old: Outcome = outcomes.get(key, Outcome())
        _enter(draft, OUTCOMES, key, Outcome(old.ended + 1, old.mattered + mattered, old.log_hours + hours))
        left = opened.get(key, 0) - 1
        if left > 0:
            draft.set(opened, key, left)
        else:
            draft.discard(opened, key)


def _enter(draft: Draft, name: str, key: Key, value: object) -> None:
    table = draft.derived(name)
    if key not in table and len(table) >= LIMIT:
        draft.discard(table, next(iter(table)))
    draft.set(table, key, value)
