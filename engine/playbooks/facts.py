"""Named values: what conditions and templates may speak of, as one flat table.

Owns the names. An alert's labels are values like all others; nothing is looked up but the keys of the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from data.nouns.playbooks import StepRun
from data.records import RANK, Alert, Incident

LABELS = "alert.labels."
STEPS = "steps."
_TEXT = 2000
_LISTED = 50

_INCIDENT = (
    "id", "title", "severity", "state", "site", "client", "owner", "alerts", "firing", "sites", "names",
)  # fmt: skip
_ALERT = (
    "id", "name", "severity", "title", "site", "entity", "entity_type", "service", "client", "source",
    "count",
)  # fmt: skip
FIRING = "alert.firing"
NAMES = frozenset({*(f"incident.{name}" for name in _INCIDENT), *(f"alert.{name}" for name in _ALERT), FIRING})


def facts(incident: Incident, alert: Alert | None) -> dict[str, Any]:
    """Of an incident and the alert that a playbook is about; without that alert its values are empty."""
    found = {f"incident.{name}": _plain(getattr(incident, name)) for name in _INCIDENT}
    found |= {f"alert.{name}": "" if alert is None else _plain(getattr(alert, name)) for name in _ALERT}
    found[FIRING] = alert is not None and alert.ended_at is None
    for name, value in (alert.labels if alert is not None else {}).items():
        found[LABELS + name] = value[:_TEXT]
    return found


def subject_of(names: Sequence[str], incident: Incident, alerts: Iterable[Alert]) -> Alert | None:
    """The alert that a playbook for alerts of these names is about; None when none of them fires.

    By the order of the names the first; of several the incident's root, else the worst, else the oldest. What is
    silenced or inhibited is nobody's subject. Without names it is the root, whether it fires or not."""
    if not names:
        return next((alert for alert in alerts if alert.id == incident.root), None)
    firing = [
        alert
        for alert in alerts
        if alert.name in names and alert.ended_at is None and not (alert.silenced_by or alert.inhibited_by)
    ]
    if not firing:
        return None
    return min(firing, key=lambda of: (names.index(of.name), of.id != incident.root, -RANK[of.severity], of.id))


def with_labels(values: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
    """The values, and the empty text for each label that is asked for and not there."""
    return {**{name: "" for name in wanted if name.startswith(LABELS)}, **values}


def results(steps: Iterable[StepRun]) -> dict[str, Any]:
    """What the steps so far came to, as steps.NAME.state and steps.NAME.RESULT."""
    found: dict[str, Any] = {}
    for step in steps:
        found[f"{STEPS}{step.name}.state"] = step.state
        for name, value in step.output.items():
            found[f"{STEPS}{step.name}.{name}"] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)[:_TEXT]
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value[:_LISTED]]
    return value if isinstance(value, int | float | bool) or value is None else str(value)[:_TEXT]
