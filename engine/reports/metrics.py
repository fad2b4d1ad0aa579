"""Metrics over time: which series there are, and one of them with its anomalies.

Owns the shapes of these answers. Times of points are when their slots begin.
"""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, MsgspecError, Struct, field, json

from data.nouns.samples import AnomalyRecord
from data.query_ast import Compare, Op
from data.rollups import Series, Stored
from data.scope import Scope
from data.sketch import Damaged
from data.slots import FIVE_MINUTES, start_of
from engine.client import Refused
from engine.domain.samples import entity_of
from engine.metrics.answer import POINTS, WORDS, Plan, Point, picked, slots
from engine.reports.registry import report

if TYPE_CHECKING:
    from engine.desk import Desk

Name = Annotated[str, Meta(max_length=300)]
#: Anomalies that one answer marks, and pages that are looked through for them.
MARKS, PAGES = 200, 5
#: Series that one question for newest values may name.
LATEST = 200
_MARKED = ("id", "at", "ended_at", "kind", "state", "value", "expected", "score")
_WORD_OF = {seconds: word for word, seconds in WORDS.items()}


class SeriesParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`after` is the id of the last series of the page before. `text` keeps those with all of its words in name or
    labels: "word", "label=beginning", "!word"."""

    name: Name = ""
    text: Annotated[str, Meta(max_length=200)] = ""
    after: Name = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 200


class QueryParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`from` is a day ago and `to` now where they are absent. `resolution` "" = by the age of `from`. `quantiles` are
    shares between commas. `points` merges neighbours until there are at most so many; 0 leaves every slot."""

    series: Annotated[str, Meta(min_length=1, max_length=300)]
    since: datetime | None = field(default=None, name="from")
    until: datetime | None = field(default=None, name="to")
    resolution: Literal["", "5m", "1h", "1d"] = ""
    quantiles: Annotated[str, Meta(max_length=100)] = "0.5,0.95,0.99"
    points: Annotated[int, Meta(ge=0, le=POINTS)] = 0


class LatestParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`series` are ids as a JSON list; `slots` how many five-minute averages, up to the one that is running."""

    series: Annotated[str, Meta(min_length=2, max_length=50_000)]
    slots: Annotated[int, Meta(ge=0, le=48)] = 24


@report("metrics/series", params=SeriesParams)
async def series(desk: Desk, scope: Scope, params: SeriesParams) -> Sequence[Any]:
    """Series of metrics with their labels and newest value, by id."""
    found = await desk.series(scope, name=params.name, text=params.text, after=params.after, limit=params.limit)
    return [_described(of) for of in found]


@report("metrics/latest", params=LatestParams)
async def latest(desk: Desk, scope: Scope, params: LatestParams) -> Sequence[Any]:
    """Newest value and last five-minute averages of some series; a slot without samples is null."""
    ids = _ids(params.series)
    running = start_of(desk.clock.now().timestamp(), FIVE_MINUTES, "UTC")
    wanted = [running - FIVE_MINUTES * back for back in range(params.slots)][::-1]
    found = await desk.latest(scope, ids, wanted)
    return [
        {"id": id, "last": of.last, "last_at": _moment(of.last_at), "averages": [of.averages.get(at) for at in wanted]}
        for id, of in found.items()
    ]


@report("metrics/query", params=QueryParams)
async def query(desk: Desk, scope: Scope, params: QueryParams) -> Sequence[Any]:
    """One series over time: avg, min, max, sum, count and quantiles of each slot, and its anomalies."""
    shares = _shares(params.quantiles)
    now = desk.clock.now()
    since, until = _span(params, now)
    found = await desk.series(scope, id=params.series, limit=1)
    if not found:
        reason, remedy = f"no series {params.series!r} is known", "see /api/v1/metrics/series"
        raise Refused(reason, field="series", remedy=remedy, status=404)
    clock, zone = now.timestamp(), desk.metrics_zone
    resolution = WORDS[params.resolution] if params.resolution else picked(since.timestamp(), clock)
    wanted = slots(since.timestamp(), until.timestamp(), resolution, zone, clock)
    if len(wanted) > POINTS:
        reason = f"{len(wanted)} points are more than {POINTS}"
        raise Refused(reason, field="resolution", remedy="ask for a shorter time or a coarser resolution")
    plan = Plan(wanted=wanted, resolution=resolution, zone=zone, now=clock)
    read = await desk.buckets(scope, params.series, plan.reads())
    try:
        # Two years take some 20 ms: elsewhere, so that the line goes on.
        points = await to_thread(_points, plan, read, params.points, shares)
    except Damaged as error:
        raise Refused(f"the store cannot answer: {error}", remedy="restore a backup", status=503) from error
    return [
        _described(found[0])
        | {
            "from": since,
            "to": until,
            "resolution": _WORD_OF[resolution],
            "zone": zone,
            "points": points,
            "anomalies": await _anomalies(desk, scope, found[0], since, until),
        }
    ]


def _span(params: QueryParams, now: datetime) -> tuple[datetime, datetime]:
    for name, given in (("from", params.since), ("to", params.until)):
        if given is not None and given.tzinfo is None:
            raise Refused("has no time zone", field=name, remedy="write it like 2026-05-04T12:00:00Z")
    until = min(params.until or now, now)
    since = params.since or until - timedelta(days=1)
    if since >= until:
        raise Refused("is not before the end", field="from", remedy="ask for a time that has passed")
    return since, until


def _shares(text: str) -> dict[str, float]:
    """Name of a quantile ("p95") → its share."""
    found = {}
    for part in filter(None, text.split(",")):
        try:
            share = float(part)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            raise Refused(f"{part!r} is not a share", field="quantiles", remedy="write shares like 0.5,0.99")
        found[f"p{share * 100:g}"] = share
    return found


def _described(of: Series) -> dict[str, Any]:
    return {
        "id": of.id,
        "name": of.name,
        "labels": of.labels,
        "site": of.site,
        "last": of.last,
        "last_at": _moment(of.last_at),
    }


def _points(
    plan: Plan, read: Mapping[int, Mapping[int, Stored]], most: int, shares: dict[str, float]
) -> list[dict[str, Any]]:
    names, wanted = list(shares), list(shares.values())
    return [_point(point, names, wanted) for point in plan.points(read, most)]


def _point(point: Point, names: Sequence[str], shares: Sequence[float]) -> dict[str, Any]:
    bucket = point.bucket
    return {
        "at": _moment(point.at),
        "to": _moment(point.to),
        "avg": bucket.avg,
        "min": bucket.min,
        "max": bucket.max,
        "sum": bucket.sum,
        "count": bucket.count,
        **dict(zip(names, bucket.quantiles(shares), strict=True)),
    }


def _ids(text: str) -> list[str]:
    try:
        found: list[str] = json.decode(text, type=Annotated[list[Name], Meta(max_length=LATEST)])
    except MsgspecError as error:
        raise Refused(str(error), field="series", remedy='write ids like ["cpu","load#1f"]') from error
    return found


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


async def _anomalies(desk: Desk, scope: Scope, of: Series, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Stretches of this series that were not as usual and have a part in the time, newest first."""
    found: list[AnomalyRecord] = []
    entity = Compare(field="entity", op=Op.EQ, value=entity_of(of.labels) or of.name)
    after: str | None = None
    for _ in range(PAGES):
        page = await desk.page_of(scope, kind="anomalies", where=entity, until=until, after=after, limit=MARKS)
        found += [one for one in page.items if one.series == of.id and (one.ended_at or until) >= since]
        after = page.next
        if after is None or len(found) >= MARKS:
            break
    return [{name: getattr(one, name) for name in _MARKED} for one in found[:MARKS]]
