"""Tours: rounds of checkpoints due in a window, as they are planned, walked, left incomplete or missed.

Owns a round's state, which is worked out of its plan, its scans and the clock: in whatever order these came, the result
is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from data.nouns.world import Checkpoint, Tour
from engine.book import Draft
from engine.domain import known
from engine.domain.alerts import About, clear, fire
from engine.domain.events import DomainEvent, TourData
from engine.domain.merging import LATENESS, earliest, latest
from engine.domain.registry import every, on
from engine.domain.settings import rules_of

#: Checkpoints of a round.
CHECKPOINTS = 500
#: The window of a round whose plan has not come.
UNPLANNED = timedelta(hours=2)
OVER = frozenset({"finished", "missed", "incomplete", "cancelled"})


@on("noc.tour", order=10)
def tour(draft: Draft, event: DomainEvent) -> None:
    data: TourData = event.data  # type: ignore[assignment]
    known.site(draft, data.site, event.at)
    known.person(draft, data.person, event.at)
    known.device(draft, data.device, event.at)
    old: Tour | None = draft.noun("tours", data.id)
    found = _TAKE[data.action](_named(old, draft, event, data), event.at, data)
    found = settle(draft, found)
    if found != old:
        draft.put_noun(found)
        _judge(draft, found)


def _named(old: Tour | None, draft: Draft, event: DomainEvent, data: TourData) -> Tour:
    """The round, begun if it was not known. Until its plan comes its window begins with the first news of it."""
    if old is None:
        return Tour(
            tenant=draft.tenant,
            id=data.id,
            site=data.site,
            person=data.person,
            shift=data.shift,
            starts_at=event.at,
            ends_at=event.at + UNPLANNED,
            planned=False,
            stamps={"who": event.at},
        )
    if old.planned:
        return old
    if event.at < old.starts_at:
        old = replace(old, starts_at=event.at, ends_at=event.at + UNPLANNED)
    filled = {name: getattr(data, name) for name in ("site", "person", "shift")}
    filled = {name: value for name, value in filled.items() if value and value > getattr(old, name)}
    return replace(old, **filled) if filled else old


def _scheduled(of: Tour, at: datetime, data: TourData) -> Tour:
    """The plan is one group; what was scanned stays."""
    starts_at = data.starts_at or of.starts_at
    ends_at = max(starts_at, data.ends_at or starts_at + UNPLANNED)
    scans = {point.id: point for point in of.checkpoints if point.scanned_at is not None}
    points = {}
    for planned in data.checkpoints[:CHECKPOINTS]:
        scan = scans.pop(planned.id, None) or Checkpoint(id=planned.id)
        points[planned.id] = replace(scan, due_at=planned.due_at, planned=True)
    extra = [replace(point, due_at=None, planned=False) for point in scans.values()]
    found = replace(
        of,
        site=data.site or of.site,
        person=data.person or of.person,
        shift=data.shift or of.shift,
        starts_at=starts_at,
        ends_at=ends_at,
        checkpoints=(*points.values(), *sorted(extra, key=lambda point: point.id)),
        planned=True,
        stamps={"plan": at},
    )
    said = of.stamps.get("plan")
    is_older = said is not None and (at < said or (at == said and _plan_of(found) <= _plan_of(of)))
    return of if is_older else found


def _plan_of(of: Tour) -> str:
    points = [(point.id, point.due_at) for point in of.checkpoints if point.planned]
    return str((of.site, of.person, of.shift, of.starts_at, of.ends_at, points))


def _started(of: Tour, at: datetime, data: TourData) -> Tour:
    return replace(of, started_at=earliest(of.started_at, at))


def _scan(of: Tour, at: datetime, data: TourData) -> Tour:
    """The first scan of a checkpoint counts. One that the plan does not name is kept behind it."""
    if not data.checkpoint:
        return _started(of, at, data)
    points = list(of.checkpoints)
    for position, point in enumerate(points):
        if point.id == data.checkpoint:
            points[position] = _scanned(point, at, data.dwell_s)
            return replace(of, checkpoints=tuple(points))
    if len(points) >= 2 * CHECKPOINTS:
        return of
    points.append(_scanned(Checkpoint(id=data.checkpoint, planned=False), at, data.dwell_s))
    points.sort(key=lambda point: ("" if point.planned else f"+{point.id}"))
    return replace(of, checkpoints=tuple(points))


def _scanned(point: Checkpoint, at: datetime, dwell_s: float | None) -> Checkpoint:
    if point.scanned_at is not None and point.scanned_at < at:
        return point
    if point.scanned_at == at and point.dwell_s is not None:
        dwell_s = max(point.dwell_s, dwell_s or 0.0)  # two words of one moment: either order ends alike
    return replace(point, scanned_at=at, dwell_s=dwell_s)


def _finished(of: Tour, at: datetime, data: TourData) -> Tour:
    return replace(of, finished_at=latest(of.finished_at, at))


def _cancelled(of: Tour, at: datetime, data: TourData) -> Tour:
    return replace(of, cancelled_at=earliest(of.cancelled_at, at))


_TAKE: dict[str, Callable[[Tour, datetime, TourData], Tour]] = {
    "scheduled": _scheduled,
    "started": _started,
    "scan": _scan,
    "finished": _finished,
    "cancelled": _cancelled,
}


# -- state


def settle(draft: Draft, of: Tour) -> Tour:
    """The round with the state, order of scans and compliance that follow at the draft's time."""
    rules, now = rules_of(draft), draft.now
    state = _state(of, now, rules.tour_grace_seconds, rules.tour_give_up_seconds)
    points = _ordered(of.checkpoints, state in OVER and state != "cancelled")
    share = compliance(points) if state in OVER and state != "cancelled" else None
    settled = of.settled or (state in OVER and now > of.ends_at + LATENESS)
    return replace(of, state=state, checkpoints=points, compliance=share, settled=settled)


