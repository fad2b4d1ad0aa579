"""Hits: how often each silence, inhibition, suppression, maintenance window and dedup rule took effect on a new alert.

Owns the counts, which reach the store once a minute as records of the kind "rules": what the last minute counted may be
lost in a crash. A rule that never took effect has a record too, so that it can be told from one that is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from data.nouns.priority import RuleHits
from data.records import Alert, TenantId
from engine.book import Draft
from engine.stages.maintenance import MAINTENANCE

SILENCE, INHIBITION, SUPPRESSION, WINDOW, DEDUP = "silence", "inhibition", "suppression", MAINTENANCE, "dedup"
EVERY_SECONDS = 60.0
#: A rule that took no effect for so long is pointed out.
IDLE = timedelta(days=30)
_COUNTS, _LIMIT = "rules.hits", 5_000
_SILENCES_MOST = 500

Rule = tuple[str, str]


def hit(draft: Draft, kind: str, name: str) -> None:
    """Count one effect of a rule, at the draft's time."""
    table = draft.derived(_COUNTS)
    key = (draft.tenant, kind, name)
    if key in table or len(table) < _LIMIT:
        draft.set(table, key, table.get(key, 0) + 1)


def count_hits(draft: Draft, alert: Alert) -> None:
    """Count the rules that a new alert met."""
    for name in alert.silenced_by:
        window = name.split("/")[1] if name.startswith(f"{MAINTENANCE}/") and name.count("/") > 1 else ""
        hit(draft, WINDOW if window else SILENCE, window or name)
    if alert.inhibited_by:
        for name in _inhibiting(draft, alert):
            hit(draft, INHIBITION, name)
    for rule in draft.rules.dedups:
        if rule.match(alert.labels):
            hit(draft, DEDUP, rule.name)
            break


def _inhibiting(draft: Draft, alert: Alert) -> Iterator[str]:
    sources = [draft.book.alerts[number] for number in alert.inhibited_by if number in draft.book.alerts]
    for rule in draft.rules.inhibitions:
        if rule.target(alert.labels) and any(rule.source(source.labels) for source in sources):
            yield rule.name


def flush(draft: Draft) -> None:
    """Write the counts since the last time, and rules that are new."""
    counts = draft.derived(_COUNTS)
    held = draft.book.nouns["rules"]
    for tenant, kind, name in [*counts, *_known(draft)]:
        key = (tenant, f"{kind}/{name}")
        before: RuleHits | None = held.get(key)
        hits = counts.get((tenant, kind, name), 0)
        draft.discard(counts, (tenant, kind, name))
        if before is not None and not hits:
            continue
        draft.tenant = tenant
        draft.put_noun(_record(draft, before, (kind, name), hits), announce=False)


def _record(draft: Draft, before: RuleHits | None, rule: Rule, hits: int) -> RuleHits:
    return RuleHits(
        tenant=draft.tenant,
        id="/".join(rule),
        at=draft.now,
        rule_kind=rule[0],
        name=rule[1],
        since=before.since if before is not None else draft.now,
        hits=hits + (before.hits if before is not None else 0),
        last_at=draft.now if hits else before.last_at if before is not None else None,
    )


def _known(draft: Draft) -> Iterator[tuple[TenantId, str, str]]:
    """The rules that are in force, of every tenant that has alerts."""
    rules = draft.rules
    configured: list[Rule] = [
        *((INHIBITION, rule.name) for rule in rules.inhibitions),
        *((SUPPRESSION, rule.name) for rule in rules.suppressions),
        *((WINDOW, window.name) for window in rules.maintenance),
        *((DEDUP, rule.name) for rule in rules.dedups),
    ]
    for tenant in dict.fromkeys((draft.tenant, *draft.book.current)):
        for kind, name in configured:
            yield tenant, kind, name
        silences = list(draft.book.silences.get(tenant, {}).values())[:_SILENCES_MOST]
        for silence in silences:
            if silence.created_by != MAINTENANCE:
                yield tenant, SILENCE, silence.id


def idle(rules: Iterable[RuleHits], now: datetime) -> list[str]:
    """What to say of the rules that took no effect for `IDLE`."""
    found = [rule for rule in rules if now - (rule.last_at or rule.since) >= IDLE]
    days = IDLE.days
    return [f"{rule.rule_kind} {rule.name!r} has matched nothing for {days} d" for rule in found]
