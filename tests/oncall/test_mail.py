"""A page by e-mail, to a real SMTP server."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from data.records import DEFAULT_TENANT, Effect, IncidentId
from engine.actions.page import Page
from engine.effects import Around, Later, Undoable
from engine.outbound import Outbound
from engine.playbooks.settings import MailSettings, PlaybookSettings
from engine.settings import Settings
from tests.core.test_effects import Bench
from tests.core.test_effects import bench as bench
from tests.fakes.line import T0
from tests.fakes.mail import Mailbox, mail_server
from tests.fakes.still_clock import StillClock
from tests.fakes.stored import commit


def action(port: int) -> Page:
    listed = ("eve@example.org", "refuse@example.org", "busy@example.org")
    mail = MailSettings(host="127.0.0.1", port=port, sender="noc@example.org", recipients=listed, starttls=False)
    settings = Settings(playbooks=PlaybookSettings(mail=mail))
    return Page(Around(settings=settings, clock=StillClock(T0), outbound=Outbound()))


def effect(to: str, key: str = "page/@/I1-1/I1-1", incident: int = 1) -> Effect:
    return Effect(
        key=key,
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
        incident=IncidentId(incident),
    )


async def test_a_page_by_mail_says_the_same_under_the_same_id_at_every_try() -> None:
    async with mail_server(Mailbox()) as mail:
        doing = action(mail.port)
        plan = await doing.plan(effect("eve@example.org"))
        assert (plan.targets, mail.got) == (["eve@example.org"], [])
        for _ in range(2):
            assert await doing.run(effect("eve@example.org")) == {"told": "eve"}
    first, second = mail.got
    assert first["Subject"] == "I-1 high" and "I-1 is down" in first.get_content()
    assert first["Message-ID"] == second["Message-ID"]


async def test_a_refused_address_is_not_tried_again_and_a_silent_server_is() -> None:
    async with mail_server(Mailbox()) as mail:
        with pytest.raises(Undoable, match="refused"):
            await action(mail.port).run(effect("refuse@example.org"))
        with pytest.raises(Later, match="refused"):
            await action(mail.port).run(effect("busy@example.org"))
        with pytest.raises(Undoable, match="not listed"):
            await action(mail.port).run(effect("other@example.org"))
        with pytest.raises(Undoable, match="not listed"):
            await action(mail.port).plan(effect("other@example.org"))
    with pytest.raises(Later, match="did not take it"):
        await action(mail.port).run(effect("eve@example.org"))


async def test_the_outbox_sends_again_after_4yz_and_keeps_5yz_as_a_dead_letter(bench: Bench) -> None:
    async with mail_server(Mailbox()) as mail:
        mail.answers = ["451 4.3.0 later", "421 4.3.2 closing", ""]
        dispatcher = bench.dispatcher(action(mail.port))  # type: ignore[arg-type]
        pages = [effect("eve@example.org", "page/@/I1-1/1"), effect("refuse@example.org", "page/@/I2-1/1", 2)]
        await bench.store.commit(commit(bench.epoch, effects=[replace(page, action="notify") for page in pages]))
        tries = 0
        while "pending" in (await bench.states()).values():
            tries += await bench.round(dispatcher)
            bench.clock.advance(60.0)
            assert tries < 10
    assert await bench.states() == {"page/@/I1-1/1": "done", "page/@/I2-1/1": "failed"}
    told = {found.key: (found.attempt, found.result) for found in await bench.effects()}
    assert told["page/@/I1-1/1"][0] == 3 and len(mail.got) == 1
    assert told["page/@/I2-1/1"] == (1, "the mail server refused all recipients (550)")
