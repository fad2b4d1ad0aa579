"""send_notification by e-mail, to a real SMTP server: TLS, login, and what each of its answers comes to."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.effects import Around
from engine.outbound import Outbound
from engine.playbooks.actions import Failed, StepAction, read_params, registry
from engine.playbooks.settings import MailSettings, PlaybookSettings
from engine.secret import Secret
from engine.settings import Settings
from tests.fakes.line import T0
from tests.fakes.mail import PASSWORD, USER, Mailbox, certificate, mail_server
from tests.fakes.still_clock import StillClock
from tests.playbooks.test_step_runner import ACT

NAMES = ("a@example.org", "b@example.org", "refuse@example.org", "busy@example.org")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")


def action(port: int, **more: Any) -> StepAction:
    given: dict[str, Any] = {"host": "127.0.0.1", "sender": "noc@example.org", "recipients": NAMES, "starttls": False}
    settings = Settings(playbooks=PlaybookSettings(mail=MailSettings(port=port, **{**given, **more})))
    return registry(Around(settings=settings, clock=StillClock(T0), outbound=Outbound()))["send_notification"]


async def send(of: Mailbox | int, settings: dict[str, Any] | None = None, **given: Any) -> Any:
    found: Any = action(of.port if isinstance(of, Mailbox) else of, **(settings or {}))
    return await found.run(ACT, read_params(found, {"channel": "email", "to": ["a@example.org"], "text": "x", **given}))


def secure(path: Path, password: str = PASSWORD) -> dict[str, Any]:
    """Settings for a server with TLS and a login, whose certificate is in that file."""
    secret = Secret(password, "test")
    return {"host": "localhost", "starttls": True, "ca_file": str(path), "user": USER, "password": secret}


async def test_a_mail_has_one_subject_and_the_same_id_at_every_try() -> None:
    async with mail_server(Mailbox()) as box:
        await send(box, text="line one\nBcc: x@example.org", title="down\r\nBcc: y@example.org\x1b[0m")
        assert (await send(box, text="again", to=list(NAMES[:2]))).output == {"told": 2}
    first, second = box.got
    assert first["Subject"] == "down Bcc: y@example.org [0m"
    assert first["Bcc"] is None
    assert first["Message-ID"] == second["Message-ID"]
    assert first.get_content().splitlines()[:2] == ["line one", "Bcc: x@example.org"]
    assert box.recipients == ["a@example.org", "a@example.org", "b@example.org"]


@needs_openssl
async def test_a_password_goes_out_over_tls_alone(tmp_path: Path) -> None:
    path, context = certificate(tmp_path)
    async with mail_server(Mailbox(), tls=context, login=True) as box:
        await send(box, secure(path))
    assert box.logins == [(USER, True)] and len(box.got) == 1
    async with mail_server(Mailbox(), login=True) as plain:
        with pytest.raises(Failed, match="does not offer STARTTLS"):
            await send(plain, secure(path))
        with pytest.raises(Failed, match=r"refused it \(530\)"):
            await send(plain, {**secure(path), "starttls": False})
    assert (plain.logins, plain.got, plain.recipients) == ([], [], [])


@needs_openssl
@pytest.mark.parametrize("known", [True, False])
async def test_a_server_with_another_certificate_gets_nothing(tmp_path: Path, known: bool) -> None:
    (tmp_path / "other").mkdir()
    path, context = certificate(tmp_path / "other", "mail.elsewhere")
    own, _ = certificate(tmp_path)
    async with mail_server(Mailbox(), tls=context, login=True) as box:
        with pytest.raises(Failed, match="did not take it") as found:
            await send(box, secure(path if known else own))
    assert found.value.again and PASSWORD not in str(found.value)
    assert (box.logins, box.got) == ([], [])


@needs_openssl
async def test_a_wrong_password_is_not_tried_again(tmp_path: Path) -> None:
    path, context = certificate(tmp_path)
    async with mail_server(Mailbox(), tls=context, login=True) as box:
        with pytest.raises(Failed, match="user or password") as found:
            await send(box, secure(path, "canary-wrong"))
    assert not found.value.again and "canary" not in str(found.value)
    assert box.logins and box.got == []


@pytest.mark.parametrize(
    ("answer", "again"),
    [("451 4.3.0 later", True), ("452 4.2.2 full", True), ("552 5.3.4 too big", False), ("554 5.7.1 spam", False)],
)
async def test_what_is_refused_for_now_may_be_tried_again_and_for_good_is_not(answer: str, again: bool) -> None:
    async with mail_server(Mailbox()) as box:
        box.answers = [answer]
        with pytest.raises(Failed, match=rf"refused it \({answer[:3]}\)") as found:
            await send(box)
        assert found.value.again is again
        await send(box)
    assert len(box.got) == 1


@pytest.mark.parametrize(
    ("to", "words", "again"),
    [
        (["refuse@example.org"], r"refused all recipients \(550\)", False),
        (["busy@example.org"], r"refused all recipients \(451\)", True),
        (["a@example.org", "refuse@example.org"], r"took it for 1 of 2 \(550\)", False),
        (["a@example.org", "busy@example.org"], r"took it for 1 of 2 \(451\)", True),
        (["busy@example.org", "refuse@example.org"], r"refused all recipients \(451, 550\)", False),
    ],
)
async def test_it_has_worked_when_everybody_was_told(to: list[str], words: str, again: bool) -> None:
    async with mail_server(Mailbox()) as box:
        with pytest.raises(Failed, match=words) as found:
            await send(box, to=to)
    assert found.value.again is again


async def test_a_server_that_is_not_there_may_be_tried_again() -> None:
    async with mail_server(Mailbox()) as box:
        port = box.port
    with pytest.raises(Failed) as found:
        await send(port)
    assert found.value.again


async def test_a_server_that_says_nothing_may_be_tried_again() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        with pytest.raises(Failed, match="did not take it") as found:
            await send(server.sockets[0].getsockname()[1])
    assert found.value.again
