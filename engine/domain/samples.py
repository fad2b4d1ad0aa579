"""Samples: each delivery's values are judged as they come, and given on to whoever keeps them.

Owns the anomalies, their alerts, and the series that are known. The one place that others hook into: a function entered
by `@sample_sink` gets every delivery's samples once, after they were judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from math import ceil, isfinite
from typing import Any
from zlib import crc32

import msgspec
from msgspec.structs import replace

from data.nouns.baselines import Alarm
from data.nouns.samples import AnomalyRecord, SeriesState
from data.records import Alert
from engine.book import Draft
from engine.domain import baselines, detection, device_scores, known, usual
from engine.domain.alerts import About, clear, current, fire
from engine.domain.detection import Judged
from engine.domain.events import DomainEvent, SampleData
from engine.domain.registry import after, every
from engine.reasons import ReasonCode

#: Series of all tenants that are judged; more are kept but not judged.
SERIES = 50_000
#: A series is missing when its next sample is so many intervals late, and at least so many seconds.
LATE, LATE_SECONDS = 4.0, 600.0
#: A series that has not been heard for so long is forgotten.
FORGET = timedelta(days=14)
#: Every series is looked at once in so many seconds.
ROUND_SECONDS = 60.0
_TABLE, _TURN = "domain.series", "domain.series_turn"
#: Labels that name the entity of a series, the first that there is.
ENTITY_LABELS = ("device", "entity", "host", "instance", "person")

Sink = Callable[[Draft, Sequence[DomainEvent]], None]
_SINKS: dict[str, Sink] = {}


def sample_sink(run: Sink) -> Sink:
    """Enter a function `(draft, events)` that gets all samples of a delivery at once; it is pure as handlers are."""
    _SINKS[f"{run.__module__}.{run.__name__}"] = run
    return run


@after("noc.sample")
def take(draft: Draft, events: Sequence[DomainEvent]) -> None:
    """Judge a delivery's samples, then give them on."""
    table = series_of(draft)
    rows = []
    for data, at, value in measured(events, draft.now):
        state = _known(draft, table, data, at)
        if state is not None:
            rows.append((state, at, value))
    if rows:
        device_scores.take(draft, rows)
        for (state, at, value), verdict in zip(rows, _verdicts(draft, rows), strict=True):
            _judge(draft, table, (draft.tenant, state.id), (at, value), verdict)
    for run in _SINKS.values():
        run(draft, events)


def measured(events: Iterable[DomainEvent], now: datetime) -> Iterator[tuple[SampleData, float, float]]:
    """What is judged of a delivery that came at `now`, with seconds since 1970 and the value."""
    latest = now + timedelta(minutes=5)
    for event in events:
        data: SampleData = event.data  # type: ignore[assignment]
        if data.value is not None and isfinite(data.value):
            yield data, min(data.at or event.at, latest).timestamp(), data.value


def _verdicts(draft: Draft, rows: Sequence[tuple[SeriesState, float, float]]) -> list[Judged]:
    """The detector's word on each row, in one tick."""
    verdicts = [detection.UNKNOWN] * len(rows)
    places, tick = [], []
    for place, (state, at, value) in enumerate(rows):
        number = detection.number_of(draft, (draft.tenant, state.id))
        if number is not None:
            places.append(place)
            tick.append(detection.Sample(number, at, value, baselines.threshold_of(draft, state.id)))
    if places:
        for place, verdict in zip(places, detection.step(draft, tick), strict=True):
            verdicts[place] = verdict
    return verdicts


def series_of(draft: Draft) -> dict[Any, Any]:
    """(tenant, series id) → its state; after a start as it was in the last snapshot."""
    return known.index(draft, _TABLE, ("series",), _enter)


def _enter(table: dict[Any, Any], kind: str, record: SeriesState) -> None:
    table[record.tenant, record.id] = record


def series_id(data: SampleData) -> str:
    """Name and labels as one word."""
    return _id_of(data.name, tuple(data.labels.items())) if data.labels else data.name


@lru_cache(maxsize=16_384)
def _id_of(name: str, labels: tuple[tuple[str, str], ...]) -> str:
    text = msgspec.json.encode(sorted(labels))
    return f"{name}#{blake2b(text, digest_size=8).hexdigest()}"


def _known(draft: Draft, table: dict[Any, Any], data: SampleData, at: float) -> SeriesState | None:
    """The state of a sample's series; None where there are too many."""
    id = series_id(data)
    state: SeriesState | None = table.get((draft.tenant, id))
    if state is None and len(table) <= SERIES:
        moment = datetime.fromtimestamp(at, UTC)
        state = SeriesState(tenant=draft.tenant, id=id, at=moment, name=data.name, labels=data.labels)
        draft.set(table, (draft.tenant, id), state)
    return state


def _judge(
    draft: Draft, table: dict[Any, Any], place: tuple[Any, ...], sample: tuple[float, float], verdict: Judged
) -> None:
    """The detector decides; until it knows the series, and while it settles after a gap, the simple judge of what is
    usual does."""
    state: SeriesState = table[place]
    at, value = sample
    found_state, found = usual.step(state, at, value)
    if found_state is state:
        return
    moment = datetime.fromtimestamp(at, UTC)
    if state.anomaly.endswith("/missing"):
        found_state = _end(draft, found_state, moment)
    decides = verdict.ready and not verdict.resumed
    if decides:
        is_odd, expected = verdict.alarm, round(usual.expected(state, at), 6)
        found = usual.Found(verdict.kind or "spike", expected, verdict.score) if is_odd else None
        found_state = replace(found_state, calm=0 if verdict.alarm or verdict.lasts else state.calm + 1)
    elif not usual.fits(found_state, verdict.resumed):
        found = None
    if found is not None:
        found_state = _anomaly(draft, found_state, moment, found, "ensemble" if decides else "usual")
        if decides:
            alarm = Alarm(moment, found_state.anomaly, verdict.score, verdict.threshold)
            baselines.alarmed(draft, found_state, entity_of(found_state.labels), alarm)
    elif found_state.anomaly and found_state.calm >= usual.CALM:
        found_state = _end(draft, found_state, moment)
    draft.set(table, place, found_state)


