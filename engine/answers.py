"""Answers that are made of several reads: why, related alerts, the preview of a silence, the KPIs.

Each takes the desk, the scope and the query. Items are plain dicts whose fields are named here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import json

from data.matchers import compile_matchers, parse_matchers
from data.nouns.predictions import Prediction
from data.query_ast import And, Compare, Node, Op, Or
from data.records import Alert, Change, Incident, IncidentId
from data.restricted import of_names
from data.scope import Scope
from engine.client import Page, Query, Refused
from engine.predictors.record import warnings
from engine.predictors.why import why_prediction
from engine.service import Published
from engine.why import why_alert, why_incident, why_root

if TYPE_CHECKING:
    from engine.desk import Desk

RELATED_WINDOW = timedelta(minutes=30)
RELATED_MOST = 20
PREVIEW_MOST = 20
WHY_ALERTS = 100
#: More alarms than this in ten minutes per operator is a flood (EEMUA 191, ISA-18.2).
FLOOD_PER_10_MIN = 10
#: Incidents that figures are made of at most.
KPI_MOST = 5_000
#: Who acted within this time is on shift.
ON_SHIFT = timedelta(hours=1)
_encode = json.Encoder().encode


def published(changes: Sequence[Change]) -> Published:
    return Published(changes[0].seq, changes[-1].seq, changes, [_encode(change) for change in changes])


def sees_alert(scope: Scope, alert: Alert) -> bool:
    """Its site, and its name where that takes a capability."""
    needed = of_names((alert.name,))
    return scope.sees(alert.site) and (not needed or scope.may(needed))


async def _one(desk: Desk, scope: Scope, target: str, *kinds: str) -> Any:
    kind, _, number = target.partition(":")
    if kind not in kinds or not number:
        raise Refused(f"cannot tell about {target!r}", field="id", remedy=" or ".join(f"{kind}:ID" for kind in kinds))
    found = await desk.rows(scope, kind=f"{kind}s", ids=(number,), limit=1)
    if not found:
        raise Refused(f"{target} was not found", field="id", remedy="look it up in the list", status=404)
    return found[0]


async def why(desk: Desk, scope: Scope, query: Query) -> Page:
    """Reasons of `query.id` ("alert:12", "incident:3" or "prediction:ID"), see `engine.why`."""
    thing = await _one(desk, scope, query.id, "alert", "incident", "prediction")
    now = desk.clock.now()
    if isinstance(thing, Prediction):
        return desk.page(why_prediction(thing))
    if isinstance(thing, Alert):
        return desk.page(why_alert(thing, desk.board.silences(scope.tenant), now))
    lines = why_incident(thing, now)
    first = await desk.rows(scope, kind="alerts", incident=thing.id, limit=WHY_ALERTS, sort="id")
    lines += why_root(thing.id, first)
    for alert in first[:5]:
        lines += why_alert(alert, desk.board.silences(scope.tenant), now)
    return desk.page(lines)


async def related(desk: Desk, scope: Scope, query: Query) -> Page:
    """Alerts of the same half hour that are not in the incident, each {"alert", "reason", "score"}, best first."""
    incident: Incident = await _one(desk, scope, query.id, "incident")
    ways = _ways(incident)
    if not ways:
        return desk.page([])
    elsewhere = Compare(field="incident", op=Op.NE, value=float(incident.id))
    where = And(parts=(ways[0] if len(ways) == 1 else Or(parts=ways), elsewhere))
    found = await desk.rows(
        scope,
        kind="alerts",
        where=where,
        since=incident.opened_at - RELATED_WINDOW,
        until=incident.last_at + RELATED_WINDOW,
        limit=200,
    )
    lines = [_related(incident, alert) for alert in found if alert.incident and alert.incident != incident.id]
    return desk.page(sorted(lines, key=lambda line: -line["score"])[:RELATED_MOST])


def _ways(incident: Incident) -> tuple[Node, ...]:
    sites = tuple(Compare(field="site", op=Op.EQ, value=site) for site in incident.sites[:5])
    names = tuple(Compare(field="name", op=Op.EQ, value=name) for name in incident.names[:5])
    return (*sites, *names)


def _related(incident: Incident, alert: Alert) -> dict[str, Any]:
    reasons = []
    score = 0.0
    if alert.site and alert.site in incident.sites:
        reasons.append(f"same site {alert.site}")
        score += 0.6
    if alert.name in incident.names:
        reasons.append(f"same type {alert.name}")
        score += 0.3
    apart = abs((alert.starts_at - incident.opened_at).total_seconds())
    reasons.append(f"{int(apart // 60)} min apart")
    score += 0.1 * max(0.0, 1.0 - apart / RELATED_WINDOW.total_seconds())
    return {"alert": alert, "reason": ", ".join(reasons), "score": round(score, 2)}


async def preview(desk: Desk, scope: Scope, query: Query) -> Page:
    """What a silence of these matchers would mute now: first {"alerts", "incidents", "muted_already", "worst"},
    then the first alerts as {"alert"}."""
    try:
        matches = compile_matchers(parse_matchers(query.q))
    except ValueError as error:
        raise Refused(str(error), field="q", remedy='write matchers like site="Harbour 2"') from error
    hit = [
        alert
        for alert in desk.board.alerts(scope.tenant).values()
        if sees_alert(scope, alert) and matches(alert.labels)
    ]
    head = {
        "alerts": len(hit),
        "incidents": len({alert.incident for alert in hit}),
        "muted_already": sum(bool(alert.silenced_by) for alert in hit),
        "by_severity": _by_severity(hit),
    }
    return desk.page([head, *({"alert": alert} for alert in hit[:PREVIEW_MOST])])


def _by_severity(alerts: Sequence[Alert]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for alert in alerts:
        counts[alert.severity] = counts.get(alert.severity, 0) + 1
    return counts


async def kpis(desk: Desk, scope: Scope, query: Query) -> Page:
    """Operator load and noise of the last 24 hours, each {"name", "value", "unit", "formula"}."""
    now = desk.clock.now()
    since = query.since or now - timedelta(hours=24)
    health = await desk.health(scope)
    recent = await _all(desk, scope, since=since)
    # What was merged away is counted where it went.
    incidents = [incident for incident in recent if incident.merged_into is None]
    alerts = sum(incident.alerts for incident in incidents)
    acked = [(i.acked_at - i.opened_at).total_seconds() for i in incidents if i.acked_at is not None]
    resolved = [(i.resolved_at - i.opened_at).total_seconds() for i in incidents if i.resolved_at is not None]
    standing = sum(now - i.opened_at > timedelta(hours=24) for i in await _all(desk, scope, active=True))
    flapping = desk.board.figures(scope).flapping
    operators = await _operators(desk, scope, now)
    lines = [
        _kpi("alarms per 10 min", health.alarms_10m, "", "alerts that began in the last 10 minutes, not folded away"),
        _kpi("operators", operators, "", "who acted in the last hour, at least 1"),
        _kpi("alarms per operator", _ratio(health.alarms_10m, operators), "", "alarms per 10 min ÷ operators"),
        _kpi("flood", health.alarms_10m > FLOOD_PER_10_MIN, "", f"more than {FLOOD_PER_10_MIN} alarms per 10 min"),
        _kpi("standing", standing, "incidents", "open for more than 24 h"),
        _kpi("chattering", flapping, "alerts", "flapping now"),
        _kpi("alerts", alerts, "", "alerts of the incidents opened in the window"),
        _kpi("incidents", len(incidents), "", f"opened in the window, the latest {KPI_MOST:,} at most"),
        _kpi("alerts per incident", _ratio(alerts, len(incidents)), "", "alerts ÷ incidents"),
        _kpi("noise", _ratio(100.0 * (alerts - len(incidents)), alerts), "%", "(alerts - incidents) ÷ alerts"),
        _kpi("MTTA", _mean(acked), "s", f"mean of first ack - opened, over {len(acked)} incidents"),
        _kpi("MTTR", _mean(resolved), "s", f"mean of resolved - opened, over {len(resolved)} incidents"),
        await _by_themselves(desk, scope, since, {incident.id for incident in incidents}),
        *await _foretold(desk, scope, since),
    ]
    return desk.page(lines)


async def _by_themselves(desk: Desk, scope: Scope, since: datetime, incidents: set[IncidentId]) -> dict[str, Any]:
    """The auto-resolution rate: what verified playbooks ended with no person's hand in it."""
    runs = await desk.rows(scope, kind="executions", since=since, limit=1000)
    ended = incidents & {run.incident for run in runs if run.resolved and run.verified and run.unattended}
    formula = (
        "incidents opened in the window and closed by a verified playbook with no human act ÷ all opened in it: "
        f"{len(ended)} of {len(incidents)}; playbooks: the latest 1,000 runs"
    )
    return _kpi("auto-resolved", _ratio(100.0 * len(ended), len(incidents)), "%", formula)


