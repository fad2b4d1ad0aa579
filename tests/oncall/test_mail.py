"""A page by e-mail, to a mail server of a few lines."""

from __future__ import annotations

import asyncio
from email import message_from_bytes
from email.policy import default

import pytest

from data.records import DEFAULT_TENANT, Effect, IncidentId
from engine.actions.page import Page
from engine.effects import Around, Later, Undoable
from engine.outbound import Outbound
from engine.playbooks.settings import MailSettings, PlaybookSettings
from engine.settings import Settings
from tests.fakes.line import T0
from tests.fakes.still_clock import StillClock
from tests.playbooks.test_mail import MailServer


def action(port: int) -> Page:
    listed = ("eve@example.org", "refuse@example.org")
    mail = MailSettings(host="127.0.0.1", port=port, sender="noc@example.org", recipients=listed, starttls=False)
    settings = Settings(playbooks=PlaybookSettings(mail=mail))
    return Page(Around(settings=settings, clock=StillClock(T0), outbound=Outbound()))


def effect(to: str) -> Effect:
    return Effect(
        key="page/@/I1-1/I1-1",
        tenant=DEFAULT_TENANT,
        action="page",
        params={
            "event": "paged",
            "webhook": "",
            "email": to,
            "person": "eve",
            "title": "I-1 high",
            "text": "I-1 is down",
        },
        created_at=T0,
        incident=IncidentId(1),
    )


async def test_a_page_by_mail_says_the_same_under_the_same_id_at_every_try() -> None:
    mail = MailServer()
    async with await asyncio.start_server(mail, "127.0.0.1", 0) as server:
        doing = action(server.sockets[0].getsockname()[1])
        plan = await doing.plan(effect("eve@example.org"))
        assert (plan.targets, mail.got) == (["eve@example.org"], [])
        for _ in range(2):
            assert await doing.run(effect("eve@example.org")) == {"told": "eve"}
    first, second = (message_from_bytes(got, policy=default) for got in mail.got)
    assert first["Subject"] == "I-1 high" and "I-1 is down" in first.get_content()
    assert first["Message-ID"] == second["Message-ID"]


async def test_a_refused_address_is_not_tried_again_and_a_silent_server_is() -> None:
    async with await asyncio.start_server(MailServer(), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Undoable, match="refused"):
            await action(port).run(effect("refuse@example.org"))
        with pytest.raises(Undoable, match="not listed"):
            await action(port).run(effect("other@example.org"))
        with pytest.raises(Undoable, match="not listed"):
            await action(port).plan(effect("other@example.org"))
    with pytest.raises(Later, match="did not take it"):
        await action(port).run(effect("eve@example.org"))
