"""What is usual: running baselines per entity, metric and hour of the week, and the changes of their thresholds.

Owns the shape of these records; the arithmetic is in `engine.domain.baselines`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from data.nouns.base import Noun
from data.records import TenantId


class Slot(Struct, frozen=True, array_like=True, gc=False):
    """Values of one hour of the week: how many, their mean, and the sum of squared distances from it (Welford)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0


class Verdict(Struct, frozen=True, array_like=True, gc=False):
    """What an operator said of an alarm that this baseline gave; `before`: the threshold that this moved, 0 = none."""

    at: datetime
    false_alarm: bool
    finding: str
    before: float = 0.0


class Alarm(Struct, frozen=True, array_like=True, gc=False):
    """An alarm of a series: the anomaly that it began or went on with, its score, and the threshold in those units."""

    at: datetime
    anomaly: str
    score: float
    threshold: float


class Baseline(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`slots` by hour of the week in the entity's zone ("0" = Monday's first hour). An alarm is a value at least
    `threshold` spreads from the mean. `verdicts` are the latest of operators. That of a series has no slots, for the
    streaming detector judges it: its `threshold` is a z-equivalent, and `alarms` are its latest."""

    tenant: TenantId
    id: str
    at: datetime
    entity: str
    entity_type: str
    metric: str
    site: str = ""
    zone: str = "UTC"
    threshold: float = 3.0
    samples: int = 0
    slots: dict[str, Slot] = {}
    verdicts: tuple[Verdict, ...] = ()
    tuned_at: datetime | None = None
    alarms: tuple[Alarm, ...] = ()


class ThresholdChange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A threshold that moved: from, to, and the evidence. `state`: applied or undone."""

    tenant: TenantId
    id: str
    at: datetime
    baseline: str
    entity: str
    metric: str
    old: float
    new: float
    alarms: int
    false_alarms: int
    rate: float
    reason: str
    site: str = ""
    by: str = "weekly tuning"
    state: Literal["applied", "undone"] = "applied"
    undone_by: str = ""
    undone_at: datetime | None = None


NOUNS = (
    Noun(
        kind="baselines",
        subject="baseline",
        record=Baseline,
        words="What is usual, per entity, metric and hour of the week.",
        at="at",
        site="site",
        entity="entity",
        value="threshold",
    ),
    Noun(
        kind="thresholds",
        subject="threshold",
        record=ThresholdChange,
        words="Changes of thresholds, with old, new and evidence.",
        at="at",
        event="threshold_changed",
        site="site",
        entity="entity",
        state="state",
        value="new",
        states=("applied", "undone"),
        over=frozenset({"undone"}),
        keep_days=730.0,
    ),
)
