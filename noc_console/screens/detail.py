"""A screen over one thing: its facts on top, sections below; as many side by side as the terminal is wide.

Owns which sections are shown and when they are read again. Never knows what is in a section.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from noc_console.actions import Action
from noc_console.desk import Desk
from noc_console.mirror import Dirty
from noc_console.reading import Reading
from noc_console.safe_text import Safe, fit, safe_text, width
from noc_console.screens.frame import FrameScreen
from noc_console.views import ViewSpec
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.line_view import LineView
from noc_console.widgets.one_line import OneLine
from noc_console.widgets.pane import Pane, PaneState, text_lines
from noc_console.widgets.piece import Line, Piece, line_width

#: A section that is on the screen is read again at most this often while things change.
AGAIN_SECONDS = 1.0


class Section(Pane):
    """One pane of a detail: `reading` is its question, `draw` puts the rows on the screen."""

    name: ClassVar[str] = ""
    key: ClassVar[str] = ""
    label: ClassVar[str] = ""
    empty: ClassVar[str] = "nothing"

    def __init__(self, desk: Desk, content: Widget) -> None:
        super().__init__(Safe(self.label), content, id=f"section-{self.name}")
        self.add_class("detail-section")
        self.desk = desk
        self.reading: Reading | None = None

    def live(self) -> None:
        """One live frame: rows that are gone leave and new ones find their places when it is time."""
        super().live()
        if isinstance(self.content, LineTable) and self.state is PaneState.READY:
            self.content.live(changed=())

    def draw(self) -> None:
        """The rows of `reading`, as they are now."""

    def count(self) -> str:
        """What stands behind the section's name; "" for nothing."""
        return ""

    def remark(self) -> str:
        """More than the count, for the section's own title."""
        return self.count()

    async def read(self) -> None:
        if self.reading is not None:
            await self.reading.load()
        if self.is_attached:
            self.settle()

    def settle(self) -> None:
        """Draw the rows, or the page that says why there are none."""
        reading = self.reading
        if reading is not None and reading.problem and not reading.loaded:
            self.page(PaneState.ERROR, _failed(reading.problem))
        elif reading is not None and not reading.loaded:
            self.page(PaneState.LOADING, text_lines("asking the engine", style="dim"))
        elif reading is not None and not self.rows():
            self.page(PaneState.EMPTY, text_lines(self.empty, style="dim"))
        else:
            self.ready()
            self.draw()
        self.head()

    def rows(self) -> Sequence[Any]:
        return self.reading.rows if self.reading else ()

    def head(self) -> None:
        problem = self.reading.problem if self.reading is not None else Safe("")
        remark = self.remark()
        note = [Piece(problem, "warn")] if problem else [Piece(Safe(remark), "dim")] if remark else []
        self.retitle(Safe(self.label), note)


