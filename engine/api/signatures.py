"""HMAC signatures of webhooks, checked on the bytes as they came.

Owns the schemes: `X-Signature: sha256=…`, GitHub's `X-Hub-Signature-256`, Grafana's bare hex with an optional
timestamp, PagerDuty's list of `v1=…`. Never parses a body. Every comparison takes constant time.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from engine.api.wire import Problem

#: Seconds that a signed timestamp may be off.
WINDOW_SECONDS = 300.0

#: Header → prefix of the hex digest in it.
SCHEMES: dict[bytes, str] = {
    b"x-signature": "sha256=",
    b"x-hub-signature-256": "sha256=",
    b"x-pagerduty-signature": "v1=",
    b"x-grafana-alerting-signature": "",
}

#: Headers that carry the moment of signing; where one is present it is part of what was signed, `<timestamp>:<body>`.
TIMESTAMPS = (b"x-signature-timestamp", b"x-grafana-alerting-timestamp", b"x-grafana-alerting-signature-timestamp")

#: Headers that name the delivery, so that the same one is taken once.
DELIVERIES = (b"idempotency-key", b"x-github-delivery", b"x-webhook-id")


def verify(headers: Mapping[bytes, bytes], body: bytes, secrets: Sequence[str], now: datetime) -> str:
    """The delivery's replay key, when one of the live secrets signed exactly these bytes.

    The key is the signature itself, never a header: whoever replays a body can send another header with it.
    A timestamp older or younger than 300 s is refused. Raises Problem 401; which part was wrong is not told apart.
    """
    stamp = _timestamp(headers, now)
    signed = stamp + b":" + body if stamp else body
    wanted = [hmac.new(secret.encode(), signed, sha256).hexdigest() for secret in secrets]
    # Every pair is compared: the time must not tell which secret or signature came close.
    good = [given for given in _given(headers) for digest in wanted if hmac.compare_digest(given, digest)]
    if not good:
        raise _unsigned("The signature is missing or wrong.")
    return f"sig:{good[0]}"


def delivery(headers: Mapping[bytes, bytes]) -> str:
    """The sender's own name of this delivery, "" if it gave none. Raises Problem on one over 255 characters."""
    for name in DELIVERIES:
        value = headers.get(name)
        if value:
            if len(value) > 255:
                raise Problem(422, "Key too long", field=name.decode(), remedy="send at most 255 characters")
            return value.decode("latin-1")
    return ""


def _given(headers: Mapping[bytes, bytes]) -> Iterator[str]:
    for name, prefix in SCHEMES.items():
        for part in headers.get(name, b"").decode("latin-1").split(","):
            text = part.strip()
            if text.startswith(prefix) and len(text) == len(prefix) + 64 and text.isascii():
                yield text[len(prefix) :].lower()


def _timestamp(headers: Mapping[bytes, bytes], now: datetime) -> bytes:
    stamp = next((headers[name] for name in TIMESTAMPS if name in headers), b"")
    if not stamp:
        return b""
    if not (stamp.isdigit() and len(stamp) <= 12) or abs(now.timestamp() - int(stamp)) > WINDOW_SECONDS:
        raise _unsigned("The signature's timestamp is off by more than five minutes.")
    return stamp


def _unsigned(detail: str) -> Problem:
    return Problem(401, "Not signed", detail, remedy="sign the raw body with the source's secret, HMAC-SHA256")
