"""Playbooks: what may be done about incidents, each run of it, and who was asked.

Owns the shape of a definition (also the format of its file), of executions with their steps, approvals and the switch
that stops them all. Secrets are never part of these records: they stay in the settings of the actions.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from unicodedata import normalize

from msgspec import Meta, Struct, field

from data.nouns.base import Noun
from data.records import IncidentId, Severity, TenantId

Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
Person = Annotated[str, Meta(min_length=1, max_length=200)]
Condition = Annotated[str, Meta(max_length=1000)]


#: As `engine.tenant` of the configuration.
TenantName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
AlertName = Annotated[str, Meta(min_length=1, max_length=200)]


class Trigger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"condition": "if"}):
    """Runs by itself for an incident that `when` (a query) finds and that is at least so severe, once per incident.

    With `names` a playbook is about one alert, whose are all `alert.…` values: it runs once for each alert of the
    incident that has one of these names, and does not begin once that is over. Asked for by people it is about the
    alert that fires and is first by the order of the names."""

    when: Annotated[str, Meta(max_length=4096, description="a query on the incident; empty = all")] = ""
    severity: Annotated[Severity, Meta(description="the least severity")] = Severity.LOW
    names: Annotated[
        tuple[AlertName, ...], Meta(max_length=20, description="alert names, the most telling first; empty = any")
    ] = ()
    condition: Annotated[Condition, Meta(description="what must be true of the incident and its alert")] = ""
    for_seconds: Annotated[
        float, Meta(ge=0, le=86_400, description="looks again after so long, and runs if all of it still holds")
    ] = 0.0


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"when": "if"}):
    """One action. `timeout_seconds` is for each try, `retries` are the tries after the first."""

    name: Name
    action: Name
    params: dict[str, Any] = {}
    timeout_seconds: Annotated[float, Meta(ge=1, le=300)] = 30.0
    retries: Annotated[int, Meta(ge=0, le=3, description="after 1, 4 and 16 s")] = 0
    critical: Annotated[bool, Meta(description="its failure ends the run; else it goes on and ends partial")] = True
    rollback: Annotated[bool, Meta(description="taken back when a later step fails")] = False
    when: Annotated[Condition, Meta(description="left out unless this is true; empty = always")] = ""


class Verification(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must become true of the incident after the steps, and whether it is then resolved."""

    condition: Annotated[str, Meta(min_length=1, max_length=1000)]
    within_seconds: Annotated[float, Meta(ge=1, le=86_400)] = 300.0
    resolves: Annotated[bool, Meta(description="resolve the incident once it is true")] = False
    when_clear: Annotated[bool, Meta(description="do not resolve it while any of its alerts fires")] = False


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who decides, and how much may run. `delegates` maps an approver to those who may vote in his place."""

    mode: Annotated[Literal["auto", "approval"], Meta(description="auto = runs unasked within the limits")] = "approval"
    quorum: Annotated[int, Meta(ge=1, le=5, description="different people who must approve")] = 1
    separation_of_duties: Annotated[bool, Meta(description="whoever asked for it does not approve it")] = True
    expires_minutes: Annotated[float, Meta(ge=1, le=1440, description="what was not decided by then expires")] = 30.0
    approvers: Annotated[tuple[Person, ...], Meta(max_length=50, description="empty = whoever may approve")] = ()
    delegates: dict[Person, tuple[Person, ...]] = {}
    per_target: Annotated[int, Meta(ge=1, le=10, description="runs at once on one target; more wait")] = 1
    per_hour: Annotated[int, Meta(ge=1, le=1000, description="runs begun by triggers; more are cancelled")] = 6
    blast_radius: Annotated[int, Meta(ge=0, le=1000, description="more targets than this are asked for")] = 5
    flood_incidents: Annotated[
        int, Meta(ge=1, le=10_000, description="asks when more incidents than this opened in ten minutes")
    ] = 30
    deadline_minutes: Annotated[float, Meta(ge=1, le=1440, description="the longest run")] = 60.0


class Definition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A playbook as its file says it. Without a trigger only people run it."""

    name: Name
    version: Annotated[int, Meta(ge=1, le=1_000_000)]
    description: Annotated[str, Meta(max_length=2000)] = ""
    tenants: Annotated[
        tuple[TenantName, ...], Meta(max_length=1000, description="whose incidents it is for; empty = all tenants'")
    ] = ()
    trigger: Trigger | None = None
    steps: Annotated[tuple[Step, ...], Meta(min_length=1, max_length=50)]
    verification: Verification | None = None
    policy: Policy = field(default_factory=Policy)


class Playbook(Struct, frozen=True, kw_only=True):
    """A loaded definition; `id` is its name. `removed`: its file is gone."""

    tenant: TenantId
    id: str
    at: datetime
    version: int
    sha256: str
    definition: Definition
    state: Literal["loaded", "removed"] = "loaded"


