"""The frame that every view shares: tabs, body, notice line, status bar, keys.

A view subclasses `FrameScreen`, names its `SCOPES` and `BINDINGS`, yields its panes from `compose_body` and repaints
them in `apply`. The frame owns the lines around; never what is in the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from data.records import Severity
from noc_console import standing, words
from noc_console.actions import ACTIONS, Action, in_scopes
from noc_console.acts import UNDO_SHOWN_SECONDS
from noc_console.desk import Age, Desk, desk_of
from noc_console.mirror import Dirty
from noc_console.record_lists import Watch
from noc_console.safe_text import Safe, safe_text
from noc_console.thrifty_compositor import ThriftyCompositor
from noc_console.views import VIEWS, ViewSpec, open_detail
from noc_console.widgets.box import Box
from noc_console.widgets.footer import Footer, footer_line
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.one_line import OneLine
from noc_console.widgets.pane import Pane, PaneState
from noc_console.widgets.piece import Piece, line_width
from noc_console.widgets.prompt import Prompt
from noc_console.widgets.status_bar import StatusBar, StatusFacts, status_line

LEAST_COLUMNS = 60
LEAST_ROWS = 15
_FILTER_ERROR = "filter: "


class FrameScreen(Screen[None], inherit_bindings=False):
    """One view. `spec` says which."""

    #: Scopes of the registry whose keys work here, beside "view", "app" and the focused table's.
    SCOPES: ClassVar[tuple[str, ...]] = ()
    #: Lists that the page reads from `desk.mirror.lists.of(watch)`; kept up while the page is shown.
    WATCHES: ClassVar[tuple[Watch, ...]] = ()
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]  # noqa: RUF012  (Textual's own type)
    ESCAPE_TO_MINIMIZE = False
    BLANK = True

    def __init__(self, spec: ViewSpec) -> None:
        super().__init__()
        self._compositor = ThriftyCompositor()
        self._compositor.direct = True
        self.spec = spec
        self.filter = ""
        #: What was typed last and not understood.
        self.wrong_filter = ""
        self.held = False
        self._tabs = OneLine("bar", id="tabs")
        self._notice = OneLine("text", id="notice")
        self._status = StatusBar()
        self._footer = Footer()
        self._small = OneLine("alarm", id="small")
        self._prompt: Prompt | None = None
        self._told_keys: tuple[object, ...] = ()
        self._said: tuple[Safe, str, float] | None = None
        self._missed = Dirty()
        self._barrier: Pane | None = None

    # what a view fills in

    def compose_body(self) -> ComposeResult:
        """The panes between tabs and notice line."""
        yield Box()

    def apply(self, dirty: Dirty) -> None:
        """A live frame: repaint what `dirty` touches. Called with `reset` when the view is shown again."""

    def watches(self) -> Sequence[Watch]:
        """The lists it needs now."""
        return self.WATCHES

    def set_filter(self, text: str) -> None:
        """`/` was entered; "" shows everything. A page calls this when the text was right."""
        self.filter, self.wrong_filter = text, ""
        if self._said is not None and self._said[0].startswith(_FILTER_ERROR):
            self._said = None
            self._notice.show(self._notice_line())

    def filter_wrong(self, text: str, words: Safe) -> None:
        """The text was not understood: said until it is right, and kept for `/` to go on with."""
        self.wrong_filter = text
        self.desk.say(Safe(f"{_FILTER_ERROR}{words}  / goes on with it"), "alarm", seconds=600.0)

    def clear_marks(self) -> None:
        """esc: no row is marked any more."""
        for table in self.query(LineTable):
            if table.marks:
                table.do_table_unmark()

    def why_not(self, action: Action) -> Safe:
        """Why the action cannot be done here now; "" when it can."""
        return Safe("")

    def save_state(self) -> dict[str, Any]:
        """What to find again after a lost connection, as plain JSON values."""
        return {"filter": self.filter}

    def restore_state(self, state: dict[str, Any]) -> None:
        """Called once, after mount, with what `save_state` gave; unknown or odd values are ignored."""
        if isinstance(state.get("filter"), str) and state["filter"]:
            self.set_filter(state["filter"])

    def open_section(self, argument: str) -> None:
        """What was typed behind the view's name: "I-12" or "A-7" opens it, all else is a filter."""
        letter, _, number = argument.upper().partition("-")
        if letter.isdigit() and not number:
            letter, number = {"alerts": "A"}.get(self.spec.name, "I"), letter
        if letter in {"I", "A"} and number.isdigit() and len(number) < 16:
            (self.open_incident if letter == "I" else self.open_alert)(int(number))
        else:
            self.set_filter(argument)

    def do_app_help(self) -> None:
        """All keys of this screen."""
        from noc_console.dialogs.help import HelpDialog

        columns = self.focused.columns if isinstance(self.focused, LineTable) else ()
        self.app.push_screen(HelpDialog(self.spec.title, self.actions(), self.refusal, columns))

    def reorder(self) -> None:
        """ctrl+r: sort the view's tables now."""

    def marked(self) -> int:
        """How many rows are marked, for the status bar."""
        return 0

    def do_app_zoom(self) -> None:
        """The focused pane alone, and back."""
        if self.has_class("-zoomed"):
            self.do_app_unzoom()
            return
        pane = next((node for node in self.focused.ancestors if isinstance(node, Pane)), None) if self.focused else None
        if pane is not None:
            pane.add_class("-zoom")
            self.add_class("-zoomed")

    def do_app_unzoom(self) -> None:
        self.remove_class("-zoomed")
        for pane in self.query(Pane):
            pane.remove_class("-zoom")

    # what the frame does

    @property
    def desk(self) -> Desk:
        return desk_of(self)

    def compose(self) -> ComposeResult:
        yield self._small
        yield self._tabs
        with Box(id="body"):
            yield from self.compose_body()
        yield self._notice
        yield self._status
        yield self._footer

    def live(self, dirty: Dirty) -> None:
        """One frame: the view's panes, then the lines around. One that comes before there are panes waits for them."""
        if not self.is_mounted:
            self._missed = self._missed.merge(dirty)
            return
        self._bar(self.barred())
        self.apply(self._missed.merge(dirty))
        self._missed = Dirty()
        for pane in self.walk_children(Pane):
            pane.live()
        self.draw_lines()

    def barred(self) -> Safe:
        """Why nobody may see this page here; "" when they may."""
        if not self.desk.may(self.spec.capability):
            return safe_text(f"You lack the right {self.spec.capability}, which this page needs.")
        lists = self.desk.mirror.lists
        if any(watch.kind == self.spec.kind and lists.of(watch).unknown for watch in self.watches()):
            return safe_text(f"This engine does not know {self.spec.kind}: it is older than this console.")
        return Safe("")

    def _bar(self, reason: Safe) -> None:
        if self._barrier is None:
            if not reason:
                return
            self._barrier = Pane(self.spec.title, id="barrier")
            self.mount(self._barrier, after=self._tabs)
        self.set_class(bool(reason), "-barred")
        if reason:
            self._barrier.page(PaneState.ERROR, [[], [Piece(Safe("  ")), Piece(reason)]])

    def hold(self, held: bool) -> None:
        """No row changes its place while something is open on top."""
        for table in self.walk_children(LineTable):
            table.hold(held)

    def draw_lines(self) -> None:
        """Tabs, notice, status and keys; each repaints only when its words changed."""
        if self.has_class("-small"):
            self._small.show(self._small_line())
            return
        self._tabs.show(self._tab_line())
        self._notice.show(self._notice_line())
        self._status.show(status_line(self._facts(), self.size.width, self.desk.glyphs))
        self._draw_footer()

    def _draw_footer(self) -> None:
        """The keys: asked for anew only when something that decides on them may have changed."""
        desk, health = self.desk, self.desk.mirror.health
        rights = health.capabilities if health is not None else ()
        now = int(desk.clock.monotonic())
        told = (self.focused, self.size.width, desk.readonly, rights, desk.age(), desk.is_stale(), now)
        if told != self._told_keys:
            self._told_keys = told
            self._footer.show(footer_line(self.actions(), self.refusal, self.size.width))

    def actions(self) -> list[Action]:
        """Everything that can be pressed here: the focused widget's, this view's, everybody's."""
        focused = getattr(self.focused, "SCOPES", ("table",)) if self.focused else ()
        return in_scopes({*focused, *self.SCOPES, "view", "app"})

    def refusal(self, action: Action) -> Safe:
        """Why the action is off right now, whatever the row; "" when it is on."""
        return refusal(self.desk, action) or self.why_not(action)

    def say(self, text: Safe, tone: str, seconds: float) -> None:
        self._said = (text, tone, self.desk.clock.monotonic() + seconds)
        if self.is_mounted:
            self._notice.show(self._notice_line())

    async def ask(self, label: Safe, initial: str, kind: str, histories: dict[str, list[str]]) -> str | None:
        """One line from the operator, in place of the notice."""
        if self._prompt is None:
            self._prompt = Prompt(self.complete)
            self._prompt.histories = histories
            self._prompt.display = False
            await self.mount(self._prompt, after=self._notice)
        self._notice.display = False
        try:
            return await self._prompt.ask(label, initial, kind)
        finally:
            self._notice.display = True

    def set_focus(self, widget: Widget | None, scroll_visible: bool = True, from_app_focus: bool = False) -> None:
        """A page that has read anew, or a click, never takes the keys from a line that is being typed."""
        if self._prompt is None or not self._prompt.keeps_from(widget):
            super().set_focus(widget, scroll_visible, from_app_focus)

    def open_incident(self, number: int, section: str = "") -> None:
        """Open the incident's own screen, at `section` (why, timeline, alerts) when given."""
        self.app.push_screen(open_detail("incident", self.spec, number, section))

    def open_alert(self, number: int) -> None:
        """Open the alert's own screen."""
        self.app.push_screen(open_detail("alert", self.spec, number, ""))

    def complete(self, kind: str, text: str) -> list[str]:
        """Lines that a `:` command could become."""
        if kind != "command":
            return []
        return [action.command + " " for action in self.commands() if action.command.startswith(text)]

    def commands(self) -> list[Action]:
        return [action for action in ACTIONS.values() if action.command]

    def on_mount(self) -> None:
        state = self.desk.saved_views.pop(self.spec.name, None)
        if state:
            self.restore_state(state)
        if self.size.width:
            self.draw_lines()

    def on_resize(self) -> None:
        small = self.size.width < LEAST_COLUMNS or self.size.height < LEAST_ROWS
        self.set_class(small, "-small")
        self.draw_lines()

    def on_screen_resume(self) -> None:
        """What the screens below show is kept up too: they are what comes back."""
        frames = [screen for screen in self.app.screen_stack if isinstance(screen, FrameScreen)]
        self.desk.want({watch for frame in frames for watch in frame.watches()})
        self.call_after_refresh(self.live, Dirty(reset=True))

    def on_descendant_focus(self) -> None:
        self.draw_lines()

    def _small_line(self) -> list[Piece]:
        criticals = self.desk.mirror.counts(self.desk.clock.now())[Severity.CRITICAL]
        words = f"{criticals} critical - needs {LEAST_COLUMNS}x{LEAST_ROWS}, has {self.size.width}x{self.size.height}"
        return [Piece(Safe(words), "alarm")]

    def _tab_line(self) -> list[Piece]:
        titles = [view.title for view in VIEWS.values()]
        if sum(len(title) + 3 for title in titles) + 1 > self.size.width:
            titles = [view.short for view in VIEWS.values()]
        line: list[Piece] = []
        for view, title in zip(VIEWS.values(), titles, strict=True):
            here = view.name == self.spec.name
            line.append(Piece(Safe(f" {view.number}"), "bar-here" if here else "bar-key"))
            open_to_us = "bar" if self.desk.may(view.capability) else "bar-dim"
            line.append(Piece(Safe(f" {title}"), "bar-here" if here else open_to_us))
        return line if line_width(line) <= self.size.width else line[: _fitting(line, self.size.width)]

    def _notice_line(self) -> list[Piece]:
        now = self.desk.clock.monotonic()
        if self._said is not None and self._said[2] > now:
            return [Piece(Safe(" "), "text"), Piece(self._said[0], self._said[1])]
        self._said = None
        banners = self.desk.mirror.health.banners if self.desk.mirror.health else ()
        if self.desk.age() is Age.DOWN:
            words = f"old data, trying again - no engine: {self.desk.mirror.why_down}"
            return [Piece(Safe(" "), "text"), Piece(safe_text(words), "warn")]
        if banners:
            return [Piece(Safe(" "), "text"), Piece(safe_text("; ".join(banners)), "warn")]
        switch = standing.stopped(self.desk.mirror)
        if switch is not None:
            told = f" all playbooks are stopped by {switch.by}: {switch.reason} (:kill-switch lets them run)"
            return [Piece(safe_text(told), "warn")]
        return [Piece(Safe(" "), "text"), *flood] if (flood := self._flood()) else self._asked()

    def _asked(self) -> list[Piece]:
        """Playbooks that wait for an approval are told where nothing else is: nothing opens by itself."""
        waiting = standing.waiting(self.desk.mirror, self.desk.clock.now())
        if not waiting or self.spec.name == "approvals":
            return []
        told = f" {words.many(len(waiting), 'playbook')} waiting for an answer, first {waiting[0].playbook}; "
        return [Piece(safe_text(told), "text"), Piece(Safe("4"), "key"), Piece(Safe(" shows the plan"), "text")]

    def _flood(self) -> list[Piece]:
        """A flood is told calmly: how much was folded, and where to begin."""
        mirror, health = self.desk.mirror, self.desk.mirror.health
        if health is None or not health.flood:
            return []
        folded = mirror.totals.at(self.desk.clock.now()).suppressed
        away = f", {folded:,} near repeats folded away" if folded else ""
        words = f"flood: {health.alarms_10m:,} alarms in 10 min{away}; "
        return [Piece(Safe(words), "warn"), Piece(Safe("n"), "key"), Piece(Safe(" worst first"), "text")]

    def _facts(self) -> StatusFacts:
        desk, now = self.desk, self.desk.clock.monotonic()
        mirror, health, pump = desk.mirror, desk.mirror.health, desk.pump
        offer = desk.acts.offer()
        asked = standing.waiting(mirror, desk.clock.now())
        return StatusFacts(
            now=desk.clock.now(),
            age=desk.age(),
            data_seconds=desk.data_seconds(),
            down_seconds=None if mirror.down_since is None else now - mirror.down_since,
            rate_per_second=health.rate if health else 0.0,
            trend=mirror.trend(),
            counts=mirror.counts(desk.clock.now()),
            shelved=health.shelved if health else 0,
            silenced=health.silenced if health else 0,
            approvals=len(asked),
            approval_seconds=standing.seconds_left(asked, desk.clock.now()),
            stopped=standing.stopped(mirror) is not None,
            alarms_10m=health.alarms_10m if health else 0,
            flood=health.flood if health else False,
            rtt_seconds=pump.pacer.rtt,
            link_slow=pump.pacer.slow(now),
            frozen_seconds=None if pump.frozen_at is None else now - pump.frozen_at,
            held=pump.held.logged,
            readonly=desk.readonly,
            undo_seconds=offer.until - now if offer else None,
            undo_is_new=offer is not None and now - offer.at < UNDO_SHOWN_SECONDS,
            tenant=health.tenant if health else "",
            engine=health.state if health else "",
            marks=self.marked(),
            quiet_until=desk.bell.quiet_until(desk.clock.now()),
        )


def refusal(desk: Desk, action: Action) -> Safe:
    """Reasons that hold on every screen: not built yet, read-only, not allowed, no engine, too old."""
    if action.later:
        return Safe(action.later)
    if not action.capability:
        return Safe("")
    if desk.readonly:
        return Safe("this console is read-only (:readonly switches it)")
    if not desk.may(action.capability):
        return safe_text(f"you lack the right {action.capability}")
    if desk.age() is Age.DOWN:
        return Safe("no engine to act on; what you see is old")
    if action.tier >= 2 and desk.is_stale():
        return Safe("what you see is too old to decide this on")
    return Safe("")


def _fitting(line: list[Piece], cells: int) -> int:
    """How many pieces, in pairs, fit."""
    return max(count for count in range(0, len(line) + 1, 2) if line_width(line[:count]) <= cells)