async def _foretold(desk: Desk, scope: Scope, since: datetime) -> list[dict[str, Any]]:
    """What became of the predictions made in the window, the latest thousand at most."""
    found = warnings(await desk.rows(scope, kind="predictions", since=since, limit=1000))
    over = f"over {found['hit'] + found['false_alarm']} warnings that nobody acted on"
    missed = f"hit ÷ (hit + missed), over {found['hit'] + found['missed']} events"
    formula = f"{found['prevention_formula']}; {found['prevention_caveat']}"
    return [
        _kpi("predictions", found["made"], "", "warnings made in the window"),
        _kpi("came true", _percent(found["precision"]), "%", f"hit ÷ (hit + false alarm), {over}"),
        _kpi("foretold", _percent(found["recall"]), "%", missed),
        _kpi("prevention rate", _percent(found["prevention_rate"]), "%", formula),
    ]


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100.0 * share, 1)


async def _operators(desk: Desk, scope: Scope, now: datetime) -> int:
    """How many people acted lately; senders and the engine itself are none."""
    acts = await desk.rows(scope, kind="audits", since=now - ON_SHIFT, limit=1000)
    return max(1, len({act.actor for act in acts if act.actor and not act.actor.startswith("source ")}))


async def _all(desk: Desk, scope: Scope, **select: Any) -> list[Incident]:
    """Every incident of these, page by page, at most KPI_MOST."""
    found: list[Incident] = []
    after: str | None = None
    while len(found) < KPI_MOST:
        page = await desk.page_of(scope, kind="incidents", limit=1000, sort="-id", after=after, **select)
        found.extend(page.items)
        after = page.next
        if after is None:
            break
    return found


def _kpi(name: str, value: Any, unit: str, formula: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "formula": formula}


def _ratio(top: float, bottom: float) -> float | None:
    return round(top / bottom, 2) if bottom else None


def _mean(seconds: Sequence[float]) -> float | None:
    return round(sum(seconds) / len(seconds), 1) if seconds else None
