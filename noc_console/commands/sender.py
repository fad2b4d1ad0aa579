"""One connection to an engine's intake that does not give up on "try later".

Owns back-pressure (503, 429, 507 with Retry-After) and reconnecting. Never sends a post twice without its key, and
never follows a redirect.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

from noc_console.commands.outcome import FAILED, INTERRUPTED, REFUSED, UNREACHABLE, USAGE, Failure
from noc_console.commands.recording import Post

_LATER = frozenset({429, 502, 503, 504, 507})
_TIMEOUT_SECONDS = 60.0
_LONGEST_WAIT_SECONDS = 30.0
_REPLY_MAX_BYTES = 1 << 20


class Answer(NamedTuple):
    """What became of a post's rows."""

    taken: int
    rejected: int
    reason: str = ""


class Sender:
    """`wait(seconds)` is called before each further try, and answers whether to give up. `tries` bounds how often an
    engine may be out of reach in a row."""

    def __init__(self, url: str, token: str, wait: Callable[[float], bool], tries: int = 12) -> None:
        parts = urlsplit(url)
        if token and parts.scheme == "http" and not _local(parts.hostname or ""):
            raise Failure(f"the token would go to {url} in clear text; use https", USAGE)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS)
        self._url, self._prefix = url, parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._wait, self._tries = wait, tries

    def send(self, post: Post) -> Answer:
        """Until it is taken or refused for good. Raises Failure."""
        failures = 0
        while True:
            try:
                status, retry_after, body = self._once(post)
            except (OSError, HTTPException) as error:
                failures += 1
                self._connection.close()
                if failures >= self._tries:
                    raise Failure(f"no engine answers at {self._url}: {error}; is it running?", UNREACHABLE) from error
                self._pause(min(0.1 * 2**failures, 2.0))
                continue
            if status not in _LATER:
                return _answer(status, body, post)
            failures = 0
            self._pause(retry_after)

    def _pause(self, seconds: float) -> None:
        if self._wait(seconds):
            raise Failure("interrupted", INTERRUPTED)

    def answers(self) -> bool:
        """Whether something listens there; one try."""
        try:
            self._connection.request("GET", f"{self._prefix}/-/healthy")
            self._connection.getresponse().read(_REPLY_MAX_BYTES)
        except (OSError, HTTPException):
            self._connection.close()
            return False
        return True

    def close(self) -> None:
        self._connection.close()

    def _once(self, post: Post) -> tuple[int, float, bytes]:
        headers = {"Content-Type": post.media, "Idempotency-Key": post.key, **self._headers}
        self._connection.request("POST", self._prefix + post.path, post.body, headers)
        response = self._connection.getresponse()
        return response.status, _retry_after(response), response.read(_REPLY_MAX_BYTES)


def _local(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")


def _retry_after(response: HTTPResponse) -> float:
    try:
        return min(max(float(response.headers.get("Retry-After", "1")), 0.0), _LONGEST_WAIT_SECONDS)
    except ValueError:
        return 1.0


def _answer(status: int, body: bytes, post: Post) -> Answer:
    document = _document(body)
    reason = str(document.get("reason") or document.get("detail") or document.get("title") or "")
    if 200 <= status < 300:
        taken, rejected = document.get("taken"), document.get("rejected")
        return Answer(
            taken if isinstance(taken, int) else post.rows, rejected if isinstance(rejected, int) else 0, reason
        )
    if status in {400, 422}:
        return Answer(0, post.rows, reason or body[:200].decode("utf-8", "replace"))
    words = {
        401: "it wants a token; give --token-file",
        403: "the token may not send; it needs ingest:write",
        404: f"it has no {post.path}",
        413: "the lines are too large; raise limits.batch_body_max_bytes there",
    }
    remedy = words.get(status, reason or "unexpected answer")
    raise Failure(f"the engine answered {status}: {remedy}", REFUSED if status in {401, 403} else FAILED)


def _document(body: bytes) -> dict[str, object]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