def entity_of(labels: Mapping[str, str]) -> str:
    """What a series is about, "" where its labels do not say."""
    return next((labels[name] for name in ENTITY_LABELS if labels.get(name)), "")


def _about(of: SeriesState) -> About:
    entity = entity_of(of.labels)
    return About(
        entity=entity or of.name,
        entity_type="device" if of.labels.get("device") else "series",
        site=of.labels.get("site", ""),
        parts={"series": of.id, "metric": of.name},
    )


def alert_of(draft: Draft, anomaly: str) -> Alert | None:
    """The latest alert of the series that an anomaly is of, firing or not."""
    of: SeriesState | None = series_of(draft).get((draft.tenant, anomaly.rsplit("/", 2)[0]))
    return current(draft, "metric_anomaly", _about(of)) if of is not None else None


def _anomaly(draft: Draft, of: SeriesState, at: datetime, found: usual.Found, detector: str = "usual") -> SeriesState:
    """Open an anomaly, or go on with the one that is open; a spike that stays becomes a level shift."""
    about = _about(of)
    old: AnomalyRecord | None = draft.noun("anomalies", of.anomaly) if of.anomaly else None
    if old is not None and found.kind in (old.kind, "spike"):
        worse = replace(old, value=of.value, expected=found.expected) if found.score > old.score else old
        draft.put_noun(replace(worse, last_at=at, score=max(old.score, found.score)), announce=False)
        return of
    if old is not None:
        draft.put_noun(replace(old, state="closed", last_at=at, ended_at=at), announce=False)
    record = AnomalyRecord(
        tenant=of.tenant,
        id=f"{of.id}/{at:%Y%m%dT%H%M%S}/{found.kind}",
        at=at,
        series=of.id,
        name=of.name,
        kind=found.kind,
        labels=of.labels,
        site=about.site,
        entity=about.entity,
        value=of.value,
        expected=found.expected,
        score=found.score,
        detector=detector,
        last_at=at,
    )
    draft.put_noun(record)
    words = found.kind.replace("_", " ")
    title = f"{of.name} of {about.entity}: {words}, {of.value:g} where {found.expected:g} is usual"
    since = old.at if old is not None else at
    facts = {"kind": found.kind, "score": f"{found.score:g}", "anomaly": record.id}
    fire(draft, "metric_anomaly", about, title=title, since=since, facts=facts)
    return replace(of, anomaly=record.id)


def _end(draft: Draft, of: SeriesState, at: datetime) -> SeriesState:
    old: AnomalyRecord | None = draft.noun("anomalies", of.anomaly)
    if old is not None:
        over = replace(old, state="closed", ended_at=at)
        draft.put_noun(over, ReasonCode.ALL_RESOLVED, announce=False)
        draft.announce_noun(over, "anomaly_ended", ReasonCode.ALL_RESOLVED)
    clear(draft, "metric_anomaly", _about(of), at=at)
    return replace(of, anomaly="")


# -- by the clock


@every(1.0)
def look_at_series(draft: Draft) -> None:
    """Series that have stopped, snapshots (each series once an hour), and series that are forgotten. Each is looked at
    once a minute, some on each tick: all at once would hold the line, where there are many."""
    table, now = series_of(draft), draft.now.timestamp()
    turn = draft.derived(_TURN)
    todo, at = turn.get("todo", ()), turn.get("at", 0)
    if at >= len(todo):
        if now - turn.get("began", 0.0) < ROUND_SECONDS:
            return
        todo, at = tuple(table), 0
        for name, value in (("began", now), ("stepped", now - 1.0), ("todo", todo)):
            draft.set(turn, name, value)
    share = min(1.0, max(0.0, now - turn["stepped"]) / ROUND_SECONDS)
    until = min(len(todo), at + max(1, ceil(share * len(todo))))
    for place in todo[at:until]:
        if place in table and place:
            _look_at(draft, table, place, now)
    draft.set(turn, "stepped", now)
    draft.set(turn, "at", until)


def _look_at(draft: Draft, table: dict[Any, Any], place: tuple[Any, ...], now: float) -> None:
    of: SeriesState = table[place]
    draft.tenant = of.tenant
    if _is_missing(of, now):
        late = usual.Found("missing", round(usual.expected(of, now), 6), round((now - of.last_at) / of.interval, 1))
        of = _anomaly(draft, of, datetime.fromtimestamp(of.last_at + of.interval, UTC), late)
        draft.set(table, place, of)
    if now - of.last_at > FORGET.total_seconds():
        draft.discard(table, place)
    else:
        _snapshot(draft, of, now)


def _is_missing(of: SeriesState, now: float) -> bool:
    if of.anomaly.endswith("/missing") or not usual.is_ready(of):
        return False
    return now - of.last_at > max(LATE * of.interval, LATE_SECONDS)


def _snapshot(draft: Draft, of: SeriesState, now: float) -> None:
    """Write it down once an hour, each series at a minute of its own."""
    old: SeriesState | None = draft.noun("series", of.id)
    shift = 60.0 * (crc32(of.id.encode("utf-8", "surrogatepass")) % 60)
    since = (old or of).at.timestamp()
    if (now - shift) // 3600.0 == (since - shift) // 3600.0:
        return
    if old is None or old.last_at != of.last_at or old.anomaly != of.anomaly:
        draft.put_noun(replace(of, at=draft.now), announce=False)
