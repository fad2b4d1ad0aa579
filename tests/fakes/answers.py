"""What the FakeClient answers besides its records: why, related, preview, sources, rejects, events, KPIs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from data.records import Alert, Incident, Reject
from engine.client import Refused
from tests.fakes import world


def why(target: str, incidents: dict[int, Incident], alerts: dict[int, Alert]) -> list[dict[str, Any]]:
    kind, _, number = target.partition(":")
    thing: Any = (incidents if kind == "incident" else alerts).get(int(number))
    if thing is None:
        raise Refused(f"{target} was not found", field="id", remedy="look it up in the list", status=404)
    about = f"{'I' if kind == 'incident' else 'A'}-{number}"
    lines = [
        {"about": about, "code": str(r.code), "words": f"because {r.code}", "facts": r.facts, "at": world.NOW}
        for r in thing.why
    ]
    for part in getattr(thing, "contributions", ()):
        words = f"{part.points:+.1f}  {part.feature}"
        lines.append({"about": about, "code": part.feature, "words": words, "facts": {}, "at": None})
    return lines


def related(incident: int, alerts: Iterable[Alert]) -> list[dict[str, Any]]:
    others = [alert for alert in alerts if alert.incident != incident][:5]
    return [{"alert": a, "reason": f"same site {a.site}", "score": 0.9 - n / 10} for n, a in enumerate(others)]


def preview(text: str, alerts: Iterable[Alert]) -> list[dict[str, Any]]:
    from data.matchers import compile_matchers, parse_matchers

    try:
        matches = compile_matchers(parse_matchers(text))
    except ValueError as error:
        raise Refused(str(error), field="q", remedy='write matchers like site="Harbour 2"') from error
    hit = [alert for alert in alerts if matches(alert.labels)]
    by_severity: dict[str, int] = {}
    for alert in hit:
        by_severity[alert.severity] = by_severity.get(alert.severity, 0) + 1
    head = {
        "alerts": len(hit),
        "incidents": len({alert.incident for alert in hit}),
        "muted_already": sum(bool(alert.silenced_by) for alert in hit),
        "by_severity": by_severity,
    }
    return [head, *({"alert": alert} for alert in hit[:20])]


def sources(now: datetime) -> list[dict[str, Any]]:
    start = now - timedelta(hours=2)
    return [
        _source("prometheus", 480, 5200, start, now - timedelta(seconds=4)),
        _source("grafana", 60, 61, start, now - timedelta(minutes=42)),
    ]


def _source(name: str, envelopes: int, rows: int, first_at: datetime, last_at: datetime) -> dict[str, Any]:
    return {"name": name, "envelopes": envelopes, "rows": rows, "first_at": first_at, "last_at": last_at}


def rejects(now: datetime, text: str = '{"title": 7}') -> list[Reject]:
    return [
        Reject(
            tenant=world.TENANT,
            source="webhook/generic",
            format="generic",
            at=now - timedelta(minutes=number),
            field="title",
            reason="expected text, got a number",
            remedy="send the title as a string",
            body=text,
            id=number,
        )
        for number in (1, 2)
    ]


def kpis() -> list[dict[str, Any]]:
    return [
        {"name": "alarms per 10 min", "value": 4, "unit": "", "formula": "new alerts of the last 10 minutes"},
        {"name": "flood", "value": False, "unit": "", "formula": "more than 10 alarms in 10 minutes"},
        {"name": "noise", "value": 92.4, "unit": "%", "formula": "(alerts - incidents) ÷ alerts"},
        {"name": "MTTA", "value": 184.0, "unit": "s", "formula": "mean of first ack - opened, over 3 incidents"},
        {"name": "MTTR", "value": None, "unit": "s", "formula": "mean of resolved - opened, over 0 incidents"},
    ]
