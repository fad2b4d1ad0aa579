"""Dark text on a light ground for bright rooms; the same order of hues, darkened for contrast."""

from __future__ import annotations

from textual.theme import Theme

THEME = Theme(
    name="light",
    dark=False,
    primary="#005f87",
    background="#eeeeee",
    surface="#eeeeee",
    panel="#dadada",
    foreground="#262626",
    variables={
        "sev-critical": "#af0000",
        "sev-high": "#875f00",
        "sev-medium": "#005faf",
        "sev-low": "#5f5f87",
        "sev-info": "#6c6c6c",
        "ok": "#005f5f",
        "stale": "#808080",
        "text": "#262626",
        "dim": "#626262",
        "title": "#080808",
        "rule": "#a8a8a8",
        "key": "#005f87",
        "cursor": "#d0d0d0",
        "cursor-text": "#000000",
        "mark": "#5f5f00",
        "bar": "#dadada",
        "bar-text": "#303030",
        "alarm": "#af0000",
        "alarm-text": "#ffffff",
        "spark": "#005f87",
    },
)
