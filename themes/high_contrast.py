"""Black, white and four strong hues; every text at least 7:1 against its ground."""

from __future__ import annotations

from textual.theme import Theme

THEME = Theme(
    name="high-contrast",
    dark=True,
    primary="#5fd7ff",
    background="#000000",
    surface="#000000",
    panel="#000000",
    foreground="#ffffff",
    variables={
        "sev-critical": "#ff8700",
        "sev-high": "#ffd700",
        "sev-medium": "#5fd7ff",
        "sev-low": "#d7d7ff",
        "sev-info": "#d0d0d0",
        "ok": "#afd7d7",
        "stale": "#afafaf",
        "text": "#ffffff",
        "dim": "#d0d0d0",
        "title": "#ffffff",
        "rule": "#ffffff",
        "key": "#ffff00",
        "cursor": "#00005f",
        "cursor-text": "#ffffff",
        "mark": "#ffff00",
        "bar": "#121212",
        "bar-text": "#ffffff",
        "alarm": "#ff8700",
        "alarm-text": "#000000",
        "spark": "#5fd7ff",
    },
)
