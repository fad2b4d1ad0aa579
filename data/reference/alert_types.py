"""The built-in alert types: default severity, what makes two of them the same alert, when they clear, what to do.

Owns the table alone. Any other name that a source sends stays as it is, as an external alert. A type's `key` names
labels of its signal; `clear` names the condition in code (see `engine.domain`), `clears_when` the same in words.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from data.records import Severity

RUNBOOKS = "docs/runbooks.md"


class AlertType(Struct, frozen=True, kw_only=True):
    """One built-in type. `hold_hours`: without a clear it lapses so long after it was raised."""

    name: str
    words: str
    severity: Severity
    key: tuple[str, ...]
    clear: str
    clears_when: str
    hold_hours: float = 24.0

    @property
    def runbook(self) -> str:
        return f"{RUNBOOKS}#{self.name.replace('_', '-')}"


def _type(  # noqa: PLR0917 - the columns of the table
    name: str, severity: Severity, key: str, clear: str, clears_when: str, words: str, hold_hours: float = 24.0
) -> AlertType:
    return AlertType(
        name=name,
        words=words,
        severity=severity,
        key=tuple(key.split()),
        clear=clear,
        clears_when=clears_when,
        hold_hours=hold_hours,
    )


_C, _H, _M, _L = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW
#: Conditions that always get their clear are held for so long.
_LONG = 24.0 * 30

ALERT_TYPES: Mapping[str, AlertType] = {
    found.name: found
    for found in (
        _type(
            "attendance_missed",
            _H,
            "shift",
            "checked_in_or_shift_over",
            "somebody checks in for the shift, or it is over",
            "Nobody came to a shift.",
        ),
        _type(
            "attendance_late",
            _L,
            "shift",
            "checked_out_or_shift_over",
            "the person checks out, or the shift is over",
            "Somebody came late to a shift.",
        ),
        _type(
            "attendance_geofence",
            _M,
            "person",
            "checked_in_inside_or_out",
            "the person checks in inside the fence, or checks out",
            "A check-in from outside the site's fence.",
        ),
        _type(
            "attendance_anomaly",
            _M,
            "person",
            "checked_out",
            "the person checks out, or an operator resolves it",
            "A check-in that cannot be as it says.",
        ),
        _type(
            "tour_missed",
            _H,
            "tour",
            "tour_walked_or_cancelled",
            "the round turns out to have been walked, or is cancelled",
            "A round was not walked in its window.",
            12.0,
        ),
        _type(
            "tour_overdue",
            _M,
            "tour",
            "tour_finished_or_given_up",
            "the round is finished or cancelled, or is given up as incomplete",
            "A round was begun and not finished in its window.",
            12.0,
        ),
        _type(
            "checkpoint_skipped",
            _M,
            "tour",
            "checkpoints_scanned",
            "all its checkpoints turn out to have been scanned, or the round is cancelled",
            "A round went past a checkpoint.",
            12.0,
        ),
        _type(
            "guard_inactive",
            _H,
            "person",
            "sign_of_life_or_off_shift",
            "any sign of the person, or the person checks out",
            "No sign of a guard on shift.",
        ),
        _type("guard_sos", _C, "person", "operator_resolves", "an operator resolves it", "A guard called for help."),
        _type(
            "device_offline",
            _H,
            "device",
            "device_online_or_caused_above",
            "the device is heard again, or a device above it turns out to be the cause",
            "A device is not heard any more.",
            _LONG,
        ),
        _type(
            "device_low_battery",
            _L,
            "device",
            "battery_charged",
            "the battery is at 30 % or more",
            "A battery is nearly empty.",
            _LONG,
        ),
        _type(
            "device_sync_failed",
            _M,
            "device",
            "device_synchronised",
            "the device reports that it is online or was maintained",
            "A device cannot synchronise.",
            _LONG,
        ),
        _type(
            "device_tampered",
            _C,
            "device",
            "device_restored",
            "the device reports that it is online or was maintained",
            "Somebody tampered with a device.",
            _LONG,
        ),
        _type(
            "intrusion",
            _C,
            "device",
            "device_restored",
            "the device reports that it is online or was maintained, or an operator resolves it",
            "A panel or sensor reports an intrusion.",
        ),
        _type(
            "access_denied_burst",
            _H,
            "device",
            "denials_stopped",
            "ten minutes without another denial",
            "Access was denied again and again at one reader.",
            1.0,
        ),
        _type(
            "ticket_sla_at_risk",
            _M,
            "ticket",
            "ticket_resolved_or_breached",
            "the ticket is resolved, its due time moves, or it is breached",
            "A ticket has used most of its time.",
            _LONG,
        ),
        _type(
            "ticket_sla_breached",
            _H,
            "ticket",
            "ticket_resolved",
            "the ticket is resolved, or its due time moves",
            "A ticket is past its due time.",
            _LONG,
        ),
        _type(
            "work_order_overdue",
            _M,
            "workorder",
            "work_done",
            "it is done or cancelled, or its due time moves",
            "A work order or task is past its due time.",
            _LONG,
        ),
        _type(
            "staffing_shortfall",
            _H,
            "site post",
            "posts_filled",
            "as many people are there as the site needs, or the shift is over",
            "Fewer people at a site than it needs.",
        ),
        _type(
            "fraud_suspected",
            _H,
            "person kind",
            "verdict_given",
            "an analyst gives a verdict",
            "An attendance event looks like fraud.",
        ),
        _type(
            "metric_anomaly",
            _M,
            "series",
            "series_normal",
            "the series is as usual again",
            "A metric is not as it usually is.",
        ),
        _type(
            "source_silent",
            _H,
            "source",
            "source_heard",
            "the source is heard again",
            "A source that reports regularly is silent.",
            _LONG,
        ),
    )
}
