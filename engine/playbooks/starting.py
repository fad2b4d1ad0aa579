"""How a run comes to be: by the trigger of a playbook, or because somebody asked. Pure.

Owns the trigger, which looks at the incidents that an envelope changed, again after the time that a playbook wants its
trouble to last, and the first decision: run, wait, ask, or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from heapq import heapify, heappop, heappush
from typing import Any

from msgspec.structs import replace

from data.nouns.playbooks import Definition, Execution
from data.records import ENDED, Alert, Incident
from data.restricted import of_names
from engine.book import Draft
from engine.playbooks import approvals, due, expression, template
from engine.playbooks.executor import finish, put, set_going
from engine.playbooks.facts import NAMES, facts, subject_of, with_labels
from engine.playbooks.limits import begin_in_rate, flood, kill_switch
from engine.playbooks.loader import Loaded
from engine.playbooks.plan import RunPlan, Unplannable, condition_holds, plan, runs
from engine.playbooks.steps import actions_of
from engine.stages.notify import hushed

ENGINE = "engine"
#: What is not yet as a playbook wants it is looked at again so long after, while its alert fires.
AGAIN_SECONDS = 60.0
#: (alert, playbook) → when it is looked at, and the same in the order of time. After a start what fires is looked at
#: anew: how long it has fired is not known then.
_LATER = "playbooks.later"
_ORDER = ""


def trigger(draft: Draft) -> None:
    """Begin what an envelope's incidents and alerts trigger: a playbook runs once per alert that it is about, one that
    is about none once per incident."""
    library = draft.rules.playbooks
    due.watch(draft)
    if library is None or not library.triggered:
        return
    tenant = draft.tenant
    if library.of_any:
        _of_incidents(draft, library.of_any)
    if library.by_alert:
        for number in list(draft.alerts):
            alert = draft.book.alerts.get(number)
            if alert is not None and alert.ended_at is None and alert.name in library.by_alert:
                draft.tenant = alert.tenant
                _notice(draft, library.by_alert[alert.name], alert)
    draft.tenant = tenant


def _of_incidents(draft: Draft, playbooks: Iterable[Loaded]) -> None:
    for number in list(draft.incidents):
        incident = draft.book.incidents.get(number)
        if incident is None or not _open_to(draft, incident):
            continue
        draft.tenant = incident.tenant
        for loaded in _serving(playbooks, incident):
            id = f"{loaded.definition.name}-I{incident.id}"
            if draft.noun("executions", id) is None and _suits(draft, loaded, incident, None):
                _triggered(draft, loaded, incident, id, None)


def _notice(draft: Draft, playbooks: Iterable[Loaded], alert: Alert) -> None:
    """Begin at once what waits for nothing, and remember what does."""
    for loaded in _serving(playbooks, alert):
        key, seconds = (alert.id, loaded.definition.name), loaded.for_seconds
        if key in _later(draft) or _ran(draft, loaded, alert):
            continue
        if seconds or not _begun(draft, loaded, alert):
            _look_in(draft, key, seconds or AGAIN_SECONDS)


def look_again(draft: Draft) -> None:
    """Begin what has lasted for as long as its playbook wants. Called by the tick."""
    library = draft.rules.playbooks
    if library is None or not library.by_alert:
        return
    later = _later(draft)
    order, now = later[_ORDER], draft.now.timestamp()
    if not order or order[0][0] > now:
        return
    for moment, key in sorted(entry for entry in order if entry[0] <= now):
        if later.get(key) != moment:
            continue
        draft.discard(later, key)
        alert, loaded = draft.book.alerts.get(key[0]), library.playbooks.get(key[1])
        if alert is None or alert.ended_at is not None or loaded is None or alert.name not in library.by_alert:
            continue
        if not loaded.serves(alert.tenant):
            continue
        draft.tenant = alert.tenant
        if not _ran(draft, loaded, alert) and not _begun(draft, loaded, alert):
            _look_in(draft, key, AGAIN_SECONDS)
    draft.learn(lambda: _forget_until(order, now))


def _forget_until(order: list[tuple[float, Any]], now: float) -> None:
    """Only once the looks are kept: what a dropped draft has looked at comes up again."""
    while order and order[0][0] <= now:
        heappop(order)


def _look_in(draft: Draft, key: tuple[int, str], seconds: float) -> None:
    later, due = _later(draft), draft.now.timestamp() + seconds
    draft.set(later, key, due)
    heappush(later[_ORDER], (due, key))


def _later(draft: Draft) -> dict[Any, Any]:
    later = draft.derived(_LATER)
    if _ORDER not in later:
        by_alert, order = draft.rules.playbooks.by_alert, []
        for alert in draft.book.active():
            # What this draft brings is noticed by itself.
            noticed = not alert.incident or alert.id in draft.alerts
            for loaded in () if noticed else _serving(by_alert.get(alert.name, ()), alert):
                due = draft.now.timestamp() + loaded.for_seconds
                later[alert.id, loaded.definition.name] = due
                order.append((due, (alert.id, loaded.definition.name)))
        heapify(order)
        later[_ORDER] = order
    return later


def _serving(playbooks: Iterable[Loaded], about: Alert | Incident) -> Iterator[Loaded]:
    return (loaded for loaded in playbooks if loaded.serves(about.tenant))


def _ran(draft: Draft, loaded: Loaded, alert: Alert) -> bool:
    return draft.noun("executions", _id(loaded, alert)) is not None


def _id(loaded: Loaded, alert: Alert) -> str:
    return f"{loaded.definition.name}-A{alert.id}"


def _begun(draft: Draft, loaded: Loaded, alert: Alert) -> bool:
    """Begin it if it suits this alert now."""
    incident = draft.book.incidents.get(alert.incident)
    if incident is None or not _open_to(draft, incident):
        return False
    if alert.silenced_by or alert.inhibited_by or not _suits(draft, loaded, incident, alert):
        return False
    _triggered(draft, loaded, incident, _id(loaded, alert), alert)
    return True


def _open_to(draft: Draft, incident: Incident) -> bool:
    return not (incident.state in ENDED or hushed(draft, incident) or of_names(incident.names))


def _suits(draft: Draft, loaded: Loaded, incident: Incident, alert: Alert | None) -> bool:
    trigger = loaded.definition.trigger
    assert trigger is not None and loaded.applies is not None
    if not loaded.applies(incident, draft.now):
        return False
    if not trigger.condition:
        return True
    about = alert if alert is not None else draft.book.alerts.get(incident.root)
    values = facts(incident, about)
    try:
        return condition_holds(trigger.condition, values)
    except expression.ExpressionError:
        return False


def _triggered(draft: Draft, loaded: Loaded, incident: Incident, id: str, alert: Alert | None) -> None:
    if kill_switch(draft) is not None:
        return
    policy = loaded.definition.policy
    empty = replace(_empty(draft, loaded.definition, incident, id), triggered=True)
    try:
        run, planned = _new(draft, loaded.definition, incident, id, ENGINE, None if alert is None else [alert])
    except Unplannable as error:
        finish(draft, empty, "failed", str(error))
        return
    if not begin_in_rate(draft, run.playbook, policy.per_hour):
        finish(draft, empty, "cancelled", f"it ran {policy.per_hour} times within an hour")
        return
    run = replace(run, triggered=True)
    asks = planned.asks
    if not asks and flood(draft, policy.flood_incidents):
        asks = f"more than {policy.flood_incidents} incidents opened in ten minutes"
    _decide(draft, run, asks)


def begin(draft: Draft, loaded: Loaded, incident: Incident, *, id: str, actor: str, sha256: str = "") -> Execution:
    """Somebody asked for it. Raises Unplannable, also when the plan is not the one with this hash."""
    run, planned = _new(draft, loaded.definition, incident, id, actor)
    if sha256 and sha256 != planned.sha256:
        raise Unplannable(loaded.definition.name, "the plan has changed", "look at it again")
    return _decide(draft, run, planned.asks)


def _decide(draft: Draft, run: Execution, asks: str) -> Execution:
    if not asks:
        return set_going(draft, run)
    expires = draft.now + timedelta(minutes=run.definition.policy.expires_minutes)
    run = put(draft, replace(run, asks="approval", expires_at=expires, asked_people=True))
    approvals.ask_run(draft, run, asks)
    return run


def replanned(draft: Draft, run: Execution) -> Execution | None:
    """The run with its plan as it is now; None when its incident is over. Raises Unplannable."""
    incident = draft.book.incidents.get(run.incident)
    if incident is None or incident.state in ENDED:
        return None
    alerts = about(run, draft.members(incident.id))
    fresh, _ = _new(draft, run.definition, incident, run.id, run.asked_by, alerts)
    return replace(run, plan_sha256=fresh.plan_sha256, facts=fresh.facts, targets=fresh.targets, steps=fresh.steps)


def known_of(definition: Definition, incident: Incident, alerts: Iterable[Alert]) -> dict[str, Any]:
    """What a playbook may speak of on this incident with these alerts. Raises Unplannable when what it is about does
    not fire."""
    names = definition.trigger.names if definition.trigger is not None else ()
    alert = subject_of(names, incident, alerts)
    if names and alert is None:
        reason = f"no alert fires that is one of: {', '.join(names)}"
        raise Unplannable(definition.name, reason, "choose a playbook for what fires")
    return values_of(definition, facts(incident, alert))


def about(run: Execution, alerts: Iterable[Alert]) -> list[Alert]:
    """Of these alerts those that a plan of this run, made anew, may be about."""
    named = run.definition.trigger is not None and run.definition.trigger.names
    return [alert for alert in alerts if not named or alert.id == run.facts.get("alert.id")]


def _new(  # noqa: PLR0917 - what a run is made of
    draft: Draft,
    definition: Definition,
    incident: Incident,
    id: str,
    actor: str,
    alerts: Iterable[Alert] | None = None,
) -> tuple[Execution, RunPlan]:
    """About one of these alerts, of all of the incident's unless some are given."""
    values = known_of(definition, incident, draft.members(incident.id) if alerts is None else alerts)
    planned = plan(definition, values, actions_of(draft))
    empty = _empty(draft, definition, incident, id)
    run = replace(
        empty,
        asked_by=actor,
        plan_sha256=planned.sha256,
        facts=values,
        targets=planned.targets,
        steps=runs(planned),
    )
    return run, planned


def _empty(draft: Draft, definition: Definition, incident: Incident, id: str) -> Execution:
    return Execution(
        tenant=incident.tenant,
        id=id,
        at=draft.now,
        playbook=definition.name,
        definition=definition,
        plan_sha256="",
        incident=incident.id,
        site=incident.site,
        asked_by=ENGINE,
        facts={},
        targets=(),
        steps=(),
    )


def values_of(definition: Definition, known: dict[str, Any]) -> dict[str, Any]:
    """Of all values those that the playbook speaks of, and the few that every plan has."""
    wanted = set(template.names([step.params for step in definition.steps]))
    texts = [step.when for step in definition.steps]
    if definition.verification is not None:
        texts.append(definition.verification.condition)
    for text in filter(None, texts):
        wanted |= set(expression.names(expression.parse(text)))
    kept = wanted | NAMES
    return {name: value for name, value in with_labels(known, wanted).items() if name in kept}
