"""Quoted text as Go and Prometheus write it: what `"…"` means in matchers and queries. Pure text, no grammar."""

from __future__ import annotations

import re

_SIMPLE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, '"': 34}
_NUMERIC = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})")
_TOLERANT = {"n": "\n", '"': '"', "\\": "\\"}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def unquote_go(body: str) -> str:
    """The text between the quotes of a Go string literal, `strconv.Unquote`'s rules, UTF-8 only.

    Raises ValueError for an unknown escape, a raw line feed, a surrogate, or bytes that are not UTF-8.
    """
    out = bytearray()
    at = 0
    while at < len(body):
        char = body[at]
        if char == "\n":
            raise ValueError("line feed inside quotes")
        if char != "\\":
            out += char.encode()
            at += 1
        else:
            piece, at = _escape(body, at + 1)
            out += piece
    return out.decode()


def _escape(body: str, at: int) -> tuple[bytes, int]:
    """One escape after its backslash → (its bytes, where the text goes on)."""
    if body[at : at + 1] in _SIMPLE and at < len(body):
        return bytes((_SIMPLE[body[at]],)), at + 1
    found = _NUMERIC.match(body, at)
    if found is None:
        raise ValueError("unknown escape")
    byte, short, long, octal = found.groups()
    if short or long:
        return chr(int(short or long, 16)).encode(), found.end()
    return bytes((int(byte, 16) if byte else int(octal, 8),)), found.end()


def unescape_tolerant(body: str) -> str:
    r"""OpenMetrics rules: \\ \" and \n are escapes, any other backslash stands for itself.

    So a regex may be typed as `"\d+"`; it never fails.
    """
    return _ESCAPED.sub(lambda found: _TOLERANT.get(found[1], found[0]), body)


def quote_tolerant(value: str) -> str:
    """`value` in double quotes such that `unescape_tolerant` reads it back."""
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'"{escaped}"'


def quote_go(value: str) -> str:
    """`value` as a Go string literal that `unquote_go` reads back; control characters become escapes."""
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda found: f"\\x{ord(found[0]):02x}", escaped) + '"'
