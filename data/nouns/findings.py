"""What audits find: a condition that does not hold as it should, with its evidence and what became of it.

Owns the shape of findings.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from data.nouns.base import Noun
from data.records import Severity, TenantId

Evidence = dict[str, str | float | int | bool | None]


class AuditFinding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One finding, from when its condition began to hold until it does no more.

    `entity` is who or what it is about, and what tickets are counted by; `about` the record that shows it ("tour:t1").
    `state`: open, cleared (the condition is over) or dismissed (an operator called it a false alarm). `ticket` was
    opened for it or has its note. `baseline` is the one that it was measured against, "" = none."""

    tenant: TenantId
    id: str
    at: datetime
    type: str
    severity: Severity
    title: str
    audit: str
    entity: str
    entity_type: str
    about: str
    site: str = ""
    evidence: Evidence = {}
    state: Literal["open", "cleared", "dismissed"] = "open"
    since: datetime | None = None
    cleared_at: datetime | None = None
    ticket: str = ""
    baseline: str = ""
    value: float = 0.0
    disposition: Literal["", "true_alarm", "false_alarm"] = ""
    disposed_by: str = ""
    disposed_at: datetime | None = None
    note: str = ""
    settled: bool = False


NOUNS = (
    Noun(
        kind="findings",
        subject="finding",
        record=AuditFinding,
        words="What audits found, with evidence.",
        at="at",
        event="finding_created",
        site="site",
        entity="entity",
        state="state",
        value="value",
        severity="severity",
        states=("open", "cleared", "dismissed"),
        over=frozenset({"cleared", "dismissed"}),
        settled="settled",
        keep_days=365.0,
    ),
)
