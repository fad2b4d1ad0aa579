"""Effects: what the line wants done outside, done from the outbox.

The dispatcher claims rows under a lease, runs the action that they name and settles them. One effect at a time per
lane (the action and its target, see `data.ports.Store.claim`), several lanes at once, so that a slow target holds up
nobody else. Failures are tried again with growing pauses, then kept as failed with the reason. A row whose runner
vanished comes up as unknown once its lease has lapsed, or goes out again under its key where the action allows that.
"""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from msgspec import Struct
from msgspec.structs import replace

from data.ports import Store, StoreError
from data.records import Effect, Partition
from engine.outbound import Outbound, Unreached
from engine.playbooks.launcher import Launch, launch
from engine.ports import Action, Clock
from engine.settings import Settings

log = structlog.get_logger("engine.effects")

#: Tries before a dead letter; with the pauses below these are about an hour.
TRIES = 20
PAUSE_MAX_SECONDS = 300.0
LEASE_SECONDS = 30.0
#: A run is cut off before its lease lapses: what is taken for an orphan is never still running here.
RUN_SECONDS = 20.0
#: Seconds between two looks: a look at a long outbox takes the writer's time.
LOOK_SECONDS = 0.05
#: Lanes that are worked on at once.
LANES = 16
SETTLE_TRIES = 3
_RESULT_CHARS = 1000

Spawn = Callable[[str, Coroutine[Any, Any, Any]], asyncio.Task[Any]]


class Undoable(Exception):
    """The action cannot be done, now or later."""


