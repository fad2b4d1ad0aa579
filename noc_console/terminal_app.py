"""Textual's app, sending only the cells that differ from what the terminal shows.

With `thrifty_compositor` the only module that reaches into Textual's painting; tests pin what they rely on. What is
no update of the screen's cells (inline mode, Rich renderables) goes the way that Textual made for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.color import ColorSystem
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App

from noc_console.cell_diff import CellDiff, Stretch
from noc_console.thrifty_compositor import PartsUpdate

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.screen import Screen

Lines = Iterable[tuple[int, Iterable[Stretch]]]


class TerminalApp(App[int], inherit_bindings=False):
    """`sent_bytes` counts what was painted; `repaint_all` is for a terminal that somebody else wrote on."""

    sent_bytes = 0
    _diff: CellDiff | None = None

    def repaint_all(self) -> None:
        """Take nothing on the terminal as known and draw the whole screen."""
        if self._diff is not None:
            self._diff.forget()
        self.refresh(layout=True)
        self.screen.refresh(layout=True)

    def screen_lines(self) -> list[str]:
        """The text of the screen, line by line."""
        return [strip.text for strip in self.screen._compositor.render_strips()]

    def _display(self, screen: Screen[object], renderable: RenderableType | PartsUpdate | None) -> None:
        lines = lines_of(renderable)
        if lines is None or not self._can_paint():
            super()._display(screen, None if isinstance(renderable, PartsUpdate) else renderable)
            return
        try:
            self._paint_lines(lines)
        except Exception as error:  # noqa: BLE001  (as Textual does: an error in drawing ends the app with its words)
            self._handle_exception(error)
        finally:
            self.post_display_hook()

    def _can_paint(self) -> bool:
        if self._batch_count or not self._running or self._closed or self.is_headless:
            return False
        return self._driver is not None and not self._driver.is_inline

    def _paint_lines(self, lines: Lines) -> None:
        if self._diff is None:
            self._diff = CellDiff(self.console._color_system or ColorSystem.TRUECOLOR)
        text = self._diff.text(*self.size, lines)
        if not text or self._driver is None:
            return
        x, y = self.screen.outer_size.clamp_offset(self.cursor_position)
        self._begin_update()
        self._driver.write(f"{text}\x1b[{y + 1};{x + 1}H")
        self._end_update()
        self._driver.flush()
        self.sent_bytes += len(text)


def lines_of(update: object) -> Lines | None:
    """The lines that an update of Textual's compositor holds; None when it is something else."""
    if isinstance(update, PartsUpdate):
        return ((y, ((x, strip),)) for y, x, strip in update.parts)
    if isinstance(update, LayoutUpdate):
        left, top = update.region.x, update.region.y
        return ((y, [(left, (s for strip in strips for s in strip))]) for y, strips in enumerate(update.strips, top))
    if isinstance(update, ChopsUpdate):
        return _chops(update)
    return None


def _chops(update: ChopsUpdate) -> Iterator[tuple[int, list[Stretch]]]:
    for y, left, right in update.spans:
        chops = zip(update.chop_ends[y], update.chops[y].items(), strict=False)
        yield y, [(x, strip) for end, (x, strip) in chops if strip is not None and x < right and end > left]
