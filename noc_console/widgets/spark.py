"""Sparks and bars of block characters, drawn as text on a fixed scale. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from noc_console.glyphs import Glyphs
from noc_console.safe_text import Safe


def spark(values: Sequence[float | None], top: float, glyphs: Glyphs) -> Safe:
    """One character per value; `top` is the value of a full block. Above zero is never drawn as blank; None is `?`."""
    return Safe("".join(_level(value, top, glyphs) for value in values))


def _level(value: float | None, top: float, glyphs: Glyphs) -> str:
    if value is None:
        return "?"
    if value <= 0 or top <= 0:
        return glyphs.ramp[0]
    steps = len(glyphs.ramp) - 1
    return glyphs.ramp[max(1, min(steps, round(value / top * steps)))]


def bar(share: float, cells: int, glyphs: Glyphs) -> Safe:
    """A bar of `cells` cells, filled to `share` (0..1)."""
    filled = round(max(0.0, min(1.0, share)) * cells)
    return Safe(glyphs.full * filled + glyphs.empty * (cells - filled))
