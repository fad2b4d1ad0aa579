"""An e-mail, handed to the mail server of the settings.

Owns the letter and what the server's answers mean (RFC 5321: 4yz may be taken later, 5yz never is). A password goes out
over TLS alone. What the server says is not repeated, only its code: its words may hold what was sent to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.playbooks.actions import Failed
from engine.playbooks.settings import MailSettings

if TYPE_CHECKING:
    from aiosmtplib import SMTPException

MOST_SECONDS = 30.0
_SUBJECT_CHARS = 200


class Letter(Struct, frozen=True, kw_only=True):
    """`key` makes the Message-ID: the same at every try."""

    key: str
    to: Sequence[str]
    subject: str
    text: str


async def send_mail(mail: MailSettings, letter: Letter, seconds: float) -> int:
    """Whom it was taken for, all of them. Raises Failed, `again` where a later try may come to something."""
    import aiosmtplib

    secret = mail.password if mail.starttls else None
    try:
        refused, _ = await aiosmtplib.send(
            _message(mail, letter),
            hostname=mail.host,
            port=mail.port,
            start_tls=mail.starttls,
            cert_bundle=mail.ca_file or None,
            username=mail.user if secret is not None else None,
            password=secret.reveal() if secret is not None else None,
            timeout=min(seconds, MOST_SECONDS),
        )
    except (aiosmtplib.SMTPException, OSError) as error:
        raise _failed(error) from error
    if refused:
        codes = [answer.code for answer in refused.values()]
        reason = f"the mail server took it for {len(letter.to) - len(codes)} of {len(letter.to)} ({_told(codes)})"
        raise Failed(reason, again=all(code < 500 for code in codes))
    return len(letter.to)


def _failed(error: SMTPException | OSError) -> Failed:
    import aiosmtplib

    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        codes = [one.code for one in error.recipients]
        return Failed(
            f"the mail server refused all recipients ({_told(codes)})", again=all(code < 500 for code in codes)
        )
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return Failed(f"the mail server refused user or password ({error.code})", again=error.code < 500)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return Failed(f"the mail server refused it ({error.code})", again=error.code < 500)
    if type(error) is aiosmtplib.SMTPException:
        # Raised bare where the server offers no STARTTLS or no login. Never without: that would be somebody's wish.
        return Failed("the mail server does not offer STARTTLS, or no login that is known", again=True)
    return Failed(f"the mail server did not take it: {type(error).__name__}", again=True)


def _told(codes: Sequence[int]) -> str:
    return ", ".join(str(code) for code in sorted(set(codes)))


def _message(mail: MailSettings, letter: Letter) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = mail.sender, ", ".join(letter.to)
    message["Subject"] = _one_line(letter.subject)
    message["Message-ID"] = f"<{sha256(letter.key.encode()).hexdigest()[:32]}@noc-console>"
    message.set_content(letter.text)
    return message


def _one_line(text: str) -> str:
    """A header is one line of visible text."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:_SUBJECT_CHARS]
