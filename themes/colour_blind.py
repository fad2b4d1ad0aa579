"""Okabe-Ito hues only: vermilion, orange, yellow, sky blue; no pair differs by red and green alone."""

from __future__ import annotations

from textual.theme import Theme

THEME = Theme(
    name="colour-blind",
    dark=True,
    primary="#5fafd7",
    background="#121212",
    surface="#121212",
    panel="#262626",
    foreground="#d0d0d0",
    variables={
        "sev-critical": "#d75f00",
        "sev-high": "#ffaf00",
        "sev-medium": "#ffff5f",
        "sev-low": "#5fafd7",
        "sev-info": "#8a8a8a",
        "ok": "#5f87d7",
        "stale": "#767676",
        "text": "#d0d0d0",
        "dim": "#8a8a8a",
        "title": "#eeeeee",
        "rule": "#585858",
        "key": "#5fafd7",
        "cursor": "#303030",
        "cursor-text": "#ffffff",
        "mark": "#ffff5f",
        "bar": "#262626",
        "bar-text": "#bcbcbc",
        "alarm": "#d75f00",
        "alarm-text": "#000000",
        "spark": "#5fafd7",
    },
)