#: pending → queued (in the outbox) → started → done | failed | unknown; waiting = until its condition or its retry.
StepState = Literal[
    "pending", "queued", "started", "waiting", "done", "failed", "skipped", "cancelled", "unknown", "rolled_back"
]


class StepRun(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one step. `generation` counts its tries; each goes out under a key of its own, the tries of one
    idempotent step share `key`. `undo` is what its action needs to take it back."""

    name: str
    action: str
    params: dict[str, Any]
    targets: tuple[str, ...] = ()
    state: StepState = "pending"
    generation: int = 0
    key: str = ""
    runner: str = ""
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    lease_until: datetime | None = None
    output: dict[str, Any] = {}
    error: str = ""
    undo: dict[str, Any] = {}
    undoing: bool = False


ExecutionState = Literal["pending", "running", "success", "partial", "failed", "cancelled", "expired", "unknown"]


class Execution(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run of a playbook on an incident, with the definition that it began with.

    `phase` is what it does while it is running: forward, rollback or verify. `asks` says what is waited for while it is
    pending: approval or target. `settled`: its incident and the hour in which it counts are over.
    `asked_people`: people decided about it, or were asked how a step ended. `unattended`: it resolved its incident, a
    trigger had begun it, and no person had a hand in either.
    """

    tenant: TenantId
    id: str
    at: datetime
    playbook: str
    definition: Definition
    plan_sha256: str
    incident: IncidentId
    site: str
    asked_by: str
    facts: dict[str, Any]
    targets: tuple[str, ...]
    steps: tuple[StepRun, ...]
    state: ExecutionState = "pending"
    asks: Literal["", "approval", "target"] = ""
    phase: Literal["forward", "rollback", "verify"] = "forward"
    triggered: bool = False
    reason: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    deadline_at: datetime | None = None
    verify_until: datetime | None = None
    verified: bool = False
    resolved: bool = False
    asked_people: bool = False
    unattended: bool = False
    cancelling: str = ""
    settled: bool = False


class Vote(Struct, frozen=True, kw_only=True):
    """`principal` is the approver whose vote it is: `by` himself, or whom he stands in for."""

    by: str
    principal: str
    at: datetime
    reason: str = ""


class Approval(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A question to people about an execution; `step` is the one whose outcome is asked for.

    `asks` "run": may this plan run? "outcome": nobody saw how an unsafe step ended; approved = it was done, go on,
    rejected = it was not, stop. What is approved is the plan with `plan_sha256` and no other. `held_by`: whoever
    last had it wait longer.
    """

    tenant: TenantId
    id: str
    at: datetime
    execution: str
    playbook: str
    incident: IncidentId
    site: str
    plan_sha256: str
    requested_by: str
    quorum: int
    why: str
    expires_at: datetime | None = None
    asks: Literal["run", "outcome"] = "run"
    step: str = ""
    state: Literal["open", "approved", "rejected", "expired", "cancelled"] = "open"
    votes: tuple[Vote, ...] = ()
    ended_at: datetime | None = None
    reason: str = ""
    held_by: str = ""


class KillSwitch(Struct, frozen=True, kw_only=True):
    """While it is on, no step of any playbook of the tenant begins. `id` is always "playbooks"."""

    tenant: TenantId
    id: str
    at: datetime
    by: str
    reason: str
    state: Literal["on", "off"]


def key_of(person: str) -> str:
    """What one person's names are compared by: neither case, width nor blanks make another person."""
    return " ".join(normalize("NFKC", person).split()).casefold()


EXECUTION_OVER = frozenset({"success", "partial", "failed", "cancelled", "expired"})

NOUNS = (
    Noun(
        kind="playbooks",
        subject="playbook",
        record=Playbook,
        words="Playbooks that are loaded.",
        at="at",
        event="playbook_loaded",
        state="state",
        states=("loaded", "removed"),
        over=frozenset({"removed"}),
        keep_days=365.0,
    ),
    Noun(
        kind="executions",
        subject="execution",
        record=Execution,
        words="Runs of playbooks with their steps.",
        at="at",
        event="execution_updated",
        site="site",
        entity="playbook",
        state="state",
        incident="incident",
        states=("pending", "running", "success", "partial", "failed", "cancelled", "expired", "unknown"),
        over=EXECUTION_OVER,
        settled="settled",
        keep_days=365.0,
    ),
    Noun(
        kind="approvals",
        subject="approval",
        record=Approval,
        words="Questions of playbooks to people, and their answers.",
        at="at",
        event="approval_updated",
        site="site",
        entity="playbook",
        state="state",
        incident="incident",
        states=("open", "approved", "rejected", "expired", "cancelled"),
        over=frozenset({"approved", "rejected", "expired", "cancelled"}),
        keep_days=365.0,
    ),
    Noun(
        kind="kill_switches",
        subject="kill_switch",
        record=KillSwitch,
        words="The switch that stops all playbooks.",
        at="at",
        event="kill_switch_set",
        state="state",
        states=("on", "off"),
        over=frozenset({"off"}),
    ),
)
