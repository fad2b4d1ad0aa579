"""Questions, runs and playbooks in memory: what the approvals page asks for, and acts that come back on the feed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from data.nouns.playbooks import (
    Approval,
    Definition,
    Execution,
    KillSwitch,
    Policy,
    Step,
    StepRun,
    Verification,
    Vote,
)
from data.records import Change, IncidentId, TenantId
from engine.client import Command, CommandResult, Health, Partition, Query, Refused
from tests.fakes import world
from tests.fakes.client import FakeClient

TENANT = TenantId("default")
SHA, OTHER = "a" * 64, "b" * 64
INCIDENT = IncidentId(4411)
STEPS = (
    Step(name="check", action="collect_diagnostics", params={"command": "panel-status"}),
    Step(name="restart", action="restart_service", params={"unit": "panel@h2"}, retries=2, rollback=True),
    Step(name="tell", action="send_notification", params={"text": "panel restarted"}, critical=False),
)


def definition(name: str = "restart-panel", **policy: Any) -> Definition:
    return Definition(
        name=name,
        version=3,
        description="Restart the panel's gateway and tell the client.",
        steps=STEPS,
        verification=Verification(condition="incident.firing = 0", within_seconds=120, resolves=True),
        policy=Policy(**policy),
    )


def run(id: str = "restart-panel-I4411", of: Definition | None = None, **more: Any) -> Execution:
    """A run that asks for an approval, unless told otherwise."""
    of = of or definition()
    steps = tuple(
        StepRun(name=step.name, action=step.action, params=step.params, targets=("panel@h2",) if n == 1 else ())
        for n, step in enumerate(of.steps)
    )
    given: dict[str, Any] = {
        "asks": "approval",
        "expires_at": world.NOW + timedelta(seconds=192),
        "asked_by": "engine",
        "targets": ("panel@h2",),
        "steps": steps,
        "plan_sha256": SHA,
        "site": "Harbour 2",
        "at": world.NOW - timedelta(minutes=1),
        "incident": INCIDENT,
    }
    return Execution(tenant=TENANT, id=id, playbook=of.name, definition=of, facts={}, **{**given, **more})


def approval(id: str = "restart-panel-I4411", seconds: float | None = 192, **more: Any) -> Approval:
    given: dict[str, Any] = {
        "execution": id,
        "playbook": "restart-panel",
        "incident": INCIDENT,
        "site": "Harbour 2",
        "plan_sha256": SHA,
        "requested_by": "engine",
        "quorum": 1,
        "why": "its policy asks for approval",
        "expires_at": None if seconds is None else world.NOW + timedelta(seconds=seconds),
    }
    return Approval(tenant=TENANT, id=id, at=world.NOW - timedelta(minutes=1), **{**given, **more})


def planned(of: Execution, sha256: str = SHA, **params: dict[str, Any]) -> dict[str, Any]:
    """The dry run of a run; `params` by step's name replace what it has."""
    kinds = {"check": "check", "restart": "unsafe", "tell": "safe"}
    return {
        "playbook": of.playbook,
        "version": of.definition.version,
        "sha256": sha256,
        "incident": int(of.incident),
        "site": of.site,
        "targets": of.targets,
        "blast_radius": len(of.targets),
        "asks": "its policy asks for approval",
        "steps": [
            {
                "name": step.name,
                "action": step.action,
                "params": params.get(step.name, step.params),
                "targets": ran.targets,
                "words": f"{step.action.replace('_', ' ')} of the panel",
                "idempotency": kinds.get(step.name, "safe"),
                "timeout_seconds": step.timeout_seconds,
                "retries": step.retries,
                "critical": step.critical,
                "rollback": step.rollback,
                "condition": step.when,
                "if_now": True,
                "late": False,
            }
            for step, ran in zip(of.definition.steps, of.steps, strict=True)
        ],
    }


