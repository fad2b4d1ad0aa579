"""An operator's word on the alert of an anomaly, by one key: true or false alarm.

It is sent at once: the threshold of the series moves within its bounds, and the other key takes that back.
"""

from __future__ import annotations

from collections.abc import Sequence

from data.records import Alert
from noc_console.actions import Tier, declare, register
from noc_console.acts import names
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.acting import Acting

#: The type of the alerts that detectors raise.
TYPE = "metric_anomaly"

register(
    declare("anomaly.false", "X", "False alarm", "this anomaly was none: the threshold of its series rises", footer=27,
            capability="noc:ack", tier=Tier.REVERSIBLE, command="false-alarm"),
    declare("anomaly.true", "C", "True alarm", "this anomaly was one: the threshold of its series falls", footer=28,
            capability="noc:ack", tier=Tier.REVERSIBLE, command="true-alarm"),
)  # fmt: skip


def judgeable(alerts: Sequence[Alert | None]) -> list[str]:
    """The names of those that are of anomalies."""
    return [f"alert:{alert.id}" for alert in alerts if alert is not None and alert.name == TYPE]


class AnomalyActs(Acting):
    """`anomaly_targets` names the alerts or anomalies that are meant."""

    def anomaly_targets(self) -> list[str]:
        return []

    async def do_anomaly_false(self) -> None:
        await self._judge("false_alarm", "false alarm")

    async def do_anomaly_true(self) -> None:
        await self._judge("true_alarm", "true alarm")

    async def _judge(self, verdict: str, spoken: str) -> None:
        targets = self.anomaly_targets()
        if not targets:
            self.desk.say(Safe(f"{spoken}: no anomaly of a metric under the cursor"), "warn")
            return
        result = await self.desk.acts.send("judge_finding", targets, {"verdict": verdict}, quiet=True)
        if result is None:
            return
        self.acted()
        if result.changed and not result.refused:
            named = names([name for name in result.changed if name.startswith("alert:")]) or Safe("the anomaly")
            self.desk.say(safe_text(f"{named}: {spoken}; why (w) on the alert says what that did"), "ok")
