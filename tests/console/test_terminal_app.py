"""Painting in a real pseudo-terminal: what the shim over Textual relies on, and that the screen is right after news."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from noc_console.desk import Options
from noc_console.terminal_app import lines_of
from noc_console.thrifty_compositor import PartsUpdate
from noc_console.widgets.drawn_lines import DrawnLines
from tests.fakes.terminal import Terminal

ROOT = Path(__file__).parents[2]


async def test_updates_of_the_compositor_hold_the_lines_of_the_screen(opened) -> None:  # type: ignore[no-untyped-def]
    async with opened(9) as desktop:
        compositor = desktop.app.screen._compositor
        whole = compositor.render_update(full=True)
        assert isinstance(whole, LayoutUpdate)
        found = {y: "".join(s.text for _, line in stretches for s in line) for y, stretches in lines_of(whole) or ()}
        assert [found[y].rstrip() for y in range(24)] == desktop.screen.splitlines()
        table = desktop.app.focused
        region = Region(*table.region.offset, *table.scrollable_content_region.size)  # the scrollbar is a widget
        for direct, kind in ((True, PartsUpdate), (False, ChopsUpdate)):
            compositor.direct = direct
            compositor._dirty_regions.add(region)
            part = compositor.render_update()
            assert isinstance(part, kind)
            rows = {y: stretches for y, stretches in lines_of(part) or ()}
            assert set(rows) == set(region.line_range)
            assert all(x == 0 for stretches in rows.values() for x, _ in stretches)


async def test_a_part_shows_what_the_whole_does(opened) -> None:  # type: ignore[no-untyped-def]
    async with opened(9, size=(200, 60)) as desktop:
        screen = desktop.app.screen
        whole = desktop.app.screen_lines()
        widgets = [widget.region for widget in screen.walk_children() if widget.region]
        assert len(widgets) > 10
        for region in (*widgets, Region(7, 3, 150, 40), Region(60, 0, 30, 60), Region(0, 0, 200, 60)):
            screen._compositor._dirty_regions.add(region)
            found = _cells(screen._compositor.render_update())
            assert set(found) >= {(x, y) for y in region.line_range for x in region.column_range}
            assert all(whole[y][x] == char for (x, y), char in found.items())


async def test_a_part_renders_no_widget_that_did_not_change(opened) -> None:  # type: ignore[no-untyped-def]
    async with opened(9, size=(200, 60)) as desktop:
        screen = desktop.app.screen
        ends = [screen.query_one("#tabs").region, screen.query_one("#status").region]
        parts = [drawn for drawn, _, _ in screen._compositor._changed_parts(ends)]
        assert sorted(parts) == sorted(ends)
        assert {widget for widget, _, _ in screen._compositor._covers(ends)} == set(screen.query("#tabs, #status"))


@pytest.mark.parametrize("theme", ["dark", "mono"])
async def test_the_short_way_draws_what_textuals_does(opened, theme: str) -> None:  # type: ignore[no-untyped-def]
    async with opened(9, size=(120, 36), options=Options(theme=theme)) as desktop:
        await desktop.press("2", "j")
        drawn = [
            widget
            for widget in desktop.app.screen.query(Widget)
            if isinstance(widget, DrawnLines) and widget.region and widget.outer_size
        ]
        assert len(drawn) > 6
        for widget in drawn:
            crop = Region(0, 0, *widget.outer_size)
            assert widget._is_bare()
            for here, there in zip(widget.render_lines(crop), Widget.render_lines(widget, crop), strict=True):
                assert [*_looks(here)] == [*_looks(there)]


def _looks(strip: Strip) -> Iterator[tuple[object, ...]]:
    """Each cell's character and looks; the ink of a blank cannot be seen."""
    for text, style, _ in strip:
        assert style is not None
        for char in text:
            marks = tuple(map(bool, (style.bold, style.dim, style.reverse, style.underline)))
            yield char, style.color if char != " " else None, style.bgcolor, marks


def _cells(update: object) -> dict[tuple[int, int], str]:
    found: dict[tuple[int, int], str] = {}
    for y, stretches in lines_of(update) or ():
        for x, segments in stretches:
            found |= {(place, y): char for place, char in enumerate("".join(s.text for s in segments), x)}
    return found


def test_what_is_no_update_of_cells_is_left_to_textual() -> None:
    assert lines_of("text") is None
    assert lines_of(None) is None


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    words = [sys.executable, "-m", "tests.fakes.demo_app"]
    env = {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    opened = Terminal(words, env, columns=100, lines=30, cwd=str(ROOT))
    yield opened
    opened.finish()


def test_screen_is_right_after_moves_views_and_a_redraw(terminal: Terminal) -> None:
    terminal.until("unacked")
    terminal.settle()
    for keys, is_overview in (("2jj", False), ("1", True), ("-jG g", False)):
        terminal.send(keys)
        terminal.until(lambda there=is_overview: ("Clusters" in terminal.text) is there)
    terminal.settle()
    news = terminal.text
    terminal.send("\x0c")
    terminal.settle()
    assert _steady(terminal.text) == _steady(news)


def test_a_key_sends_little(terminal: Terminal) -> None:
    terminal.until("unacked")
    sent: list[int] = []
    for key in "jkjk":  # a live frame may come between; not with each of them
        terminal.settle()
        before = len(terminal.raw)
        terminal.send(key)
        terminal.settle()
        sent.append(len(terminal.raw) - before)
    assert min(sent) < 1_000, sent


def _steady(text: str) -> list[str]:
    """The screen without the status bar, where the clock is."""
    return text.splitlines()[:-2]