def _state(of: Tour, now: datetime, grace: float, give_up: float) -> str:
    if of.cancelled_at is not None:
        return "cancelled"
    begun = of.started_at is not None or of.finished_at is not None or any(p.scanned_at for p in of.checkpoints)
    if of.finished_at is not None:
        return "finished"
    if not begun:
        return "missed" if now >= of.ends_at + timedelta(seconds=grace) else "scheduled"
    if now >= of.ends_at + timedelta(seconds=give_up):
        return "incomplete"
    return "overdue" if now >= of.ends_at + timedelta(seconds=grace) else "started"


def _ordered(points: Sequence[Checkpoint], over: bool) -> tuple[Checkpoint, ...]:
    """Each with its place in the order of scanning; one that was not scanned is missed once the round is over."""
    scans = sorted((point for point in points if point.scanned_at is not None), key=_scan_order)
    places = {point.id: place for place, point in enumerate(scans, 1)}
    return tuple(
        point
        if point.order == places.get(point.id) and point.missed is (over and point.scanned_at is None)
        else replace(point, order=places.get(point.id), missed=over and point.scanned_at is None)
        for point in points
    )


def _scan_order(point: Checkpoint) -> tuple[datetime, str]:
    assert point.scanned_at is not None
    return point.scanned_at, point.id


def compliance(points: Sequence[Checkpoint]) -> float | None:
    """Share of the planned checkpoints that were scanned; None for a round without any."""
    due = [point for point in points if point.planned]
    return round(sum(point.scanned_at is not None for point in due) / len(due), 4) if due else None


# -- alerts


def about(of: Tour) -> About:
    return About(
        entity=of.person or of.id,
        entity_type="person" if of.person else "tour",
        site=of.site,
        parts={"tour": of.id, "shift": of.shift},
    )


def told(of: Tour, what: str) -> str:
    """A title: whose round and what of it; the id, which is long, comes last."""
    return f"Round of {of.person} {what} ({of.id})" if of.person else f"Round {of.id} {what}"


def _judge(draft: Draft, of: Tour) -> None:
    subject, rules = about(of), rules_of(draft)
    due = of.ends_at + timedelta(seconds=rules.tour_grace_seconds)
    if of.state == "missed":
        fire(draft, "tour_missed", subject, title=told(of, "was not walked"), since=due)
    else:
        clear(draft, "tour_missed", subject, at=draft.now)
    if of.state == "overdue":
        fire(draft, "tour_overdue", subject, title=told(of, "is not finished"), since=due)
    else:
        clear(draft, "tour_overdue", subject, at=of.finished_at or draft.now)
    skipped = skipped_points(of)
    if skipped and of.state not in ("cancelled", "missed"):
        names = ", ".join(skipped[:10])
        title = told(of, f"went past {len(skipped)} checkpoint{'s'[: len(skipped) != 1]}: {names}")
        since = max(point.scanned_at for point in of.checkpoints if point.scanned_at is not None)
        fire(draft, "checkpoint_skipped", subject, title=title, since=since)
    else:
        clear(draft, "checkpoint_skipped", subject, at=draft.now)


def skipped_points(of: Tour) -> list[str]:
    """Checkpoints that were not scanned while one behind them was, or that the finished round has left out."""
    last = max((n for n, point in enumerate(of.checkpoints) if point.scanned_at is not None), default=-1)
    if last < 0:
        return []
    over = of.state in ("finished", "incomplete")
    return [
        point.id
        for n, point in enumerate(of.checkpoints)
        if point.scanned_at is None and (over or n < last)
    ]


# -- by the clock


@every(30.0)
def look_at_tours(draft: Draft) -> None:
    """What has not been walked or finished by now."""
    for of in draft.all_nouns("tours"):
        if of.ends_at > draft.now:
            continue
        draft.tenant = of.tenant
        found = settle(draft, of)
        if found != of:
            draft.put_noun(found)
            _judge(draft, found)
