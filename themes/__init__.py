"""Colour themes: one file each, found by listing this folder.

A theme module has `THEME`, a Textual theme whose `variables` hold every name of `NAMES`. Colours are taken from the
256-colour cube, so that a terminal without truecolor shows the same picture.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.theme import Theme

#: What every theme must define.
NAMES = (
    "sev-critical",
    "sev-high",
    "sev-medium",
    "sev-low",
    "sev-info",
    "ok",
    "stale",
    "text",
    "dim",
    "title",
    "rule",
    "key",
    "cursor",
    "cursor-text",
    "mark",
    "bar",
    "bar-text",
    "alarm",
    "alarm-text",
    "spark",
)


def theme_names() -> list[str]:
    """Names as an operator types them: the module's name with dashes."""
    return sorted(module.name.replace("_", "-") for module in iter_modules(__path__))


def load_theme(name: str) -> Theme:
    """The theme of this name; KeyError names the themes that exist."""
    if name not in theme_names():
        raise KeyError(f"no theme {name!r}; there are {', '.join(theme_names())}")
    theme: Theme = import_module(f"{__name__}.{name.replace('-', '_')}").THEME
    return theme
