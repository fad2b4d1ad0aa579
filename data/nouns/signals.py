"""Signs of life of people and at sites, counted in windows, and what they say about an alert.

Owns the shape of these records. A window is of one person or one site and five minutes long.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from data.nouns.base import Noun
from data.records import Severity, TenantId


class SignalWindow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`kinds`: kind of signal → how many (movement: metres). `seen` are check sums of what was counted, so that what is
    told twice counts once."""

    tenant: TenantId
    id: str
    at: datetime
    entity: str
    entity_type: Literal["person", "site"] = "person"
    site: str = ""
    state: Literal["open", "closed"] = "open"
    kinds: dict[str, float] = {}
    first_at: datetime
    last_at: datetime
    seen: tuple[int, ...] = ()


class SignalEvidence(Struct, frozen=True, array_like=True, gc=False):
    """One kind of signal near an alert: `amount` of it, the nearest so many seconds away; same person or site."""

    kind: str
    amount: float
    seconds: float
    shared: str
    weight: float


class CorrelatedIncident(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The signals within a quarter of an hour of an alert on the same person or site.

    `score` 0..1 says how much they say of it, `type` what: guard_distress, guard_silent, site_unattended,
    active_response. `severity` is the alert's, one level higher where the signals make it worse. `state`: gathering
    until the quarter of an hour after the alert is over, then final."""

    tenant: TenantId
    id: str
    at: datetime
    alert: int
    incident: int | None
    alert_name: str
    type: str
    score: float
    severity: Severity
    alert_severity: Severity
    reason: str
    site: str = ""
    person: str = ""
    signals: tuple[SignalEvidence, ...] = ()
    state: Literal["gathering", "final"] = "gathering"


NOUNS = (
    Noun(
        kind="signals",
        subject="signals",
        record=SignalWindow,
        words="Signs of life in windows of five minutes, per person and site.",
        at="at",
        site="site",
        entity="entity",
        state="state",
        states=("open", "closed"),
        over=frozenset({"closed"}),
        keep_days=7.0,
    ),
    Noun(
        kind="correlations",
        subject="correlation",
        record=CorrelatedIncident,
        words="Signals of people and sites that belong to an alert.",
        at="at",
        event="correlation_identified",
        site="site",
        entity="person",
        state="state",
        value="score",
        severity="severity",
        incident="incident",
        states=("gathering", "final"),
        over=frozenset({"final"}),
        keep_days=90.0,
    ),
)
