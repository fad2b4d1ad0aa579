"""Webhook: one notice about an incident, POSTed as signed JSON to a receiver of `[[notify.webhooks]]`.

The body of one notice is the same at every try, and so is its key, in the header Idempotency-Key and in the body: a
receiver that keeps the keys it has seen gets each notice exactly once, whatever was lost on the way. `X-Signature:
sha256=<hex>` is the HMAC-SHA256 of the raw body; X-Timestamp, the Unix second of the try, is not part of it.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from msgspec import json

from data.records import Effect
from engine.destinations import Forbidden, destination
from engine.effects import Around, Later, Undoable
from engine.outbound import Answer
from engine.ports import Plan
from engine.settings import WebhookSettings

#: Refusals that may be over soon; every other 4xx says that this notice will never be taken.
_LATER = frozenset({408, 425, 429})
_PAUSE_MAX_SECONDS = 300.0


class Webhook:
    """Sends `params`: webhook (name in the settings), event, incident (its summary)."""

    name = "webhook"
    #: The receiver can tell a repeat by its key, so a try whose end nobody saw is made again.
    repeatable = True

    def __init__(self, around: Around) -> None:
        self._notify = around.settings.notify
        self._engine = around.settings.engine.name
        self._outbound = around.outbound
        self._clock = around.clock

    async def plan(self, effect: Effect) -> Plan:
        """Raises Undoable when no such webhook is configured, or its URL must not be called."""
        webhook = self._webhook(effect)
        try:
            to = destination(
                webhook.url,
                allow_http=webhook.allow_http,
                allow_hosts=self._notify.allow_hosts,
                ports=self._notify.ports,
            )
        except Forbidden as error:
            raise Undoable(f"{error.reason}; {error.remedy}") from None
        words = f"tell {webhook.name} that I-{effect.incident} {effect.params['event']}"
        return Plan(action=self.name, params=effect.params, targets=[to.origin], words=words)

    async def run(self, effect: Effect) -> Mapping[str, Any]:
        """Raises Undoable when it will never be taken, Later or Unreached when it may."""
        webhook = self._webhook(effect)
        body = self._body(effect)
        try:
            answer = await self._outbound.request(
                "POST",
                webhook.url,
                body=body,
                headers=self._headers(effect, webhook, body),
                allow_http=webhook.allow_http,
            )
        except Forbidden as error:
            raise Undoable(f"{error.reason}; {error.remedy}") from None
        return _judged(answer)

    def _webhook(self, effect: Effect) -> WebhookSettings:
        name = effect.params["webhook"]
        for webhook in self._notify.webhooks:
            if webhook.name == name:
                return webhook
        raise Undoable(f"no webhook is called {name!r} any more")

    def _body(self, effect: Effect) -> bytes:
        return json.encode(
            {
                "version": 1,
                "idempotency_key": effect.key,
                "engine": self._engine,
                "tenant": effect.tenant,
                "event": effect.params["event"],
                "at": effect.created_at,
                "incident": effect.params["incident"],
            }
        )

    def _headers(self, effect: Effect, webhook: WebhookSettings, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": effect.key,
            "X-Timestamp": str(int(self._clock.now().timestamp())),
        }
        if webhook.secret is not None:
            digest = hmac.new(webhook.secret.reveal().encode(), body, sha256).hexdigest()
            headers["X-Signature"] = f"sha256={digest}"
        return headers


def _judged(answer: Answer) -> dict[str, Any]:
    status = answer.status
    if 200 <= status < 300:
        return {"status": status}
    if 300 <= status < 400:
        raise Undoable(f"answered {status}, a redirect, which is not followed; configure the URL that it leads to")
    if 400 <= status < 500 and status not in _LATER:
        raise Undoable(f"answered {status}: the receiver does not take it")
    pause = answer.headers.get("retry-after", "")
    seconds = float(pause) if pause.isascii() and pause.isdigit() and len(pause) < 9 else 0.0
    raise Later(f"answered {status}", min(seconds, _PAUSE_MAX_SECONDS))


ACTION = Webhook
