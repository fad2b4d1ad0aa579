"""Samples of a delivery become rows for the rollups.

Owns which samples are kept. A value that is null or not finite is a gap and leaves nothing. Never judges a value, and
never makes a bucket: that is `data.rollups`, in the commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from math import isfinite

from data.rollups import Rolling, Sampled
from engine.book import Draft
from engine.domain.events import DomainEvent, SampleData
from engine.domain.samples import series_id, series_of
from engine.domain.settings import rules_of

#: Seconds between two looks at what is due.
ROLL_SECONDS = 10.0
#: The type of event that carries the engine's own figures. It does not come from outside, and is not judged.
OWN = "noc.kpi"
#: How far ahead of the engine's clock a sample may be.
AHEAD = timedelta(minutes=5)
_FED = "metrics.fed"


def keep(draft: Draft, events: Sequence[DomainEvent]) -> None:
    """Samples of series that are followed (`engine.domain.samples.SERIES` bounds them)."""
    known = series_of(draft)
    _enter(draft, (row for row in _rows(draft, events) if (draft.tenant, row.id) in known))


def keep_own(draft: Draft, events: Sequence[DomainEvent]) -> None:
    """The engine's own figures."""
    _enter(draft, _rows(draft, events))


def roll(draft: Draft) -> None:
    """Have the next commit make coarser buckets, once there were samples."""
    if draft.derived(_FED):
        draft.rollings.append(Rolling(now=draft.now.timestamp(), zone=rules_of(draft).metrics_zone))


def _enter(draft: Draft, rows: Iterable[Sampled]) -> None:
    before = len(draft.samples)
    draft.samples.extend(rows)
    fed = draft.derived(_FED)
    if len(draft.samples) > before and not fed:
        draft.set(fed, "", True)


def _rows(draft: Draft, events: Sequence[DomainEvent]) -> Iterable[Sampled]:
    zone, latest = rules_of(draft).metrics_zone, draft.now + AHEAD
    for event in events:
        data: SampleData = event.data  # type: ignore[assignment]
        if data.value is None or not isfinite(data.value):
            continue
        yield Sampled(
            tenant=draft.tenant,
            id=series_id(data),
            name=data.name,
            labels=data.labels,
            at=min(data.at or event.at, latest).timestamp(),
            value=data.value,
            zone=zone,
        )
