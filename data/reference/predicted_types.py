"""The alert types of predictions: what is foretold, each beside the built-in type that says that it came.

Owns the table alone; the form is that of `data.reference.alert_types`.
"""

from __future__ import annotations

from collections.abc import Mapping

from data.records import Severity
from data.reference.alert_types import AlertType

_CLEARS = "the event comes, its horizon ends without it, or it becomes unlikely"


def _type(name: str, key: tuple[str, ...], words: str) -> AlertType:
    return AlertType(
        name=name,
        words=words,
        severity=Severity.MEDIUM,
        key=key,
        clear="prediction_over",
        clears_when=_CLEARS,
        hold_hours=6.0,
    )


PREDICTED_TYPES: Mapping[str, AlertType] = {
    found.name: found
    for found in (
        _type("sla_breach_predicted", ("ticket",), "A ticket is likely to breach its SLA within two hours."),
        _type("device_failure_predicted", ("device",), "A device is likely to go offline within the hour."),
        _type("staffing_gap_predicted", ("site", "post"), "A post is likely to be short of people within four hours."),
    )
}
