"""The one boundary from data to the screen.

Owns what may reach a terminal cell. Everything that was written by somebody else (alert text, site names, notes,
errors of a server) passes `safe_text` where it is drawn and comes out as `Safe`; widgets take `Safe`, not `str`.
Nothing is cleaned where it is stored. Never interprets markup, ANSI or links.
"""

from __future__ import annotations

import re
from typing import NewType

from rich.cells import cell_len, chop_cells, set_cell_size

#: Text that may be drawn: one line, printable, at most `CAP` characters.
Safe = NewType("Safe", str)

CAP = 4096
REPLACEMENT = "\ufffd"

# Layout characters become a blank, so that words stay apart.
_BLANK = re.compile("[\t\n\v\f\r\x85\u2028\u2029\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
# Invisible: zero-width, soft hyphen, fillers, variation selectors, tags, byte order mark. Nothing to see: dropped.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2064\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Dangerous: C0, DEL, C1, bidi controls, surrogates, non-characters, private use. Replaced, so that the reader sees
# that something was there.
_DANGEROUS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2065-\u2069\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff"
    "\U000f0000-\U0010ffff]"
)
#: Everything that acts on a terminal, a reader's eye or the order of the text: harmless in escaped form only.
ACTIVE = re.compile(
    f"[\u2028\u2029]|{_INVISIBLE.pattern}|{_DANGEROUS.pattern}",
)
# A pile of combining marks (zalgo) climbs over the neighbouring lines: two are enough for every living script.
_PILE = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{2})"
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)


def safe_text(text: str) -> Safe:
    """One printable line of at most 4,096 characters; idempotent."""
    if len(text) > CAP:
        text = text[: CAP - 1] + "…"
    if text.isascii() and text.isprintable():
        return Safe(text)
    text = _BLANK.sub(" ", text)
    text = _INVISIBLE.sub("", text)
    text = _DANGEROUS.sub(REPLACEMENT, text)
    text = _PILE.sub(r"\1", text)
    if text.isprintable():
        return Safe(text)
    return Safe("".join(c if c.isprintable() else REPLACEMENT for c in text))


def safe_lines(text: str, limit: int = 200) -> list[Safe]:
    """Text of several lines, each made safe, at most `limit` lines; the last says how many were left out."""
    lines = text[: CAP * 4].splitlines()
    shown = [safe_text(line) for line in lines[:limit]]
    if len(lines) > limit:
        shown.append(Safe(f"… {len(lines) - limit} more lines"))
    return shown


def width(text: str) -> int:
    """Terminal cells that `text` takes; East Asian wide characters take two."""
    return len(text) if text.isascii() else cell_len(text)


def fit(text: Safe, cells: int, *, right: bool = False, ellipsis: str = "…") -> Safe:
    """`text` cut or padded to exactly `cells` cells; what is cut ends in `ellipsis`."""
    if cells <= 0:
        return Safe("")
    wide = width(text)
    if wide > cells:
        return _cut(text, cells, ellipsis)
    pad = " " * (cells - wide)
    return Safe(pad + text) if right else Safe(text + pad)


def clipped(text: Safe, cells: int) -> Safe:
    """`text` in at most `cells` cells; what is cut ends in an ellipsis."""
    return fit(text, cells) if width(text) > cells else text


def wrap(text: Safe, cells: int) -> list[Safe]:
    """`text` broken between words into lines of at most `cells` cells."""
    lines: list[Safe] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if width(joined) <= cells:
            line = joined
            continue
        if line:
            lines.append(Safe(line))
        *full, line = chop_cells(word, max(1, cells)) or [""]
        lines.extend(Safe(piece) for piece in full)
    lines.append(Safe(line))
    return lines


def _cut(text: Safe, cells: int, ellipsis: str) -> Safe:
    room = cells - width(ellipsis)
    if room <= 0:
        return Safe(set_cell_size(text, cells))
    kept = text[:room] if text.isascii() else set_cell_size(text, room)
    return Safe(kept + ellipsis)
