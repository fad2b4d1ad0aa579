"""Devices as a whole: the metrics of one are judged together, and a relation that breaks is an anomaly of the device.

Owns which values make one record of a device, and the anomalies and alerts of devices. A record is complete when every
metric was heard, or one of them for the second time; what was not heard then stands as it last was. Metrics that join
begin the learning anew. A device with fewer than three metrics is not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from math import nan
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from data.nouns.samples import AnomalyRecord, DetectorState, SeriesState
from data.records import TenantId
from engine.book import Draft
from engine.domain import detection, known
from engine.domain.alerts import About, clear, fire
from engine.domain.registry import every
from engine.reasons import ReasonCode

LEAST_METRICS, MOST_METRICS = 3, 64
#: Devices that are watched, and the sum of their squared numbers of metrics: 16 bytes each.
DEVICES, CELLS = 20_000, 2_000_000
#: Records without a new metric before the learning begins, and usual ones that end an anomaly.
SETTLED, CALM = 10, 5
#: A device that is silent for so long has no anomaly any more, or is forgotten.
SILENT, FORGET = timedelta(hours=6), timedelta(days=14)
KIND: Final = "relation"
_TABLE, _OPEN, _ROOM = "domain.devices_watched", "domain.devices_odd", "domain.devices_room"
_RESTORED = "domain.devices_restored"
#: Labels that say where a metric is from, not which one it is.
_PLACES = frozenset({"site", "device", "entity", "host", "instance", "device_type", "client"})


class Watched(Struct, frozen=True, kw_only=True):
    """A device: its series by id with the words for them, values last heard and when, which are of this record."""

    series: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    values: tuple[float, ...] = ()
    times: tuple[float, ...] = ()
    fresh: frozenset[int] = frozenset()
    at: float = 0.0
    site: str = ""
    settled: int = 0
    #: An `engine.detectors.device.Device`, or None.
    model: Any = None
    anomaly: str = ""
    calm: int = 0


def take(draft: Draft, rows: Iterable[tuple[SeriesState, float, float]]) -> None:
    """Put samples (state of the series before, seconds since 1970, value) into the records of their devices."""
    table = watched_of(draft)
    for state, at, value in rows:
        device = state.labels.get("device", "")
        if device:
            _take(draft, table, (draft.tenant, device), (state, at, value))


def watched_of(draft: Draft) -> dict[Any, Watched]:
    """(tenant, device) → what is known of it; after a start as it was kept."""
    table = draft.derived(_TABLE)
    if not draft.derived(_RESTORED):
        draft.set(draft.derived(_RESTORED), "", True)
        _take_back(draft)
    return table


def watched_so_far(draft: Draft) -> dict[Any, Watched]:
    """`watched_of` since the first sample after a start, empty before it."""
    return draft.derived(_TABLE)


def series_of(device: str) -> str:
    """What stands for the series in an anomaly of a device."""
    return f"device:{device}"


def _take(
    draft: Draft, table: dict[Any, Watched], place: tuple[TenantId, str], sample: tuple[SeriesState, float, float]
) -> None:
    state, at, value = sample
    of = table.get(place)
    if of is None:
        if len(table) >= DEVICES:
            return
        of = Watched(anomaly=_open(draft).get(place, ""))
    if state.id not in of.series:
        if len(of.series) >= MOST_METRICS:
            return
        of = _joined(draft, of, state)
    number = of.series.index(state.id)
    if at <= of.times[number]:
        return
    if number in of.fresh:
        of = _judged(draft, place, of)
    values = (*of.values[:number], value, *of.values[number + 1 :])
    times = (*of.times[:number], at, *of.times[number + 1 :])
    site = state.labels.get("site", "") or of.site
    of = replace(of, values=values, times=times, fresh=of.fresh | {number}, at=max(of.at, at), site=site)
    if len(of.fresh) == len(of.series) and of.settled >= SETTLED:
        of = _judged(draft, place, of)
    draft.set(table, place, of)


def _joined(draft: Draft, of: Watched, state: SeriesState) -> Watched:
    """With one more metric, and nothing learned."""
    if of.model is not None:
        _use(draft, -(of.model.metrics**2))
    words = (*of.words, _words(state.name, state.labels))
    return replace(
        of,
        series=(*of.series, state.id),
        words=words,
        values=(*of.values, nan),
        times=(*of.times, 0.0),
        settled=0,
        model=None,
    )


def _words(name: str, labels: Mapping[str, str]) -> str:
    more = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()) if key not in _PLACES)
    return f"{name} ({more})" if more else name


def _use(draft: Draft, cells: int) -> bool:
    """Take so much room for models → whether there is as much."""
    room = draft.derived(_ROOM)
    used = room.get("cells", 0) + cells
    if used > CELLS:
        return False
    draft.set(room, "cells", used)
    return True


def _judged(draft: Draft, place: tuple[TenantId, str], of: Watched) -> Watched:
    """The record is complete."""
    of = replace(of, fresh=frozenset(), settled=of.settled + 1)
    if of.model is None:
        if of.settled < SETTLED or len(of.series) < LEAST_METRICS or not _use(draft, len(of.series) ** 2):
            return of
        from engine.detectors.device import Device

        of = replace(of, model=Device(len(of.series)))
    detection.note(draft, of.model.remember())
    verdict = of.model.step(of.values)
    if verdict.alarm:
        return replace(_odd(draft, place, of, verdict), calm=0)
    of = replace(of, calm=min(of.calm + 1, CALM))
    return _end(draft, place, of) if of.anomaly and of.calm >= CALM else of


def _about(draft: Draft, device: str, site: str) -> About:
    found = draft.noun("devices", device)
    site = site or (found.site if found is not None else "")
    return About(entity=device, entity_type="device", site=site, parts={"series": series_of(device)})


def _odd(draft: Draft, place: tuple[TenantId, str], of: Watched, verdict: Any) -> Watched:
    """Open an anomaly, or go on with the one that is open."""
    tenant, device = place
    at = datetime.fromtimestamp(of.at, UTC)
    score, least = round(verdict.score, 2), round(verdict.threshold, 2)
    reasons = {of.words[number]: round(share, 2) for number, share in verdict.contributors}
    old: AnomalyRecord | None = draft.noun("anomalies", of.anomaly) if of.anomaly else None
    if old is not None:
        if score > old.score:
            old = replace(old, value=score, expected=least, score=score, reasons=reasons)
        draft.put_noun(replace(old, last_at=at), announce=False)
        return of
    about = _about(draft, device, of.site)
    record = AnomalyRecord(
        tenant=tenant,
        id=f"{series_of(device)}/{at:%Y%m%dT%H%M%S}/{KIND}",
        at=at,
        series=series_of(device),
        name="device",
        kind=KIND,
        labels={"device": device},
        site=about.site,
        entity=device,
        value=score,
        expected=least,
        score=score,
        detector="device",
        last_at=at,
        reasons=reasons,
    )
    draft.put_noun(record)
    draft.set(_open(draft), place, record.id)
    spoken = ", ".join(f"{name} {share:.0%}" for name, share in reasons.items())
    facts = {"kind": KIND, "score": f"{score:g}", "anomaly": record.id, "reasons": spoken}
    title = f"{device}: its metrics do not fit together: {spoken}"
    fire(draft, "metric_anomaly", about, title=title, since=at, facts=facts)
    return replace(of, anomaly=record.id)


def _end(draft: Draft, place: tuple[TenantId, str], of: Watched) -> Watched:
    at = datetime.fromtimestamp(of.at, UTC)
    old: AnomalyRecord | None = draft.noun("anomalies", of.anomaly)
    if old is not None:
        over = replace(old, state="closed", ended_at=at)
        draft.put_noun(over, ReasonCode.ALL_RESOLVED, announce=False)
        draft.announce_noun(over, "anomaly_ended", ReasonCode.ALL_RESOLVED)
    draft.discard(_open(draft), place)
    clear(draft, "metric_anomaly", _about(draft, place[1], of.site), at=at)
    return replace(of, anomaly="")


def _open(draft: Draft) -> dict[Any, Any]:
    """(tenant, device) → the id of its anomaly that goes on; after a start from what is held."""
    return known.index(draft, _OPEN, ("anomalies",), _enter)


def _enter(table: dict[Any, Any], kind: str, record: AnomalyRecord) -> None:
    if record.kind == KIND and record.state == "open":
        table[record.tenant, record.entity] = record.id


@every(60.0)
def look_at_devices(draft: Draft) -> None:
    """Devices that have fallen silent: their anomalies end, and then they are forgotten."""
    # Not what was kept: reading that loads numerical libraries, which waits for the first sample.
    table, now = watched_so_far(draft), draft.now.timestamp()
    for place, of in list(table.items()):
        quiet = now - of.at
        draft.tenant = place[0]
        if of.anomaly and quiet > SILENT.total_seconds():
            of = _end(draft, place, of)
            draft.set(table, place, of)
        if quiet > FORGET.total_seconds():
            if of.model is not None:
                _use(draft, -(of.model.metrics**2))
            draft.discard(table, place)
    for place, id in list(_open(draft).items()):
        if place and place not in table:  # it was open before a start, and nothing came since
            draft.tenant = place[0]
            record: AnomalyRecord | None = draft.noun("anomalies", id)
            last = None if record is None else record.last_at or record.at
            if last is None or draft.now - last > SILENT:
                _end(draft, place, Watched(anomaly=id, at=(last or draft.now).timestamp()))


# -- over a restart


class Kept(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A device on paper."""

    series: tuple[str, ...]
    words: tuple[str, ...]
    values: tuple[float, ...]
    times: tuple[float, ...]
    at: float
    site: str
    settled: int
    model: bytes | None


