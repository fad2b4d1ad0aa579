"""The detector on the line: series by number, one tick per delivery, and taking a tick back when its draft is dropped.

Owns where the detector lives (the Book's derived state) and its journal. Numerical libraries are loaded with the first
sample. Never decides what an alarm means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, NamedTuple

from data.nouns.samples import AnomalyKind, DetectorState
from data.records import TenantId
from engine.book import Draft
from engine.detectors.thresholds import DEFAULT_Z, bounded

TABLE = "domain.detector"
#: In the detector's table: the `engine.domain.ahead.Ahead` whose verdicts are given out, if there is one.
AHEAD = "ahead"
_NUMBERS = "domain.series_numbers"
_THRESHOLDS = "domain.series_thresholds"
#: Series that the detector holds, at 16 KiB each; the simple judge of what is usual takes the others.
MOST = 8192
#: What was not heard for so long is not kept.
FORGET_SECONDS = 14 * 86_400.0
#: By the detector's number of a kind.
KINDS: tuple[AnomalyKind | None, ...] = (
    None,
    "spike",
    "level_shift",
    "drift",
    "missing",
    "flat",
    "seasonal_break",
)


class Judged(NamedTuple):
    """A verdict on one sample. `lasts`: it is as unusual as what alarms, though it is no news. `resumed`: samples since
    a gap after which the detector says nothing yet, this one included; 0 once it speaks."""

    alarm: bool
    lasts: bool
    kind: AnomalyKind | None
    score: float
    ready: bool
    threshold: float = 0.0
    resumed: int = 0


class Sample(NamedTuple):
    """A value of the series `number` at seconds since 1970, and its threshold as a z-equivalent."""

    number: int
    at: float
    value: float
    z: float = DEFAULT_Z


#: Of a series that the detector does not hold.
UNKNOWN = Judged(False, False, None, 0.0, False)


class Journal(dict[int, Callable[[], None]]):
    """How to take ticks back. What a dropped draft takes out of it is put back."""

    def pop(self, key: int, default: Any = None) -> Any:
        put_back = super().pop(key, default)
        if put_back is not None:
            put_back()
        return put_back


def number_of(draft: Draft, place: tuple[Any, ...]) -> int | None:
    """The detector's number of a series; numbers are given out without holes and not again. None beyond `MOST`."""
    numbers = numbers_of(draft)
    found: int | None = numbers.get(place)
    if found is None and len(numbers) < MOST:
        found = len(numbers)
        draft.set(numbers, place, found)
    return found


def numbers_of(draft: Draft) -> dict[Any, int]:
    """(tenant, series id) → number, in the order of the numbers."""
    return draft.derived(_NUMBERS)


def step(draft: Draft, samples: Sequence[Sample]) -> list[Judged]:
    """Judge a tick and learn it. If the draft is dropped nothing was learned."""
    ahead = parts_of(draft).get(AHEAD)
    found: list[Judged] = judge(draft, samples) if ahead is None else ahead.step(draft, samples)
    return found


def judge(draft: Draft, samples: Sequence[Sample]) -> list[Judged]:
    """`step` of what was not judged ahead."""
    detector = detector_of(draft)
    note(draft, remembered(detector, samples))
    _tune(draft, detector, samples)
    return judged(detector, samples)


def remembered(detector: Any, samples: Sequence[Sample]) -> Callable[[], None]:
    """→ a function that takes back what the detector learns from these samples."""
    found: Callable[[], None] = detector.remember(
        [sample.number for sample in samples], [sample.at for sample in samples]
    )
    return found


def judged(detector: Any, samples: Sequence[Sample]) -> list[Judged]:
    """Judge and learn samples, each series in their order, in as few ticks as that takes."""
    if len(samples) == 1:
        return _tick(detector, samples)
    verdicts = [UNKNOWN] * len(samples)
    for places in _rounds(samples):
        for place, verdict in zip(places, _tick(detector, [samples[place] for place in places]), strict=True):
            verdicts[place] = verdict
    return verdicts


