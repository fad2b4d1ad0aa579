"""Why: the reasons of an alert or an incident, put into words from the data that decided.

Each line is {"about", "code", "words", "facts", "at"}; incidents add their priority's contributions and the
alternatives that lost, alerts the mutes that hold now. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from data.records import Alert, Incident, IncidentId, Reason, Silence
from engine.book import acked
from engine.priority import words
from engine.reason_words import many, reason_words
from engine.reasons import ReasonCode
from engine.root_cause.ranking import words as culprit_words
from engine.root_cause.settling import suspects_of


def why_alert(alert: Alert, silences: Mapping[str, Silence], now: datetime) -> list[dict[str, Any]]:
    """The reasons of one alert, oldest first, then what mutes it now."""
    lines = [_line(f"A-{alert.id}", reason) for reason in alert.why]
    lines += list(_mutes(alert, silences, now))
    if alert.flapping:
        changes = many(len(alert.transitions), "change")
        lines.append(_made(f"A-{alert.id}", ReasonCode.FLAPPING, f"flapping: {changes} between firing and over lately"))
    if alert.skewed:
        lines.append(_made(f"A-{alert.id}", "skewed", "its sender's clock is more than five minutes ahead"))
    return lines


def _mutes(alert: Alert, silences: Mapping[str, Silence], now: datetime) -> Iterator[dict[str, Any]]:
    about = f"A-{alert.id}"
    if alert.ended_at is None and alert.silenced_until is not None and alert.silenced_until > now:
        for name in alert.silenced_by:
            silence = silences.get(name)
            by = f" by {silence.created_by}: {silence.comment}" if silence is not None else ""
            yield _made(about, ReasonCode.SILENCED, f"silenced until {alert.silenced_until:%H:%M}{by}")
    for source in alert.inhibited_by if alert.ended_at is None else ():
        yield _made(about, ReasonCode.INHIBITED, f"inhibited while A-{source} fires")
    if alert.shelved_until is not None and alert.shelved_until > now:
        yield _made(about, ReasonCode.SHELVED, f"shelved until {alert.shelved_until:%H:%M}")


def why_incident(incident: Incident, now: datetime) -> list[dict[str, Any]]:
    """How it came about, its state, and what its priority is made of."""
    about = f"I-{incident.id}"
    lines = [_line(about, reason) for reason in incident.why]
    parts = incident.contributions
    code = ReasonCode.SCORED_MODEL if words.by_model(parts) else ReasonCode.SCORED_FORMULA
    lines.append(_made(about, code, words.headline(incident.priority, parts)))
    for part in sorted(parts, key=lambda part: -abs(part.points)):
        line = _made(about, part.feature, f"{part.points:+.1f}  {words.part_words(part, parts)}")
        lines.append({**line, "facts": {"value": part.value, "points": part.points}})
    for otherwise, priority in words.changes(incident.priority, parts):
        lines.append(_made(about, "would_change", f"{otherwise}: priority {priority:g}"))
    if incident.ack is not None and acked(incident, now):
        until = f", until {incident.ack.expires_at:%H:%M}" if incident.ack.expires_at else ""
        lines.append(_made(about, "acknowledged", f"acknowledged by {incident.ack.by}{until}"))
    if incident.merged_into is not None:
        lines.append(_made(about, ReasonCode.MERGED, f"merged into I-{incident.merged_into}"))
    if incident.predecessor is not None:
        lines.append(_made(about, ReasonCode.OPENED_CAP, f"goes on from I-{incident.predecessor}, which was full"))
    return lines


def why_root(incident: IncidentId, alerts: Sequence[Alert]) -> list[dict[str, Any]]:
    """The likeliest culprit among these alerts and the next one; nothing where all are of one entity."""
    suspects = suspects_of(alerts)
    if len(suspects) < 2:
        return []
    lines = []
    for place, suspect in zip(("likely cause", "else"), suspects, strict=False):
        line = _made(f"I-{incident}", "root_cause", f"{place} {culprit_words(suspect)}")
        facts = {"entity": suspect.entity, "score": suspect.score, "alert": suspect.alert, **suspect.parts}
        lines.append({**line, "facts": facts})
    return lines


def _line(about: str, reason: Reason) -> dict[str, Any]:
    facts = dict(reason.facts)
    return {"about": about, "code": str(reason.code), "words": reason_words(reason), "facts": facts, "at": reason.at}


def _made(about: str, code: str, words: str) -> dict[str, Any]:
    return {"about": about, "code": str(code), "words": words, "facts": {}, "at": None}
