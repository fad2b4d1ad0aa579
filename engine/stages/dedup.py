"""Dedup: many statements about one condition are one alert.

A signal meets the latest episode of its key. The episode fires while the latest beginning that its source named
is after the latest end, in whatever order the two arrive: late signals never reopen what has ended, late ends never
end what has begun anew. An end that arrives before its beginning is kept as a stub (incident 0) for so long as
signals may be late.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from data.records import (
    ENDED,
    RANK,
    Ack,
    Alert,
    AlertId,
    AlertState,
    ClusterId,
    IncidentId,
    Reason,
    Signal,
    SignalStatus,
)
from engine.book import Draft, acked
from engine.reasons import ReasonCode
from engine.stages import cluster as clusters
from engine.stages.flapping import flaps, observe
from engine.stages.mute import silence, uninhibit
from engine.stages.triage import began_earlier, triage


def dedup(draft: Draft, signal: Signal) -> Alert | None:
    """Fold `signal` into its alert. Returns the alert when it is a new episode that wants a cluster."""
    alert = draft.current(signal.key)
    if alert is None or _forgotten(draft, alert):
        return _unknown(draft, signal, alert)
    if alert.incident == 0:
        return _complete_stub(draft, signal, alert)
    if signal.status is SignalStatus.RESOLVED:
        _resolve(draft, signal, alert)
    elif signal.status is SignalStatus.ACKNOWLEDGED:
        _acknowledge(draft, signal, alert)
    elif alert.ended_at is None:
        _repeat(draft, signal, alert)
    else:
        return _refire(draft, signal, alert)
    return None


def _forgotten(draft: Draft, alert: Alert) -> bool:
    """Whether this episode is too old to know of: told by its times, as memory may have kept it longer. A stub waits
    for so long as signals may be late; what ended in an incident that is over counts for `recent_seconds`."""
    if alert.ended_at is None:
        return False
    if not alert.incident:
        return (draft.now - alert.received_at).total_seconds() >= draft.rules.lateness_seconds
    incident = draft.book.incidents.get(alert.incident)
    return (incident is None or incident.state in ENDED) and not is_recent(draft, alert.ended_at)


def is_recent(draft: Draft, ended_at: datetime) -> bool:
    """Whether what ended then, in an incident that is over, still counts."""
    return (draft.now - ended_at).total_seconds() <= draft.rules.recent_seconds


def _unknown(draft: Draft, signal: Signal, previous: Alert | None) -> Alert | None:
    if signal.status is SignalStatus.FIRING:
        return _episode(draft, signal, None)
    if previous is not None and not previous.incident:
        draft.forget_alert(previous)
    late = (draft.now - signal.ends_at).total_seconds()
    if signal.status is SignalStatus.RESOLVED and late < draft.rules.lateness_seconds:
        _add_stub(draft, signal)
    return None


def _episode(draft: Draft, signal: Signal, previous: Alert | None, number: AlertId | None = None) -> Alert:
    """A new alert; the cluster stage gives it its cluster and incident."""
    # By position, in the order of the fields: by name it would take ten times as long.
    alert = Alert(
        number or AlertId(draft.next_id("alert")),
        draft.tenant,
        signal.key,
        signal.source,
        signal.name,
        signal.severity,
        AlertState.OPEN,
        signal.title,
        signal.site,
        signal.entity,
        signal.entity_type,
        signal.service,
        signal.client or _client_of(draft, signal.site),
        signal.correlation,
        signal.labels,
        signal.annotations,
        signal.url,
        signal.starts_at,
        draft.now,
        draft.now,
        signal.ends_at,
        signal.timeout,
        1,
        ClusterId(0),
        IncidentId(0),
        skewed=signal.skewed,
    )
    notes = draft.book.notes.get((draft.tenant, signal.key))
    if notes is not None:
        alert = replace(alert, notes=notes.notes)
    return alert if previous is None else _after(draft, alert, previous)


def _after(draft: Draft, alert: Alert, previous: Alert) -> Alert:
    """The new episode with what the one before says of it."""
    transitions = _history(previous, draft)
    flapping = flaps(previous.flapping, transitions, 1, draft.rules)
    return replace(alert, transitions=transitions, flapping=flapping, previous=previous.id)


def _client_of(draft: Draft, site: str) -> str:
    """Whose site it is, for senders that know the site and not the customer."""
    sites = draft.book.nouns["sites"]
    known = sites.get((draft.tenant, site)) if site and sites else None
    return known.client if known is not None else ""


def _history(previous: Alert, draft: Draft) -> tuple[int, ...]:
    """The changes of the episode before, counted from the beginning of the new one, which is a change too."""
    earlier = tuple(at - previous.count for at in previous.transitions)
    return observe(earlier, 1, True, draft.rules)


def _add_stub(draft: Draft, signal: Signal) -> None:
    """An end whose beginning is not known: shown nowhere, waits for a late beginning."""
    stub = replace(_episode(draft, signal, None), state=AlertState.RESOLVED, ended_at=signal.ends_at, count=0)
    draft.add_alert(stub)
    draft.book.at(draft.now + timedelta(seconds=draft.rules.lateness_seconds), "forget_stub", stub.id)


def _complete_stub(draft: Draft, signal: Signal, stub: Alert) -> Alert | None:
    """The beginning of a known end: an episode that is over as soon as it is known."""
    ended_at = stub.ended_at
    assert ended_at is not None
    if signal.status is not SignalStatus.FIRING:
        if signal.status is SignalStatus.RESOLVED and signal.ends_at > ended_at:
            draft.put_alert(replace(stub, ended_at=signal.ends_at, ends_at=signal.ends_at))
        return None
    episode = _episode(draft, signal, None, stub.id)
    if signal.starts_at <= ended_at:
        why = (Reason(code=ReasonCode.LATE, at=draft.now),)
        return replace(episode, ended_at=ended_at, ends_at=ended_at, state=AlertState.RESOLVED, why=why)
    return episode


def _repeat(draft: Draft, signal: Signal, alert: Alert) -> None:
    count = alert.count + 1
    _count_repeat(draft, alert)
    ends_at = _longer(signal, alert)
    if (
        signal.severity is alert.severity
        and not alert.flapping
        and (signal.starts_at == alert.starts_at or _says_nothing_of_time(signal, alert))
        and signal.timeout is alert.timeout
        and signal.title == alert.title
        and signal.annotations == alert.annotations
        and signal.labels == alert.labels
    ):
        draft.touch_alert(replace(alert, count=count, last_at=draft.now, ends_at=ends_at))
        return
    _settle_before(draft)
    _change(draft, signal, alert, ends_at)


def _says_nothing_of_time(signal: Signal, alert: Alert) -> bool:
    return signal.undated or alert.starts_at < signal.starts_at <= latest_start(alert)


def latest_start(alert: Alert) -> datetime:
    """The latest beginning that its source named."""
    return alert.restarted_at or alert.starts_at


def _longer(signal: Signal, alert: Alert) -> datetime:
    """The later end of both, as they may arrive in any order; but an end that was sent beats an assumed one."""
    keeps = alert.ends_at > signal.ends_at and (signal.timeout or not alert.timeout)
    return alert.ends_at if keeps else signal.ends_at


def _times(draft: Draft, signal: Signal, alert: Alert) -> tuple[datetime, datetime | None]:
    """(starts_at, restarted_at) of the episode with this beginning. One from before the end of the episode before
    belongs to that one."""
    starts_at, latest = alert.starts_at, latest_start(alert)
    if signal.undated:
        return starts_at, alert.restarted_at
    if signal.starts_at < starts_at and not _is_of_previous(draft, signal, alert):
        starts_at = signal.starts_at
    latest = max(latest, signal.starts_at)
    return starts_at, latest if latest > starts_at else None


def _is_of_previous(draft: Draft, signal: Signal, alert: Alert) -> bool:
    if alert.previous is None:
        return False
    before = draft.book.alerts.get(alert.previous)
    if before is None or before.ended_at is None or not is_recent(draft, before.ended_at):
        return True
    return signal.starts_at <= before.ended_at


def _settle_before(draft: Draft) -> None:
    """Rows that only add alerts are counted together; a row that takes something back must find them counted, or
    how a delivery was cut would decide what an incident went through."""
    if draft.dirty:
        triage(draft)


def _change(draft: Draft, signal: Signal, alert: Alert, ends_at: datetime) -> None:
    """A repeat that says something new."""
    reason = _what_changed(signal, alert)
    count = alert.count + 1
    starts_at, restarted_at = _times(draft, signal, alert)
    changed = replace(
        alert,
        count=count,
        last_at=draft.now,
        ends_at=ends_at,
        timeout=signal.timeout and alert.timeout,
        severity=signal.severity,
        title=signal.title,
        labels=signal.labels,
        annotations=signal.annotations,
        url=signal.url,
        starts_at=starts_at,
        restarted_at=restarted_at,
        flapping=alert.flapping and flaps(True, alert.transitions, count, draft.rules),
    )
    if signal.labels != alert.labels:
        uninhibit(draft, alert)
        changed = silence(draft, changed)
    if reason is ReasonCode.SEVERITY_ROSE:
        changed = _risen(draft, changed)
        draft.dirty[alert.incident] = reason
    draft.put_alert(changed)
    if starts_at < alert.starts_at:
        began_earlier(draft, changed)
    draft.announce("alert", alert.id, "alert_updated", reason, alert.site)


def _risen(draft: Draft, alert: Alert) -> Alert:
    """A rise in severity ends an acknowledgement that was given for less, and is never folded away."""
    clusters.rise(draft, alert)
    ack = alert.ack
    if ack is not None and not ack.sticky and RANK[alert.severity] > RANK[ack.severity]:
        alert = replace(alert, ack=None, state=AlertState.OPEN)
    return replace(alert, suppressed=False)


def _count_repeat(draft: Draft, alert: Alert) -> None:
    """One more event for the incident, added at the next flush."""
    repeats = draft.book.repeats
    draft.set(repeats, alert.incident, repeats.get(alert.incident, 0) + 1)


def _what_changed(signal: Signal, alert: Alert) -> ReasonCode:
    if signal.severity is alert.severity:
        return ReasonCode.TEXT_CHANGED
    return ReasonCode.SEVERITY_ROSE if RANK[signal.severity] > RANK[alert.severity] else ReasonCode.SEVERITY_FELL


def _resolve(draft: Draft, signal: Signal, alert: Alert) -> None:
    """The source says it is over. An end from before its latest beginning is of an older stretch."""
    begun = latest_start(alert)
    if signal.ends_at < begun:
        if signal.ends_at + _cut(signal.ends_at) <= begun:
            return
        signal = replace(signal, ends_at=begun)
    if alert.ended_at is None:
        _settle_before(draft)
        end(draft, alert, signal.ends_at, ReasonCode.RESOLVED_BY_SOURCE)
    elif _ended_by(alert) == ReasonCode.BY_OPERATOR:
        draft.touch_alert(replace(alert, ends_at=signal.ends_at))
    elif signal.ends_at > alert.ended_at or _ended_by(alert) == ReasonCode.EXPIRED:
        reason = Reason(code=ReasonCode.RESOLVED_BY_SOURCE, at=draft.now)
        ended = replace(alert, ended_at=signal.ends_at, ends_at=signal.ends_at, why=(*alert.why[:-1], reason))
        draft.put_alert(ended)
        draft.announce("alert", alert.id, "alert_resolved", ReasonCode.RESOLVED_BY_SOURCE, alert.site)


def _cut(at: datetime) -> timedelta:
    """By how much the sender may have cut this time off: many write whole seconds or milliseconds, and a beginning
    that was stamped here is finer than that."""
    if at.microsecond == 0:
        return timedelta(seconds=1)
    return timedelta(milliseconds=1) if at.microsecond % 1000 == 0 else timedelta(0)


def _ended_by(alert: Alert) -> str:
    return alert.why[-1].code if alert.why else ""


def end(draft: Draft, alert: Alert, ended_at: datetime, code: ReasonCode) -> None:
    """The alert stops firing at `ended_at` because of `code`.

    `ends_at` stays the source's word when an operator ended it; that is no change of the alert's own either.
    """
    by_operator = code is ReasonCode.BY_OPERATOR
    transitions = observe(alert.transitions, alert.count, not by_operator, draft.rules)
    draft.put_alert(
        replace(
            alert,
            state=AlertState.RESOLVED,
            ended_at=ended_at,
            ends_at=alert.ends_at if by_operator else ended_at,
            transitions=transitions,
            flapping=flaps(alert.flapping, transitions, alert.count, draft.rules),
            inhibited_by=(),
            why=(*alert.why, Reason(code=code, at=draft.now)),
        )
    )
    draft.dirty[alert.incident] = code
    draft.announce("alert", alert.id, "alert_resolved", code, alert.site)


def _acknowledge(draft: Draft, signal: Signal, alert: Alert) -> None:
    """The source itself acknowledged (PagerDuty senders do)."""
    if alert.ended_at is None and not acked(alert, draft.now):
        ack = Ack(by=signal.by or signal.source, at=draft.now, severity=alert.severity)
        draft.put_alert(replace(alert, ack=ack, state=AlertState.ACKNOWLEDGED))
        draft.announce("alert", alert.id, "alert_updated", ReasonCode.BY_OPERATOR, alert.site)


def _refire(draft: Draft, signal: Signal, alert: Alert) -> Alert | None:
    """Firing again after an end: the same episode while its incident lives, else a new one."""
    assert alert.ended_at is not None
    if signal.starts_at <= alert.ended_at and not _may_return(draft, signal, alert):
        _count_late(draft, signal, alert)
        return None
    incident = draft.book.incidents.get(alert.incident)
    if incident is None or incident.state in ENDED:
        return _episode(draft, signal, alert)
    _settle_before(draft)
    _reopen(draft, signal, alert)
    return None


def _may_return(draft: Draft, signal: Signal, alert: Alert) -> bool:
    """An end that was only assumed (no news in time) gives way to fresh news of the same beginning."""
    return _ended_by(alert) == ReasonCode.EXPIRED and signal.ends_at > draft.now


def _count_late(draft: Draft, signal: Signal, alert: Alert) -> None:
    """News of what has ended. While only an operator says so, the source's word on its end is kept up, and the end
    moves along now and then: what is still spoken of must stay known, or it would begin anew."""
    assert alert.ended_at is not None
    _count_repeat(draft, alert)
    starts_at, restarted_at = _times(draft, signal, alert)
    counted = replace(alert, count=alert.count + 1, starts_at=starts_at, restarted_at=restarted_at)
    if _ended_by(alert) == ReasonCode.BY_OPERATOR:
        counted = replace(counted, last_at=draft.now, ends_at=_longer(signal, alert))
        if (draft.now - alert.ended_at).total_seconds() > draft.rules.recent_seconds / 2:
            counted = replace(counted, ended_at=draft.now)
    unmoved = (alert.starts_at, alert.restarted_at, alert.ended_at)
    if (starts_at, restarted_at, counted.ended_at) == unmoved:
        draft.touch_alert(counted)
    else:
        draft.put_alert(counted)


def _reopen(draft: Draft, signal: Signal, alert: Alert) -> None:
    count = alert.count + 1
    _count_repeat(draft, alert)
    starts_at, restarted_at = _times(draft, signal, alert)
    rose = RANK[signal.severity] > RANK[alert.severity]
    transitions = observe(alert.transitions, count, True, draft.rules)
    opened = replace(
        alert,
        state=AlertState.OPEN,
        ack=None,
        ended_at=None,
        count=count,
        last_at=draft.now,
        ends_at=signal.ends_at,
        timeout=signal.timeout,
        severity=signal.severity,
        title=signal.title,
        labels=signal.labels,
        annotations=signal.annotations,
        url=signal.url,
        starts_at=starts_at,
        restarted_at=restarted_at,
        transitions=transitions,
        flapping=flaps(alert.flapping, transitions, count, draft.rules),
        why=(*alert.why[:8], Reason(code=ReasonCode.REFIRED, at=draft.now)),
    )
    if alert.shelved_until is not None and alert.shelved_until <= draft.now:
        opened = replace(opened, shelved_until=None)
    # Silences may have come and gone while it was over.
    opened = silence(draft, _risen(draft, opened) if rose else opened)
    draft.put_alert(opened)
    draft.dirty[alert.incident] = ReasonCode.REFIRED
    draft.announce("alert", alert.id, "alert_updated", ReasonCode.REFIRED, alert.site)


def expire(draft: Draft, alert: Alert) -> None:
    """No news of it until `ends_at`: over by assumption, and fresh news of the same beginning may revive it."""
    end(draft, alert, alert.ends_at, ReasonCode.EXPIRED)