def kept(devices: Iterable[Watched]) -> bytes:
    """What is known of devices, for the next start."""
    rows = [
        Kept(
            of.series, of.words, of.values, of.times, of.at, of.site, of.settled, of.model.state() if of.model else None
        )
        for of in devices
    ]
    return msgspec.msgpack.encode(rows)


def _take_back(draft: Draft) -> None:
    """What was kept of the devices, the latest piece of each. A piece that cannot be read is learned again."""
    pieces: list[DetectorState] = [piece for piece in draft.all_nouns("detector_states") if piece.table == "devices"]
    for piece in sorted(pieces, key=lambda piece: (piece.at, piece.id), reverse=True):
        try:
            rows = [_read(row) for row in msgspec.msgpack.decode(piece.state, type=list[Kept])]
        except (ValueError, msgspec.MsgspecError):
            continue
        for name, of in zip(piece.names, rows, strict=False):
            if draft.now.timestamp() - of.at <= FORGET.total_seconds():
                _adopt(draft, (piece.tenant, name), of)


def _read(row: Kept) -> Watched:
    """Raises ValueError where it does not fit together."""
    count = len(row.series)
    if not len(row.words) == len(row.values) == len(row.times) == count <= MOST_METRICS:
        raise ValueError("a kept device has as many words, values and times as series")
    model = None
    if row.model is not None:
        from engine.detectors.device import Device

        model = Device.restored(row.model)
        if model.metrics != count:
            raise ValueError("a kept device has as many metrics as series")
    return Watched(
        series=row.series,
        words=row.words,
        values=row.values,
        times=row.times,
        at=row.at,
        site=row.site,
        settled=row.settled,
        model=model,
    )


def _adopt(draft: Draft, place: tuple[TenantId, str], of: Watched) -> None:
    """Take over a device as it was kept, where there is room and nothing newer."""
    table = draft.derived(_TABLE)
    if place in table or len(table) >= DEVICES or (of.model is not None and not _use(draft, of.model.metrics**2)):
        return
    draft.set(table, place, replace(of, anomaly=_open(draft).get(place, "")))