class Later(Exception):
    """The target asked to come again, after `seconds` at the soonest."""

    def __init__(self, reason: str, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Around(Struct, frozen=True, kw_only=True):
    """What an action is given when it is made."""

    settings: Settings
    clock: Clock
    outbound: Outbound
    launch: Launch = launch


class Outside(Struct, frozen=True, kw_only=True):
    """What stands in for everything outside: a simulated world that answers requests and runs programs."""

    outbound: Outbound
    launch: Launch


def actions(around: Around) -> dict[str, Action]:
    """Every action of `engine/actions`, by name: one file each with an `ACTION` that makes it."""
    package = importlib.import_module("engine.actions")
    found = {}
    for module in pkgutil.iter_modules(package.__path__):
        make = getattr(importlib.import_module(f"engine.actions.{module.name}"), "ACTION", None)
        if make is not None:
            action: Action = make(around)
            found[action.name] = action
    return found


def around(settings: Settings, clock: Clock, outside: Outside | None = None) -> Around:
    """What actions need, from the settings."""
    if outside is not None:
        return Around(settings=settings, clock=clock, outbound=outside.outbound, launch=outside.launch)
    notify = settings.notify
    return Around(
        settings=settings,
        clock=clock,
        outbound=Outbound(allow_hosts=notify.allow_hosts, ports=notify.ports),
        launch=partial(launch, programs=settings.playbooks.programs),
    )


def rates(settings: Settings) -> dict[str, int]:
    """Lane → effects per minute at most."""
    webhooks = settings.notify.webhooks
    return {f"{kind}/{webhook.name}": webhook.max_per_minute for webhook in webhooks for kind in ("webhook", "page")}


def lane(effect: Effect) -> str:
    """The key up to its second "/"."""
    parts = effect.key.split("/", 2)
    return "/".join(parts[:2]) if len(parts) == 3 else effect.key


class Dispatcher:
    """Works the outbox of one partition. `wake` it after a commit with effects; it also looks by itself."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        known: Mapping[str, Action],
        partition: Partition,
        spawn: Spawn,
        per_minute: Mapping[str, int],
    ) -> None:
        self._store = store
        self._clock = clock
        self._known = known
        self._repeatable = tuple(name for name, action in known.items() if getattr(action, "repeatable", False))
        self._partition = partition
        self._spawn = spawn
        self._per_minute = per_minute
        self._begun: dict[str, deque[float]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._closed = False
        self._troubled = False
        self.done = 0
        self.failed = 0

    def wake(self) -> None:
        self._woken.set()

    async def begin(self) -> None:
        """Once, before the first `run` of the only process on this store: whatever was claimed before has no runner
        any more, and waits for no lease."""
        try:
            left = await self._store.disown(self._partition, self._repeatable)
        except StoreError as error:
            log.warning("outbox_waits", error=str(error))  # the leases lapse by themselves
        else:
            if left:
                log.warning("effects_left_behind", count=left)

    async def run(self, pause_seconds: float = 1.0) -> None:
        """Work until `finish`; looks at least every `pause_seconds`, for what falls due with time."""
        while not self._closed:
            self._woken.clear()
            if not await self.step():
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause_seconds):
                        await self._woken.wait()
            await self._clock.sleep(LOOK_SECONDS)

    async def step(self) -> int:
        """Begin what is due; returns how many effects were begun."""
        room = LANES - len(self._running)
        if room <= 0:
            return 0
        try:
            due = await self._store.claim(
                self._partition,
                self._clock.now(),
                room,
                LEASE_SECONDS,
                held=self._held(),
                repeatable=self._repeatable,
            )
        except StoreError as error:
            if not self._troubled:
                log.warning("outbox_waits", error=str(error))
            self._troubled = True
            return 0
        self._troubled = False
        for effect in due:
            self._begin(effect)
        return len(due)

    async def settled(self) -> None:
        """Return when nothing that was begun is still running."""
        while self._running:
            await asyncio.wait(self._running)

    async def finish(self, seconds: float) -> None:
        """Begin nothing more; wait at most `seconds` for what is on its way."""
        self._closed = True
        self.wake()
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    # -- one effect

    def _begin(self, effect: Effect) -> None:
        if lane(effect) in self._per_minute:
            self._begun.setdefault(lane(effect), deque()).append(self._clock.monotonic())
        task = self._spawn(f"effect {effect.key}", self._work(effect))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self.wake()

    def _held(self) -> list[str]:
        """Lanes that have had their share of the last minute."""
        held = []
        for name, begun in self._begun.items():
            while begun and begun[0] <= self._clock.monotonic() - 60.0:
                begun.popleft()
            if len(begun) >= self._per_minute[name]:
                held.append(name)
        return held

    async def _work(self, effect: Effect) -> None:
        ended = await self._do(effect)
        await self._settle(ended)
        # Only now: a log that cannot be written must not leave the row as it was.
        if ended.state == "done":
            self.done += 1
        elif ended.state == "failed":
            self.failed += 1
            log.error("effect_failed", key=ended.key, action=ended.action, reason=ended.result)
        else:
            log.warning("effect_waits", key=ended.key, attempt=ended.attempt, reason=ended.result)

    async def _settle(self, ended: Effect) -> None:
        for left in reversed(range(SETTLE_TRIES)):
            try:
                await self._store.settle(ended)
                return
            except StoreError as error:
                log.warning("effect_not_settled", key=ended.key, state=ended.state, error=str(error))
                if left:
                    await self._clock.sleep(1.0)

    async def _do(self, effect: Effect) -> Effect:
        action = self._known.get(effect.action)
        if action is None:
            return self._failed(effect, f"no action is called {effect.action!r}")
        try:
            async with asyncio.timeout(RUN_SECONDS):
                result = await action.run(effect)
        except Undoable as error:
            return self._failed(effect, str(error))
        except Later as error:
            return self._again(effect, str(error), error.seconds)
        except Unreached as error:
            return self._again(effect, str(error))
        except TimeoutError:
            return self._again(effect, f"took more than {RUN_SECONDS:g} s")
        except Exception as error:  # noqa: BLE001 - supervision boundary: an action must not stop the others
            # Only its kind is kept: the words of an error that nobody foresaw may hold anything.
            return self._again(effect, f"the action broke: {type(error).__name__}")
        return replace(effect, state="done", result=str(dict(result))[:_RESULT_CHARS], leased_until=None)

    def _again(self, effect: Effect, reason: str, at_least: float = 0.0) -> Effect:
        if effect.attempt >= TRIES:
            return self._failed(effect, f"{reason}, at the last of {TRIES} tries")
        pause = max(at_least, min(PAUSE_MAX_SECONDS, 2.0**effect.attempt))
        due = self._clock.now() + timedelta(seconds=pause)
        return replace(effect, state="pending", result=reason[:_RESULT_CHARS], due_at=due, leased_until=None)

    def _failed(self, effect: Effect, reason: str) -> Effect:
        return replace(effect, state="failed", result=reason[:_RESULT_CHARS], leased_until=None)
