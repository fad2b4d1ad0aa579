"""The styles that line-drawn widgets use, by name, made once per theme.

Rank never hangs on colour: critical is reverse and bold, high is bold, low and info are dim, whatever the theme. Every
style is an explicit `Style`; a segment without one breaks the filter that serves NO_COLOR.
"""

from __future__ import annotations

from collections.abc import Mapping

from rich._palettes import STANDARD_PALETTE
from rich.color import Color, ColorSystem
from rich.style import Style

from data.records import Severity

#: style name → (foreground variable, background variable, attributes)
_RECIPES: dict[str, tuple[str, str, str]] = {
    "sev-critical": ("sev-critical", "", "bold reverse"),
    "sev-high": ("sev-high", "", "bold"),
    "sev-medium": ("sev-medium", "", ""),
    "sev-low": ("sev-low", "", ""),
    "sev-info": ("sev-info", "", "dim"),
    "text": ("text", "", ""),
    "strong": ("title", "", "bold"),
    "dim": ("dim", "", ""),
    "title": ("title", "", "bold"),
    "rule": ("rule", "", ""),
    "key": ("key", "", "bold"),
    "ok": ("ok", "", ""),
    "warn": ("sev-high", "", "bold"),
    "stale": ("stale", "", ""),
    "mark": ("mark", "", "bold"),
    "spark": ("spark", "", ""),
    "header": ("dim", "", ""),
    "header-sorted": ("title", "", "bold underline"),
    "bar": ("bar-text", "bar", ""),
    "bar-here": ("background", "key", "bold"),
    "bar-strong": ("title", "bar", "bold"),
    "bar-dim": ("dim", "bar", ""),
    "bar-critical": ("sev-critical", "bar", "bold"),
    "bar-high": ("sev-high", "bar", "bold"),
    "bar-medium": ("sev-medium", "bar", ""),
    "bar-ok": ("ok", "bar", ""),
    "bar-key": ("key", "bar", "bold"),
    "alarm": ("alarm-text", "alarm", "bold"),
    "heat-1": ("sev-low", "", ""),
    "heat-2": ("sev-medium", "", "reverse"),
    "heat-3": ("sev-high", "", "reverse"),
    "heat-4": ("sev-critical", "", "bold reverse"),
    "cursor-cell": ("cursor-text", "cursor", "bold"),
}

SEVERITY_STYLE: dict[Severity, str] = {severity: f"sev-{severity.value}" for severity in Severity}
SEVERITY_MARK: dict[Severity, str] = {
    Severity.CRITICAL: "C!",
    Severity.HIGH: "H ",
    Severity.MEDIUM: "M ",
    Severity.LOW: "L ",
    Severity.INFO: "i ",
}


#: Of the sixteen colours those that cannot be read on white → one that can.
_READ_ON_WHITE = {3: 5, 11: 5, 7: 8, 15: 0, 6: 4, 14: 4, 10: 2, 13: 5, 12: 4, 9: 1}


class Palette:
    """Styles by name over one theme. `on` is a row's ground: "" none, "cursor", "blurred" (cursor without focus).

    `sixteen_on_white`: a light theme on a terminal of sixteen colours, whose yellow nobody can read there.
    """

    def __init__(
        self, variables: Mapping[str, str], *, colourless: bool = False, sixteen_on_white: bool = False
    ) -> None:
        self._variables = variables
        self._colourless = colourless
        self._sixteen_on_white = sixteen_on_white
        self._styles: dict[tuple[str, str], Style] = {}

    def __call__(self, name: str, on: str = "") -> Style:
        style = self._styles.get((name, on))
        if style is None:
            style = self._styles[name, on] = self._make(name, on)
        return style

    def _make(self, name: str, on: str) -> Style:
        foreground, background, attributes = _RECIPES[name]
        style = self._style(foreground, background or "background", attributes)
        if on:
            style += self._ground(on, name)
        if self._colourless and name in {"alarm", "bar-here"}:
            style += Style(reverse=True, bold=True)
        return style

    def _ground(self, on: str, name: str) -> Style:
        if self._colourless:
            return Style(reverse=True) if on == "cursor" and name != "sev-critical" else Style()
        if "reverse" in _RECIPES[name][2] or on == "blurred":
            return Style()  # what stands out keeps its ground: as ink on it the cursor's cannot always be read
        if on == "cursor" and name in {"text", "dim", "strong"}:
            return self._style("cursor-text", "cursor", "bold")
        return Style(bgcolor=_hex(self._variables["cursor"]))

    def _style(self, foreground: str, background: str, attributes: str) -> Style:
        wanted = set(attributes.split())
        return Style(
            color=self._ink(foreground, background),
            bgcolor=self._colour(background),
            bold="bold" in wanted,
            dim=self._is_dim(foreground, wanted),
            reverse="reverse" in wanted,
            underline="underline" in wanted,
        )

    def _is_dim(self, foreground: str, wanted: set[str]) -> bool:
        if self._colourless and foreground in {"dim", "stale", "rule", "sev-info"}:
            return True
        return "dim" in wanted and not self._sixteen_on_white

    def _ink(self, variable: str, ground: str) -> str:
        colour = self._colour(variable)
        if not self._sixteen_on_white or ground not in {"background", "bar", "cursor"}:
            return colour
        number = Color.parse(colour).downgrade(ColorSystem.STANDARD).number or 0
        return STANDARD_PALETTE[_READ_ON_WHITE.get(number, number)].hex

    def _colour(self, variable: str) -> str:
        return "default" if self._colourless else _hex(self._variables[variable])


def _hex(value: str) -> str:
    """Textual writes computed colours as #RRGGBB, sometimes with an alpha pair that Rich does not take."""
    return value[:7] if value.startswith("#") else "default"
