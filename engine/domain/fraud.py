"""Fraud in the attendance path: each event is scored from what was known before it, then learned.

prediction → anomaly checks → score → alert → ticket → feed. Owns the order; rules, model and records are in
`engine.fraud`. Late and repeated events are judged as they come; the state never goes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.book import Draft
from engine.domain.events import ActivityData, AttendanceData, DomainEvent, ShiftData, TourData
from engine.domain.registry import every, on
from engine.fraud import heuristics
from engine.fraud.anomalies import Anomaly, Scan, check, ghost_round
from engine.fraud.features import learn, observe
from engine.fraud.judging import give_up, judge
from engine.fraud.keeping import Kept, forget_old
from engine.fraud.model import Score, score
from engine.fraud.surroundings import note_shift, observation

SCANS_MOST = 64
TOURS_MOST = 10_000
MOVES_MOST = 64


@on("noc.attendance", order=100)
def judge_attendance(draft: Draft, event: DomainEvent) -> None:
    data = event.data
    assert isinstance(data, AttendanceData)
    kept = Kept(draft)
    seen = observation(draft, event, data)
    features = observe(kept.state, seen)
    anomalies = check(seen, features)
    found = score(draft.rules.fraud_model, features, anomalies)
    judge(draft, kept, event, (data.person, data.site), found, anomalies, features)
    learn(kept.state, seen, features, kept)


@on("noc.shift", order=100)
def remember_shift(draft: Draft, event: DomainEvent) -> None:
    assert isinstance(event.data, ShiftData)
    note_shift(draft, event.data)


@on("noc.activity", order=100)
def remember_movement(draft: Draft, event: DomainEvent) -> None:
    data = event.data
    assert isinstance(data, ActivityData)
    if data.kind == "movement" and data.metres is not None:
        _append(draft, "fraud.moves", data.person, (event.at.timestamp(), data.metres), MOVES_MOST)


@on("noc.tour", order=100)
def judge_round(draft: Draft, event: DomainEvent) -> None:
    """Scans are gathered and judged together when the round is finished."""
    data = event.data
    assert isinstance(data, TourData)
    if data.action == "scan":
        point = data.point
        scan = Scan(
            at=event.at.timestamp(),
            checkpoint=data.checkpoint,
            lat=None if point is None else point.lat,
            lon=None if point is None else point.lon,
        )
        _append(draft, "fraud.scans", data.id, scan, SCANS_MOST)
    elif data.action in {"finished", "cancelled"}:
        table = draft.derived("fraud.scans")
        scans = sorted(table.get((draft.tenant, data.id), ()), key=lambda scan: scan.at)
        draft.discard(table, (draft.tenant, data.id))
        if data.action == "finished" and scans:
            _judge_scans(draft, event, data, scans)


@every(3600.0)
def settle_old(draft: Draft) -> None:
    give_up(draft)
    forget_old(draft)


def _judge_scans(draft: Draft, event: DomainEvent, data: TourData, scans: Sequence[Scan]) -> None:
    known = draft.noun("tours", data.id)
    person = data.person or (known.person if known is not None else "")
    moved = _moved(draft, person, scans)
    anomaly = ghost_round(scans, moved)
    if anomaly is not None and person:
        found = _without_model(anomaly)
        judge(draft, Kept(draft), event, (person, data.site or _site(known)), found, (anomaly,), None)


def _without_model(anomaly: Anomaly) -> Score:
    """The model knows attendance events only: rounds are always scored by the heuristic."""
    found, reasons = heuristics.of_anomalies((anomaly,))
    return Score(found, heuristics.NAME, reasons)


def _moved(draft: Draft, person: str, scans: Sequence[Scan]) -> float | None:
    """Metres that the person's phone reported during the round; None where it never reports movement."""
    moves = draft.derived("fraud.moves").get((draft.tenant, person))
    if not moves:
        return None
    return float(sum(metres for at, metres in moves if scans[0].at - 60.0 <= at <= scans[-1].at))


def _site(tour: Any) -> str:
    return str(tour.site) if tour is not None else ""


def _append(draft: Draft, name: str, id: str, item: object, most: int) -> None:
    table = draft.derived(name)
    key = (draft.tenant, id)
    draft.set(table, key, (*table.get(key, ()), item)[-most:])
    if len(table) > TOURS_MOST:
        draft.discard(table, next(iter(table)))
