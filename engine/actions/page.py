"""Page: one person told of an incident, or in a flood of several, by a webhook of the settings or by e-mail.

What goes to a webhook is one more notice of `engine.actions.webhook`, signed and keyed as all are, with whom it is for.
An e-mail has the same Message-ID at every try.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import json

from data.records import Effect, IncidentId
from engine.actions.send_notification import NotificationParams, SendNotification
from engine.actions.webhook import Webhook
from engine.effects import Around, Later, Undoable
from engine.playbooks.actions import Act, Failed, Refusal
from engine.ports import Plan

_MAIL_SECONDS = 15.0


class Page(Webhook):
    """Sends `params`: webhook or email, person, title, text, incident (its summary), incidents (of the others)."""

    name = "page"

    def __init__(self, around: Around) -> None:
        super().__init__(around)
        self._mail = SendNotification(around)  # type: ignore[abstract] # its check has a default

    async def plan(self, effect: Effect) -> Plan:
        """Raises Undoable when the way that it names is not configured any more."""
        if not effect.params.get("email"):
            plan = await super().plan(effect)
            words = f"page {effect.params['person']} by {effect.params['webhook']}"
            return Plan(action=self.name, params=effect.params, targets=plan.targets, words=words)
        try:
            self._mail.plan(_letter(effect))
        except Refusal as error:
            raise Undoable(str(error)) from None
        words = f"page {effect.params['person']} by e-mail"
        return Plan(action=self.name, params=effect.params, targets=[effect.params["email"]], words=words)

    async def run(self, effect: Effect) -> Mapping[str, Any]:
        """Raises Undoable when it will never be taken, Later or Unreached when it may."""
        if not effect.params.get("email"):
            return await super().run(effect)
        act = Act(
            key=effect.key,
            tenant=effect.tenant,
            execution="",
            playbook="on-call",
            incident=effect.incident or IncidentId(0),
            site="",
            at=effect.created_at,
            timeout_seconds=_MAIL_SECONDS,
        )
        try:
            await self._mail.run(act, _letter(effect))
        except Failed as error:
            raise (Later(str(error)) if error.again else Undoable(str(error))) from error
        return {"told": effect.params["person"]}

    def _body(self, effect: Effect) -> bytes:
        params = effect.params
        return json.encode(
            {
                "version": 1,
                "idempotency_key": effect.key,
                "engine": self._engine,
                "tenant": effect.tenant,
                "event": "paged",
                "at": effect.created_at,
                "person": params["person"],
                "title": params.get("title", ""),
                "text": params.get("text", ""),
                "incident": params["incident"],
                "incidents": params.get("incidents", []),
                "pages": params.get("pages", 1),
            }
        )


def _letter(effect: Effect) -> NotificationParams:
    params = effect.params
    return NotificationParams(
        text=params["text"] or params["title"], channel="email", title=params["title"], to=(params["email"],)
    )


ACTION = Page
