"""Metrics as the detectors know them: anomalies, the state of each series, the rhythm of each source.

Owns the shape of these records. States are snapshots: what was learned since the last one is learned again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from data.nouns.base import Noun
from data.records import TenantId

AnomalyKind = Literal["spike", "level_shift", "drift", "missing", "flat", "seasonal_break", "relation"]


class AnomalyRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stretch of a series that is not as usual. `score` is how many spreads the value was away from `expected`;
    `last_at` the latest sample that was so. One of kind relation is of a device whose metrics do not fit together:
    `value` is its score, `expected` the least score of an alarm, and `reasons` the share of each metric in it."""

    tenant: TenantId
    id: str
    at: datetime
    series: str
    name: str
    kind: AnomalyKind
    labels: dict[str, str] = {}
    site: str = ""
    entity: str = ""
    value: float | None = None
    expected: float | None = None
    score: float = 0.0
    detector: str = ""
    state: Literal["open", "closed"] = "open"
    last_at: datetime | None = None
    ended_at: datetime | None = None
    reasons: dict[str, float] = {}


class SeriesState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a series (`engine.domain.usual`). `hours` are mean distances from the level by hour of day."""

    tenant: TenantId
    id: str
    at: datetime
    name: str
    labels: dict[str, str] = {}
    count: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    value: float = 0.0
    level: float = 0.0
    spread: float = 0.0
    moves: float = 0.0
    interval: float = 0.0
    hours: tuple[float, ...] = ()
    seen: tuple[int, ...] = ()
    odd: int = 0
    calm: int = 0
    same: int = 0
    anomaly: str = ""


class DetectorState(Struct, frozen=True, kw_only=True, gc=False):
    """A piece of what the detectors have learned, of one tenant. `id` is table/number; `table` is series or devices;
    `names` are those of the series or devices, and `state` is theirs in this order: it may be learned again."""

    tenant: TenantId
    id: str
    at: datetime
    table: str
    names: tuple[str, ...] = ()
    state: bytes = b""


class Rhythm(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How regularly a source is heard: mean seconds between its deliveries, their mean distance from it, how many."""

    tenant: TenantId
    id: str
    at: datetime
    last_at: datetime
    interval: float = 0.0
    wander: float = 0.0
    count: int = 0
    state: Literal["heard", "silent"] = "heard"


NOUNS = (
    Noun(
        kind="anomalies",
        subject="anomaly",
        record=AnomalyRecord,
        words="Stretches of metrics that are not as usual.",
        at="at",
        event="anomaly_detected",
        site="site",
        entity="entity",
        state="state",
        value="score",
        states=("open", "closed"),
        over=frozenset({"closed"}),
        keep_days=90.0,
    ),
    Noun(kind="series", subject="series", record=SeriesState, words="What is usual of each series.", at="at"),
    # Names and values of all sites, not to be narrowed to those of a reader.
    Noun(
        kind="detector_states",
        subject="detector_state",
        record=DetectorState,
        words="What the detectors have learned, for the next start.",
        at="at",
        capability="admin",
    ),
    Noun(
        kind="rhythms",
        subject="rhythm",
        record=Rhythm,
        words="How regularly each source is heard.",
        at="at",
        state="state",
        value="interval",
        states=("heard", "silent"),
    ),
)
