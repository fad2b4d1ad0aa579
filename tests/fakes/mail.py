"""A real SMTP server (aiosmtpd) in the test's own loop: with TLS, a login, and answers that a test writes down."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "noc", "canary-mail-password"


class Mailbox:
    """`got` holds the letters that were taken, `recipients` all that were named. `answers` are given to the next
    letters, "" takes one; a recipient that begins with `refuse` is never taken, one with `busy` not now."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.answers: list[str] = []
        self.logins: list[tuple[str, bool]] = []
        self.port = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.recipients.append(address)
        if address.startswith("refuse"):
            return "550 5.1.1 nobody of that name"
        if address.startswith("busy"):
            return "451 4.7.1 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self.answers.pop(0) if self.answers else ""
        if answer:
            return answer
        content = envelope.original_content
        assert content is not None
        letter: Any = message_from_bytes(content, policy=default)
        self.got.append(letter)
        return "250 taken"

    def login(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        right = (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        self.logins.append((given.login.decode(), session.ssl is not None))
        return AuthResult(success=right, handled=False)


@asynccontextmanager
async def mail_server(
    box: Mailbox, *, tls: ssl.SSLContext | None = None, login: bool = False
) -> AsyncIterator[Mailbox]:
    """Listens on a free port of loopback. With `tls` it offers STARTTLS; with `login` it takes nothing without one."""

    def protocol() -> SMTP:
        return SMTP(
            box,
            hostname="mail.test",
            tls_context=tls,
            require_starttls=tls is not None,
            authenticator=box.login if login else None,
            auth_required=login,
        )

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()


def certificate(folder: Path, name: str = "localhost") -> tuple[Path, ssl.SSLContext]:
    """A certificate that is its own authority, and a server's context with it."""
    path, key = folder / f"{name}.pem", folder / f"{name}.key"
    made = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -addext subjectAltName=DNS:{name}"
    subprocess.run(["openssl", *made.split(), "-keyout", key, "-out", path], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key)
    return path, context
