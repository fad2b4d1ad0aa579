"""Keys and `:` commands that work everywhere: views, history, panes, palette, filter, theme, quiet, leaving.

Each is a `do_app_…` or `do_view_…` of the registry. Wiring is the app's, acts on records are the screens'.
"""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import themes
from engine.client import Query
from noc_console.actions import ACTIONS
from noc_console.desk import Desk
from noc_console.durations import read_minutes
from noc_console.key_gate import KeyGate
from noc_console.mirror import Dirty
from noc_console.reading import Reading
from noc_console.safe_text import Safe, safe_text
from noc_console.saved_screen import save_screen
from noc_console.saved_views import SavedViews
from noc_console.screens.frame import FrameScreen
from noc_console.terminal_app import TerminalApp
from noc_console.trail import Trail
from noc_console.views import VIEWS
from noc_console.widgets.piece import Piece

#: How the console ends when the demo is to be shown next.
PLAY_DEMO = 100


class ConsoleKeys(TerminalApp, inherit_bindings=False):
    """The app fills in the attributes."""

    desk: Desk
    trail: Trail
    views: SavedViews
    gate: KeyGate

    def command(self, line: str) -> None:
        raise NotImplementedError

    def act(self, action_id: str, argument: str = "") -> None:
        raise NotImplementedError

    def leave(self, code: int = 0) -> None:
        raise NotImplementedError

    chosen_theme: str

    def apply_theme(self, name: str) -> None:
        raise NotImplementedError

    def frame(self) -> FrameScreen | None:
        """The view or detail that is seen, also behind a dialog."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, FrameScreen)), None)

    def goto(self, view: str) -> None:
        """Show a view and remember it in the history."""
        self.trail.visit(view)
        self._show(view)

    def _show(self, view: str) -> None:
        if view != self.current_mode:
            self.gate.close()
            self.switch_mode(view)

    async def goto_section(self, view: str, argument: str) -> None:
        """Show a view and what was typed behind its name: a number opens the thing, all else filters."""
        self.trail.visit(view)
        await self.switch_mode(view)
        screen = self.screen_stack[0]
        if isinstance(screen, FrameScreen):
            screen.open_section(argument)

    async def do_log_silences(self) -> None:
        """`:silences` from any view; on the log its own key does it."""
        await self.goto_section("log", "silences")

    def do_app_last_view(self) -> None:
        self.goto(self.trail.last())

    def do_app_back_view(self) -> None:
        self._show(self.trail.back())

    def do_app_forward_view(self) -> None:
        self._show(self.trail.forward())

    def do_app_next_pane(self) -> None:
        self.screen.focus_next()

    def do_app_previous_pane(self) -> None:
        self.screen.focus_previous()

    async def do_app_command(self) -> None:
        line = await self.desk.ask(Safe(":"), kind="command")
        if line:
            self.command(line)

    async def do_app_filter(self, argument: str) -> None:
        screen = self.screen
        if not isinstance(screen, FrameScreen):
            return
        text = argument or await self.desk.ask(Safe("/"), initial=screen.wrong_filter or screen.filter, kind="filter")
        if text is not None:
            screen.set_filter(text)

    def do_app_freeze(self) -> None:
        self.desk.pump.freeze()
        frame = self.frame()
        if frame is not None:
            frame.draw_lines()

    def do_app_refresh(self) -> None:
        self.desk.reload()
        if isinstance(self.screen, FrameScreen):
            self.screen.reorder()

    def do_app_redraw(self) -> None:
        self.repaint_all()

    def do_app_suspend(self) -> None:
        self.action_suspend_process()

    def do_app_save_screen(self) -> None:
        folder = self.desk.options.state_dir
        if folder is None:
            self.desk.say(Safe("not saved: this console keeps nothing"), "warn")
            return
        try:
            path = save_screen(folder, self.desk.clock.now(), self.screen_lines(), self.save_screenshot)
        except OSError as error:
            self.desk.say(safe_text(f"not saved: {error}"), "alarm")
        else:
            self.desk.say(safe_text(f"saved {path} and .txt"), "ok")

    async def do_app_palette(self) -> None:
        """The same actions by name; one that takes words goes on in the command line."""
        from noc_console.dialogs.palette import PaletteDialog

        screen = self.screen
        if not isinstance(screen, FrameScreen):
            return
        found = await self.push_screen_wait(PaletteDialog(screen.actions(), screen.refusal))
        action = ACTIONS.get(found or "")
        if action is not None and action.command and action.argument and not action.keys:
            line = await self.desk.ask(Safe(":"), initial=f"{action.command} ", kind="command")
            if line:
                self.command(line)
        elif action is not None:
            self.act(action.id)

    async def do_app_handover(self) -> None:
        """What the next shift has to know, as it is now."""
        from noc_console.dialogs.facts import FactsDialog
        from noc_console.handover import handover

        silences = Reading(self.desk.client, Query(kind="silences", active=True, limit=200))
        await silences.load()
        found = handover(self.desk.mirror, silences.rows, silences.problem, self.desk.clock.now())
        self.push_screen(FactsDialog(Safe("Handover"), found))

    async def do_app_oncall(self) -> None:
        """Who has duty now."""
        from noc_console.dialogs.facts import FactsDialog
        from noc_console.screens.oncall_words import duty_facts

        duty = Reading(self.desk.client, Query(kind="oncall/now"))
        await duty.load()
        self.push_screen(FactsDialog(Safe("On call"), duty_facts(duty.rows, duty.problem)))

    def do_app_views(self, argument: str) -> Coroutine[Any, Any, None]:
        return self.views.act(argument)

    async def do_app_quiet(self, argument: str) -> None:
        now, bell = self.desk.clock.now(), self.desk.bell
        text = argument or await self.desk.ask(Safe("no bell for (30m, until HH:MM, off) "), initial="30m")
        if not text:
            return
        try:
            until = None if text.strip() == "off" else now + timedelta(minutes=read_minutes(text, now))
        except ValueError as error:
            self.desk.say(safe_text(f"quiet: {error}"), "warn")
            return
        bell.hush(until)
        self.desk.say(Safe(f"no bell until {until:%H:%M}Z" if until else "the bell sounds again"), "ok")

    def do_app_readonly(self) -> None:
        if self.desk.options.readonly:
            self.desk.say(Safe("started with --readonly; it stays so"), "warn")
            return
        self.desk.readonly = not self.desk.readonly
        frame = self.frame()
        if frame is not None:
            frame.live(Dirty())

    def do_app_theme(self, argument: str) -> None:
        names = themes.theme_names()
        if argument in names:
            self.chosen_theme = argument
            self.apply_theme(argument)
        else:
            self.desk.say(Safe(f"themes: {', '.join(names)}"), "text")

    def do_app_back(self) -> None:
        """The innermost thing that is open; at the root nothing is left to do."""
        screen = self.screen
        if isinstance(screen, FrameScreen) and screen.has_class("-zoomed"):
            screen.do_app_unzoom()
        elif len(self.screen_stack) > 1:
            self.pop_screen()
        elif isinstance(screen, FrameScreen) and (screen.filter or screen.wrong_filter):
            screen.set_filter("")
        elif isinstance(screen, FrameScreen) and screen.marked():
            screen.clear_marks()

    async def do_app_leave(self) -> None:
        if len(self.screen_stack) > 1:
            self.pop_screen()
        else:
            await self.do_app_quit()

    async def do_app_quit(self) -> None:
        from noc_console.dialogs.confirm import ConfirmDialog

        remote = self.desk.options.remote
        words = "The engine goes on without this console." if remote else "The engine stops too: nothing is taken in."
        lines = [[Piece(Safe(words))], [Piece(Safe("What is on the screen is kept for the next time."), "dim")]]
        if await self.push_screen_wait(ConfirmDialog(Safe("Leave the console?"), lines, Safe("Leave"))):
            self.leave()

    async def do_app_demo(self) -> None:
        from noc_console.dialogs.confirm import ConfirmDialog

        mirror = self.desk.mirror
        if self.desk.options.remote or not mirror.loaded or mirror.incidents:
            self.desk.say(Safe("only an empty console with its own engine plays it; run noc-console demo"), "warn")
            return
        lines = [[Piece(Safe("The engine here stops meanwhile: nothing is taken in."))]]
        if await self.push_screen_wait(ConfirmDialog(Safe("Play the demo?"), lines, Safe("Play"))):
            self.leave(PLAY_DEMO)

    def do_app_clear(self) -> None:
        self.desk.say(Safe("ctrl+c clears input; q leaves"), "text")


def _view_handler(name: str) -> Any:
    if not ACTIONS[f"view.{name}"].argument:
        return lambda self: self.goto(name)

    def go(self: ConsoleKeys, argument: str) -> Coroutine[Any, Any, None] | None:
        if argument:
            return self.goto_section(name, argument)
        self.goto(name)
        return None

    return go


for _name in VIEWS:
    setattr(ConsoleKeys, ACTIONS[f"view.{_name}"].handler, _view_handler(_name))
