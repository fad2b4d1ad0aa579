"""An engine behind the HTTP side that lives in memory: what was taken is kept, acts are noted, changes are published.

Bus and board are the real ones' shape; the line is left out. `wait` closes intake, `fail` makes the next call raise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from data.records import (
    DEFAULT_TENANT,
    Alert,
    AlertId,
    AlertState,
    Change,
    ClusterId,
    IncidentId,
    Partition,
    Signal,
    Silence,
    TenantId,
    Token,
)
from data.scope import Scope
from engine.acts.silences import SilenceParams, plain
from engine.bus import Bus, Watcher
from engine.client import Command, CommandResult, Health, Page, Query, Resync, View
from engine.ports import Envelope, EnvelopeKind, Receipt
from engine.service import Published

START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class HandClock:
    """Time that moves only when a test moves it; sleepers wake in order."""

    def __init__(self, now: datetime = START) -> None:
        self._start = now
        self.seconds = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0.01:  # no wait, only a turn for others: an engine on this clock must go on by itself
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.seconds + seconds, future))
        await future

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
        due = [future for at, future in self._sleepers if at <= self.seconds]
        self._sleepers = [(at, future) for at, future in self._sleepers if at > self.seconds]
        for future in due:
            if not future.done():
                future.set_result(None)


class FakeBoard:
    def __init__(self) -> None:
        self.alerts_by: dict[TenantId, dict[AlertId, Alert]] = {}
        self.silences_by: dict[TenantId, dict[str, Silence]] = {}

    def alerts(self, tenant: TenantId) -> Mapping[AlertId, Alert]:
        return self.alerts_by.get(tenant, {})

    def silences(self, tenant: TenantId) -> Mapping[str, Silence]:
        return self.silences_by.get(tenant, {})


class FakeTokens:
    """The stored tokens; `reads` counts how often they were asked for."""

    def __init__(self, *tokens: Token) -> None:
        self.stored = {token.id: token for token in tokens}
        self.reads = 0
        self.error: Exception | None = None

    def put(self, token: Token) -> None:
        self.stored[token.id] = token

    async def tokens(self) -> Sequence[Token]:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return list(self.stored.values())


class FakeService:
    def __init__(self, clock: Any = None) -> None:
        self.clock = clock or HandClock()
        self.board = FakeBoard()
        self.bus = Bus()
        self.taken: list[Envelope] = []
        self.queries: list[tuple[Scope, Query]] = []
        self.commands: list[tuple[Scope, Command]] = []
        self.pages: dict[str, list[Any]] = {}
        self.refused: dict[str, str] = {}
        self.wait: float | None = None
        self.fail: Exception | None = None
        self.hold: asyncio.Event | None = None
        #: Released once for each call that was let in: `take` before it waits for `hold`, and `subscribe`.
        self.entered = asyncio.Semaphore(0)
        self.joined = asyncio.Semaphore(0)
        self.seq = 0
        self.log: list[Published] = []
        self.oldest = 0
        self._seen: dict[tuple[str, str, str], Receipt] = {}

    def signals(self) -> list[Signal]:
        return [row for item in self.taken if item.kind is EnvelopeKind.SIGNALS for row in item.payload]

    def rejects(self) -> list[Any]:
        return [row for item in self.taken if item.kind is EnvelopeKind.REJECTS for row in item.payload]

    def accepting(self) -> float | None:
        return self.wait

    async def take(self, envelope: Envelope) -> Receipt:
        self._raise()
        self.entered.release()
        if self.hold is not None:
            await self.hold.wait()
        key = (envelope.tenant, envelope.source, envelope.id)
        if envelope.id and key in self._seen:
            return self._seen[key]
        self.taken.append(envelope)
        if envelope.kind is EnvelopeKind.SIGNALS:
            for signal in envelope.payload:
                self.add_alert(signal, envelope.tenant)
        self.seq += 1
        receipt = self._seen[key] = Receipt(partition=Partition(0), seq=self.seq)
        return receipt

    async def take_all(self, envelopes: Sequence[Envelope]) -> list[Receipt]:
        return [await self.take(envelope) for envelope in envelopes]

    def add_alert(self, signal: Signal, tenant: TenantId = DEFAULT_TENANT) -> Alert:
        mine = self.board.alerts_by.setdefault(tenant, {})
        old = next((alert.id for alert in mine.values() if alert.key == signal.key), AlertId(len(mine) + 1))
        if signal.ends_at <= self.clock.now():
            mine.pop(old, None)
        alert = alert_of(signal, old, tenant, self.clock.now())
        if signal.ends_at > self.clock.now():
            mine[old] = alert
        return alert

    async def query(self, scope: Scope, query: Query) -> Page:
        self._raise()
        self.queries.append((scope, query))
        rows = [row for row in self.pages.get(query.kind, []) if _visible(row, scope)]
        if query.id:
            rows = [row for row in rows if str(_field(row, "id")) == query.id.rpartition(":")[2]]
        return Page(items=rows[: query.limit], seq=self.seq, next=None, total=len(rows) if query.total else None)

    async def command(self, scope: Scope, command: Command) -> CommandResult:
        self._raise()
        self.commands.append((scope, command))
        self.seq += 1
        refused = {target: self.refused[target] for target in command.targets if target in self.refused}
        changed = tuple(target for target in command.targets if target not in refused)
        id = self._silence(scope, command)
        return CommandResult(partition=Partition(0), seq=self.seq, changed=changed, refused=refused, id=id)

    def _silence(self, scope: Scope, command: Command) -> str:
        mine = self.board.silences_by.setdefault(scope.tenant, {})
        now = self.clock.now()
        if command.verb == "expire_silence":
            for target in command.targets:
                id = target.partition(":")[2]
                mine[id] = msgspec.structs.replace(mine[id], ends_at=now)
        if command.verb != "silence":
            return ""
        params = msgspec.convert(command.params, SilenceParams, strict=False)
        assert not isinstance(params.matchers, str)
        id = params.id or f"00000000-0000-4000-8000-{len(mine):012d}"
        mine[id] = Silence(
            id=id,
            tenant=scope.tenant,
            matchers=tuple(plain(matcher) for matcher in params.matchers),
            starts_at=params.starts_at or now,
            ends_at=params.ends_at or now + timedelta(minutes=params.minutes),
            created_by=params.created_by or scope.actor,
            comment=params.comment,
            updated_at=now,
            annotations=params.annotations,
        )
        return id

    async def health(self, scope: Scope) -> Health:
        self._raise()
        now = self.clock.now()
        return Health(
            state="live",
            at=now,
            version="0",
            tenant=scope.tenant,
            seq=self.seq,
            started_at=START,
            capabilities=tuple(sorted(scope.capabilities)),
        )

    async def subscribe(self, scope: Scope, view: View, since: int | None) -> Watcher:
        self._raise()
        watcher = self.bus.join(scope, view)
        self.joined.release()
        if since is not None and since < self.oldest:
            watcher.begin_with(Resync(seq=self.seq, reason="the cursor is older than what is kept"))
        elif since is not None:
            missed = [item for item in self.log if item.first > since]
            if missed:
                changes = [change for item in missed for change in item.changes]
                watcher.begin_with(_published(changes))
        return watcher

    def publish(self, *changes: Change) -> Published:
        """One commit's changes, numbered from the last one on."""
        numbered = []
        for change in changes:
            self.seq += 1
            numbered.append(msgspec.structs.replace(change, seq=self.seq))
        published = _published(numbered)
        self.log.append(published)
        self.bus.publish(published)
        return published

    def _raise(self) -> None:
        if self.fail is not None:
            raise self.fail


