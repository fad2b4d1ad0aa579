"""Escalation: an incident that nobody acknowledges is told to one step of its policy after the other. Pure.

Owns the life of an escalation. `follow` looks at what an envelope changed: a new incident begins one, an
acknowledgement stops it, what is heard again goes on, a rise of severity begins anew. `settle` does what time brings.
Stored times decide, so that a crash neither forgets nor repeats a step; after a stop of the engine the step that is due
is done once, and the next ones are counted from then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from data.nouns.oncall import Escalation, EscalationState, Page
from data.records import ENDED, RANK, Incident, IncidentState, Severity
from data.restricted import of_names
from engine.book import Draft, acked
from engine.oncall import duty
from engine.oncall.pages import page, words_of
from engine.oncall.rotas import quiet_until
from engine.oncall.rules import Level, OnCall, Policy
from engine.reasons import ReasonCode

ACTOR = "on-call"
_SEEN = "oncall.rules"
#: A tick does at most so many steps, so that it never holds the line for long; the rest wait for the next.
MOST_PER_TICK = 1000


def id_of(incident: int) -> str:
    return f"I{incident}"


def follow(draft: Draft) -> None:
    """Look at the incidents that this envelope changed."""
    oncall: OnCall | None = draft.rules.oncall
    if oncall is None:
        return
    tenant = draft.tenant
    for number in list(draft.incidents):
        incident = draft.book.incidents.get(number)
        if incident is not None:
            draft.tenant = incident.tenant
            look(draft, oncall, incident)
    draft.tenant = tenant


def settle(draft: Draft) -> None:
    """What is due by the clock: steps, reminders, and what is heard again without a change of its own."""
    oncall: OnCall | None = draft.rules.oncall
    if oncall is None:
        return
    left = _look_at_all(draft, oncall)
    for running in draft.all_nouns("escalations"):
        due = _due(running, draft.now)
        if running.approval or not (running.state == "held" or due):
            continue
        left -= due
        if left < 0:
            return
        draft.tenant = running.tenant
        incident = draft.book.incidents.get(running.incident)
        if incident is None:
            end(draft, running, "the incident is over")
        else:
            look(draft, oncall, incident)


def _look_at_all(draft: Draft, oncall: OnCall) -> int:
    """After a start and with new rules: open incidents may have a policy now → steps that this tick may still do."""
    seen, left = draft.derived(_SEEN), MOST_PER_TICK
    if seen.get("rules") is oncall:
        return left
    for incident in list(draft.book.incidents.values()):
        draft.tenant = incident.tenant
        known = draft.noun("escalations", id_of(incident.id))
        look(draft, oncall, incident)
        left -= draft.noun("escalations", id_of(incident.id)) is not known
        if left <= 0:
            return 0
    draft.set(seen, "rules", oncall)
    return left


def _due(running: Escalation, now: datetime) -> bool:
    return any(at is not None and at <= now for at in (running.next_at, running.remind_at))


def look(draft: Draft, oncall: OnCall, incident: Incident) -> None:
    """Bring the escalation of one incident to where it should stand now. `draft.tenant` is the incident's."""
    running: Escalation | None = draft.noun("escalations", id_of(incident.id))
    if incident.state in ENDED:
        if running is not None:
            end(draft, running, f"the incident is {incident.state}")
        return
    if running is None:
        if _heard(draft, incident) and not acked(incident, draft.now) and not of_names(incident.names):
            policy = oncall.policy_of(incident, draft.now)
            if policy is not None:
                begin(draft, oncall, incident, policy)
        return
    _adjust(draft, oncall, incident, running)


def _heard(draft: Draft, incident: Incident) -> bool:
    """Something of it fires that nobody asked not to hear of."""
    shelved = incident.shelved_until is not None and incident.shelved_until > draft.now
    return not shelved and incident.state is not IncidentState.RETURNED and incident.firing > incident.muted


def begin(draft: Draft, oncall: OnCall, incident: Incident, policy: Policy) -> None:
    started = Escalation(
        tenant=incident.tenant,
        id=id_of(incident.id),
        at=draft.now,
        incident=incident.id,
        site=incident.site,
        severity=incident.severity,
        policy=policy.name,
        next_at=draft.now,
    )
    _go_on(draft, oncall, incident, started, policy)


