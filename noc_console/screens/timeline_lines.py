"""The timeline of an incident in lines: what was done to it, and which alerts joined it, minute by minute. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby

from data.records import RANK, Alert, TimelineEntry
from noc_console import alert_words, words
from noc_console.directory import Directory
from noc_console.safe_text import safe_text

#: More alerts than this within a minute are one line.
SINGLE_MOST = 3
NAMES_SHOWN = 3


def with_joins(entries: Sequence[TimelineEntry], alerts: Iterable[Alert], names: Directory) -> list[TimelineEntry]:
    """The entries and the joins among them, newest first. The first alert is the one that opened the incident."""
    ordered = sorted(alerts, key=lambda alert: (alert.received_at, alert.id))
    joins = [entry for _, group in groupby(ordered[1:], _minute) for entry in _joins(list(group), names)]
    return sorted([*entries, *joins], key=_place, reverse=True)


def _place(entry: TimelineEntry) -> tuple[datetime, bool, datetime]:
    """By the second; within one second the opening is the oldest: alerts of its batch arrive before it."""
    return entry.at.replace(microsecond=0), entry.kind != "opened", entry.at


def _minute(alert: Alert) -> datetime:
    return alert.received_at.replace(second=0, microsecond=0)


def _joins(alerts: list[Alert], names: Directory) -> list[TimelineEntry]:
    """Those of one minute: each for itself while they are few, else the last one's time and what they were."""
    if len(alerts) <= SINGLE_MOST:
        return [_entry(alert, alert.received_at, _one(alert, names)) for alert in alerts]
    kinds = Counter(alert.name for alert in alerts).most_common()
    told = ", ".join(f"{count:,} {name}" for name, count in kinds[:NAMES_SHOWN])
    rest = len(kinds) - NAMES_SHOWN
    sites = len({alert.site for alert in alerts if alert.site})
    worst = max(alerts, key=lambda alert: RANK[alert.severity])
    text = f"{words.many(len(alerts), 'alert')}, worst {worst.severity}: {told}"
    text += f" and {words.many(rest, 'other type')}" if rest > 0 else ""
    text += f"; {words.many(sites, 'site')}" if sites else ""
    return [_entry(alerts[-1], alerts[-1].received_at, text)]


def _one(alert: Alert, names: Directory) -> str:
    folded = ", a near repeat" if alert.suppressed else ""
    return f"{alert_words.number(alert.id)} {alert.severity} {names.site(alert.site)}: {alert.title}{folded}"


def _entry(alert: Alert, at: datetime, text: str) -> TimelineEntry:
    return TimelineEntry(tenant=alert.tenant, incident=alert.incident, at=at, kind="joined", text=safe_text(text))
