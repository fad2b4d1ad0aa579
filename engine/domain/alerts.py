"""Raising and clearing the built-in alert types: one episode per condition, told apart by when it began.

Owns the way from a type of `data.reference` to its Signal. Never decides that a condition holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec
from msgspec import Struct

from data.records import Alert, Severity, Signal, SignalStatus
from data.reference.alert_types import ALERT_TYPES, AlertType
from data.reference.predicted_types import PREDICTED_TYPES
from engine.book import Draft
from engine.domain.registry import raise_signal

#: Source of what the engine itself finds out about the world.
SOURCE = "noc"
#: Characters of a name from outside that go into a title.
TITLE_CHARS = 300
#: All types that the engine raises.
TYPES: Mapping[str, AlertType] = {**ALERT_TYPES, **PREDICTED_TYPES}


class About(Struct, frozen=True, kw_only=True, gc=False):
    """What an alert is about. `parts` are the labels that its key asks for beside the site (shift, tour, …)."""

    entity: str
    entity_type: str
    site: str = ""
    parts: Mapping[str, str] = {}
    correlation: str = ""


def key_of(type: str, about: About) -> str:
    """The dedup key: the type and its key fields. The same condition has the same key after a restart."""
    found = TYPES[type]
    return blake2b(msgspec.json.encode([SOURCE, type, *_key_parts(found, about)]), digest_size=8).hexdigest()


def current(draft: Draft, type: str, about: About) -> Alert | None:
    """The latest episode of this condition, firing or not."""
    return draft.current(key_of(type, about))


def is_raised(draft: Draft, type: str, about: About) -> bool:
    found = current(draft, type, about)
    return found is not None and found.ended_at is None


def signal_of(
    draft: Draft,
    type: str,
    about: About,
    *,
    title: str,
    since: datetime,
    severity: Severity | None = None,
    facts: Mapping[str, str] | None = None,
) -> Signal:
    """The firing Signal of a built-in type for a condition that holds since then. `facts` become annotations."""
    found = TYPES[type]
    since = min(since, draft.now)
    client, labels = _labels(draft, found, about)
    return Signal(
        source=SOURCE,
        key=key_of(type, about),
        name=type,
        severity=severity or found.severity,
        status=SignalStatus.FIRING,
        title=title[:TITLE_CHARS],
        site=about.site,
        entity=about.entity,
        entity_type=about.entity_type,
        service="",
        client=client,
        correlation=about.correlation,
        starts_at=since,
        ends_at=draft.now + timedelta(hours=found.hold_hours),
        labels=labels,
        annotations={
            "summary": title[:TITLE_CHARS],
            "clears_when": found.clears_when,
            "runbook_url": found.runbook,
            **(facts or {}),
        },
        timeout=True,
    )


def fire(
    draft: Draft,
    type: str,
    about: About,
    *,
    title: str,
    since: datetime,
    severity: Severity | None = None,
    facts: Mapping[str, str] | None = None,
) -> bool:
    """Raise it unless this episode was raised already → whether it was. A firing one is only renewed when its severity
    or title has changed."""
    known = current(draft, type, about)
    wanted = severity or TYPES[type].severity
    if known is not None:
        if known.ended_at is None and known.severity is wanted and known.title == title[:TITLE_CHARS]:
            return False
        if known.ended_at is not None and since <= max(known.starts_at, known.restarted_at or known.starts_at):
            return False
    signal = signal_of(draft, type, about, title=title, since=since, severity=severity, facts=facts)
    raise_signal(draft, signal)
    return True


def clear(draft: Draft, type: str, about: About, *, at: datetime) -> bool:
    """The condition is over since then → whether an alert of it was firing."""
    known = current(draft, type, about)
    if known is None or known.ended_at is not None:
        return False
    raise_signal(draft, cleared(draft, known, at))
    return True


def cleared(draft: Draft, known: Alert, at: datetime) -> Signal:
    """The clearing counterpart of a firing alert: resolved, never before its latest beginning."""
    began = known.restarted_at or known.starts_at
    return Signal(
        source=known.source,
        key=known.key,
        name=known.name,
        severity=known.severity,
        status=SignalStatus.RESOLVED,
        title=known.title,
        site=known.site,
        entity=known.entity,
        entity_type=known.entity_type,
        service=known.service,
        client=known.client,
        correlation=known.correlation,
        starts_at=began,
        ends_at=max(began, min(at, draft.now)),
        labels=known.labels,
        annotations=known.annotations,
    )


def keep(draft: Draft, holds: bool, type: str, about: About, *, title: str, at: datetime) -> bool:
    """Raise it while the condition `holds` since `at`, clear it when it does not → whether anything was said."""
    return fire(draft, type, about, title=title, since=at) if holds else clear(draft, type, about, at=at)


def _key_parts(found: AlertType, about: About) -> list[str]:
    return [about.site if name == "site" else about.parts.get(name, about.entity) for name in found.key]


def _labels(draft: Draft, found: AlertType, about: About) -> tuple[str, dict[str, str]]:
    """→ (client, labels); no label is empty. The client's tier goes along, as routing and ranking ask for it."""
    site = draft.noun("sites", about.site) if about.site else None
    client = site.client if site is not None else ""
    owner = draft.noun("clients", client) if client else None
    labels = {
        "alertname": found.name,
        "site": about.site,
        "entity": about.entity,
        "entity_type": about.entity_type,
        "client": client,
        "tier": owner.tier if owner is not None else "",
        **about.parts,
    }
    return client, {name: value for name, value in labels.items() if value}
