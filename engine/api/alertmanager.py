"""The Alertmanager API v2: Prometheus, amtool, karma and Grafana come in here unchanged.

Owns the routes and how they reach the service. What the answers look like is `engine.alertmanager_view`'s and
`engine.alertmanager_silences`'; silences themselves are acts like any other.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import msgspec

from data.records import Alert, Matcher
from data.restricted import ALERTS
from engine.alertmanager_silences import (
    PostedSilence,
    check_silence,
    check_silence_id,
    read_silence,
    render_silence,
    render_silences,
    silence_filter,
    silence_state,
)
from engine.alertmanager_view import EVERYTHING, FaceError, alert_filter, render_receivers, render_status
from engine.api.acts import run
from engine.api.context import Api
from engine.api.intake import Sender
from engine.api.routes import Handler, Route
from engine.api.signatures import delivery
from engine.api.wire import JSON, Grant, Problem, Reply, Request, Stream, json_reply
from engine.client import Command
from engine.ports import Parsed

_EMPTY = Reply(200, b"")
_NO_HEADERS: dict[str, str] = {}
_DEPRECATED = (
    b'{"status":"deprecated","error":"The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of '
    b'version 0.27.0 - please use the equivalent route in the v2 API"}\n'
)


def sender_of(grant: Grant) -> Sender:
    """Prometheus and everybody without a token is the source "alertmanager", a token is the source of its name."""
    if grant.token is None:
        return Sender(grant.scope.tenant, "alertmanager", "alertmanager")
    return Sender(grant.scope.tenant, grant.token.name, f"token {grant.token.id}")


async def post_alerts(api: Api, request: Request) -> Reply:
    """Take alerts; 200 says that they are committed. The valid ones of a mixed body are taken before the 400."""
    headers = request.headers
    media = headers.get(b"content-type", b"")
    if media != JSON and request.media_type != "application/json":
        message = f'unsupported media type "{request.media_type:.60}", only [application/json] are allowed'
        raise FaceError(415, {"code": 415, "message": message})
    sender = sender_of(request.grant)
    body = await api.intake.read(sender, request.receive, headers, api.settings.limits.batch_body_max_bytes)
    coding = headers.get(b"content-encoding")
    known = {"content-encoding": coding.decode("latin-1")} if coding else _NO_HEADERS
    parsed = await api.intake.parse(sender, api.alert_format, api.intake_settings, body, known)
    id = delivery(headers)
    if parsed.signals or parsed.rejects:
        await api.intake.take(sender, parsed, id)
    if parsed.rejects:
        raise FaceError(400, _rejected(parsed))
    return _EMPTY


def _rejected(parsed: Parsed) -> str:
    return "; ".join(reject.reason for reject in parsed.rejects[:100])


async def get_alerts(api: Api, request: Request) -> Stream:
    wanted = alert_filter(_params(request))
    rows = _visible(api, request)
    everything = wanted == EVERYTHING and request.who.sites is None
    return Stream(api.board.alerts(rows, api.service.clock.now(), EVERYTHING if everything else wanted))


async def get_groups(api: Api, request: Request) -> Stream:
    wanted = alert_filter(_params(request))
    return Stream(api.board.groups(_visible(api, request), api.service.clock.now(), wanted))


def _visible(api: Api, request: Request) -> list[Alert]:
    # A copy: the board goes on changing while a long answer is being made.
    rows = list(api.service.board.alerts(request.who.tenant).values())
    hidden = {name for name, needed in ALERTS.items() if not request.who.may(needed)}
    if hidden:
        rows = [alert for alert in rows if alert.name not in hidden]
    return rows if request.who.sites is None else [alert for alert in rows if request.who.sees(alert.site)]


def _params(request: Request) -> list[tuple[str, str]]:
    try:
        return parse_qsl(request.asgi["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise Problem(400, "Too many query parameters", remedy="send at most 100") from None


async def get_silences(api: Api, request: Request) -> Reply:
    wanted = silence_filter(_params(request))
    rows = list(api.service.board.silences(request.who.tenant).values())
    return Reply(200, render_silences(rows, api.service.clock.now(), wanted))


async def get_silence(api: Api, request: Request) -> Reply:
    found = api.service.board.silences(request.who.tenant).get(check_silence_id(request.params["id"]))
    if found is None:
        raise FaceError(404, "silence not found")
    return Reply(200, render_silence(found, api.service.clock.now()) + b"\n")


async def post_silence(api: Api, request: Request) -> Reply:
    """Make or change a silence; the answer comes after the commit."""
    if request.media_type != "application/json":
        raise FaceError(415, {"code": 415, "message": "only [application/json] are allowed"})
    body = await api.bodies.read(request.receive, request.headers, api.settings.limits.body_max_bytes)
    posted = read_silence(body)
    now, tenant = api.service.clock.now(), request.who.tenant
    # Refuses in Alertmanager's words; what comes of it is decided on the line.
    check_silence(posted, api.service.board.silences(tenant).get(posted.id), now, "", tenant)
    result = await run(api, request, Command(verb="silence", targets=(), params=_silence_params(posted)))
    return json_reply({"silenceID": result.id})


def _silence_params(posted: PostedSilence) -> dict[str, Any]:
    matchers: tuple[Matcher, ...] = posted.matchers
    return {
        "matchers": msgspec.to_builtins(matchers),
        "starts_at": posted.starts_at,
        "ends_at": posted.ends_at,
        "created_by": posted.created_by,
        "comment": posted.comment,
        "id": posted.id,
        "ticket": posted.annotations.get("ticket", ""),
        "annotations": posted.annotations,
    }


async def delete_silence(api: Api, request: Request) -> Reply:
    """Expire it: it ends now. One that is over stays as it is."""
    id = check_silence_id(request.params["id"])
    found = api.service.board.silences(request.who.tenant).get(id)
    if found is None:
        raise FaceError(404, "silence not found")
    if silence_state(found, api.service.clock.now()) != "expired":
        result = await run(api, request, Command(verb="expire_silence", targets=(f"silence:{id}",)))
        if not result.changed:
            raise FaceError(404, "silence not found")
    return _EMPTY


async def get_status(api: Api, request: Request) -> Reply:
    return Reply(200, render_status(api.started_at, api.settings.engine.resolve_timeout_seconds))


async def get_receivers(api: Api, request: Request) -> Reply:
    return Reply(200, render_receivers())


async def deprecated(api: Api, request: Request) -> Reply:
    return Reply(410, _DEPRECATED)


def _route(where: str, capability: str, words: str, handler: Handler, *, status: int = 200) -> Route:
    method, path = where.split()
    return Route(
        method=method,
        path=path,
        capability=capability,
        words=words,
        handler=handler,
        face=True,
        raw=method == "POST",
        status=status,
    )


ROUTES: tuple[Route, ...] = (
    _route("POST /api/v2/alerts", "ingest:write", "Take alerts.", post_alerts),
    _route("GET /api/v2/alerts", "noc:view", "Active alerts.", get_alerts),
    _route("GET /api/v2/alerts/groups", "noc:view", "Active alerts, grouped.", get_groups),
    _route("GET /api/v2/silences", "noc:view", "Silences.", get_silences),
    _route("POST /api/v2/silences", "silence:write", "Make or change a silence.", post_silence),
    _route("GET /api/v2/silence/{id}", "noc:view", "One silence.", get_silence),
    _route("DELETE /api/v2/silence/{id}", "silence:write", "Expire a silence.", delete_silence),
    _route("GET /api/v2/status", "noc:view", "Version and configuration.", get_status),
    _route("GET /api/v2/receivers", "noc:view", "Receivers.", get_receivers),
    # Alertmanager's own version 1 is long gone; these of its paths are not ours.
    _route("POST /api/v1/alerts", "ingest:write", "Gone since Alertmanager 0.27.", deprecated, status=410),
    _route("GET /api/v1/alerts/groups", "noc:view", "Gone since Alertmanager 0.27.", deprecated, status=410),
    _route("GET /api/v1/status", "noc:view", "Gone since Alertmanager 0.27.", deprecated, status=410),
    _route("GET /api/v1/receivers", "noc:view", "Gone since Alertmanager 0.27.", deprecated, status=410),
    _route("GET /api/v1/silence/{id}", "noc:view", "Gone since Alertmanager 0.27.", deprecated, status=410),
    _route("DELETE /api/v1/silence/{id}", "silence:write", "Gone since Alertmanager 0.27.", deprecated, status=410),
)
