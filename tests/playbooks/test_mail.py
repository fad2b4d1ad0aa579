"""send_notification by e-mail, to a mail server of a few lines."""

from __future__ import annotations

import asyncio
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest

from engine.effects import Around
from engine.outbound import Outbound
from engine.playbooks.actions import Failed, StepAction, read_params, registry
from engine.playbooks.settings import MailSettings, PlaybookSettings
from engine.settings import Settings
from tests.fakes.line import T0
from tests.fakes.still_clock import StillClock
from tests.playbooks.test_step_runner import ACT


class MailServer:
    """Says yes to everything but recipients that begin with `refuse`."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.recipients: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            word = line[:4].upper()
            if word == b"RCPT":
                self.recipients.append(line.decode().strip())
                writer.write(b"550 no\r\n" if b"<refuse" in line else b"250 ok\r\n")
            elif word == b"DATA":
                writer.write(b"354 go\r\n")
                self.got.append(await reader.readuntil(b"\r\n.\r\n"))
                writer.write(b"250 ok\r\n")
            elif word == b"QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 ok\r\n")
            await writer.drain()
        await writer.drain()
        writer.close()


def action(port: int) -> StepAction:
    mail = MailSettings(
        host="127.0.0.1",
        port=port,
        sender="noc@example.org",
        recipients=("a@example.org", "refuse@example.org"),
        starttls=False,
    )
    settings = Settings(playbooks=PlaybookSettings(mail=mail))
    return registry(Around(settings=settings, clock=StillClock(T0), outbound=Outbound()))["send_notification"]


async def send(port: int, **given: Any) -> None:
    found: Any = action(port)
    await found.run(ACT, read_params(found, {"channel": "email", "to": ["a@example.org"], **given}))


async def test_a_mail_has_one_subject_and_the_same_id_at_every_try() -> None:
    mailbox = MailServer()
    server = await asyncio.start_server(mailbox, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        await send(port, text="line one\nBcc: x@example.org", title="down\r\nBcc: y@example.org\x1b[0m")
        await send(port, text="again")
        with pytest.raises(Failed, match="refused all"):
            await send(port, text="x", to=["refuse@example.org"])
    first, second = (message_from_bytes(body, policy=default) for body in mailbox.got)
    assert first["Subject"] == "down Bcc: y@example.org [0m"
    assert first["Bcc"] is None
    assert first["Message-ID"] == second["Message-ID"]
    assert first.get_content().splitlines()[:2] == ["line one", "Bcc: x@example.org"]
    assert {line.partition(":")[2].partition(">")[0] for line in mailbox.recipients} == {
        "<a@example.org", "<refuse@example.org"
    }  # fmt: skip


async def test_a_server_that_is_not_there_may_be_tried_again() -> None:
    server = await asyncio.start_server(MailServer(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(Failed) as found:
        await send(port, text="x")
    assert found.value.again
