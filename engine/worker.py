"""The worker: takes envelopes from the inbox, puts them through the line, commits, tells.

One writer, one transaction per batch. A failing envelope costs itself: its draft is dropped, its rows are tried one
by one, and what still fails becomes a dead letter. A failing commit is crash-only: the Book is dropped and loaded
again, and the batch is taken again. Receipts are given, and changes published, only after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from json import dumps
from typing import Any

import structlog
from msgspec import to_builtins
from msgspec.structs import replace

from data.ports import Commit, Fenced, Store, StoreCorrupt, StoreError, StoreFull, StoreReadOnly
from data.records import Partition, Reject
from engine import pipeline
from engine.batch import seal
from engine.board import CommittedBoard
from engine.book import Batch, Book, Draft
from engine.bus import Bus, guard
from engine.client import CommandResult, Refused
from engine.domain import ahead
from engine.domain.room import FIELD as NO_ROOM
from engine.inbox import Inbox, Waiting
from engine.ports import Clock, Envelope, EnvelopeKind, Overloaded, Receipt
from engine.restore import restore, rewind
from engine.rules import Rules
from engine.service import Published
from engine.stages.apply import announce_rejects
from engine.stages.times import began_at
from engine.telemetry import RATE_SECONDS, Telemetry
from engine.watchdog import Hung, Watchdog

log = structlog.get_logger("engine.worker")

#: Seconds of line work after which the worker lets others have the loop.
SLICE_SECONDS = 0.008
#: Rows of one delivery that are worked on without letting others have the loop.
PIECE_ROWS = 200
#: Rows that one transaction takes at most; more wait for the next.
BATCH_ROWS = 1000
#: Times that a commit which may succeed later is tried before senders are refused.
COMMIT_TRIES = 3
LEASE_SECONDS = 3.0
#: Seconds for which senders wait while the store cannot even read, and between two tries.
RECALL_SECONDS = 5.0
RECALL_EVERY_SECONDS = 1.0
#: When several senders were served together, the next batch waits so long for all of them to come again.
GATHER_SECONDS = 0.002


#: Kinds of envelope that may carry many rows.
_LARGE = frozenset({EnvelopeKind.SIGNALS, EnvelopeKind.EVENTS})


class Worker:
    """Runs one partition. `state`: starting, live, store_down, full, read_only, stopped.

    `on_effects` is called after a commit that has something to do outside.
    """

    def __init__(  # noqa: PLR0913 - the parts of one engine, by name
        self,
        *,
        store: Store,
        inbox: Inbox,
        bus: Bus,
        board: CommittedBoard,
        clock: Clock,
        rules: Rules,
        telemetry: Telemetry,
        owner: str,
        batch_max: int = 256,
        partition: Partition = Partition(0),  # noqa: B008 - a number
    ) -> None:
        self._store = store
        self._inbox = inbox
        self._bus = bus
        self._board = board
        self._clock = clock
        self._telemetry = telemetry
        self._owner = owner
        self._batch_max = batch_max
        self._partition = partition
        self._watchdog = Watchdog(clock)
        self._working = False
        #: The Book holds what was not committed, and must be loaded again before anything is taken.
        self._stale = False
        self.rules = rules
        self.book = Book()
        self.epoch = 0
        self.state = "starting"
        self.trouble = ""
        self.on_effects: Callable[[], None] = lambda: None

    # -- life

    async def open(self) -> None:
        """Take the lease and load the Book. Raises Fenced while another engine owns the partition."""
        epoch = await self._store.acquire(self._partition, self._owner, self._clock.now(), LEASE_SECONDS)
        if epoch is None:
            raise Fenced("another engine runs on this data directory")
        self.epoch = epoch
        await self._reload()
        # What began in the last minutes still counts as load and as a flood.
        known = [began_at(alert) for alert in self.book.alerts.values() if alert.incident and not alert.suppressed]
        self._telemetry.alarmed(self._clock.now(), known)
        self.state = "live"

    async def run(self) -> None:
        """Work until cancelled; returns when the inbox is closed and empty."""
        self._watchdog.start()
        together = 0
        try:
            # When the run before was interrupted, what it did to the Book was not committed.
            self._stale = self._stale or self._working
            while True:
                if self._stale:
                    await self._recall_at_last()
                await self._inbox.arrived()
                if together > self._inbox.waiting:
                    await self._clock.sleep(GATHER_SECONDS)
                taken = self._inbox.take(self._batch_max, BATCH_ROWS)
                together = len(taken)
                self._working = True
                try:
                    await self._work_again_if_hung(taken)
                except StoreError as error:
                    self._refuse(taken, error)
                    if not self._stale:
                        raise
                except BaseException:  # nobody may wait for ever
                    self._refuse(taken, StoreError("the worker was interrupted"))
                    raise
                self._working = False
        finally:
            self._watchdog.stop()

    async def _work_again_if_hung(self, taken: Sequence[Waiting]) -> None:
        try:
            await self._work(taken)
        except Hung:  # the cut came a moment after its envelope was done
            await self._recall()
            await self._work([waiting for waiting in taken if not waiting.done.done()])

    async def drained(self) -> None:
        """Return when nothing is waiting or being worked on."""
        while self._working or not self._inbox.empty():
            await self._clock.sleep(0.005)

    def idle(self) -> bool:
        return not self._working and self._inbox.empty()

    async def close(self) -> None:
        self.state = "stopped"
        if self.epoch:
            await self._store.release(self._partition, self.epoch)

    async def _reload(self) -> None:
        snapshot = await self._store.load(self._partition, self._clock.now(), self.rules.recent_seconds)
        self.book = restore(snapshot, self.rules)
        self.book.partition = self._partition
        self._board.load(self.book)

    # -- one batch

    async def _work(self, taken: Sequence[Waiting]) -> None:
        """Put a batch through and answer everyone in it, whatever happens."""
        for attempt in range(1, COMMIT_TRIES + 1):
            batch, answers = await self._through(taken)
            if len(answers) < len(taken):
                self._inbox.put_back(taken[len(answers) :])
                taken = taken[: len(answers)]
            try:
                await self._commit(batch, urgent=False)
            except StoreFull:
                await self._shed(taken, batch)
                return
            except Exception as error:  # noqa: BLE001 - supervision boundary: what cannot be written costs only itself
                if not isinstance(error, StoreError) or _is_of_batch(error):
                    await self._apart(taken, error)
                    return
                await self._lost(error, batch)
                if not error.retryable or attempt == COMMIT_TRIES or batch.empty():
                    self._refuse(taken, error)
                    return
                continue
            self._recovered()
            self._answer(taken, answers)
            return

    async def _apart(self, taken: Sequence[Waiting], error: Exception) -> None:
        """Something in the batch cannot be written down: every row gets a commit of its own, and the dead letters get
        what is bad."""
        log.error("commit_impossible", error=f"{type(error).__name__}: {error}", envelopes=len(taken))
        await self._recall()
        for waiting in taken:
            try:
                answer = await self._row_by_row(waiting.envelope)
            except StoreError as trouble:
                await self._lost(trouble, Batch(self.book))
                await self._recall()
                self._refuse([waiting], trouble)
            else:
                self._answer([waiting], [answer])

    async def _row_by_row(self, envelope: Envelope) -> Any:
        rows = _rows(envelope)
        answer = None
        for row in rows:
            part = envelope if len(rows) == 1 else replace(envelope, payload=[row], id="")
            batch = Batch(self.book)
            answer = self._one(batch, part)
            try:
                await self._commit(batch, urgent=False)
            except Exception as error:
                if isinstance(error, StoreError) and not _is_of_batch(error):
                    raise
                await self._recall()
                batch = Batch(self.book)
                answer = self._bury(batch, part, error)
                await self._commit(batch, urgent=False)
        batch = Batch(self.book)
        self._note_taken(batch, envelope)
        await self._commit(batch, urgent=False)
        return answer

    async def _through(self, taken: Sequence[Waiting], *, whole: bool = False) -> tuple[Batch, list[Any]]:
        """The batch, and the answers to those who are in it: not all of them when an operator has come meanwhile, who
        waits for what is being worked on and not for what lies behind it."""
        batch = Batch(self.book)
        answers = []
        began = self._clock.monotonic()
        covered = 0 if any(waiting.envelope.kind is EnvelopeKind.EVENTS for waiting in taken) else len(taken)
        for number, waiting in enumerate(taken):
            if number == covered:
                covered += self._look_ahead(batch, taken[number:])
            answer = None
            for piece in self._pieces(waiting.envelope):
                answer = self._one(batch, piece)
                if self._clock.monotonic() - began > SLICE_SECONDS:
                    await self._clock.sleep(0)
                    began = self._clock.monotonic()
            answers.append(answer)
            if not whole and not waiting.more and self._inbox.command_waits and _is_of_storm(waiting):
                break
        ahead.finish(self.book)
        return batch, answers

    def _look_ahead(self, batch: Batch, taken: Sequence[Waiting]) -> int:
        """Have samples of the next envelopes judged together → how many envelopes were looked at."""
        ahead.finish(self.book)
        first = taken[0].envelope
        assert first.at is not None
        draft = Draft(self.book, self.rules, first.tenant, first.at)
        try:
            covered = ahead.look(draft, (waiting.envelope for waiting in taken))
        except Exception as error:  # noqa: BLE001 - supervision boundary: what is bad costs itself, in its turn
            draft.drop()
            log.warning("look_ahead_failed", error=f"{type(error).__name__}: {error}")
            return len(taken)
        batch.absorb(draft)
        return covered

    def _pieces(self, envelope: Envelope) -> Sequence[Envelope]:
        """A large delivery cut up, so that others get the loop between its rows; all of it is in one transaction.

        Its id goes with the first piece; one that was taken before stays whole, and is dropped by that id.
        """
        if envelope.kind not in _LARGE or len(envelope.payload) <= PIECE_ROWS:
            return (envelope,)
        if (envelope.tenant, envelope.source, envelope.id) in self.book.seen:
            return (envelope,)
        starts = range(0, len(envelope.payload), PIECE_ROWS)
        rows = [envelope.payload[start : start + PIECE_ROWS] for start in starts]
        return [replace(envelope, payload=part, id="" if number else envelope.id) for number, part in enumerate(rows)]

    def _one(self, batch: Batch, envelope: Envelope) -> Any:
        """One envelope; on failure row by row, so that only what is bad is lost to the dead letters."""
        draft, error = self._attempt(envelope)
        if error is None:
            batch.absorb(draft)
            return draft.result
        rows = _rows(envelope)
        if len(rows) == 1:
            if not isinstance(error, Hung):
                draft, error = self._attempt(envelope)
            if error is not None:
                answer = self._bury(batch, envelope, error)
                self._note_taken(batch, envelope)
                return answer
            batch.absorb(draft)
            return draft.result
        for row in rows:
            self._one(batch, replace(envelope, payload=[row], id=""))
        self._note_taken(batch, envelope)
        return None

    def _note_taken(self, batch: Batch, envelope: Envelope) -> None:
        """Enter the id of a delivery whose rows went in one by one: sent again, it must not count again."""
        if envelope.id and envelope.kind is not EnvelopeKind.COMMAND:
            draft, _ = self._attempt(replace(envelope, kind=EnvelopeKind.SIGNALS, payload=[]))
            batch.absorb(draft)

    def _attempt(self, envelope: Envelope) -> tuple[Draft, BaseException | None]:
        assert envelope.at is not None
        if envelope.kind is EnvelopeKind.RULES:
            self.rules = envelope.payload
        draft = Draft(self.book, self.rules, envelope.tenant, envelope.at)
        try:
            with self._watchdog:
                pipeline.run(draft, envelope)
        except (Exception, Hung) as error:  # noqa: BLE001 - supervision boundary: a poisonous envelope costs only itself
            draft.drop()
            if envelope.kind is EnvelopeKind.TICK:
                rewind(self.book, self.rules)
            return draft, error
        return draft, None

    def _bury(self, batch: Batch, envelope: Envelope, error: BaseException) -> Any:
        """The envelope becomes a dead letter that can be seen, fixed and replayed."""
        self._telemetry.count("noc_poison_total")
        reason = "took too long" if isinstance(error, Hung) else f"{type(error).__name__}: {error}"
        log.error("envelope_failed", kind=envelope.kind, source=envelope.source, reason=reason, exc_info=error)
        if envelope.kind is EnvelopeKind.TICK:
            return None
        if envelope.kind is EnvelopeKind.COMMAND:
            return Refused("the act failed inside the engine and nothing was changed", status=500)
        assert envelope.at is not None
        draft = Draft(self.book, self.rules, envelope.tenant, envelope.at)
        draft.rejects.append(
            Reject(
                tenant=envelope.tenant,
                source=_writable(envelope.source),
                format=f"noc.{envelope.kind}",
                at=envelope.at,
                field="",
                reason=_writable(f"failed on the line: {reason}"[:500]),
                remedy="replay it after the cause is mended",
                body=_text(envelope.payload),
                attempts=3,
            )
        )
        announce_rejects(draft)
        batch.absorb(draft)
        return None

    async def _commit(self, batch: Batch, *, urgent: bool) -> None:
        """Write the batch. While the store is in trouble even one that holds nothing is written: it asks whether the
        trouble is over."""
        if batch.empty() and (urgent or not self.trouble):
            return
        began = self._clock.monotonic()
        commit, encoded = seal(batch, self.epoch, self._clock.now(), urgent)
        await self._store.commit(commit)
        self.book.seq += len(encoded)
        self._telemetry.commit_seconds.observe(self._clock.monotonic() - began)
        try:
            self._tell(commit, encoded)
        except Exception as error:
            log.error("telling_failed", error=f"{type(error).__name__}: {error}", exc_info=error)
            self._board.load(self.book)

    def _tell(self, commit: Commit, encoded: list[bytes]) -> None:
        """Let everybody know what was committed."""
        self._board.apply(commit, self.book)
        if encoded:
            self._bus.publish(_published(commit, encoded))
        if commit.effects:
            self.on_effects()
        self._count(commit)

    def _count(self, commit: Commit) -> None:
        telemetry = self._telemetry
        telemetry.count("noc_commits_total")
        created, opened, suppressed = set(), 0, 0
        for change in commit.changes:
            if change.kind == "alert_created":
                created.add(change.subject)
                suppressed += change.reason == "suppressed_similar"
            elif change.kind == "incident_opened":
                opened += 1
        telemetry.count("noc_alerts_total", len(created))
        telemetry.count("noc_incidents_total", opened)
        telemetry.count("noc_suppressed_total", suppressed)
        telemetry.count("noc_repeats_total", len(commit.touches))
        telemetry.count("noc_rejects_total", len(commit.rejects))
        telemetry.count("noc_records_refused_total", sum(reject.field == NO_ROOM for reject in commit.rejects))
        if created:
            all_new = len(created) == len(commit.alerts)
            fresh = [new for new in commit.alerts if not new.suppressed and (all_new or f"alert:{new.id}" in created)]
            telemetry.alarmed(commit.at, list(map(began_at, fresh)))

    def _answer(self, taken: Sequence[Waiting], answers: Sequence[Any]) -> None:
        seq = self.book.seq
        signals = fresh = 0
        now = self._clock.now()
        lately = now - timedelta(seconds=RATE_SECONDS)
        for waiting, answer in zip(taken, answers, strict=True):
            if waiting.envelope.kind in _LARGE:
                signals += waiting.rows
                # What a source tells of a past is no traffic of now.
                fresh += waiting.rows if waiting.envelope.at is None or waiting.envelope.at > lately else 0
            if isinstance(answer, CommandResult):
                answer = replace(answer, seq=seq, partition=self._partition)
            if not waiting.done.done():
                waiting.done.set_result(Receipt(partition=self._partition, seq=seq, result=answer))
        self._telemetry.count("noc_signals_total", signals)
        self._telemetry.arrived(now, fresh)

    # -- when the store cannot

    async def _lost(self, error: StoreError, batch: Batch) -> None:
        """Nothing of the batch is in the store: go back to what is, and say what the trouble is."""
        self._telemetry.count("noc_commit_failures_total")
        if not self.trouble:
            log.error("commit_failed", error=str(error))
        self.trouble = str(error)
        self.state = "read_only" if isinstance(error, StoreReadOnly | StoreCorrupt | Fenced) else "store_down"
        self._inbox.store_down = 60.0 if self.state == "read_only" else 2.0
        if isinstance(error, Fenced):
            raise error
        if not batch.empty():
            await self._recall()

    async def _recall(self) -> None:
        """Load the Book again. Raises the store's error when it cannot even read for some time: nobody waits for that,
        and nothing is taken before it was done."""
        self._stale = True
        until = self._clock.monotonic() + RECALL_SECONDS
        while (error := await self._recalled()) is not None:
            if self._clock.monotonic() >= until:
                raise error
            await self._clock.sleep(RECALL_EVERY_SECONDS)

    async def _recall_at_last(self) -> None:
        """Load the Book again, for as long as it takes, and refuse meanwhile whoever comes."""
        while (error := await self._recalled()) is not None:
            while waiting := self._inbox.take(self._batch_max, BATCH_ROWS):
                self._refuse(waiting, error)
            await self._clock.sleep(RECALL_EVERY_SECONDS)

    async def _recalled(self) -> StoreError | None:
        """One try to load the Book again; what the store said when it could not."""
        try:
            await self._reload()
        except StoreError as error:
            self.trouble = str(error)
            self.state = "store_down" if self.state == "live" else self.state
            self._inbox.store_down = self._inbox.store_down or 2.0
            return error
        self._stale = False
        return None

    async def _shed(self, taken: Sequence[Waiting], batch: Batch) -> None:
        """Disk full: acts and ends of alerts still go through on the reserve, everything else is refused."""
        self._telemetry.count("noc_commit_failures_total")
        self.state, self.trouble = "full", "disk full: free some space"
        self._inbox.store_down = 5.0
        if not batch.empty():
            await self._recall()
        urgent, rest = _by_urgency(taken)
        self._refuse(rest, StoreFull(self.trouble))
        if not urgent:
            return
        batch, answers = await self._through(urgent, whole=True)
        try:
            await self._commit(batch, urgent=True)
        except StoreError as error:
            await self._recall()
            self._refuse(urgent, error)
            return
        self._answer(urgent, answers)

    def _refuse(self, taken: Sequence[Waiting], error: StoreError) -> None:
        self._telemetry.count("noc_refused_total", len(taken))
        for waiting in taken:
            if not waiting.done.done():
                waiting.done.set_exception(Overloaded(self._inbox.store_down or 2.0, str(error)))

    def _recovered(self) -> None:
        if self.trouble:
            log.info("commits_again")
        self.trouble, self.state, self._inbox.store_down = "", "live", None


def _rows(envelope: Envelope) -> Sequence[Any]:
    if envelope.kind in (EnvelopeKind.SIGNALS, EnvelopeKind.REJECTS, EnvelopeKind.EVENTS):
        return list(envelope.payload)
    return [envelope.payload]


def _urgent(envelope: Envelope) -> bool:
    """What must go through even on a full disk: acts, the passing of time, and ends of alerts."""
    if envelope.kind is EnvelopeKind.SIGNALS:
        return all(row.status != "firing" for row in envelope.payload)
    return envelope.kind in (EnvelopeKind.COMMAND, EnvelopeKind.TICK)


def _is_of_storm(waiting: Waiting) -> bool:
    return waiting.envelope.kind is not EnvelopeKind.COMMAND


def _by_urgency(taken: Sequence[Waiting]) -> tuple[list[Waiting], list[Waiting]]:
    """(what must go through, the rest); a delivery stays whole, and dead letters go where its alerts go."""
    urgent: list[Waiting] = []
    rest: list[Waiting] = []
    delivery: list[Waiting] = []
    for waiting in taken:
        delivery.append(waiting)
        if not waiting.more:
            told = [part.envelope for part in delivery if part.envelope.kind is not EnvelopeKind.REJECTS]
            (urgent if told and all(map(_urgent, told)) else rest).extend(delivery)
            delivery = []
    return urgent, rest


def _published(commit: Commit, encoded: Sequence[bytes]) -> Published:
    changes = commit.changes
    return Published(
        changes[0].seq,
        changes[-1].seq,
        changes,
        encoded,
        frozenset(change.tenant for change in changes),
        any(guard(change) for change in changes),
    )


def _is_of_batch(error: StoreError) -> bool:
    """The store is well and says that it will never take this."""
    return type(error) is StoreError and not error.retryable


def _text(payload: Any) -> str:
    """The payload as JSON for a dead letter; what cannot even be written down is named by its type."""
    try:
        # ASCII, so that halves of characters are kept as escapes.
        return dumps(to_builtins(payload))
    except (TypeError, ValueError, RecursionError):
        return f"<{type(payload).__name__}>"


def _writable(text: str) -> str:
    """`text` with what no encoding takes written out as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
