"""A reason in plain words: what decided, what lost, and what would have changed it.

Pure and light: the screen's "why", the peek beside a list and the API say the same. Never decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from data.records import Reason
from engine.reasons import ReasonCode
from engine.similarity.words import words

_PLAIN: dict[str, str] = {
    ReasonCode.RESOLVED_BY_SOURCE: "over: its source said so",
    ReasonCode.EXPIRED: "over: no news of it until its end time",
    ReasonCode.BY_OPERATOR: "ended by an operator; repeats stay muted until its source resolves it",
    ReasonCode.BY_PLAYBOOK: "ended by a playbook that saw it mended",
    ReasonCode.REFIRED: "fired again while its incident was open",
    ReasonCode.MERGED: "moved here from I-{from} by {by}",
    ReasonCode.SPLIT: "taken out of I-{from} by {by}",
    ReasonCode.LATE: "its end was known before its beginning",
    ReasonCode.ALL_RESOLVED: "over: every alert in it has ended",
    ReasonCode.RETURNED: "back to normal before anybody acknowledged it",
    ReasonCode.ACK_EXPIRED: "the acknowledgement ran out",
    ReasonCode.UNDONE: "an act was taken back",
    ReasonCode.SEVERITY_ROSE: "its severity rose",
    ReasonCode.SEVERITY_FELL: "its severity fell",
}


def reason_words(reason: Reason) -> str:
    """One sentence. A code without a sentence of its own is said as it is, with its numbers."""
    facts = dict(reason.facts)
    try:
        if reason.code in _MADE:
            return _MADE[reason.code](facts) + _figures(facts)
        if reason.code in _PLAIN:
            return _PLAIN[reason.code].format(**facts)
    except (KeyError, IndexError, ValueError, TypeError):
        pass
    told = ", ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in facts.items())
    return reason.code.replace("_", " ") + (f": {told}" if told else "")


def _figures(facts: Mapping[str, Any]) -> str:
    """What a learned method went by, or why it did not."""
    told = words(facts)
    if "rule" in facts:
        told.append(str(facts["rule"]))
    if "fallback" in facts:
        told.append(f"by plain likeness, as the learned method does not serve: {facts['fallback']}")
    return "".join(f"; {one}" for one in told)


def many(number: int, noun: str) -> str:
    """ "1 alert", "1,204 alerts"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _opened(facts: Mapping[str, Any]) -> str:
    tried, needed = int(facts["tried"]), float(facts["join_at"])
    own = "starts an incident of its own: "
    if "best_score" not in facts:
        if not tried:
            return f"{own}no group with its type, site, device or correlation id was open"
        return f"{own}none of {many(tried, 'open group')} was {needed:.2f} alike"
    best = float(facts["best_score"])
    return (
        f"{own}C-{facts['best_cluster']} came closest of {many(tried, 'open group')}, {best:.2f} alike; "
        f"from {needed:.2f} on it would have joined"
    )


def _joined(facts: Mapping[str, Any]) -> str:
    return f"joined C-{facts['cluster']}: {_alike(facts)}{_lost(facts)}; below {_least(facts)} it would stand alone"


def _folded(facts: Mapping[str, Any]) -> str:
    return (
        f"folded into C-{facts['cluster']} as a near repeat: {_alike(facts)}{_lost(facts)}; "
        "a higher severity or a new site would have kept it in the list"
    )


def _folded_by_rule(facts: Mapping[str, Any]) -> str:
    return (
        f"folded into C-{facts['cluster']} by the rule {facts['rule']}: {_alike(facts)}{_lost(facts)}; "
        "a higher severity or a new site would have kept it in the list"
    )


def _full(facts: Mapping[str, Any]) -> str:
    score = f", {float(facts['best_score']):.2f} alike" if "best_score" in facts else ""
    return (
        f"starts a successor: C-{facts['predecessor']}{score}, takes no more "
        f"(at most {many(int(facts['cap_alerts']), 'alert')}, or it is too old); it would have joined otherwise"
    )


def _alike(facts: Mapping[str, Any]) -> str:
    gap = int(facts.get("gap_seconds", 0))
    apart = "at the same time as" if not gap else f"{_span(gap)} from"
    return f"{_floor(facts['score'])} alike, {apart} its last alert"


def _lost(facts: Mapping[str, Any]) -> str:
    return f"; C-{facts['next_cluster']} lost with {_floor(facts['next_score'])}" if "next_score" in facts else ""


def _least(facts: Mapping[str, Any]) -> str:
    return f"{float(facts['join_at']):.2f}"


def _floor(score: Any) -> str:
    """Never rounded up over the line that it did not reach."""
    return f"{int(float(score) * 1000) / 1000:.3f}".rstrip("0").ljust(4, "0")


def _span(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def _number(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _judged(facts: Mapping[str, Any]) -> str:
    """An operator's word on an anomaly, and what it did to the threshold of its series."""
    old, new = float(facts["old"]), float(facts["new"])
    moved = "stays at" if new == old else f"{'rises' if new > old else 'falls'} from z {old:.2f} to"
    return (
        f"called a {facts['verdict']} alarm by {facts['by']}: the threshold of its series {moved} z {new:.2f}; "
        f"this alarm scored {float(facts['score']):.1f} where {float(facts['least']):.1f} was enough"
    )


_MADE: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    ReasonCode.OPENED_NO_MATCH: _opened,
    ReasonCode.JOINED_SIMILAR: _joined,
    ReasonCode.SUPPRESSED_SIMILAR: _folded,
    ReasonCode.SUPPRESSED_RULE: _folded_by_rule,
    ReasonCode.OPENED_CAP: _full,
    ReasonCode.JUDGED: _judged,
}