def _published(changes: list[Change]) -> Published:
    return Published(
        changes[0].seq,
        changes[-1].seq,
        changes,
        [msgspec.json.encode(change) for change in changes],
        frozenset(change.tenant for change in changes),
    )


def change(kind: str = "alert_created", subject: str = "alert:1", *, site: str = "", tenant: str = "default") -> Change:
    return Change(
        kind=kind, tenant=TenantId(tenant), at=START, subject=subject, site=site, record=msgspec.Raw(b'{"id":1}')
    )


def alert_of(signal: Signal, id: AlertId, tenant: TenantId, now: datetime) -> Alert:
    fields = {name: getattr(signal, name) for name in Alert.__struct_fields__ if name in Signal.__struct_fields__}
    return Alert(
        **fields,
        id=id,
        tenant=tenant,
        state=AlertState.OPEN,
        received_at=now,
        last_at=now,
        count=1,
        cluster=ClusterId(1),
        incident=IncidentId(1),
    )


def _field(row: Any, name: str) -> Any:
    return row.get(name) if isinstance(row, dict) else getattr(row, name, None)


def _visible(row: Any, scope: Scope) -> bool:
    tenant = _field(row, "tenant")
    return tenant in (None, scope.tenant) and (scope.sites is None or _field(row, "site") in scope.sites)
