"""Build: settings and a clock in, a running engine out; and its ordered end.

Owns the wiring and nothing else. Start: presence → store → Book → worker → listener → ticks. Stop: listener →
inbox → worker → dispatcher → watchers → store, three quarters of the time graceful, then forced.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable, Sequence
from errno import EACCES, EPERM, EROFS
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from msgspec.structs import replace

from data.ports import StoreError, StoreReadOnly
from data.records import Partition, Reject, Severity, TenantId
from data.scope import Scope
from engine.actions.page import Page
from engine.answers import FLOOD_PER_10_MIN
from engine.board import CommittedBoard
from engine.bus import Bus
from engine.client import Health
from engine.config import AT_START, data_dir
from engine.config_check import check_contacts
from engine.desk import Desk
from engine.domain.room import KINDS
from engine.effects import Dispatcher, Outside, actions, around, rates
from engine.enrichers.following import follow
from engine.fraud.model import MODEL as FRAUD
from engine.inbox import Inbox
from engine.intake import reparser, rules_of
from engine.local import LocalClient
from engine.metrics.own import OwnFigures
from engine.models.registry import Registry
from engine.models.serving import Models
from engine.playbooks.library import open_library
from engine.playbooks.runner import StepRunner
from engine.ports import Clock, Envelope, EnvelopeKind, Overloaded, Parsed, Receipt, Source
from engine.predictors import scoring
from engine.predictors.catalogue import PREDICTORS
from engine.presence import Card, Presence
from engine.priority.serving import priority_model
from engine.rejects import Morgue
from engine.rules import Rules, compile_rules
from engine.scheduler import Scheduler
from engine.senders import Senders
from engine.settings import Settings
from engine.similarity.choice import chosen
from engine.sources import configured
from engine.supervise import Supervisor
from engine.telemetry import Telemetry
from engine.training.runner import TrainingRunner
from engine.version import VERSION
from engine.worker import Worker

log = structlog.get_logger("engine")

PARTITION = Partition(0)
RETENTION_EVERY_SECONDS = 3600.0


class Engine:
    """One engine on one data directory. `await start()`, use `client(scope)`, `await stop()`."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        listen: bool,
        inputs: Sequence[Source] = (),
        outside: Outside | None = None,
    ) -> None:
        from data.queries import SqliteReader
        from data.store import SqliteStore

        self.settings = settings
        self.clock = clock
        self.directory: Path = data_dir(settings)
        self.telemetry = Telemetry()
        self._listen = listen
        self._inputs = tuple(inputs)
        self._outside = outside
        self._presence = Presence(self.directory)
        self._store = SqliteStore(
            self.directory,
            reserve_bytes=settings.store.reserve_mib << 20,
            synchronous=settings.store.synchronous.upper(),
        )
        self._reader = SqliteReader(self.directory, limit_seconds=settings.limits.query_seconds)
        self._supervisor = Supervisor(clock)
        self._supervisor.on_degraded = self._given_up
        self._inbox = Inbox(clock, settings.engine.inbox_max)
        self._bus = Bus(settings.limits.feed_queue)
        self.board = CommittedBoard()
        self.models = Models(Registry(self.directory / "models"))
        self._worker = Worker(
            store=self._store,
            inbox=self._inbox,
            bus=self._bus,
            board=self.board,
            clock=clock,
            rules=self._rules(settings, self.models),
            telemetry=self.telemetry,
            owner="engine",
            batch_max=settings.engine.batch_max,
            partition=PARTITION,
        )
        self._intake_rules = rules_of(settings)
        self._inputs = (*self._inputs, *configured(settings, clock, self._intake_rules))
        if settings.metrics.own:
            self._inputs = (*self._inputs, OwnFigures(self.telemetry, clock, TenantId(settings.engine.tenant)))
        self.senders = Senders(frozenset({OwnFigures.name}))
        self.service = Desk(
            reader=self._reader,
            inbox=self._inbox,
            bus=self._bus,
            board=self.board,
            clock=clock,
            health=self._health,
            sources=self.senders.of,
            seq=lambda: self._worker.book.seq,
            partition=PARTITION,
            morgue=Morgue(self._reparse()),
        )
        self.service.on_taken = self._note_source
        self.service.metrics_zone = settings.metrics.time_zone
        self.service.stepped.settings = lambda: self.settings.approvals
        self.service.playbooks = lambda: self._worker.rules.playbooks
        self.service.oncall = lambda: self._worker.rules.oncall
        self._steps = StepRunner(
            take=self.service.take,
            actions=lambda: getattr(self._worker.rules.playbooks, "actions", {}),
            clock=clock,
            spawn=self._supervisor.spawn,
        )
        self._actions = {**actions(around(settings, clock, outside)), StepRunner.name: self._steps}
        self._dispatcher = Dispatcher(
            store=self._store,
            clock=clock,
            known=self._actions,
            partition=PARTITION,
            spawn=self._supervisor.spawn,
            per_minute=rates(settings),
        )
        self._worker.on_effects = self._dispatcher.wake
        self.training = TrainingRunner(
            desk=self.service,
            clock=clock,
            tenant=TenantId(settings.engine.tenant),
            folder=self.directory,
            settings=lambda: self.settings.training,
            zone=lambda: self.settings.metrics.time_zone,
            take_over=self._take_models,
        )
        self.service.training = self.training
        self._scheduler = Scheduler(clock, TenantId(settings.engine.tenant), self.telemetry, self._behind)
        self._server: Any = None
        self._started_at = clock.now()
        self.read_only = ""

    def client(self, scope: Scope) -> LocalClient:
        return LocalClient(self.service, scope)

    @property
    def url(self) -> str:
        return self._server.url if self._server is not None else ""

    # -- start and stop

    async def start(self) -> None:
        """Raises presence.AlreadyRunning, StoreCorrupt, StoreError, api.ListenRefused or OSError."""
        try:
            await self._open()
        except BaseException:
            await self.stop()
            raise

    async def _open(self) -> None:
        try:
            self._presence.take()
            await self._store.open()
            await self._worker.open()
            await self._dispatcher.begin()
        except (StoreReadOnly, OSError) as error:
            if isinstance(error, OSError) and error.errno not in (EACCES, EPERM, EROFS):
                raise
            self._view_only(error)
        else:
            self._supervisor.start("worker", self._worker.run)
            self._supervisor.start("loop watch", self._scheduler.watch_loop)
            self._supervisor.start("ticks", lambda: self._scheduler.run(self.service.take))
            self._supervisor.spawn("playbooks", self._steps.announce(TenantId(self.settings.engine.tenant)))
            self._supervisor.start("effects", self._dispatcher.run)
            self._supervisor.start("retention", self._retain)
            self._supervisor.start("training", self.training.run)
            self._supervisor.start("context", lambda: follow(self.service, TenantId(self.settings.engine.tenant)))
        self._gauges()
        if self._listen:
            await self._serve()
        if not self.read_only:
            self._listen_to_inputs()
        gc.collect()
        gc.freeze()
        # The youngest generation is looked through often and at little cost: 50,000 at once held the line for 9 ms.
        gc.set_threshold(10_000, 100, 1_000)
        log.info("engine_started", directory=str(self.directory), url=self.url, version=VERSION)

    async def _serve(self) -> None:
        from engine.api.server import serve

        self._server = await serve(
            self.service, self.settings, self._reader, rules=self._intake_rules, metrics=self._metrics()
        )
        if not self.read_only:
            self._presence.show(Card(url=self._server.url, pid=os.getpid(), version=VERSION))

    def _listen_to_inputs(self) -> None:
        for source in self._inputs:
            self._supervisor.start(f"source {source.name}", partial(source.run, self.service.take))

    def _view_only(self, error: Exception) -> None:
        """A directory that cannot be written is still worth looking at."""
        if not (self.directory / "noc.db").exists():
            raise error
        self.read_only = f"read-only: {error}"
        self._worker.state = "read_only"
        self._inbox.store_down = 60.0
        self._inbox.close()
        log.warning("view_only", reason=str(error))

    def _rules(self, settings: Settings, models: Models) -> Rules:
        """The configuration compiled, with the models that serve."""
        rules = compile_rules(settings, chosen(settings.clustering.method, models))
        return replace(
            rules,
            fraud_model=models.serve(FRAUD),
            priority_model=priority_model(models),
            predictor_models=scoring.serving(models, PREDICTORS),
            stopwatch=self.clock.monotonic,
            playbooks=open_library(around(settings, self.clock, self._outside)),
        )

    async def reload(self, settings: Settings) -> None:
        """Take over a new configuration; what is opened at the start stays as it is until the next one.

        Raises ConfigError, ValueError or Overloaded before anything has changed.
        """
        kept = {name: getattr(self.settings, name) for name in AT_START}
        settings = replace(settings, **kept)
        check_contacts(settings)  # a receiver that is there from the next start on cannot be paged by before
        self.models.forget()
        rules, intake = self._rules(settings, self.models), rules_of(settings)
        tenant = TenantId(settings.engine.tenant)
        await self.service.take(Envelope(kind=EnvelopeKind.RULES, tenant=tenant, source="configuration", payload=rules))
        if self._server is not None:
            self._server.reload(settings, intake)
        self.settings, self._intake_rules = settings, intake
        self._actions[Page.name] = Page(around(settings, self.clock, self._outside))
        self.service.morgue = Morgue(self._reparse())
        self.service.metrics_zone = settings.metrics.time_zone
        log.info("configuration_reloaded")

    async def _take_models(self) -> None:
        """Other champions serve from the next envelope on. Their files are read beside the loop."""
        while True:
            settings, models = self.settings, Models(Registry(self.directory / "models"))
            rules = await asyncio.to_thread(self._rules, settings, models)
            if settings is self.settings:  # not reloaded meanwhile
                break
        tenant = TenantId(settings.engine.tenant)
        try:
            await self.service.take(Envelope(kind=EnvelopeKind.RULES, tenant=tenant, source="training", payload=rules))
        except Overloaded as error:
            log.warning("models_wait_for_reload", reason=str(error))
            return
        self.models = models
        log.info("models_taken_over")

    async def stop(self) -> None:
        """End in order. Does nothing the second time."""
        seconds = self.settings.engine.stop_seconds
        if self._server is not None:
            server, self._server = self._server, None
            self._inbox.close()
            try:
                await server.stop(seconds * 0.25)
            except OSError as error:
                log.warning("listener_not_closed", error=str(error))
        for source in self._inputs:
            await self._supervisor.stop(f"source {source.name}", 1.0)
        self._inbox.close()
        try:
            await self._supervisor.stop("ticks", 1.0)
            await self._drain(seconds * 0.75)
            await self._dispatcher.finish(seconds * 0.15)
            await self._supervisor.stop_all(seconds * 0.1)
            self._bus.close()
            await self._worker.close()
        except StoreError as error:
            log.warning("lease_kept", error=str(error))
        finally:  # threads that are not ended keep the process
            await self._reader.close()
            await self._store.close()
            self._presence.leave()

    def _given_up(self, part: str) -> None:
        if part == "worker":
            self._inbox.abandon()

    async def _drain(self, seconds: float) -> None:
        deadline = self.clock.monotonic() + seconds
        while not self._worker.idle() and self.clock.monotonic() < deadline and not self.read_only:
            await self.clock.sleep(0.01)

    async def idle(self) -> None:
        """Return when everything that was taken is committed: the quiescence point of tests."""
        await self._worker.drained()

    # -- parts that run beside the line

    async def _retain(self) -> None:
        while True:
            await self.clock.sleep(RETENTION_EVERY_SECONDS)
            try:
                deleted = await self._store.prune(self.clock.now(), self.settings.retention.keep_days())
            except StoreError as error:
                log.warning("retention_waits", error=str(error))
            else:
                log.info("retention", deleted=deleted)

    def _reparse(self) -> Callable[[Reject, str], Parsed]:
        return reparser(self.settings, self._intake_rules, self.clock)

    def _behind(self) -> bool:
        return any(getattr(source, "behind", False) for source in self._inputs)

    def _note_source(self, envelope: Envelope, receipt: Receipt) -> None:
        self.senders.note(envelope, self.clock.now())

    # -- figures

    def _metrics(self) -> Callable[[], bytes]:
        registry: list[Any] = []

        def render() -> bytes:
            from engine.api.metrics import render as text

            if not registry:
                registry.append(self.telemetry.registry())
            return text(registry[0])

        return render

    def _gauges(self) -> None:
        gauges, book = self.telemetry.gauges, self._worker
        gauges["noc_inbox_rows"] = lambda: self._inbox.rows
        gauges["noc_inbox_oldest_seconds"] = self._inbox.oldest_seconds
        gauges["noc_active_alerts"] = lambda: len(self.board.alerts(TenantId(self.settings.engine.tenant)))
        gauges["noc_watchers"] = lambda: len(self._bus)
        gauges["noc_watcher_changes_dropped"] = self._bus.dropped
        gauges["noc_tick_lag_seconds"] = lambda: self._scheduler.lag_seconds
        for kind in sorted(KINDS):
            gauges[f"noc_records_{kind}"] = partial(self._held, kind)
        gauges["noc_feed_seq"] = lambda: book.book.seq
        gauges["noc_effects_done"] = lambda: self._dispatcher.done
        gauges["noc_effects_failed"] = lambda: self._dispatcher.failed
        gauges["noc_models_refused"] = lambda: len(self.models.troubles)
        gauges["noc_parts_degraded"] = lambda: len(self._supervisor.degraded)

    def _held(self, kind: str) -> int:
        return len(self._worker.book.nouns[kind])

    def _health(self, scope: Scope) -> Health:
        figures, now = self.board.figures(scope), self.clock.now()
        alarms = self.telemetry.alarms(now) if scope.sites is None else 0
        last = self.senders.last_at(scope.tenant)
        return Health(
            state=self._state(),
            at=now,
            version=VERSION,
            tenant=scope.tenant,
            seq=self._worker.book.seq,
            started_at=self._started_at,
            rate=round(self.telemetry.rate(now), 2),
            lag_seconds=round(self._inbox.oldest_seconds(), 3),
            inbox=self._inbox.rows,
            active={severity: figures.incidents[severity] for severity in Severity},
            incidents=dict(figures.states),
            shelved=figures.shelved,
            silenced=figures.silenced,
            rejects=self.telemetry.counters["noc_rejects_total"],
            alarms_10m=alarms,
            flood=alarms > FLOOD_PER_10_MIN,
            banners=tuple(self._banners(scope.tenant)),
            capabilities=tuple(sorted(scope.capabilities)),
            url=self.url,
            actor=scope.actor,
            person=scope.person,
            last_event_at=last,
        )

    def _state(self) -> str:
        if self.read_only:
            return "read_only"
        if self._supervisor.degraded and self._worker.state == "live":
            return "degraded"
        if self._worker.state == "live" and self._inbox.oldest_seconds() > 3.0:
            return "lagging"
        return "store_down" if self._worker.state == "full" else self._worker.state

    def _banners(self, tenant: TenantId) -> list[str]:
        banners = [self.read_only, self._worker.trouble]
        banners += self.models.banners()
        playbooks = self._worker.rules.playbooks
        banners += [f"playbook {trouble}" for trouble in (playbooks.troubles_of(tenant) if playbooks else ())]
        if trouble := getattr(self._worker.rules.method, "trouble", ""):
            banners.append(f"model clustering: {trouble}; clustering goes by cosine")
        banners += [f"{part} stopped: {reason}" for part, reason in self._supervisor.degraded.items()]
        return [banner for banner in banners if banner]


def build(
    settings: Settings,
    clock: Clock,
    *,
    listen: bool = True,
    inputs: Sequence[Source] = (),
    outside: Outside | None = None,
) -> Engine:
    """An engine that is not started yet. `listen` False: no HTTP listener. `inputs` run beside it, supervised;
    `outside` answers for everything that actions would do outside."""
    return Engine(settings, clock, listen=listen, inputs=inputs, outside=outside)
