"""JSON from outside, held to limits: depth, keys per object, no duplicate keys, no NaN, bounded decompression.

Owns the limits and the errors that name the place. Never knows what the JSON means.
"""

from __future__ import annotations

import json
import re
import zlib
from itertools import accumulate
from typing import Any, TypeVar

import msgspec

from engine.ports import FormatError, Received

MAX_DEPTH = 64
MAX_KEYS = 500
#: A body that inflates to more than this many times its size is a bomb.
MAX_RATIO = 100
#: Bytes that a compressed body may inflate to, whatever its ratio.
MAX_INFLATED = 16 * 1024 * 1024

#: One string, closed or not: matches whatever follows an opening quote, so that the scan stays linear.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}

#: `… - at `$[3].labels[...]`` at the end of msgspec's message.
_PLACE = re.compile(r" - at `(?:key in )?\$?([^`]*)`$")

T = TypeVar("T")


def body_of(received: Received) -> bytes:
    """The body, inflated when it is marked as gzip or deflate. Raises FormatError (400, 413, 415)."""
    coding = received.headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        return received.body
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise FormatError("Content-Encoding", f"{coding:.40} is not taken", "send gzip or plain JSON", status=415)
    return inflate(received.body)


def inflate(body: bytes) -> bytes:
    """gzip or zlib data → at most 100 times as many bytes. Raises FormatError (400, 413)."""
    allowed = min(len(body) * MAX_RATIO, MAX_INFLATED)
    try:
        stream = zlib.decompressobj(wbits=47)
        data = stream.decompress(body, allowed + 1)
    except zlib.error as error:
        raise FormatError("body", "not valid gzip", "send gzip or plain JSON", status=400) from error
    if len(data) > MAX_INFLATED:
        raise FormatError("body", f"inflates to over {MAX_INFLATED} bytes", "send smaller batches", status=413)
    if len(data) > allowed:
        raise FormatError("body", f"inflates over {MAX_RATIO} times", "send plain JSON", status=400)
    if not stream.eof or stream.unused_data:
        raise FormatError("body", "gzip data is cut off or followed by more", "send one gzip stream", status=400)
    return data


def decode(body: bytes) -> Any:
    """Any JSON within the limits. Raises FormatError (400) for what is not JSON or is over a limit."""
    check_depth(body)
    try:
        value = msgspec.json.decode(body)
        json.loads(body, object_pairs_hook=_unique)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise FormatError("body", f"not valid JSON: {error!s:.200}", "send valid UTF-8 JSON", status=400) from error
    return value


def convert(value: Any, shape: type[T], place: str = "") -> T:
    """Decoded JSON as `shape`. Raises FormatError (422) naming the field below `place`."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _PLACE.search(text)
        field = f"{place}{found[1]}".lstrip(".") if found else place
        reason = text[: found.start()] if found else text
        raise FormatError(field, reason, "send the documented fields and types") from error


def check_depth(body: bytes, regular: int = 0) -> None:
    """Raises FormatError (400) when brackets nest deeper than 64.

    `regular`: opening brackets known to nest no deeper than 3 levels, of which a body may have many.
    """
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH - 3 + regular:
        return
    brackets = _STRING.sub(b"", body).translate(None, _NOT_BRACKETS)
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > MAX_DEPTH:
        raise _too_deep()


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > MAX_KEYS:
        raise FormatError("body", f"an object of more than {MAX_KEYS} keys", "send fewer keys", status=400)
    keys = {key for key, _ in pairs}
    if len(keys) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise FormatError(f"{twice:.64}", "the key is given twice", "send each key once", status=400)


def _too_deep() -> FormatError:
    return FormatError("body", f"nested deeper than {MAX_DEPTH} levels", "send flatter JSON", status=400)
