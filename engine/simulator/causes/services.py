"""An incident in the platform: one service fails and those that need it complain, one after the other."""

from __future__ import annotations

from engine.simulator.causes.cause import Cause
from engine.simulator.draws import around, between
from engine.simulator.places import SERVICES
from engine.simulator.truth import Effect

#: Alert name → its words, and the severity at the root and further up.
_SYMPTOMS = (
    ("HighErrorRate", "{service} answers with errors", ("critical", "high")),
    ("HighLatency", "{service} is slow", ("high", "warning")),
    ("ProbeFailed", "{service} does not answer the probe", ("critical", "high")),
)
_ROOTS = ("storage", "database", "cache", "queue", "dns", "auth", "device-hub", "video-store")


def dependents(root: str) -> list[tuple[str, int]]:
    """The services that fail with `root`, each with its distance, nearest first."""
    found: dict[str, int] = {root: 0}
    order = [root]
    for name in order:
        for service, needs in SERVICES.items():
            if name in needs and service not in found:
                found[service] = found[name] + 1
                order.append(service)
    return [(name, found[name]) for name in order]


class ServiceFailure(Cause):
    """An hour. A hang is ended by restarting the root, a bad deployment by rolling it back; nothing else helps."""

    kind = "service"

    def begin(self) -> bool:
        random = self.random
        self.root = random.choice(_ROOTS)
        busy = [cause for cause in self.operation.causes.values() if isinstance(cause, ServiceFailure)]
        if any(cause.root == self.root and not cause.over for cause in busy if cause is not self):
            return False
        chain = dependents(self.root)
        self.entities = [service for service, _ in chain]
        self.alerts: list[str] = []
        deployed = random.random() < 0.45
        wait = 0.0
        if deployed:
            what = f"{self.root} 3.{random.randrange(10, 90)} deployed"
            data = {"kind": "deployment", "what": what, "who": "platform-team", "target": self.root}
            change = self.operation.emit("noc.change", data, self.id)
            self.remedy, self.targets = "rollback", (change, self.root, what)
            wait = between(random, 120.0, 1500.0)
        else:
            self.remedy, self.targets = "restart_service", (self.root,)
        for service, distance in chain:
            if distance == 0 or random.random() < 0.9 - 0.1 * distance:
                # Each step up waits for timeouts and retries of the one below.
                delay = wait + distance * between(random, 30.0, 180.0) + between(random, 0.0, 20.0)
                self.operation.after(delay, self._complain, service, distance)
        self.due_in(wait + max(900.0, around(random, 3600.0, 0.6)))
        return True

    def _complain(self, service: str, distance: int) -> None:
        if self.over:
            return
        random = self.random
        for name, words, (at_root, above) in random.sample(_SYMPTOMS, 2 if distance == 0 else random.choice((1, 1, 2))):
            self.alerts.append(
                self.models.monitoring.fire(
                    "metrics-monitor",
                    name,
                    words.format(service=service),
                    at_root if distance == 0 else above,
                    self.id,
                    service=service,
                )
            )
        if service in ("client-portal", "mobile-gateway") and random.random() < 0.7:
            site = random.choice(self.operation.world.sites)
            words = f"{service} does not work"
            notice = between(random, 120.0, 1200.0)
            self.models.helpdesk.open("software", words, "P2", site, entity=service, cause=self.id, notice=notice)

    def acted(self, act: str, target: str) -> Effect | None:
        effect = super().acted(act, target)
        if effect is None and act in ("restart_service", "rollback") and target in self.entities:
            return "nothing"
        return effect

    def finish(self) -> None:
        for key in self.alerts:
            self.operation.after(between(self.random, 10.0, 240.0), self.models.monitoring.resolve, key)
