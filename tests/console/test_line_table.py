"""The table draws what is seen, whatever it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.app import App, ComposeResult

from noc_console.desk import Desk, Options
from noc_console.glyphs import UNICODE
from noc_console.palette import Palette
from noc_console.safe_text import Safe
from noc_console.widgets.columns import Column
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.piece import Piece
from tests.fakes.client import FakeClient
from tests.fakes.still_clock import StillClock
from themes import load_theme

COLUMNS = (Column(key="n", title=Safe("N"), width=8, descending=True), Column(key="what", title=Safe("WHAT"), width=20))


class Numbers:
    """A row per number; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked, self.word = 0, "row"

    def cells(self, key: int) -> Sequence[Piece]:
        self.asked += 1
        return Piece(Safe(str(key))), Piece(Safe(f"{self.word} {key}"))

    def rank(self, key: int, column: str) -> Any:
        return key


class TableApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.clock, self.numbers = StillClock(), Numbers()
        self.desk = Desk(FakeClient(), self.clock, Options(), UNICODE)
        theme = load_theme("dark")
        self.desk.palette = Palette({**theme.variables, "background": "#000000"})
        self.table = LineTable(COLUMNS, self.numbers, sort="n")

    def compose(self) -> ComposeResult:
        yield self.table

    def action_act(self, action_id: str) -> None:
        getattr(self.table, "do_" + action_id.replace(".", "_"))()


async def test_a_hundred_thousand_rows_ask_only_for_those_seen() -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.table.focus()
        app.table.set_keys(range(100_000))
        await pilot.pause()
        assert app.table.cursor == 99_999 and app.numbers.asked <= 100
        await pilot.press("G")
        assert app.table.cursor == 0
        await pilot.press("g", "ctrl+d", "j", "pagedown")
        await pilot.pause()
        assert app.table.cursor == 99_999 - 11 - 1 - 22 and app.numbers.asked <= 500


async def test_one_changed_row_is_drawn_again() -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.table.set_keys(range(5))
        await pilot.pause()
        app.numbers.word = "changed"
        app.table.live()
        await pilot.pause()
        assert "changed 4" in app.table.render_line(1).text


async def test_cursor_stays_on_its_key_and_line_through_a_reorder() -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.table.focus()
        app.table.set_keys(range(100))
        await pilot.press(*["j"] * 40)
        line = next(y for y in range(24) if app.table.render_line(y).text.startswith(">"))
        app.table.set_keys(range(110))
        app.clock.advance(10)
        app.table.live()
        await pilot.pause()
        assert app.table.cursor == 59 and app.table.render_line(line).text.startswith(">")


async def test_click_on_a_row_and_on_a_heading() -> None:
    app = TableApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.table.set_keys(range(10))
        await pilot.pause()
        await pilot.click(app.table, offset=(5, 3))
        assert app.table.cursor == 7
        await pilot.click(app.table, offset=(5, 0))
        assert app.table.keys[0] == 0
