"""An EngineClient that lives in memory: screens are tested against it, without an engine.

Acts change its records and come back on the feed as the real ones do. `push` puts changes on the feed, `go_down` and
`refuse_next` script failures.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from data.records import (
    ENDED,
    Ack,
    Alert,
    Change,
    Cluster,
    Incident,
    IncidentState,
    Reject,
    Severity,
    TenantId,
    TimelineEntry,
)
from data.scope import CAPABILITIES
from engine.client import Command, CommandResult, Health, Page, Partition, Query, Refused, Resync, Unreachable, View
from tests.fakes import answers, world

_STATES = {"resolve": IncidentState.RESOLVED, "close": IncidentState.CLOSED, "reopen": IncidentState.OPEN}


class FakeClient:
    """`commands` and `queries` hold what was asked, in order."""

    def __init__(self, count: int = 9, now: Callable[[], datetime] = lambda: world.NOW) -> None:
        incidents, clusters, alerts = world.operation(count, now())
        self.now = now
        self.incidents: dict[int, Incident] = {i.id: i for i in incidents}
        self.clusters: dict[int, Cluster] = {c.id: c for c in clusters}
        self.alerts: dict[int, Alert] = {a.id: a for a in alerts}
        self.rejects: dict[int, Reject] = {reject.id: reject for reject in answers.rejects(now())}
        self.sources: list[dict[str, Any]] = answers.sources(now())
        self.kpis: list[dict[str, Any]] = answers.kpis()
        self.log: list[Change] = []
        self.commands: list[Command] = []
        self.queries: list[Query] = []
        self.seq = 0
        self.down: str = ""
        self.capabilities = tuple(sorted(CAPABILITIES))
        self.state = "live"
        self.banners: tuple[str, ...] = ()
        self.alarms_10m = 4
        self.lag_seconds = 0.0
        #: What was given as a PIN, in order; `pin` is the right one.
        self.pins: list[str] = []
        self.pin = "tulip-77"
        self._refusals: list[Refused] = []
        self._query_refusals: dict[str, Refused] = {}
        self._watchers: list[asyncio.Queue[Sequence[Change] | Resync | Unreachable]] = []
        self._undo: dict[str, list[Incident]] = {}
        self._done: dict[str, CommandResult] = {}

    # scripts

    def push(self, *records: Incident | Cluster | Alert, kind: str = "") -> None:
        """Put these records into the world and on the feed."""
        changes = []
        for record in records:
            self.seq += 1
            changes.append(self._change(record, kind))
        self.log.extend(changes)
        for watcher in self._watchers:
            watcher.put_nowait(changes)

    def resync(self) -> None:
        for watcher in self._watchers:
            watcher.put_nowait(Resync(seq=self.seq, reason="too slow"))

    def go_down(self, reason: str = "connection refused") -> None:
        self.down = reason
        for watcher in self._watchers:
            watcher.put_nowait(Unreachable(reason))

    def come_back(self) -> None:
        self.down = ""

    def refuse_query(self, kind: str, refused: Refused | None) -> None:
        """Refuse every query of this kind from now on; None answers again."""
        if refused is None:
            self._query_refusals.pop(kind, None)
        else:
            self._query_refusals[kind] = refused

    def refuse_next(self, refused: Refused) -> None:
        self._refusals.append(refused)

    # EngineClient

    async def query(self, query: Query) -> Page:
        self._answerable()
        self.queries.append(query)
        if query.kind in self._query_refusals:
            raise self._query_refusals[query.kind]
        rows = self._rows(query)
        start = int(query.after or 0)
        items = rows[start : start + query.limit]
        following = str(start + query.limit) if start + query.limit < len(rows) else None
        return Page(items=items, seq=self.seq, next=following, total=len(rows) if query.total else None)

    async def watch(self, view: View, since: int | None = None) -> AsyncIterator[Sequence[Change] | Resync]:
        self._answerable()
        queue: asyncio.Queue[Sequence[Change] | Resync | Unreachable] = asyncio.Queue()
        self._watchers.append(queue)
        try:
            while True:
                batch = await queue.get()
                if isinstance(batch, Unreachable):
                    raise batch
                yield batch
        finally:
            self._watchers.remove(queue)

    async def command(self, command: Command) -> CommandResult:
        self._answerable()
        self.commands.append(command)
        if self._refusals:
            raise self._refusals.pop(0)
        if command.request not in self._done:
            self._done[command.request] = self._do(command)
        return self._done[command.request]

    async def step_up(self, pin: str) -> float:
        self._answerable()
        self.pins.append(pin)
        if pin != self.pin:
            left = 3 - len(self.pins)
            remedy = f"{left} more before it is locked" if left > 0 else "try again in 15 min"
            raise Refused("this is not the PIN", field="pin", remedy=remedy, status=403 if left > 0 else 429)
        return 300.0

    async def health(self) -> Health:
        self._answerable()
        counts = dict.fromkeys(Severity, 0)
        for incident in self.incidents.values():
            counts[incident.severity] += 1
        return Health(
            state=self.state,
            at=self.now(),
            version="0.1.0",
            tenant="default",
            seq=self.seq,
            started_at=self.now(),
            rate=3.1,
            lag_seconds=self.lag_seconds,
            active=counts,
            shelved=self._shelved(),
            alarms_10m=self.alarms_10m,
            flood=self.alarms_10m > 10,
            banners=self.banners,
            capabilities=self.capabilities,
            url="http://127.0.0.1:8099",
        )

    async def close(self) -> None:
        self._watchers.clear()

    # inside

    def _answerable(self) -> None:
        if self.down:
            raise Unreachable(self.down)

    def _shelved(self) -> int:
        return sum(i.shelved_until is not None and i.shelved_until > self.now() for i in self.incidents.values())

    def _rows(self, query: Query) -> list[Any]:
        if query.kind == "incidents":
            rows = [i for i in self.incidents.values() if _wanted(i, query)]
            return sorted(rows, key=lambda i: (-i.priority, i.id))
        if query.kind == "clusters":
            clusters = [c for c in self.clusters.values() if query.incident in (None, c.incident)]
            return sorted(_matching(clusters, query, self.now()), key=lambda c: (c.last_at, c.id), reverse=True)
        if query.kind == "alerts":
            alerts = [a for a in self.alerts.values() if _wanted_alert(a, query)]
            return _matching(alerts, query, self.now())
        if query.kind == "timeline" and query.incident in self.incidents:
            return list[TimelineEntry](world.timeline(self.incidents[query.incident]))
        return self._answer(query)

    def _answer(self, query: Query) -> list[Any]:
        if query.kind == "why":
            return answers.why(query.id, self.incidents, self.alerts)
        if query.kind == "related":
            return answers.related(int(query.id.partition(":")[2]), self.alerts.values())
        if query.kind == "preview":
            return answers.preview(query.q, self.alerts.values())
        if query.kind == "rejects":
            return [reject for reject in self.rejects.values() if reject.state == "waiting"]
        found: dict[str, list[Any]] = {"sources": self.sources, "kpis": self.kpis, "events": self.log}
        return found.get(query.kind, [])

    def _do(self, command: Command) -> CommandResult:
        if command.verb == "undo":
            return self._take_back(command)
        if command.verb in {"replay_reject", "discard_reject"}:
            return self._settle(command)
        before, changed, refused = [], [], {}
        for target in command.targets:
            kind, _, number = target.partition(":")
            if kind in {"alert", "cluster"} and number.isdigit():
                changed.append(target)
                continue
            found = self.incidents.get(int(number)) if kind == "incident" and number.isdigit() else None
            if found is None:
                refused[target] = "no such thing"
                continue
            before.append(found)
            changed.append(target)
        after = [self._acted(command, n, incident) for n, incident in enumerate(before)]
        self.push(*after, kind="incident_updated")
        undone = before or command.verb in {"silence", "split"}
        undo = f"u{len(self._done)}" if undone and command.verb != "note" else None
        if undo:
            self._undo[undo] = before
        return CommandResult(partition=Partition(0), seq=self.seq, changed=tuple(changed), refused=refused, undo=undo)

    def _settle(self, command: Command) -> CommandResult:
        state = "replayed" if command.verb == "replay_reject" else "discarded"
        for target in command.targets:
            number = int(target.partition(":")[2])
            self.rejects[number] = replace(self.rejects[number], state=state)
        return CommandResult(partition=Partition(0), seq=self.seq, changed=command.targets)

    def _acted(self, command: Command, place: int, incident: Incident) -> Incident:
        params, now, verb = command.params, self.now(), command.verb
        if verb == "ack":
            minutes = params.get("minutes")
            until = now + timedelta(minutes=minutes) if minutes else None
            ack = Ack(by="operator", at=now, severity=incident.severity, expires_at=until, note=params.get("note", ""))
            return replace(incident, ack=ack, state=IncidentState.ACKNOWLEDGED)
        if verb == "unack":
            return replace(incident, ack=None, state=IncidentState.OPEN)
        if verb == "shelve":
            return replace(incident, shelved_until=now + timedelta(minutes=params["minutes"]))
        if verb == "assign":
            return replace(incident, owner=params["owner"])
        if verb == "note":
            return replace(incident, notes=incident.notes + 1)
        if verb == "merge" and place:
            first = int(command.targets[0].partition(":")[2])
            return replace(incident, merged_into=first, state=IncidentState.CLOSED)
        return replace(incident, state=_STATES.get(verb, incident.state))

    def _take_back(self, command: Command) -> CommandResult:
        name = command.targets[0].partition(":")[2]
        if name not in self._undo:
            raise Refused("nothing to undo under this id", field="targets", status=404)
        before = self._undo.pop(name)
        self.push(*before, kind="incident_updated")
        return CommandResult(partition=Partition(0), seq=self.seq, changed=tuple(f"incident:{i.id}" for i in before))

    def _change(self, record: Incident | Cluster | Alert, kind: str) -> Change:
        name, table = _KINDS[type(record)]
        table(self)[record.id] = record
        return Change(
            kind=kind or f"{name}_updated",
            tenant=TenantId("default"),
            at=self.now(),
            subject=f"{name}:{record.id}",
            site=record.site,
            record=msgspec.Raw(msgspec.json.encode(record)),
            seq=self.seq,
        )


_KINDS: dict[type, tuple[str, Callable[[FakeClient], dict[int, Any]]]] = {
    Incident: ("incident", lambda client: client.incidents),
    Cluster: ("cluster", lambda client: client.clusters),
    Alert: ("alert", lambda client: client.alerts),
}


def _matching(rows: list[Any], query: Query, now: datetime) -> list[Any]:
    """The rows that the query's text keeps. The language is imported late, as in the console."""
    if not query.q:
        return rows
    from data.query import QueryError, parse
    from data.query_memory import predicate

    try:
        test = predicate(parse(query.q), now)
    except QueryError as error:
        raise Refused(error.reason, field="q", remedy=error.remedy) from error
    return [row for row in rows if test(row)]


def _wanted(incident: Incident, query: Query) -> bool:
    if query.id:
        return str(incident.id) == query.id
    over = incident.state in ENDED
    return query.active is None or query.active != over


def _wanted_alert(alert: Alert, query: Query) -> bool:
    if query.id:
        return str(alert.id) == query.id
    return query.incident in (None, alert.incident) and query.cluster in (None, alert.cluster)