class ApprovalsClient(FakeClient):
    """`acts` script what the engine says to the next commands; without one approvals are taken."""

    def __init__(self, count: int = 9, now: Any = None) -> None:
        super().__init__(count, now or (lambda: world.NOW))
        self.runs = {one.id: one for one in (run(),)}
        self.approvals = {one.id: one for one in (approval(),)}
        self.switches: dict[str, KillSwitch] = {}
        self.plans = {one.id: planned(one) for one in self.runs.values()}
        self.fitting: list[dict[str, Any]] = []
        self.figures: list[dict[str, Any]] = []
        self.actor = "ana"

    def tell(self, *records: Any, kind: str = "") -> None:
        """Keep these records and put them on the feed."""
        changes = []
        for record in records:
            name, table = _TABLES[type(record)]
            getattr(self, table)[record.id] = record
            self.seq += 1
            changes.append(
                Change(
                    kind=kind or f"{name}_updated",
                    tenant=TENANT,
                    at=self.now(),
                    subject=f"{name}:{record.id}",
                    site=getattr(record, "site", ""),
                    record=msgspec.Raw(msgspec.json.encode(record)),
                    seq=self.seq,
                )
            )
        self.log.extend(changes)
        for watcher in self._watchers:
            watcher.put_nowait(changes)

    async def health(self) -> Health:
        return replace(await super().health(), actor=self.actor)

    def _answer(self, query: Query) -> list[Any]:
        if query.kind == "approvals":
            return [one for one in self.approvals.values() if query.active is None or one.state == "open"]
        if query.kind == "executions":
            return [one for one in self.runs.values() if self._asked_for(one, query)]
        if query.kind == "kill_switches":
            return [one for one in self.switches.values() if one.state == "on"]
        if query.kind == "playbooks/plan":
            found = self.plans.get(query.params.get("execution") or query.params.get("playbook", ""))
            if found is None:
                raise Refused("restart: no unit is called so any more", remedy="mend the playbook")
            return [found]
        if query.kind == "playbooks/fitting":
            return self.fitting
        if query.kind == "playbooks/files":
            return [
                {"name": "restart-panel", "mode": "approval", "description": "Restart the panel.", "trouble": ""},
                {"name": "bad.yaml", "trouble": "bad.yaml:2: version: too small"},
            ]
        if query.kind == "playbooks/statistics":
            return self.figures
        return super()._answer(query)

    def _asked_for(self, one: Execution, query: Query) -> bool:
        """As the engine: what is over is active until it is settled."""
        if query.incident is not None and one.incident != query.incident:
            return False
        if query.id and one.id != query.id:
            return False
        if "success" in query.q and one.state != "success":
            return False
        return query.active is None or query.active != one.settled

    def _do(self, command: Command) -> CommandResult:
        if command.verb not in {"approve", "reject", "hold", "cancel", "kill_switch", "run_playbook"}:
            return super()._do(command)
        if command.verb == "kill_switch":
            state = "on" if command.params["on"] else "off"
            switch = KillSwitch(
                tenant=TENANT,
                id="playbooks",
                at=self.now(),
                by=self.actor,
                reason=command.params["reason"],
                state=state,
            )
            self.tell(switch, kind="kill_switch_set")
            return self._result("kill_switch:playbooks")
        if command.verb in {"cancel", "run_playbook"}:
            return self._result(*command.targets)
        target = command.targets[0]
        asked = self.approvals[target.partition(":")[2]]
        if asked.state != "open":
            return self._refused(target, "not found among the open questions")
        if command.verb == "hold":
            return self._held(target, asked, command)
        if command.params.get("plan_sha256", asked.plan_sha256) != asked.plan_sha256:
            return self._refused(target, "the plan has changed since; it is asked for again")
        return self._voted(target, asked, command)

    def _held(self, target: str, asked: Approval, command: Command) -> CommandResult:
        assert asked.expires_at is not None
        until = asked.expires_at + timedelta(minutes=command.params["minutes"])
        run = replace(self.runs[asked.execution], expires_at=until)
        self.tell(replace(asked, expires_at=until, held_by=self.actor), run)
        return self._result(target)

    def _voted(self, target: str, asked: Approval, command: Command) -> CommandResult:
        vote = Vote(by=self.actor, principal=command.params.get("on_behalf_of") or self.actor, at=self.now())
        votes = (*asked.votes, vote)
        if command.verb == "approve" and len(votes) < asked.quorum:
            self.tell(replace(asked, votes=votes))
            return self._result(target)
        going = replace(self.runs[asked.execution], state="running", asks="", started_at=self.now())
        if command.verb == "reject":
            going = replace(going, state="cancelled", reason=command.params["reason"])
        state = "approved" if command.verb == "approve" else "rejected"
        self.tell(replace(asked, state=state, votes=votes, ended_at=self.now()), going)
        return self._result(target, f"execution:{asked.execution}")

    def _result(self, *changed: str) -> CommandResult:
        return CommandResult(partition=Partition(0), seq=self.seq, changed=changed)

    def _refused(self, target: str, reason: str) -> CommandResult:
        return CommandResult(partition=Partition(0), seq=self.seq, refused={target: reason})


_TABLES: dict[type, tuple[str, str]] = {
    Approval: ("approval", "approvals"),
    Execution: ("execution", "runs"),
    KillSwitch: ("kill_switch", "switches"),
}


def ran(id: str, state: Any = "success", at: datetime = world.NOW, **more: Any) -> Execution:
    """A run that is over: its steps were done."""
    of = run(id)
    steps = tuple(
        replace(step, state="done", started_at=at, ended_at=at + timedelta(seconds=2), output={"said": f"ok {n}"})
        for n, step in enumerate(of.steps)
    )
    given: dict[str, Any] = {"started_at": at, "ended_at": at + timedelta(seconds=42), "verified": True}
    return replace(of, state=state, asks="", expires_at=None, steps=steps, **{**given, **more})
