"""On-call: overrides of rotas, escalations of incidents, and every page that told somebody of one."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from data.nouns.base import Noun
from data.records import IncidentId, Severity, TenantId


class Override(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`person` has duty in `rota` from `starts_at` to `ends_at`, whoever has it by the plan. `swap` is the same for the
    two overrides of a swap."""

    tenant: TenantId
    id: str
    at: datetime
    rota: str
    person: str
    starts_at: datetime
    ends_at: datetime
    by: str
    reason: str = ""
    swap: str = ""
    state: Literal["set", "cancelled", "over"] = "set"


EscalationState = Literal["waiting", "quiet", "acknowledged", "held", "exhausted", "over"]


class Escalation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the telling of one incident, or of one question of a playbook, stands.

    `step` counts the steps that were done in this `round`, both from 0; `next_at` is when the next is due unless it is
    acknowledged before, `remind_at` when the people of the last step are reminded. waiting: for that time; quiet: for
    the end of quiet hours; acknowledged: somebody has it; held: nothing of it is heard (well again, shelved, silenced);
    exhausted: everybody was told in every round. `severity` is the worst that people were told of; `pages` counts
    pages; `why` is a sentence for people.
    """

    tenant: TenantId
    id: str
    at: datetime
    incident: IncidentId
    site: str
    severity: Severity
    policy: str = ""
    approval: str = ""
    state: EscalationState = "waiting"
    step: int = 0
    round: int = 0
    pages: int = 0
    next_at: datetime | None = None
    remind_at: datetime | None = None
    ended_at: datetime | None = None
    told: tuple[str, ...] = ()
    why: str = ""


class Page(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One person told of one incident. `ways` as "webhook ops", "email"; none = in the console only. In a flood
    it is held and told together with others under the id of the first (`batch`); dropped: it had become needless."""

    tenant: TenantId
    id: str
    at: datetime
    person: str
    incident: IncidentId
    site: str
    severity: Severity
    escalation: str
    kind: Literal["step", "reminder", "approval"]
    text: str
    ways: tuple[str, ...] = ()
    state: Literal["sent", "held", "dropped"] = "sent"
    sent_at: datetime | None = None
    batch: str = ""


NOUNS = (
    Noun(
        kind="oncall_overrides",
        subject="oncall_override",
        record=Override,
        words="Who has duty instead of whom, and why.",
        at="at",
        event="oncall_changed",
        entity="rota",
        state="state",
        states=("set", "cancelled", "over"),
        over=frozenset({"cancelled", "over"}),
        keep_days=365.0,
    ),
    Noun(
        kind="escalations",
        subject="escalation",
        record=Escalation,
        words="Where the telling of unacknowledged incidents stands.",
        at="at",
        event="escalation_updated",
        site="site",
        entity="policy",
        state="state",
        severity="severity",
        incident="incident",
        states=("waiting", "quiet", "acknowledged", "held", "exhausted", "over"),
        over=frozenset({"over"}),
        keep_days=365.0,
    ),
    Noun(
        kind="pages",
        subject="page",
        record=Page,
        words="Who was told of which incident, and when.",
        at="at",
        event="oncall_paged",
        site="site",
        entity="person",
        state="state",
        severity="severity",
        incident="incident",
        states=("sent", "held", "dropped"),
        over=frozenset({"sent", "dropped"}),
        keep_days=365.0,
    ),
)
