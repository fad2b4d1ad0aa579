"""send_notification: tell people of an incident, in the console, by e-mail or to a webhook of the settings.

Console: an entry in the incident's timeline. E-mail goes to listed addresses only, its Message-ID is the same at every
try. A webhook gets the text as JSON, signed as its other notices are.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct, json

from engine.destinations import Forbidden
from engine.effects import Around
from engine.mail import Letter, send_mail
from engine.outbound import Unreached
from engine.playbooks.actions import Act, Done, Failed, Idempotency, Planned, Refusal, StepAction

if TYPE_CHECKING:
    from engine.book import Draft
    from engine.settings import WebhookSettings


class NotificationParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`to`: of e-mail the addresses, of a webhook its name, of the console nothing."""

    text: Annotated[str, Meta(min_length=1, max_length=16_384)]
    channel: Literal["console", "email", "webhook"] = "console"
    title: Annotated[str, Meta(max_length=1000)] = ""
    to: Annotated[tuple[Annotated[str, Meta(max_length=254)], ...], Meta(max_length=20)] = ()


class SendNotification(StepAction):
    name = "send_notification"
    words = "Tell people: in the console, by e-mail or to a webhook."
    params = NotificationParams
    gives = frozenset({"told"})
    free = frozenset({"text", "title"})

    def __init__(self, around: Around) -> None:
        self._mail = around.settings.playbooks.mail
        self._webhooks = {webhook.name: webhook for webhook in around.settings.notify.webhooks}
        self._outbound = around.outbound

    def idempotency(self, params: Any) -> Idempotency:
        return Idempotency.SAFE

    def on_line(self, params: NotificationParams) -> bool:
        return params.channel == "console"

    def plan(self, params: NotificationParams) -> Planned:
        if params.channel == "console":
            return Planned(targets=(), words="write into the incident's timeline")
        self._check(params)
        return Planned(targets=(), words=f"send {params.channel} to {', '.join(params.to)}")

    def _check(self, params: NotificationParams) -> None:
        if not params.to:
            raise Refusal(f"{params.channel} needs somebody to go to", "name them in to")
        if params.channel == "email" and not self._mail.host:
            raise Refusal("there is no mail server", "set host and sender in [playbooks.mail]")
        listed = self._mail.recipients if params.channel == "email" else tuple(self._webhooks)
        for name in params.to:
            if name not in listed:
                raise Refusal(f"{name!r} is not listed", "add it to playbooks.mail.recipients or notify.webhooks")

    def apply(self, draft: Draft, act: Act, params: NotificationParams) -> Done:
        text = f"{params.title}: {params.text}" if params.title else params.text
        draft.record(act.incident, "notified", actor=f"playbook/{act.playbook}", text=text[:4096])
        return Done(output={"told": 1})

    async def run(self, act: Act, params: NotificationParams) -> Done:
        try:
            self._check(params)
        except Refusal as error:
            raise Failed(str(error)) from error
        if params.channel == "email":
            subject = params.title or f"I-{act.incident}: {act.playbook}"
            letter = Letter(key=act.key, to=params.to, subject=subject, text=params.text)
            await send_mail(self._mail, letter, act.timeout_seconds)
        else:
            for name in params.to:
                await self._post(act, params, self._webhooks[name])
        return Done(output={"told": len(params.to)})

    async def _post(self, act: Act, params: NotificationParams, webhook: WebhookSettings) -> None:
        body = json.encode(
            {
                "version": 1,
                "idempotency_key": act.key,
                "tenant": act.tenant,
                "event": "playbook_notification",
                "incident": act.incident,
                "playbook": act.playbook,
                "title": params.title,
                "text": params.text,
            }
        )
        headers = {"Content-Type": "application/json", "Idempotency-Key": act.key}
        if webhook.secret is not None:
            digest = hmac.new(webhook.secret.reveal().encode(), body, sha256).hexdigest()
            headers["X-Signature"] = f"sha256={digest}"
        try:
            answer = await self._outbound.request(
                "POST", webhook.url, body=body, headers=headers, allow_http=webhook.allow_http
            )
        except Forbidden as error:
            raise Failed(f"{error.reason}; {error.remedy}") from None
        except Unreached as error:
            raise Failed(str(error), again=True) from None
        if not 200 <= answer.status < 300:
            raise Failed(f"{webhook.name} answered {answer.status}", again=answer.status >= 500)


STEP = SendNotification
