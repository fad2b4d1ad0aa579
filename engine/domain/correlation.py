"""Correlation: the signals of a person or site within a quarter of an hour of an alert there.

Owns the score, which is 1 − Π(1 − w·near·shared) over the kinds of signals: w is the kind's weight, `near` falls from 1
to 0 over the quarter of an hour, `shared` is 1 for the same person and 0.6 for the same site (noisy-or: each kind adds
what the others have left open). That nobody gives a sign while somebody is on shift is a kind of its own. It fails
where nobody's signals are collected: then there is no record at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from msgspec.structs import replace

from data.nouns.signals import CorrelatedIncident, SignalEvidence
from data.nouns.world import Person
from data.records import Alert, Severity
from data.restricted import of_names
from engine.book import Draft
from engine.domain.registry import every
from engine.domain.signals import EntityType, windows
from engine.reasons import ReasonCode

AROUND = timedelta(minutes=15)
WEIGHTS: Mapping[str, float] = {
    "sos": 0.95,
    "silence": 0.6,
    "checkpoint": 0.35,
    "movement": 0.3,
    "location": 0.25,
    "phone": 0.25,
    "task": 0.2,
    "check_in": 0.3,
    "check_out": 0.3,
}
SHARED: Mapping[str, float] = {"person": 1.0, "site": 0.6}
#: Below this score signals are chance.
LEAST = 0.2
#: Alerts that one look takes at most; more wait for the next.
MOST = 500
_WORSE = {
    Severity.INFO: Severity.LOW,
    Severity.LOW: Severity.MEDIUM,
    Severity.MEDIUM: Severity.HIGH,
    Severity.HIGH: Severity.CRITICAL,
    Severity.CRITICAL: Severity.CRITICAL,
}
_NEXT = "next alert"


@every(15.0)
def correlate(draft: Draft) -> None:
    """Look at the alerts that came since the last look, and at those whose quarter of an hour is over."""
    marks = draft.derived("domain.correlated")
    following = draft.book.counters["alert"]
    first = marks.get(_NEXT)
    if first is None:
        since = draft.now - AROUND
        recent = [alert.id for alert in draft.book.alerts.values() if alert.received_at >= since]
        first = min(recent, default=following)
    last = min(following, first + MOST)
    for number in range(first, last):
        alert = draft.book.alerts.get(number)  # type: ignore[call-overload]
        if alert is not None and alert.incident and not of_names((alert.name,)):
            draft.tenant = alert.tenant
            _look(draft, alert, final=False)
    draft.set(marks, _NEXT, last)
    _finish(draft)


def _finish(draft: Draft) -> None:
    for record in draft.all_nouns("correlations"):
        if record.at + AROUND > draft.now:
            continue
        draft.tenant = record.tenant
        alert = draft.book.alerts.get(record.alert)
        if alert is None or not _look(draft, alert, final=True):
            draft.put_noun(replace(record, state="final"), announce=False)


def _look(draft: Draft, alert: Alert, *, final: bool) -> bool:
    """Write the alert's record when its signals say enough → whether they do."""
    evidence = sorted(_evidence(draft, alert), key=lambda part: -part.weight)
    score = score_of(evidence)
    if score < LEAST:
        return False
    id = f"alert-{alert.id}"
    old: CorrelatedIncident | None = draft.noun("correlations", id)
    kind = _type(evidence)
    is_worse = kind in ("guard_distress", "guard_silent", "site_unattended") and score >= 0.5
    found = CorrelatedIncident(
        tenant=alert.tenant,
        id=id,
        at=alert.starts_at,
        alert=alert.id,
        incident=alert.incident,
        alert_name=alert.name,
        type=kind,
        score=score,
        severity=_WORSE[alert.severity] if is_worse else alert.severity,
        alert_severity=alert.severity,
        reason=_reason(alert, evidence),
        site=alert.site,
        person=_person(draft, alert),
        signals=tuple(evidence),
        state="final" if final or alert.starts_at + AROUND <= draft.now else "gathering",
    )
    if found != old:
        loud = old is None or found.type != old.type or abs(found.score - old.score) >= 0.1
        draft.put_noun(found, ReasonCode.NEW if old is None else ReasonCode.REPEAT, announce=loud)
    return True


def _person(draft: Draft, alert: Alert) -> str:
    """The person that an alert is about, by entity or label; "" = none that is known."""
    for name in (alert.entity, alert.labels.get("person", "")):
        if name and draft.noun("people", name) is not None:
            return name
    return ""


def _evidence(draft: Draft, alert: Alert) -> Iterator[SignalEvidence]:
    person = _person(draft, alert)
    kinds: dict[str, SignalEvidence] = {}
    if alert.site:
        kinds |= _kinds(draft, alert, "site", alert.site)
    if person:
        kinds |= _kinds(draft, alert, "person", person)
    yield from kinds.values()
    if not any(kind.shared == "person" for kind in kinds.values()):
        silent = _silent(draft, alert, person)
        if silent is not None:
            yield silent


def _kinds(draft: Draft, alert: Alert, shared: EntityType, entity: str) -> dict[str, SignalEvidence]:
    """Kind of signal → its sum and its nearest window around the alert."""
    at = alert.starts_at
    found: dict[str, SignalEvidence] = {}
    for window in windows(draft, shared, entity, at - AROUND, at + AROUND):
        seconds = max(0.0, (window.first_at - at).total_seconds(), (at - window.last_at).total_seconds())
        if seconds > AROUND.total_seconds():
            continue
        for kind, amount in window.kinds.items():
            known = found.get(kind)
            nearest = min(seconds, known.seconds) if known is not None else seconds
            total = amount + (known.amount if known is not None else 0.0)
            near = 1.0 - nearest / AROUND.total_seconds()
            weight = round(WEIGHTS.get(kind, 0.1) * near * SHARED[shared], 4)
            found[kind] = SignalEvidence(kind, round(total, 3), nearest, shared, weight)
    return found


def _silent(draft: Draft, alert: Alert, person: str) -> SignalEvidence | None:
    """Nobody gives a sign though somebody is there: the person of the alert, or all on the site."""
    if person:
        found: Person = draft.noun("people", person)
        last = found.last_seen
        if found.on_site and last is not None and alert.starts_at - last > AROUND:
            seconds = (alert.starts_at - last).total_seconds()
            return SignalEvidence("silence", 1.0, round(seconds, 1), "person", WEIGHTS["silence"])
    return None


def score_of(evidence: list[SignalEvidence]) -> float:
    """0..1, by noisy-or over the weights."""
    left = 1.0
    for part in evidence:
        left *= 1.0 - part.weight
    return round(1.0 - left, 4)


def _type(evidence: list[SignalEvidence]) -> str:
    kinds = {part.kind for part in evidence}
    if "sos" in kinds:
        return "guard_distress"
    if "silence" in kinds:
        return "guard_silent"
    if kinds == {"check_out"}:
        return "site_unattended"
    return "active_response"


def _reason(alert: Alert, evidence: list[SignalEvidence]) -> str:
    parts = []
    for part in evidence[:5]:
        minutes = f"{part.seconds / 60.0:.0f} min"
        if part.kind == "silence":
            parts.append(f"no sign of the person for {minutes}")
        else:
            unit = " m" if part.kind == "movement" else ""
            parts.append(f"{part.kind} {part.amount:g}{unit}, {minutes} away, same {part.shared}")
    return f"{alert.name}: " + "; ".join(parts)