def _rounds(samples: Sequence[Sample]) -> list[list[int]]:
    """Places of samples by series, the k-th sample of each series in the k-th round."""
    rounds: list[list[int]] = []
    turns: dict[int, int] = {}
    for place in sorted(range(len(samples)), key=lambda place: samples[place].number):
        number = samples[place].number
        turn = turns[number] = turns.get(number, -1) + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(place)
    return rounds


def _tick(detector: Any, samples: Sequence[Sample]) -> list[Judged]:
    """A round of increasing numbers. What the detector knows of a series is asked before its next sample."""
    series = [sample.number for sample in samples]
    found = detector.step([sample.value for sample in samples], [sample.at for sample in samples], series)
    return list(
        map(
            _verdict,
            found.alarm.tolist(),
            detector.lasting(found).tolist(),
            found.kind.tolist(),
            found.score.tolist(),
            detector.ready(series).tolist(),
            found.threshold.tolist(),
            detector.resumed(series).tolist(),
        )
    )


def _verdict(  # noqa: PLR0917 - a row of the detector's columns
    alarm: bool, lasts: bool, kind: int, score: float, ready: bool, threshold: float, resumed: int
) -> Judged:
    return Judged(alarm, lasts, KINDS[kind], round(score, 2), ready, threshold, resumed)


def note(draft: Draft, put_back: Callable[[], None]) -> None:
    """Have `put_back` run if the draft is dropped, newest first."""
    journal: Journal = parts_of(draft)["journal"]
    draft.set(journal, len(journal), put_back)
    draft.learn(journal.clear)


def _tune(draft: Draft, detector: Any, samples: Sequence[Sample]) -> None:
    """Give the detector the thresholds that have moved. Its journal has been written."""
    known = draft.derived(_THRESHOLDS)
    for sample in samples:
        z = bounded(sample.z)
        if known.get(sample.number, DEFAULT_Z) != z:
            draft.set(known, sample.number, z)
            detector.set_z(sample.number, z)


def is_tuned(draft: Draft, sample: Sample) -> bool:
    """Whether the detector has the threshold of the sample's series."""
    return bool(draft.derived(_THRESHOLDS).get(sample.number, DEFAULT_Z) == bounded(sample.z))


def detector_of(draft: Draft) -> Any:
    return parts_of(draft)["detector"]


def parts_of(draft: Draft) -> dict[Any, Any]:
    """The detector and what belongs to it."""
    table = draft.derived(TABLE)
    if "detector" not in table:
        from engine.detectors import create

        detector = create()
        _take_back(draft, detector)
        draft.set(table, "detector", detector)
        draft.set(table, "journal", Journal())
    return table


# -- over a restart


def kept_series(draft: Draft, first: int, most: int) -> list[tuple[TenantId, str, int]]:
    """Series with numbers from `first`, at most so many, that were heard lately enough to be worth keeping: (tenant,
    id, number)."""
    detector, since = detector_of(draft), draft.now.timestamp() - FORGET_SECONDS
    some = islice(numbers_of(draft).items(), first, first + most)
    return [(*place, number) for place, number in some if detector.last_at(number) >= since]


def _take_back(draft: Draft, detector: Any) -> None:
    """What was kept of the series, the latest piece of each. A piece that cannot be read is learned again."""
    pieces: list[DetectorState] = [piece for piece in draft.all_nouns("detector_states") if piece.table == "series"]
    since = draft.now - timedelta(seconds=FORGET_SECONDS)
    taken: set[tuple[TenantId, str]] = set()
    for piece in sorted(pieces, key=lambda piece: (piece.at, piece.id), reverse=True):
        places = [(piece.tenant, name) for name in piece.names]
        if piece.at < since or taken.issuperset(places):
            continue
        numbers = [None if place in taken else number_of(draft, place) for place in places]
        try:
            detector.adopt([-1 if number is None else number for number in numbers], piece.state)
        except ValueError:
            continue
        taken.update(places)
