"""The runner: begins steps from the outbox, does them outside, and tells the line how they ended.

A try begins only after the line has committed that it does (`StepStarting` → `Go`), so that a crash at any moment
leaves either nothing done or a step that is known to have been begun. Owns the task of each act. Decides nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import uuid4

import structlog

from data.ports import StoreError
from data.records import Effect, TenantId
from engine.effects import Later, Spawn, Undoable
from engine.playbooks.actions import Act, Done, Failed, Outside, Refusal, Reversible, StepAction, read_params
from engine.playbooks.messages import Go, RunnerBegan, StepEnded, StepStarting
from engine.playbooks.steps import ACTION, LEASE_MARGIN_SECONDS
from engine.ports import Clock, Envelope, EnvelopeKind, Overloaded, Plan, Receipt

log = structlog.get_logger("engine.playbooks")

Take = Callable[[Envelope], Awaitable[Receipt]]
_TELL_EVERY_SECONDS = 1.0


class StepRunner:
    """The outbox's action for steps. A try that comes up twice is begun once: the line says Go to the first alone."""

    name = ACTION
    repeatable = True

    def __init__(self, *, take: Take, actions: Callable[[], Mapping[str, StepAction]], clock: Clock, spawn: Spawn):
        self._take = take
        self._actions = actions
        self._clock = clock
        self._spawn = spawn
        self._id = uuid4().hex

    async def announce(self, tenant: TenantId) -> None:
        """After a start: whatever was begun before has no runner any more."""
        await self._tell(tenant, RunnerBegan(runner=self._id))

    async def plan(self, effect: Effect) -> Plan:
        words = f"begin {effect.params['step']} of {effect.params['execution']}"
        return Plan(action=self.name, params=effect.params, targets=[], words=words)

    async def run(self, effect: Effect) -> Mapping[str, Any]:
        """Begin the step; it goes on in a task of its own. Raises Later when the line cannot answer now."""
        said = StepStarting(
            execution=effect.params["execution"],
            step=effect.params["step"],
            generation=effect.params["generation"],
            runner=self._id,
        )
        try:
            receipt = await self._take(_envelope(effect.tenant, said))
        except Overloaded as error:
            raise Later(str(error), error.retry_after) from error
        except StoreError as error:
            raise Later(f"the store did not answer: {type(error).__name__}") from error
        if receipt.result is None:
            raise Undoable("the line did not take it")
        if isinstance(receipt.result, Go):
            self._spawn(f"step {effect.key}", self._act(said, receipt.result))
            return {"begun": True}
        return {"begun": False, "reason": receipt.result.reason}

    # -- the act itself

    async def _act(self, said: StepStarting, go: Go) -> None:
        began = self._clock.monotonic()
        ended = await self._done(said, go)
        until = began + go.act.timeout_seconds + LEASE_MARGIN_SECONDS
        await self._tell(go.act.tenant, ended, until)

    async def _done(self, said: StepStarting, go: Go) -> StepEnded:
        step = {"execution": said.execution, "step": said.step, "generation": said.generation, "runner": said.runner}
        try:
            async with asyncio.timeout(go.act.timeout_seconds):
                done = await self._work(go.act, go)
        except Failed as error:
            return StepEnded(
                **step,  # type: ignore[arg-type]
                done=False,
                error=str(error),
                again=error.again or error.unseen,
                unseen=error.unseen,
                output=dict(error.output),
            )
        except Refusal as error:
            return StepEnded(**step, done=False, error=str(error))  # type: ignore[arg-type]
        except TimeoutError:
            words = f"took more than {go.act.timeout_seconds:g} s"
            return StepEnded(**step, done=False, error=words, again=True, unseen=True)  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001 - supervision boundary: an action must not stop the others
            # Only its kind is kept: the words of an error that nobody foresaw may hold anything.
            words = f"the action broke: {type(error).__name__}"
            return StepEnded(**step, done=False, error=words, again=True, unseen=True)  # type: ignore[arg-type]
        return StepEnded(**step, done=True, output=dict(done.output), undo=dict(done.undo))  # type: ignore[arg-type]

    async def _work(self, act: Act, go: Go) -> Done:
        action = self._actions().get(go.action)
        if action is None:
            raise Failed(f"no action is called {go.action!r} any more")
        params = read_params(action, go.params)
        if go.undoing and isinstance(action, Reversible):
            return await action.rollback(act, params, go.undo)
        if not go.undoing and isinstance(action, Outside):
            return await action.run(act, params)
        raise Failed(f"{go.action} cannot do this")

    async def _tell(self, tenant: TenantId, payload: Any, until: float | None = None) -> None:
        """Until it is durable; what is not by the end of its lease is settled by the line without us."""
        while until is None or self._clock.monotonic() < until:
            try:
                await self._take(_envelope(tenant, payload))
                return
            except (Overloaded, StoreError) as error:
                log.warning("step_waits_to_be_told", error=type(error).__name__)
            await self._clock.sleep(_TELL_EVERY_SECONDS)


def _envelope(tenant: TenantId, payload: Any) -> Envelope:
    return Envelope(kind=EnvelopeKind.RESULT, tenant=tenant, source="playbooks", payload=payload, critical=True)
