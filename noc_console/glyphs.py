"""The few characters beyond letters that the console draws, in a Unicode and an ASCII set.

Only box drawing, block elements and `·`: widths that every terminal, tmux and mosh agree on. No emoji, no braille.
"""

from __future__ import annotations

from msgspec import Struct

from noc_console.safe_text import Safe


class Glyphs(Struct, frozen=True, kw_only=True):
    rule: Safe
    bar: Safe
    dot: Safe
    ellipsis: Safe
    cursor: Safe
    mark: Safe
    up: Safe
    down: Safe
    flat: Safe
    ramp: tuple[Safe, ...]
    full: Safe
    empty: Safe
    branch: Safe
    last: Safe
    pipe: Safe


def _ramp(levels: str) -> tuple[Safe, ...]:
    return tuple(Safe(level) for level in levels)


UNICODE = Glyphs(
    rule=Safe("─"),
    bar=Safe("│"),
    dot=Safe("·"),
    ellipsis=Safe("…"),
    cursor=Safe(">"),
    mark=Safe("*"),
    up=Safe("^"),
    down=Safe("-"),
    flat=Safe("="),
    ramp=_ramp(" ▁▂▃▄▅▆▇█"),
    full=Safe("█"),
    empty=Safe("░"),
    branch=Safe("├─"),
    last=Safe("└─"),
    pipe=Safe("│ "),
)

ASCII = Glyphs(
    rule=Safe("-"),
    bar=Safe("|"),
    dot=Safe("."),
    ellipsis=Safe("~"),
    cursor=Safe(">"),
    mark=Safe("*"),
    up=Safe("^"),
    down=Safe("-"),
    flat=Safe("="),
    ramp=_ramp(" .:-=+*#@"),
    full=Safe("#"),
    empty=Safe("."),
    branch=Safe("|-"),
    last=Safe("`-"),
    pipe=Safe("| "),
)


def glyphs_for(encoding: str | None, ascii_only: bool = False) -> Glyphs:
    """The set that a terminal of this output encoding can show."""
    name = (encoding or "").lower().replace("-", "").replace("_", "")
    return UNICODE if name in {"utf8", "utf16"} and not ascii_only else ASCII
