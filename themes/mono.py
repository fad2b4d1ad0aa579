"""No colour at all: the terminal's own two; rank is carried by reverse, bold, dim, letters and glyphs."""

from __future__ import annotations

from textual.theme import BUILTIN_THEMES, Theme

#: What Textual's own widgets need under a theme of the terminal's colours.
_NEEDED = BUILTIN_THEMES["ansi-dark"].variables

THEME = Theme(
    name="mono",
    ansi=True,
    primary="ansi_default",
    secondary="ansi_default",
    warning="ansi_default",
    error="ansi_default",
    success="ansi_default",
    accent="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    foreground="ansi_default",
    variables={
        **_NEEDED,
        "sev-critical": "ansi_default",
        "sev-high": "ansi_default",
        "sev-medium": "ansi_default",
        "sev-low": "ansi_default",
        "sev-info": "ansi_default",
        "ok": "ansi_default",
        "stale": "ansi_default",
        "text": "ansi_default",
        "dim": "ansi_default",
        "title": "ansi_default",
        "rule": "ansi_default",
        "key": "ansi_default",
        "cursor": "ansi_default",
        "cursor-text": "ansi_default",
        "mark": "ansi_default",
        "bar": "ansi_default",
        "bar-text": "ansi_default",
        "alarm": "ansi_default",
        "alarm-text": "ansi_default",
        "spark": "ansi_default",
    },
)
