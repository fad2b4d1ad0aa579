"""The desk: every use case of `engine.service.Service` on the parts of one running engine.

Reads go to the store, writes through the inbox, watching through the bus. Owns no state but the receipts of recent
requests, so that the same request answered twice gives the same answer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, TypeVar
from uuid import uuid4

from msgspec import json
from msgspec.structs import replace

from data.nouns import NOUNS
from data.ports import Reader, Rows, Select, StoreError
from data.query import QueryError, parse
from data.records import Partition, TenantId
from data.rollups import Recent, Series, Stored
from data.scope import Scope
from engine import answers
from engine.acts import VERBS
from engine.board import CommittedBoard
from engine.bus import Bus, Watcher
from engine.client import Command, CommandResult, Health, Page, Proof, Query, Refused, Resync, View
from engine.inbox import Inbox, Told
from engine.ports import Clock, Envelope, EnvelopeKind, Receipt
from engine.rejects import Morgue
from engine.reports.registry import REPORTS, ReportCache
from engine.reports.registry import load as load_reports
from engine.senders import SENT
from engine.stages.apply import Asked
from engine.step_up import StepUp

Answer = Callable[[Any, Scope, Query], Awaitable[Page]]
T = TypeVar("T")

#: Kinds of Query that are rows of the store.
STORED = frozenset(NOUNS) | frozenset(
    {"alerts", "incidents", "clusters", "silences", "timeline", "rejects", "events", "audits", "effects"}
)
#: Changes that a resumed watcher is given from the store before it is told to read anew.
CATCH_UP = 1000
_RECEIPTS = 4096


class Desk:
    """Implements `engine.service.Service`."""

    def __init__(  # noqa: PLR0913 - the parts of one engine, by name
        self,
        *,
        reader: Reader,
        inbox: Inbox,
        bus: Bus,
        board: CommittedBoard,
        clock: Clock,
        health: Callable[[Scope], Health],
        sources: Callable[[TenantId], list[dict[str, Any]]],
        seq: Callable[[], int],
        partition: Partition,
        morgue: Morgue,
    ) -> None:
        self.clock = clock
        self._board = board
        self._reader = reader
        self._inbox = inbox
        self._bus = bus
        self._health = health
        self._sources = sources
        self._seq = seq
        self._partition = partition
        self.morgue = morgue
        #: Where days of metrics begin.
        self.metrics_zone = "UTC"
        #: The `engine.playbooks.library.Library` that the line works with, or None.
        self.playbooks: Callable[[], Any] = lambda: None
        #: The `engine.oncall.rules.OnCall` that the line works with, or None.
        self.oncall: Callable[[], Any] = lambda: None
        #: The `engine.training.runner.TrainingRunner` of this engine, or None.
        self.training: Any = None
        self.on_taken: Callable[[Envelope, Receipt], None] | None = None
        self._reports = ReportCache()
        self.stepped = StepUp(reader.tokens, clock)
        self._receipts: OrderedDict[tuple[str, ...], CommandResult] = OrderedDict()

    @property
    def board(self) -> CommittedBoard:
        return self._board

    async def take(self, envelope: Envelope) -> Receipt:
        receipt = await self._inbox.put(envelope)
        if envelope.kind in SENT and self.on_taken is not None:
            self.on_taken(envelope, receipt)
        return receipt

    def offer(self, envelope: Envelope, told: Told) -> None:
        """As `take` without a task: `told` is called as soon as it is durable or refused. Raises Overloaded."""

        def taken(receipt: Receipt | None, error: Exception | None) -> None:
            if receipt is not None and self.on_taken is not None and envelope.kind in SENT:
                self.on_taken(envelope, receipt)
            told(receipt, error)

        self._inbox.offer(envelope, taken)

    async def take_all(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        receipts = await self._inbox.put_all(envelopes)
        for envelope, receipt in zip(envelopes, receipts, strict=True):
            if envelope.kind in SENT and self.on_taken is not None:
                self.on_taken(envelope, receipt)
        return receipts

    def accepting(self) -> float | None:
        return self._inbox.accepting()

    async def step_up(self, scope: Scope, pin: str) -> Proof:
        return await self.stepped.confirm(scope, pin)

    async def health(self, scope: Scope) -> Health:
        return self._health(scope)

    # -- reads

    async def query(self, scope: Scope, query: Query) -> Page:
        """Raises Refused that names what to change."""
        if not (query.kind in REPORTS or query.kind in STORED or query.kind in _ANSWERS):
            load_reports()  # without a listener nobody has asked for the table of routes
        _admit(scope, query.kind)
        if query.kind in REPORTS:
            asked, now = REPORTS[query.kind], self.clock.monotonic()
            return self.page(list(await self._reports.ask(self, scope, asked, query.params, now)))
        if query.kind in STORED:
            rows = await self._select(scope, self._as_select(query))
            return Page(items=rows.items, seq=rows.seq, next=rows.next, total=rows.total)
        answer: Answer | None = _ANSWERS.get(query.kind)
        if answer is None:
            known = ", ".join(sorted(STORED | _ANSWERS.keys() | REPORTS.keys()))
            raise Refused(f"unknown kind {query.kind!r}", field="kind", remedy=f"one of {known}")
        return await answer(self, scope, query)

    def _as_select(self, query: Query) -> Select:
        try:
            where = parse(query.q)
        except QueryError as error:
            raise Refused(str(error), field="q", remedy=getattr(error, "remedy", "")) from error
        return Select(
            kind=query.kind,
            where=where,
            sort=query.sort or None,
            after=query.after or None,
            limit=max(1, min(query.limit, 1000)),
            ids=(query.id.partition(":")[2] or query.id,) if query.id else None,
            incident=query.incident,
            cluster=query.cluster,
            active=query.active,
            since=query.since,
            until=query.until,
            total=query.total,
        )

    async def _select(self, scope: Scope, select: Select) -> Rows:
        try:
            return await self._reader.select(scope, select, self.clock.now())
        except StoreError as error:
            remedy = "try again, or ask for less"
            raise Refused(f"the store cannot answer: {error}", remedy=remedy, status=503) from error
        except QueryError as error:
            raise Refused(str(error), field="q", remedy=getattr(error, "remedy", "")) from error
        except (ValueError, OverflowError) as error:
            raise Refused(str(error), field="sort", remedy="see the documentation of this list") from error

    async def rows(self, scope: Scope, **select: Any) -> list[Any]:
        """Items of one page, for answers that are made of several."""
        return (await self.page_of(scope, **select)).items

    async def page_of(self, scope: Scope, **select: Any) -> Rows:
        """One page with the cursor of the next."""
        return await self._select(scope, Select(**select))

    async def totals(self, scope: Scope, queries: Sequence[Query]) -> Sequence[int]:
        """How many rows each of these lists has; all at once costs far less than one by one."""
        for query in queries:
            _admit(scope, query.kind)
        selects = [self._as_select(query) for query in queries]
        try:
            return await self._reader.totals(scope, selects, self.clock.now())
        except StoreError as error:
            remedy = "try again, or ask for less"
            raise Refused(f"the store cannot answer: {error}", remedy=remedy, status=503) from error

    async def series(self, scope: Scope, **wanted: Any) -> Sequence[Series]:
        """Series of metrics, as `data.ports.Reader.series`."""
        return await _read(self._reader.series(scope, **wanted))

    async def buckets(
        self, scope: Scope, id: str, wanted: Mapping[int, Sequence[int]]
    ) -> Mapping[int, Mapping[int, Stored]]:
        """Buckets of a series, as `data.ports.Reader.buckets`."""
        return await _read(self._reader.buckets(scope, id, wanted))

    async def latest(self, scope: Scope, ids: Sequence[str], starts: Sequence[int]) -> Mapping[str, Recent]:
        """Newest values and averages of series, as `data.ports.Reader.latest`."""
        return await _read(self._reader.latest(scope, ids, starts))

    async def sources(self, scope: Scope, query: Query) -> Page:
        return self.page(self._sources(scope.tenant) if scope.sites is None else [])

    def page(self, items: list[Any]) -> Page:
        return Page(items=items, seq=self._seq())

    # -- acts

    async def command(self, scope: Scope, command: Command) -> CommandResult:
        """Raises Refused when nothing could be done as asked, Overloaded when nothing was taken."""
        verb = VERBS.get(command.verb)
        if verb is not None and verb.step_up:
            require(scope, verb.capability)
            await self.stepped.check(scope, command.proof)
        # Neither the line nor the audit is to see the proof.
        command = replace(command, request=command.request or str(uuid4()), proof="")
        if command.verb in Morgue.VERBS:
            require(scope, "noc:manage")
            return await self.morgue.act(self, scope, command)
        known = self._receipts.get(_receipt_key(scope, command))
        if known is not None:
            return known
        command = replace(command, targets=await self._followed(scope, command.targets))
        receipt = await self._inbox.put(
            Envelope(
                kind=EnvelopeKind.COMMAND,
                tenant=scope.tenant,
                source=f"command/{scope.principal}",
                payload=Asked(command=command, scope=scope),
                id="/".join(_receipt_key(scope, command)[2:]),
                critical=True,
            )
        )
        return self._result(scope, command, receipt)

    def _result(self, scope: Scope, command: Command, receipt: Receipt) -> CommandResult:
        if isinstance(receipt.result, Refused):
            raise receipt.result
        result: CommandResult = receipt.result or CommandResult(
            partition=receipt.partition, seq=receipt.seq, words=f"{command.verb}: was done before"
        )
        self._receipts[_receipt_key(scope, command)] = result
        if len(self._receipts) > _RECEIPTS:
            self._receipts.popitem(last=False)
        return result

    async def _followed(self, scope: Scope, targets: tuple[str, ...]) -> tuple[str, ...]:
        """Merged incidents lead to where they went, also long after they left memory."""
        followed = []
        for target in targets:
            kind, _, number = target.partition(":")
            if kind == "incident" and self._board.incident(number) is None and number.isascii() and number.isdigit():
                target = await self._merged(scope, number)
            followed.append(target)
        return tuple(followed)

    async def _merged(self, scope: Scope, number: str) -> str:
        for _ in range(8):
            found = await self.rows(scope, kind="incidents", ids=(number,), limit=1)
            if not found or found[0].merged_into is None:
                break
            number = str(found[0].merged_into)
        return f"incident:{number}"

    # -- watching

    async def subscribe(self, scope: Scope, view: View, since: int | None) -> Watcher:
        """From `since` (exclusive) without a gap; a Resync first when that is too long ago."""
        require(scope, "noc:view")
        watcher = self._bus.join(scope, view)
        if since is None or since == self._seq():
            return watcher
        if since > self._seq():
            watcher.begin_with(Resync(seq=self._seq(), reason="the cursor is ahead: the log was put back"))
            return watcher
        try:
            missed = await self._reader.changes(scope, self._partition, since, CATCH_UP)
        except StoreError:
            missed = None
        except BaseException:
            watcher.close()
            raise
        if missed is None or len(missed) >= CATCH_UP:
            watcher.begin_with(Resync(seq=self._seq(), reason="the cursor is too old: read anew"))
        elif missed:
            watcher.begin_with(answers.published(missed))
        return watcher


async def _read(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except StoreError as error:
        remedy = "try again, or ask for less"
        raise Refused(f"the store cannot answer: {error}", remedy=remedy, status=503) from error


def _receipt_key(scope: Scope, command: Command) -> tuple[str, ...]:
    content = blake2b(json.encode((command.targets, command.params), enc_hook=str), digest_size=8).hexdigest()
    return scope.tenant, scope.principal, command.verb, command.request, content


def _admit(scope: Scope, kind: str) -> None:
    """Raises Refused."""
    also = REPORTS[kind].also if kind in REPORTS else ""
    if not (also and scope.may(also)):
        require(scope, _capability(kind))


def _capability(kind: str) -> str:
    if kind in REPORTS:
        return REPORTS[kind].capability
    if kind in NOUNS:
        return NOUNS[kind].capability
    return "admin" if kind == "audits" else "noc:view"


def require(scope: Scope, capability: str) -> None:
    if not scope.may(capability):
        raise Refused(f"this takes {capability}", remedy="ask for a token or role that has it", status=403)



_ANSWERS: dict[str, Answer] = {
    "sources": Desk.sources,
    "why": answers.why,
    "related": answers.related,
    "preview": answers.preview,
    "kpis": answers.kpis,
}
