"""Every theme defines every name, and its words can be read."""

from __future__ import annotations

import pytest
from rich.color import ColorSystem
from textual.color import Color

from noc_console.palette import Palette
from themes import NAMES, load_theme, theme_names

#: Least contrast of words against the ground (WCAG 2 AA and AAA for normal text).
LEAST = {"high-contrast": 7.0, "dark": 4.5, "light": 4.5, "colour-blind": 4.5}
WORDS = ("sev-critical", "sev-high", "sev-medium", "sev-low", "sev-info", "ok", "text", "dim", "title", "key", "mark")


@pytest.mark.parametrize("name", theme_names())
def test_every_name_is_defined(name: str) -> None:
    assert set(load_theme(name).variables) >= set(NAMES)


@pytest.mark.parametrize("name", LEAST)
def test_words_can_be_read(name: str) -> None:
    theme = load_theme(name)
    grounds = [theme.background or "", *([theme.variables["bar"]] if name == "high-contrast" else [])]
    ratios = {(w, g): _contrast(theme.variables[w], g) for w in WORDS for g in grounds}
    assert {pair for pair, ratio in ratios.items() if ratio < LEAST[name]} == set()


def test_words_can_be_read_on_white_with_sixteen_colours() -> None:
    """As a terminal shows them: the nearest of its sixteen, on its white."""
    theme = load_theme("light")
    palette = Palette({**theme.variables, "background": "#ffffff"}, sixteen_on_white=True)
    for name in WORDS:
        colour = palette(name).color
        assert colour is not None
        number = colour.downgrade(ColorSystem.STANDARD).number
        assert number in {0, 1, 2, 4, 5, 8}, f"{name} is drawn in colour {number}"


@pytest.mark.parametrize("name", ["sev-critical", "heat-2", "heat-3", "heat-4"])
def test_what_stands_out_can_be_read_under_the_cursor_too(name: str) -> None:
    palette = Palette({**load_theme("dark").variables, "background": "#121212"})
    assert palette(name, "cursor").bgcolor == palette(name).bgcolor


def test_an_unknown_theme_names_those_that_exist() -> None:
    with pytest.raises(KeyError, match="colour-blind"):
        load_theme("neon")


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [part / 255 for part in Color.parse(colour).rgb]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
