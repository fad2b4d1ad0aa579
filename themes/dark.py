"""The default: quiet greys, blue-grey for healthy, orange and vermilion for trouble (Okabe-Ito order)."""

from __future__ import annotations

from textual.theme import Theme

THEME = Theme(
    name="dark",
    dark=True,
    primary="#5f87af",
    background="#121212",
    surface="#121212",
    panel="#262626",
    foreground="#d0d0d0",
    variables={
        "sev-critical": "#ff5f00",
        "sev-high": "#ffaf00",
        "sev-medium": "#5fafd7",
        "sev-low": "#87afaf",
        "sev-info": "#8a8a8a",
        "ok": "#87afaf",
        "stale": "#767676",
        "text": "#d0d0d0",
        "dim": "#8a8a8a",
        "title": "#eeeeee",
        "rule": "#585858",
        "key": "#87afd7",
        "cursor": "#303030",
        "cursor-text": "#ffffff",
        "mark": "#ffd75f",
        "bar": "#262626",
        "bar-text": "#bcbcbc",
        "alarm": "#ff5f00",
        "alarm-text": "#000000",
        "spark": "#87afd7",
    },
)