def _adjust(draft: Draft, oncall: OnCall, incident: Incident, running: Escalation) -> None:
    policy = oncall.policy(running.policy)
    if acked(incident, draft.now):
        _acknowledged(draft, oncall, incident, running, policy)
    elif not _heard(draft, incident):
        if running.state != "held":
            why = "well again, not acknowledged" if incident.state is IncidentState.RETURNED else "not to be heard"
            _put(draft, running, state="held", why=why, remind_at=None)
            draft.record(incident.id, "escalation_held", ACTOR, why)
    elif RANK[incident.severity] > RANK[running.severity]:
        policy = oncall.policy_of(incident, draft.now) or policy
        _again(draft, oncall, incident, running, policy, why=f"{incident.severity} is worse than {running.severity}")
    elif running.state == "acknowledged":
        _again(draft, oncall, incident, running, policy, why="nobody has it any more")
    elif running.state == "held":
        resumed = replace(running, state="waiting" if running.next_at else "exhausted")
        draft.record(incident.id, "escalation_resumed", ACTOR, "it is heard again")
        _go_on(draft, oncall, incident, resumed, policy)
    elif _due(running, draft.now):
        _go_on(draft, oncall, incident, running, policy)


def _again(
    draft: Draft, oncall: OnCall, incident: Incident, running: Escalation, policy: Policy | None, *, why: str
) -> None:
    """From the first step."""
    anew = replace(
        running,
        severity=max(incident.severity, running.severity, key=RANK.__getitem__),
        policy=policy.name if policy is not None else running.policy,
        state="waiting",
        step=0,
        round=0,
        next_at=draft.now,
        remind_at=None,
    )
    draft.record(incident.id, "escalation_restarted", ACTOR, why)
    _go_on(draft, oncall, incident, anew, policy)


def _acknowledged(draft: Draft, oncall: OnCall, incident: Incident, running: Escalation, policy: Policy | None) -> None:
    assert incident.ack is not None
    every = policy.acked_remind_seconds if policy is not None else 0.0
    remind_at = draft.now + timedelta(seconds=every) if every else None
    why = f"acknowledged by {incident.ack.by}"
    if running.state != "acknowledged" or running.why != why:
        draft.record(incident.id, "escalation_stopped", ACTOR, why)
        _put(draft, running, state="acknowledged", why=why, next_at=None, remind_at=remind_at)
    elif running.remind_at is not None and running.remind_at <= draft.now:
        text = f"still open: {words_of(incident)}; you acknowledged it"
        running, made = page(draft, oncall, running, incident.ack.by, kind="reminder", text=text)
        draft.record(incident.id, "reminded", ACTOR, _told_words([made], "acknowledged it"))
        _put(draft, running, remind_at=remind_at)


# -- steps


def _go_on(draft: Draft, oncall: OnCall, incident: Incident, running: Escalation, policy: Policy | None) -> None:
    """Do what is due: the next step or a reminder of the last one. Never two steps at once."""
    if policy is None:
        end(draft, running, f"there is no policy {running.policy} any more")
        return
    over = _quiet(incident, policy, draft.now)
    if over is not None:
        if running.state != "quiet":
            draft.record(incident.id, "escalation_quiet", ACTOR, f"quiet hours of {policy.name} until {over:%H:%M} UTC")
        _put(draft, running, state="quiet", next_at=over, remind_at=None, why="quiet hours")
    elif running.next_at is not None and running.next_at <= draft.now:
        _step(draft, oncall, incident, running, policy)
    elif running.remind_at is not None and running.remind_at <= draft.now:
        _remind(draft, oncall, incident, running, policy)
    else:
        _put(draft, running)


def _quiet(incident: Incident, policy: Policy, now: datetime) -> datetime | None:
    if policy.quiet is None or incident.severity is Severity.CRITICAL:
        return None
    return quiet_until(*policy.quiet, policy.time_zone, now)


