"""The runner: one training at a time, in a child process, by the timetable and when somebody asks.

Owns the child's life and how far it is. Hears wishes from the feed and tells the line what became of them, so that both
are durable: a moment of the timetable or a wish that an engine's end cut off is made up for after the next start. A
training that was cut off is begun again. Never fits, never opens the store, never holds the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from msgspec import Struct

from data.nouns.models import MLModelMetrics, ModelState, Result
from data.records import TenantId
from data.scope import CAPABILITIES, OWN, Scope
from engine.acts.models import ASKED
from engine.client import Refused, View
from engine.domain.trainings import TrainingData, training_event
from engine.models import child
from engine.models.refused import ModelRefused
from engine.models.registry import Registry
from engine.ports import Clock, Envelope, EnvelopeKind, Overloaded
from engine.training.outcome import Outcome
from engine.training.registry import Trainer, trainers
from engine.training.settings import TrainingSettings
from engine.training.timetable import next_after

if TYPE_CHECKING:
    from engine.desk import Desk

log = structlog.get_logger("engine.training")

#: The timetable is looked at this often; wishes are heard at once.
LOOK_SECONDS = 30.0
#: Between two tries to tell the line something while it takes nothing.
AGAIN_SECONDS = 1.0
#: Results whose reasons have figures in them.
_TELLING = frozenset({"promoted", "kept", "too_few"})
_MEASURED = ("pr_auc", "roc_auc", "precision", "recall", "brier")


class Progress(Struct, frozen=True, kw_only=True):
    """How far the child says it is; `total` 0 = not known."""

    model: str
    what: str = "starting"
    done: int = 0
    total: int = 0


class Ended(Struct, frozen=True, kw_only=True):
    """What became of a child: an outcome, or why there is none."""

    outcome: Outcome | None = None
    result: Result = "failed"
    why: str = ""


class TrainingRunner:
    """`settings` and `zone` are asked for each time, so that a reload counts. `take_over` is awaited when another
    model is to serve."""

    def __init__(
        self,
        *,
        desk: Desk,
        clock: Clock,
        tenant: TenantId,
        folder: Path,
        settings: Callable[[], TrainingSettings],
        zone: Callable[[], str],
        take_over: Callable[[], Awaitable[None]],
        known: Mapping[str, Trainer] | None = None,
    ) -> None:
        self._desk, self._clock, self._tenant, self.folder = desk, clock, tenant, folder
        self._settings, self._zone, self._take_over = settings, zone, take_over
        self._known = trainers() if known is None else known
        #: Makes the child's argument list of a module and its arguments.
        self.command: Callable[..., list[str]] = child.command
        self._scope = Scope(tenant=tenant, actor="training", capabilities=CAPABILITIES, origin=OWN)
        self._states: dict[str, ModelState] = {}
        self._woken = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._cancelled = False
        #: Of the training that is under way, None while there is none.
        self.progress: Progress | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._known)

    def next_at(self, state: ModelState) -> datetime | None:
        """When it is due by the timetable, which may be in the past; None = never."""
        settings = self._settings()
        if not settings.weekly:
            return None
        return next_after(state.last_at or state.since, settings, self._zone())

    async def run(self) -> None:
        """Until cancelled; a child that is under way ends with it."""
        watcher = await self._desk.subscribe(self._scope, View(kinds=(ASKED,)), None)
        try:
            await self._introduce()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._look())
                group.create_task(self._listen(watcher))
                group.create_task(self._work())
        finally:
            watcher.close()

    # -- hearing

    async def _look(self) -> None:
        while True:
            self._woken.set()
            await self._clock.sleep(LOOK_SECONDS)

    async def _listen(self, watcher: Any) -> None:
        """Whatever was heard, also that something was missed, is read anew."""
        async for _ in watcher:
            await self._read()
            running = self.progress.model if self.progress is not None else ""
            state = self._states.get(running)
            if state is not None and state.wish == "cancel":
                self._end_child()
            self._woken.set()

    async def _read(self) -> None:
        try:
            found = await self._desk.rows(self._scope, kind="models", limit=1000)
        except Refused as refusal:
            log.warning("models_not_read", reason=refusal.reason)
            return
        self._states = {state.id: state for state in found if state.id in self._known}

    async def _introduce(self) -> None:
        """Every model has a state, and none is running: what was when the engine ended is begun again."""
        await self._read()
        registry = Registry(self.folder / "models")
        for name in self._known:
            state = self._states.get(name)
            version = await asyncio.to_thread(_champion, registry, name)
            if state is None or state.version != version:
                await self._tell(TrainingData(model=name, changes={"version": version}))
            if state is not None and state.state == "running":
                again = {} if state.wish == "cancel" else {"wish": "train", "wish_by": state.wish_by}
                await self._tell(TrainingData(model=name, changes={"state": "idle", **again}, done="cancel"))
        await self._read()

    # -- working

    async def _work(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            while (state := self._due()) is not None:
                if state.wish == "cancel":
                    await self._tell(TrainingData(model=state.id, done="cancel"))
                elif state.wish == "rollback":
                    await self._roll_back(state)
                else:
                    await self._train(state)
                await self._read()

    def _due(self) -> ModelState | None:
        """What was asked for comes first, then the timetable."""
        now = self._clock.now()
        states = [self._states[name] for name in self._known if name in self._states]
        wished = next((state for state in states if state.wish), None)
        if wished is not None:
            return wished
        due = ((state, self.next_at(state)) for state in states)
        return next((state for state, at in due if at is not None and at <= now), None)

    async def _train(self, state: ModelState) -> None:
        began, monotonic = self._clock.now(), self._clock.monotonic()
        by = state.wish_by if state.wish else ""
        self.progress, self._cancelled = Progress(model=state.id), False
        try:
            started = {"state": "running", "began_at": began}
            await self._tell(TrainingData(model=state.id, changes=started, done="train", announce="model_training"))
            ended = await self._child(state.id)
            if ended.outcome is not None and ended.outcome.promoted:
                await self._take_over()
        finally:
            self.progress = None
        seconds = round(self._clock.monotonic() - monotonic, 3)
        log.info("model_trained", model=state.id, result=ended.result, why=ended.why, seconds=seconds)
        record = self._record(state.id, ended, began, by)
        await self._over(state.id, msgspec.structs.replace(record, seconds=seconds), "cancel")

    async def _roll_back(self, state: ModelState) -> None:
        began = self._clock.now()
        registry = Registry(self.folder / "models")
        why = f"rolled back by {state.wish_by}"
        try:
            version = await asyncio.to_thread(registry.rollback, state.id, began, why)
        except (ModelRefused, OSError) as error:
            ended = Ended(why=str(error))
        else:
            await self._take_over()
            ended = Ended(result="rolled_back", why=f"{why} to version {version}")
        await self._over(state.id, self._record(state.id, ended, began, state.wish_by), "rollback")

    async def _over(self, name: str, record: MLModelMetrics, done: str) -> None:
        version = await asyncio.to_thread(_champion, Registry(self.folder / "models"), name)
        # Figures of some models take a capability; the state goes to everybody.
        why = "" if self._known[name].capability and record.result in _TELLING else record.why
        changes = {"state": "idle", "last_at": record.at, "result": record.result, "why": why, "version": version}
        if done == "rollback":
            del changes["last_at"]
        await self._tell(TrainingData(model=name, changes=changes, done=done, metrics=record, announce="model_trained"))

    def _record(self, name: str, ended: Ended, began: datetime, by: str) -> MLModelMetrics:
        record = MLModelMetrics(
            tenant=self._tenant,
            id=f"{name}-{began:%Y%m%dT%H%M%S%f}",
            at=began,
            model=name,
            result=ended.result,
            why=ended.why,
            by=by,
        )
        found = ended.outcome
        if found is None:
            return record
        figures = {name: found.metrics.get(name) for name in _MEASURED}
        return msgspec.structs.replace(
            record,
            version=found.version,
            examples=found.examples,
            held_out=found.held_out,
            base_rate=found.base_rate,
            threshold=found.threshold,
            primary=found.primary,
            metrics=found.metrics,
            baseline=found.baseline,
            champion=found.champion,
            **figures,
        )

    async def _tell(self, data: TrainingData) -> None:
        """Until the line has taken it."""
        envelope = Envelope(
            kind=EnvelopeKind.EVENTS,
            tenant=self._tenant,
            source="training",
            payload=[training_event(data, self._clock.now())],
            critical=True,
        )
        while True:
            try:
                await self._desk.take(envelope)
                return
            except Overloaded as error:
                await self._clock.sleep(max(AGAIN_SECONDS, error.retry_after))

    # -- the child

    async def _child(self, name: str) -> Ended:
        settings = self._settings()
        words = self.command(child.TRAINING, name, str(self.folder), "--tenant", self._tenant)
        words += ["--memory-mib", str(settings.memory_mib), "--nice", str(settings.nice), "--with-parent"]
        try:
            process = self._process = await child.started(words)
        except OSError as error:
            return Ended(why=f"the training could not be started: {error}")
        limit = asyncio.get_running_loop().call_later(60.0 * settings.minutes_most, self._too_long)
        try:
            said, answer = await asyncio.gather(self._follow(name, process), child.answer_of(process))
            await process.wait()
        finally:
            limit.cancel()
            self._process = None
            await child.gone(process)
        return self._ended(said, answer)

    async def _follow(self, name: str, process: asyncio.subprocess.Process) -> str:
        """Keep the progress; returns the last line that is none."""
        said = ""
        async for found, line in child.lines_of(process):
            if found is None:
                said = line or said
                continue
            what, done, total = found.get("what"), found.get("done"), found.get("total")
            if isinstance(what, str) and isinstance(done, int) and isinstance(total, int):
                self.progress = Progress(model=name, what=what[:200], done=done, total=total)
        return said

    def _ended(self, said: str, answer: dict[str, Any] | None) -> Ended:
        if self._cancelled:
            return Ended(result="cancelled", why="it was cancelled")
        if answer is None:
            return Ended(why=said[:500] or "the training ended without an answer")
        if "error" in answer:
            few = answer.get("code") == "too_few"
            return Ended(result="too_few" if few else "failed", why=str(answer["error"])[:1000])
        try:
            outcome = msgspec.convert(answer, Outcome)
        except msgspec.ValidationError as error:
            return Ended(why=f"the training answered what nobody understands: {error}")
        return Ended(outcome=outcome, result="promoted" if outcome.promoted else "kept", why=outcome.why)

    def _end_child(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._cancelled = True
            self._process.kill()

    def _too_long(self) -> None:
        log.warning("training_too_long", minutes=self._settings().minutes_most)
        if self._process is not None and self._process.returncode is None:
            self._process.kill()


def _champion(registry: Registry, name: str) -> str:
    """The version that serves, "" where there is none."""
    try:
        champion = registry.champion(name)
    except ModelRefused:
        return ""
    return champion if champion in registry.versions(name) else ""
