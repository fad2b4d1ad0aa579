"""The alert of an anomaly: which anomaly it is of, and what operators said of that, among its reasons."""

from __future__ import annotations

from msgspec.structs import replace

from data.records import Alert, Reason
from engine.book import Draft
from engine.domain import samples
from engine.domain.alerts import SOURCE
from engine.domain.baselines import Judged
from engine.reasons import ReasonCode

TYPE = "metric_anomaly"
#: Verdicts that stand among the reasons of an alert: the latest.
TOLD = 5


def anomaly_of(alert: Alert) -> str:
    """The id of the anomaly that an alert of ours is about, "" for any other alert."""
    return alert.annotations.get("anomaly", "") if (alert.source, alert.name) == (SOURCE, TYPE) else ""


def told(draft: Draft, judged: Judged, by: str) -> None:
    """The alert of this anomaly, while it is held, says what was said of it and what came of that."""
    alert = samples.alert_of(draft, judged.alarm.anomaly)
    if alert is None or anomaly_of(alert) != judged.alarm.anomaly:
        return
    facts: dict[str, str | int | float | bool | None] = {
        "verdict": "false" if judged.false_alarm else "true",
        "by": by,
        "old": judged.old,
        "new": judged.new,
        "score": judged.alarm.score,
        "least": round(judged.alarm.threshold, 2),
    }
    before = [one for one in alert.why if one.code == ReasonCode.JUDGED][-TOLD + 1 :]
    others = [one for one in alert.why if one.code != ReasonCode.JUDGED]
    reason = Reason(code=ReasonCode.JUDGED, facts=facts, at=draft.now)
    draft.put_alert(replace(alert, why=(*others, *before, reason)))
    draft.announce("alert", alert.id, "alert_updated", ReasonCode.JUDGED, alert.site)