def _step(draft: Draft, oncall: OnCall, incident: Incident, running: Escalation, policy: Policy) -> None:
    step, round = running.step, running.round
    if step >= len(policy.levels):
        step, round = 0, round + 1
    if round > policy.repeat:
        draft.record(incident.id, "escalation_exhausted", ACTOR, f"everybody of {policy.name} was told; nobody has it")
        _put(draft, running, state="exhausted", next_at=None, remind_at=None, why="everybody was told")
        return
    level = policy.levels[step]
    running, told = _tell(draft, oncall, incident, running, level, kind="step")
    place = f"step {step + 1} of {len(policy.levels)} of {policy.name}" + (f", round {round + 1}" if round else "")
    # Where nobody could be told, nobody is waited for.
    next_at = draft.now + timedelta(seconds=level.seconds) if told else draft.now
    remind_at = _reminder(draft.now, level, next_at) if told else None
    why = f"{place}: {_told_words(told) or 'nobody to tell'}"
    goes_on = f"; goes on in {level.seconds / 60:g} min" if told else "; goes on at once"
    draft.record(incident.id, "escalated", ACTOR, why + goes_on)
    people = tuple(one.person for one in told)
    _put(
        draft, running, state="waiting", step=step + 1, round=round, next_at=next_at, remind_at=remind_at,
        told=people, why=why,
    )  # fmt: skip


def _reminder(now: datetime, level: Level, next_at: datetime) -> datetime | None:
    at = now + timedelta(seconds=level.remind_seconds)
    return at if level.remind_seconds and at < next_at else None


def _remind(draft: Draft, oncall: OnCall, incident: Incident, running: Escalation, policy: Policy) -> None:
    level = policy.levels[min(max(running.step, 1), len(policy.levels)) - 1]
    running, told = _tell(draft, oncall, incident, running, level, kind="reminder")
    draft.record(incident.id, "reminded", ACTOR, _told_words(told))
    assert running.next_at is not None
    _put(draft, running, remind_at=_reminder(draft.now, level, running.next_at))


def _tell(
    draft: Draft, oncall: OnCall, incident: Incident, running: Escalation, level: Level, *, kind: str
) -> tuple[Escalation, list[Page]]:
    told = []
    for person, why in duty.called(draft, level.notify, incident):
        asked = "please acknowledge" if kind == "step" else "still nobody has acknowledged"
        text = f"{words_of(incident)}; {asked} (you are told as {why})"
        running, made = page(
            draft, oncall, running, person, kind="step" if kind == "step" else "reminder", text=text,
            channels=level.channels,
        )  # fmt: skip
        told.append(made)
    return running, told


def _told_words(told: Sequence[Page], suffix: str = "") -> str:
    words = []
    for one in told:
        ways = " and ".join(one.ways) or "the console only"
        held = ", with others in a minute" if one.state == "held" else ""
        words.append(f"{one.person} by {ways}{held}")
    return ("told " + "; ".join(words) + (f" ({suffix})" if suffix else "")) if words else ""


# -- records


def advance(draft: Draft, oncall: OnCall, incident: Incident) -> str:
    """Do the next step now, as somebody asked → why not, "" when it was done."""
    running: Escalation | None = draft.noun("escalations", id_of(incident.id))
    if of_names(incident.names):
        return "what takes a capability of its own is told to nobody outside"
    policy = oncall.policy(running.policy) if running is not None else oncall.policy_of(incident, draft.now)
    if policy is None:
        return "no policy is for it"
    if running is None:
        begin(draft, oncall, incident, policy)
        return ""
    if acked(incident, draft.now):
        return "it is acknowledged"
    spent = running.state == "exhausted"
    step, round = (0, 0) if spent else (running.step, running.round)
    _step(draft, oncall, incident, replace(running, step=step, round=round), policy)
    return ""


def end(draft: Draft, running: Escalation, why: str) -> None:
    _put(draft, running, state="over", next_at=None, remind_at=None, ended_at=draft.now, why=why)


def _put(
    draft: Draft,
    running: Escalation,
    *,
    state: EscalationState | None = None,
    **given: object,
) -> None:
    moved = replace(running, state=state or running.state, **given)
    if draft.noun("escalations", running.id) != moved:
        draft.put_noun(moved, ReasonCode.NEW)
