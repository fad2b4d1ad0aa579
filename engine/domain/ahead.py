"""Samples of envelopes that wait for their turn are judged together: a tick of many series costs little more than one.

Owns the verdicts that were made ahead, and when they hold. Every envelope still goes through the line alone, and what
comes of it is the same: a verdict is given out for the very sample that it is on, in the order of its series. Where the
line goes another way (a duplicate, a poisonous row, a threshold that has moved, an operator who came first), all is put
back, and the detector learns what was taken and nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from engine.book import Book, Draft
from engine.domain import baselines, detection, samples
from engine.domain.detection import Judged, Sample
from engine.domain.events import DomainEvent
from engine.ports import Envelope, EnvelopeKind

#: Events of envelopes that are looked at together.
MOST = 1024
#: What may stand between envelopes that are judged together: it reads nothing of the detector.
_ALONG = frozenset({EnvelopeKind.EVENTS, EnvelopeKind.SIGNALS, EnvelopeKind.REJECTS})

_Told = tuple[Sample, Judged]


class Ahead:
    """Verdicts on samples that have not had their turn. The detector has learned them; `put_back` takes that back."""

    def __init__(self, detector: Any, told: Iterable[_Told], put_back: Callable[[], None]) -> None:
        self._detector = detector
        self._waiting: dict[int, deque[_Told]] = {}
        for pair in told:
            self._waiting.setdefault(pair[0].number, deque()).append(pair)
        self._put_back = put_back
        #: In the order of their turns; the first `_kept` of them are of drafts that were kept.
        self._taken: list[Sample] = []
        self._kept = 0
        self._open = True

    def step(self, draft: Draft, rows: Sequence[Sample]) -> list[Judged]:
        """The verdicts on these samples. If the draft is dropped they wait again."""
        mine = [row for row in rows if row.number in self._waiting] if self._open else []
        told = self._take(mine)
        if told is None:
            self._close()
            self._learn_own(draft)
        if not told:
            return detection.judge(draft, rows)
        detection.note(draft, partial(self._give_back, told))
        draft.learn(self._keep)
        if len(told) == len(rows):
            return [verdict for _, verdict in told]
        others = iter(detection.judge(draft, [row for row in rows if row.number not in self._waiting]))
        known = iter(told)
        return [next(known)[1] if row.number in self._waiting else next(others) for row in rows]

    def finish(self) -> None:
        """No more turns: what is still waiting was not learned."""
        if self._open and any(self._waiting.values()):
            self._close()

    def _take(self, rows: Sequence[Sample]) -> list[_Told] | None:
        """The verdicts; None where another sample is next in its series."""
        told: list[_Told] = []
        for row in rows:
            queue = self._waiting[row.number]
            if not queue or queue[0][0] != row:
                for pair in reversed(told):
                    self._waiting[pair[0].number].appendleft(pair)
                return None
            told.append(queue.popleft())
        self._taken.extend(rows)
        return told

    def _give_back(self, told: Sequence[_Told]) -> None:
        if self._open:
            for pair in reversed(told):
                self._waiting[pair[0].number].appendleft(pair)
            del self._taken[len(self._taken) - len(told) :]

    def _keep(self) -> None:
        self._kept = len(self._taken)

    def _close(self) -> None:
        """Learn what kept drafts took and no more."""
        self._open = False
        self._put_back()
        detection.judged(self._detector, self._taken[: self._kept])

    def _learn_own(self, draft: Draft) -> None:
        """What the draft itself took before, so that it is taken back with it."""
        own = self._taken[self._kept :]
        detection.note(draft, detection.remembered(self._detector, own))
        detection.judged(self._detector, own)


def look(draft: Draft, envelopes: Iterable[Envelope]) -> int:
    """Judge what the next envelopes will have judged → how many of them that covers, at least the first."""
    rows: list[Sample] = []
    covered = events = senders = 0
    taken: set[tuple[str, str, str]] = set()
    for envelope in envelopes:
        size = len(envelope.payload) if envelope.kind is EnvelopeKind.EVENTS else 0
        if covered and (envelope.kind not in _ALONG or events + size > MOST):
            break
        covered += 1
        if envelope.kind not in _ALONG or size > MOST:
            break
        events += size
        chosen = [event for event in envelope.payload if event.type == "noc.sample"] if size else ()
        if chosen and not _is_repeat(draft, envelope, taken):
            senders += 1
            rows.extend(_rows(draft, envelope, chosen))
    if senders > 1 and len(rows) > 1:
        _judge(draft, rows)
    return covered


def finish(book: Book) -> None:
    """The envelopes that `look` covered have had their turns, or will not have them now."""
    ahead: Ahead | None = book.derived.get(detection.TABLE, {}).pop(detection.AHEAD, None)
    if ahead is not None:
        ahead.finish()


def _is_repeat(draft: Draft, envelope: Envelope, taken: set[tuple[str, str, str]]) -> bool:
    """Whether the line will pass over it, as far as can be told; when that is wrong the verdicts are made again."""
    if not envelope.id:
        return False
    key = (envelope.tenant, envelope.source, envelope.id)
    assert envelope.at is not None
    forgotten = envelope.at - timedelta(seconds=draft.rules.seen_seconds)
    if key in taken or draft.book.seen.get(key, forgotten) > forgotten:
        return True
    taken.add(key)
    return False


def _rows(draft: Draft, envelope: Envelope, events: Sequence[DomainEvent]) -> Iterable[Sample]:
    """Its samples of series that have a number and whose threshold the detector has."""
    assert envelope.at is not None
    draft.tenant = envelope.tenant
    numbers = detection.numbers_of(draft)
    for data, at, value in samples.measured(events, envelope.at):
        id = samples.series_id(data)
        number = numbers.get((envelope.tenant, id))
        if number is not None:
            sample = Sample(number, at, value, baselines.threshold_of(draft, id))
            if detection.is_tuned(draft, sample):
                yield sample


def _judge(draft: Draft, rows: Sequence[Sample]) -> None:
    detector = detection.detector_of(draft)
    put_back = detection.remembered(detector, rows)
    detection.note(draft, put_back)
    verdicts = detection.judged(detector, rows)
    ahead = Ahead(detector, zip(rows, verdicts, strict=True), put_back)
    draft.set(detection.parts_of(draft), detection.AHEAD, ahead)
