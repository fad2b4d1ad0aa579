"""Intake other than Alertmanager's own: `/ingest/webhook/{source}`, PagerDuty's enqueue, `/ingest/events`.

Owns who a webhook's sender is and what it is answered. Never understands a body: formats do.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from data.records import TenantId
from engine.api.context import Api
from engine.api.gate import bearer, unknown
from engine.api.intake import Sender, Taken
from engine.api.peers import within
from engine.api.signatures import delivery, verify
from engine.api.sources import WebhookSource
from engine.api.wire import Grant, Problem, Reply, Request, json_reply, not_found
from engine.formats.pagerduty import routing_key
from engine.ports import Format, Parsed

#: Headers that carry secrets: formats do not get to see them.
_SECRET_HEADERS = frozenset({b"authorization", b"cookie", b"proxy-authorization"})


class TakenDocument(Struct, frozen=True, kw_only=True):
    """What became of a body. `keys` are the dedup keys of what was taken; the first reject is spelled out."""

    taken: int
    rejected: int
    partition: int | None
    seq: int | None
    keys: tuple[str, ...] = ()
    field: str = ""
    reason: str = ""
    remedy: str = ""


async def webhook(api: Api, request: Request) -> Reply:
    """A configured sender's body, in the format that it is configured with."""
    source = api.sources.get(request.params["source"])
    if source is None:
        raise not_found()
    return await _deliver(api, request, source)


async def enqueue(api: Api, request: Request) -> Reply:
    """PagerDuty's path: the source called pagerduty, whose tokens are its routing keys."""
    source = api.sources.get("pagerduty")
    if source is None:
        raise not_found()
    return await _deliver(api, request, source)


async def _deliver(api: Api, request: Request, source: WebhookSource) -> Reply:
    client = request.asgi["client"]
    if source.networks and not (client and within(client[0], source.networks)):
        raise unknown("The sender's network is not allowed for this source.")
    try:
        grant = await _sender_grant(api, request, source)
    except Problem as problem:
        problem.status = source.overload_status if problem.status == 429 else problem.status
        raise
    sender = Sender(
        TenantId(api.settings.engine.tenant) if grant is None else grant.scope.tenant,
        source.name,
        source.name,
        source.rate,
        source.overload_status,
    )
    body = await api.intake.read(sender, request.receive, request.headers, api.settings.limits.body_max_bytes)
    id = _verified(api, request, source, body, admitted=grant is not None)
    parsed = await api.intake.parse(sender, source.format, source.settings, body, text_headers(request.headers))
    return _reply(source.format, parsed, await api.intake.take(sender, parsed, id))


async def _sender_grant(api: Api, request: Request, source: WebhookSource) -> Grant | None:
    """Who sends, as far as the headers tell; None = the body has to prove it (signature or routing key)."""
    if source.tokens:
        given = bearer(request.headers)
        if any([token.matches(given) for token in source.tokens]):
            return Grant(api.gate.source_scope(source.name))
        if given.startswith("noc_"):
            return await api.gate.admit(request.asgi, request.headers, "ingest:write")
        if source.format.name != "pagerduty":
            raise unknown("The source's token is missing or wrong.")
        return None
    if source.secrets:
        return None
    fast = api.gate.intake(request.asgi, request.headers)
    return fast or await api.gate.admit(request.asgi, request.headers, "ingest:write")


def _verified(api: Api, request: Request, source: WebhookSource, body: bytes, *, admitted: bool) -> str:
    """The delivery's id, once the body has proved its sender where that was still open. Raises Problem 401."""
    if source.secrets:
        return verify(request.headers, body, source.secrets, api.service.clock.now())
    if not admitted:
        key = routing_key(body)
        if not any([token.matches(key) for token in source.tokens]):
            raise unknown("The routing key is not known.")
    return delivery(request.headers)


def _reply(format: Format, parsed: Parsed, taken: Taken) -> Reply:
    """The format's own answer, else what was taken; 422 when there was something and none of it could be."""
    if parsed.reply is not None:
        status, document = parsed.reply
        return json_reply(document, status)
    status = 422 if taken.rejects and not taken.signals and not taken.events else 202
    if status == 202 and format.name in ("webhook_v4", "grafana"):
        status = 200
    return json_reply(_document(taken), status)


def _document(taken: Taken) -> TakenDocument:
    first = taken.rejects[0] if taken.rejects else None
    return TakenDocument(
        taken=len(taken.signals) + taken.events,
        rejected=len(taken.rejects),
        partition=taken.receipt.partition if taken.receipt else None,
        seq=taken.receipt.seq if taken.receipt else None,
        keys=tuple(signal.key for signal in taken.signals),
        field=first.field if first else "",
        reason=first.reason if first else "",
        remedy=first.remedy if first else "",
    )


async def events(api: Api, request: Request) -> Reply:
    """CloudEvents in three modes, NDJSON, or plain JSON; which one is told by the headers."""
    format = api.formats[_event_format(request)]
    sender = Sender(request.who.tenant, "events", _key("events", request.grant), None, 429)
    limit = api.settings.limits.batch_body_max_bytes
    body = await api.intake.read(sender, request.receive, request.headers, limit)
    parsed = await api.intake.parse(sender, format, api.intake_settings, body, text_headers(request.headers))
    return _reply(format, parsed, await api.intake.take(sender, parsed, delivery(request.headers)))


async def change(api: Api, request: Request) -> Reply:
    """PagerDuty's change events."""
    format = api.formats["pagerduty_change"]
    sender = Sender(request.who.tenant, "pagerduty", _key("pagerduty", request.grant), None, 429)
    limit = api.settings.limits.body_max_bytes
    body = await api.intake.read(sender, request.receive, request.headers, limit)
    parsed = await api.intake.parse(sender, format, api.intake_settings, body, text_headers(request.headers))
    return _reply(format, parsed, await api.intake.take(sender, parsed, delivery(request.headers)))


def _event_format(request: Request) -> str:
    media = request.media_type
    if media.startswith("application/cloudevents") or b"ce-specversion" in request.headers:
        return "cloudevents"
    if media in ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-lines"):
        return "ndjson"
    if media == "application/json":
        return "generic"
    raise Problem(
        415,
        "Media type not taken",
        field="Content-Type",
        remedy="send application/cloudevents+json, application/cloudevents-batch+json, application/x-ndjson or JSON",
    )


def _key(source: str, grant: Grant) -> str:
    return f"{source} {grant.token.id}" if grant.token else source


def text_headers(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Headers as text, without those that carry secrets."""
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in headers.items()
        if name not in _SECRET_HEADERS
    }
