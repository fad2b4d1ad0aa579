"""Alerts of monitoring tools: what a network monitor, a metrics system or an access control reports of its own accord.

Owns the alert rows (`noc.alert`) and their repetition while they fire. Never decides that something is wrong.
"""

from __future__ import annotations

from typing import Any

from engine.simulator.operation import Operation, text_of
from engine.simulator.world import Device

#: A tool that still sees the trouble says so again after so long.
REPEAT_SECONDS = 600.0


class Monitoring:
    """Firing alerts by key. The same key fires once until it is resolved."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._firing: dict[str, tuple[str, dict[str, Any], str, float]] = {}

    def fire(self, tool: str, name: str, title: str, severity: str, cause: str = "", **where: str) -> str:
        """Raise an alert → its key. `where`: host, site, client, service. It repeats until `resolve`."""
        key = f"{tool}/{name}/" + "/".join(where[part] for part in sorted(where))
        if key in self._firing:
            return key
        row = {"name": name, "title": title, "severity": severity, **where, "dedup_key": key}
        began = self._operation.now
        self._firing[key] = (tool, row, cause, began)
        self._say(tool, row, "firing", cause)
        self._operation.after(REPEAT_SECONDS, self._repeat, key, began)
        return key

    def resolve(self, key: str) -> None:
        """End an alert; one that does not fire is left alone."""
        if key in self._firing:
            tool, row, cause, _ = self._firing.pop(key)
            self._say(tool, row, "resolved", cause)

    def once(self, tool: str, name: str, title: str, severity: str, cause: str = "", **where: str) -> str:
        """An alert without an end, such as a denied badge → the id of its event."""
        row = {"name": name, "title": title, "severity": severity, **where}
        return self._say(tool, row, "firing", cause)

    def unreachable(self, device: Device, cause: str) -> None:
        severity = "critical" if device.type in ("switch", "ups") else "high"
        title = f"{device.name} does not answer"
        self.fire("network-monitor", "HostUnreachable", title, severity, cause, host=device.id, site=device.site.id)

    def reachable(self, device: Device, cause: str) -> None:
        self.resolve(f"network-monitor/HostUnreachable/{device.id}/{device.site.id}")

    def _repeat(self, key: str, began: float) -> None:
        firing = self._firing.get(key)
        if firing is None or firing[3] != began:
            return
        tool, row, cause, _ = firing
        self._say(tool, row, "firing", cause)
        self._operation.after(REPEAT_SECONDS, self._repeat, key, began)

    def _say(self, tool: str, row: dict[str, Any], status: str, cause: str) -> str:
        now = text_of(self._operation.now)
        return self._operation.emit("noc.alert", {**row, "status": status, "time": now}, cause, tool)
