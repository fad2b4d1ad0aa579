"""Records of ranking: examples of what mattered, what the line has learned of its alerts, the context of an incident,
and how often each rule did something. Owns their shape and declarations only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from data.nouns.base import Noun
from data.nouns.fraud import FRAUD_VIEW
from data.records import IncidentId, TenantId


class PriorityExample(Struct, frozen=True, kw_only=True, gc=False):
    """An incident as a row of features at a moment, and what came of it.

    `row` holds half-precision floats, little end first, NaN where not known, in the order that `columns` marks.
    `label` 1 = it mattered; it stands for `weight` incidents like it. `why`: chosen, passed_over, overdue, in_time,
    by_itself or labelled.
    """

    tenant: TenantId
    id: str
    at: datetime
    incident: IncidentId
    columns: str
    row: bytes
    label: float
    why: str
    weight: float = 1.0


class Learned(Struct, frozen=True, kw_only=True, gc=False):
    """Rows of a table of `Book.derived` that a restart must not forget; `id` is table/shard."""

    tenant: TenantId
    id: str
    at: datetime
    table: str
    rows: tuple[tuple[tuple[str, ...], tuple[float, ...]], ...] = ()


class PastIncident(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """An incident that is over, as later ones look it up: `pattern` is the name of its first kind of alert, and
    `by` who owned or acknowledged it."""

    tenant: TenantId
    id: str
    at: datetime
    incident: IncidentId
    pattern: str
    title: str
    severity: str
    site: str = ""
    seconds: float = 0.0
    resolution: str = ""
    by: str = ""
    names: tuple[str, ...] = ()


class Context(Struct, frozen=True, kw_only=True, gc=False):
    """The context of an incident as it was put together; `id` is the incident's. `items` by category, each item with
    its reason."""

    tenant: TenantId
    id: str
    at: datetime
    incident: IncidentId
    site: str = ""
    items: dict[str, list[dict[str, Any]]] = {}


class RuleHits(Struct, frozen=True, kw_only=True, gc=False):
    """How often a rule took effect. `rule_kind`: silence, inhibition, suppression, maintenance or dedup;
    `last_at` is None while it never did; `since` is when it was first known."""

    tenant: TenantId
    id: str
    at: datetime
    rule_kind: str
    name: str
    since: datetime
    hits: int = 0
    last_at: datetime | None = None


NOUNS = (
    Noun(
        kind="priority_examples",
        subject="priority_example",
        record=PriorityExample,
        words="What mattered, for training.",
        at="at",
        value="label",
        state="why",
        incident="incident",
        states=("chosen", "passed_over", "overdue", "in_time", "by_itself", "labelled"),
        held=False,
        keep_days=180.0,
    ),
    # Its keys are titles, places and people of all incidents, restricted ones too.
    Noun(
        kind="learned",
        subject="learned",
        record=Learned,
        words="Counts behind novelty and history.",
        at="at",
        capability="admin",
    ),
    Noun(
        kind="past_incidents",
        subject="past_incident",
        record=PastIncident,
        words="Incidents that are over, by pattern.",
        at="at",
        site="site",
        entity="pattern",
        value="seconds",
        incident="incident",
        held=False,
        keep_days=90.0,
    ),
    Noun(
        kind="contexts",
        subject="context",
        record=Context,
        words="Context of incidents as it was put together.",
        at="at",
        # It was gathered with all capabilities and over all sites: it takes them, and belongs to no site.
        capability=FRAUD_VIEW,
        incident="incident",
        held=False,
        keep_days=90.0,
    ),
    Noun(
        kind="rules",
        subject="rule",
        record=RuleHits,
        words="How often each rule took effect.",
        at="at",
        value="hits",
        state="rule_kind",
        states=("silence", "inhibition", "suppression", "maintenance", "dedup"),
    ),
)