class DetailScreen(FrameScreen):
    """Give `sections()` and `fact_lines(cells)`; call `show_section(name)`."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-normal"), (160, "-wide")]  # noqa: RUF012  (Textual's own type)

    def __init__(self, view: ViewSpec, number: int, section: str) -> None:
        super().__init__(view)
        self.number = number
        self._first = section
        self._place = 0
        self.all_sections: list[Section] = []
        self._read_at: dict[str, float] = {}
        self._owed: set[str] = set()

    # what a detail fills in

    def sections(self) -> list[Section]:
        raise NotImplementedError

    def fact_lines(self, cells: int) -> list[Line]:
        raise NotImplementedError

    def heading(self) -> Safe:
        raise NotImplementedError

    def concerns(self, dirty: Dirty) -> bool:
        """Whether the sections may have changed."""
        return True

    def refresh_subject(self) -> None:
        """Take the thing itself from the mirror, before it is drawn."""

    # what the base does

    def compose_body(self) -> ComposeResult:
        self._facts_view = LineView()
        self._facts_view.can_focus = False
        self._head = Pane(self.heading(), self._facts_view, id="detail-head")
        self._strip = OneLine("bar", id="detail-strip")
        self.all_sections = self.sections()
        yield self._head
        yield self._strip
        with Container(id="detail-sections"):
            yield from self.all_sections

    def on_mount(self) -> None:
        names = [section.name for section in self.all_sections]
        self._place = names.index(self._first) if self._first in names else 0
        for section in self.all_sections:
            section.settle()
        self._arrange()

    def on_resize(self) -> None:
        self.call_after_refresh(self._arrange)

    @property
    def section(self) -> Section:
        return self.all_sections[self._place]

    def show_section(self, name: str) -> None:
        for place, section in enumerate(self.all_sections):
            if section.name == name:
                self._place = place
        self._arrange()

    def why_not(self, action: Action) -> Safe:
        return Safe("there is nothing to filter here; esc goes back") if action.id == "app.filter" else Safe("")

    def do_app_next_pane(self) -> None:
        self._step(1)

    def do_app_previous_pane(self) -> None:
        self._step(-1)

    def apply(self, dirty: Dirty) -> None:
        self.refresh_subject()
        self.draw_facts()
        if dirty.reset or self.concerns(dirty):
            self._owed |= {section.name for section in self.all_sections}
        self.read_shown()

    def draw_facts(self) -> None:
        if not self.size.width:
            return
        lines = self.fact_lines(max(40, self.size.width - 2))
        self._head.styles.height = min(len(lines), max(3, self.size.height // 3)) + 1
        note = self.fact_note()
        room = max(20, self.size.width - line_width(note) - 9)
        heading = self.heading()
        self._head.retitle(heading if width(heading) <= room else fit(heading, room), note)
        self._facts_view.show(lines)

    def fact_note(self) -> Line:
        return (Piece(Safe("esc"), "key"), Piece(Safe(" back"), "dim"))

    def read_shown(self) -> None:
        """Read the sections on the screen that have been asked for and are due."""
        now = self.desk.clock.monotonic()
        for section in self.shown():
            due = now - self._read_at.get(section.name, float("-inf")) >= AGAIN_SECONDS
            if section.name in self._owed and due:
                self._owed.discard(section.name)
                self._read_at[section.name] = now
                self.run_worker(self._read(section), group=f"read-{section.name}", exclusive=True)

    def shown(self) -> list[Section]:
        return [section for section in self.all_sections if section.has_class("-shown")]

    def begin_again(self) -> None:
        """The screen is about another thing now: nothing that was read holds."""
        self._read_at.clear()
        self._owed = {section.name for section in self.all_sections}
        for section in self.all_sections:
            section.settle()
        self.draw_facts()
        self.read_shown()

    async def _read(self, section: Section) -> None:
        await section.read()
        if section is self.section:
            self._focus()
        self._draw_strip()

    def read_again(self, name: str) -> None:
        """Read this section now, whether or not anything changed."""
        self._read_at.pop(name, None)
        self._owed.add(name)
        self.read_shown()

    def read_all_again(self) -> None:
        """Read what is on the screen now and the rest when it is shown: the operator did something to it."""
        self._read_at.clear()
        self._owed = {section.name for section in self.all_sections}
        self.read_shown()

    def _focus(self) -> None:
        """The chosen section has the keys, as soon as it has something to move in."""
        content = self.section.content
        if content is not None and self.section.state is PaneState.READY and not content.has_focus:
            content.focus(scroll_visible=False)

    def _step(self, step: int) -> None:
        if not self.all_sections:
            return
        self._place = (self._place + step) % len(self.all_sections)
        self._arrange()

    def _arrange(self) -> None:
        """Show the chosen section and its neighbours, as many as there is room for."""
        if not self.is_mounted or not self.size.width:
            return
        most = 3 if self.size.width >= 160 else 2 if self.size.width >= 120 else 1
        first = max(0, min(self._place, len(self.all_sections) - most))
        for place, section in enumerate(self.all_sections):
            section.set_class(first <= place < first + most, "-shown")
        self._focus()
        self._owed |= {section.name for section in self.shown() if section.name not in self._read_at}
        self.draw_facts()
        self._draw_strip()
        self.read_shown()

    def _draw_strip(self) -> None:
        line: list[Piece] = []
        for section in self.all_sections:
            here = section is self.section
            label = f"{section.label} {section.count()}".rstrip()
            line.append(Piece(Safe(f" {section.key}" if section.key else ""), "bar-here" if here else "bar-key"))
            line.append(Piece(safe_text(f" {label} "), "bar-here" if here else "bar"))
        hint = [Piece(Safe("  tab"), "bar-key"), Piece(Safe(" next"), "bar-dim")]
        self._strip.show([*line, *hint] if line_width([*line, *hint]) <= self.size.width else line)


def _failed(problem: Safe) -> list[Line]:
    return [
        [],
        [Piece(Safe("  Could not be read: ")), Piece(problem, "warn")],
        [],
        [Piece(Safe("  ctrl+r tries again."), "dim")],
    ]
