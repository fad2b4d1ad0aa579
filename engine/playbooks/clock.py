"""What time brings about for playbooks, at the tick for what is due then. Pure; stored times decide.

Expiry of questions and of waiting runs, leases and deadlines that ran out, waits and verifications, targets that have
become free; and the records of the loaded definitions.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from data.nouns.playbooks import EXECUTION_OVER, Execution, Playbook
from data.records import ENDED
from engine.book import Draft
from engine.playbooks import due
from engine.playbooks.executor import advance, cancel, fail, finish, put, set_going, verify
from engine.playbooks.library import Library
from engine.playbooks.limits import HOUR, full
from engine.playbooks.loader import Loaded
from engine.playbooks.results import orphaned
from engine.playbooks.starting import look_again
from engine.playbooks.steps import on_line
from engine.reasons import ReasonCode

_SEEN = "playbooks.library"


def settle(draft: Draft) -> None:
    """Look at every execution that is due, whose incident or alert has changed, or for which there is room now; in the
    order in which they came."""
    keep_definitions(draft)
    tenant = draft.tenant
    look_again(draft)
    if draft.rules.playbooks is None:
        due.forget_all(draft)  # nobody tells of changes
    for key in due.those_due(draft):
        run = draft.book.nouns["executions"].get(key)
        if run is not None:
            draft.tenant = run.tenant
            _look(draft, run)
    for run in due.those_with_room(draft):
        draft.tenant = run.tenant
        _look(draft, run)
    draft.tenant = tenant


def _look(draft: Draft, run: Execution) -> None:
    if run.state in EXECUTION_OVER:
        _forget(draft, run)
    elif run.state == "pending":
        _pending(draft, run)
    elif run.state == "running":
        _running(draft, run)
    now: Execution | None = draft.noun("executions", run.id)
    if now is None:
        due.forget(draft, run)
    else:
        due.note(draft, now)


def _forget(draft: Draft, run: Execution) -> None:
    """It counts for limits during an hour, and keeps its incident from triggering it again while that is open."""
    assert run.ended_at is not None
    incident = draft.book.incidents.get(run.incident)
    if draft.now >= run.ended_at + HOUR and (incident is None or incident.state in ENDED):
        draft.put_noun(replace(run, settled=True), ReasonCode.BY_PLAYBOOK, announce=False)


def _pending(draft: Draft, run: Execution) -> None:
    incident = draft.book.incidents.get(run.incident)
    if run.expires_at is not None and run.expires_at <= draft.now:
        waited = "nobody decided in time" if run.asks == "approval" else "its targets did not become free in time"
        finish(draft, run, "expired", waited)
    elif incident is None or incident.state in ENDED:
        finish(draft, run, "cancelled", "the incident is over")
    elif run.asks == "target" and full(draft, run) is None:
        set_going(draft, run)


def _running(draft: Draft, run: Execution) -> None:
    if run.phase == "verify":
        verify(draft, run)
        return
    if run.deadline_at is not None and run.deadline_at <= draft.now and run.phase == "forward":
        _past_deadline(draft, run)
        return
    for at, step in enumerate(run.steps):
        if step.state == "waiting":
            moved = on_line(draft, run, at)
            if moved is not run and moved.steps[at] != step:
                advance(draft, moved)
        elif step.state == "started" and step.lease_until is not None and step.lease_until <= draft.now:
            orphaned(draft, run, at)


def _past_deadline(draft: Draft, run: Execution) -> None:
    reason = f"not done within {run.definition.policy.deadline_minutes:g} minutes"
    if any(step.state == "started" for step in run.steps):
        if not run.cancelling:
            cancel(draft, run, reason)
        else:
            for at, step in enumerate(run.steps):
                if step.state == "started" and step.lease_until is not None and step.lease_until <= draft.now:
                    orphaned(draft, run, at)
        return
    steps = tuple(
        replace(step, state="cancelled", ended_at=draft.now) if step.state in ("queued", "waiting") else step
        for step in run.steps
    )
    fail(draft, put(draft, replace(run, steps=steps)), reason)


def keep_definitions(draft: Draft) -> None:
    """Write down what is loaded, when it has changed: for every tenant those that serve it."""
    library: Library | None = draft.rules.playbooks
    if library is None:
        return
    seen, own = draft.derived(_SEEN), draft.tenant
    if seen.get(own) != library.digest:
        _withdraw(draft, library)
    for tenant in dict.fromkeys((own, *draft.book.current, *library.named())):
        if seen.get(tenant) != library.digest:
            draft.set(seen, tenant, library.digest)
            draft.tenant = tenant
            _keep(draft, library.of(tenant))
    draft.tenant = own


def _withdraw(draft: Draft, library: Library) -> None:
    """What waits and is not for its tenant any more never begins; what has begun ends as it began."""
    own = draft.tenant
    for run in draft.all_nouns("executions"):
        loaded = library.playbooks.get(run.playbook)
        if run.state == "pending" and loaded is not None and not loaded.serves(run.tenant):
            draft.tenant = run.tenant
            finish(draft, run, "cancelled", "the playbook is not for this tenant any more")
    draft.tenant = own


def _keep(draft: Draft, playbooks: Mapping[str, Loaded]) -> None:
    """The records of the draft's tenant."""
    for name, loaded in playbooks.items():
        known: Playbook | None = draft.noun("playbooks", name)
        if known is None or known.sha256 != loaded.sha256 or known.definition != loaded.definition:
            record = Playbook(
                tenant=draft.tenant,
                id=name,
                at=draft.now,
                version=loaded.definition.version,
                sha256=loaded.sha256,
                definition=loaded.definition,
            )
            draft.put_noun(record, ReasonCode.NEW)
    for known in draft.all_nouns("playbooks"):
        if known.tenant == draft.tenant and known.id not in playbooks:
            draft.put_noun(replace(known, at=draft.now, state="removed"), ReasonCode.EXPIRED)
