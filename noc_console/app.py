"""Wires the console together: desk, feed, pump, views, keys. Screens own their logic; nothing is decided here.

`ConsoleApp(client, clock, options)` is the whole console over any EngineClient. `run` starts it in a terminal.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Coroutine, Iterable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual import events
from textual.dom import DOMNode

import themes
from engine.client import EngineClient
from noc_console.actions import ACTIONS, Action, bindings_for, commands
from noc_console.acts import Acts
from noc_console.bell import Bell
from noc_console.clipboard import copy
from noc_console.clock import Clock
from noc_console.console_keys import ConsoleKeys
from noc_console.desk import Confirm, Desk, Options
from noc_console.feed import HEALTH_SECONDS, EngineFailed, Feed
from noc_console.glyphs import glyphs_for
from noc_console.hangup import HangUp
from noc_console.key_gate import KeyGate
from noc_console.keymap import rebind
from noc_console.mirror import Dirty
from noc_console.palette import Palette
from noc_console.pump import ASK_CURSOR, MOST_FRAMES_PER_SECOND, Pump
from noc_console.record_lists import Watch
from noc_console.safe_text import Safe, safe_text
from noc_console.saved_views import SavedViews
from noc_console.screens.frame import FrameScreen, refusal
from noc_console.session import SessionFile, SessionState
from noc_console.standing import STANDING, WaitingBell
from noc_console.trail import Trail
from noc_console.views import VIEWS, load_pages, open_view

SAVE_SECONDS = 5.0
#: Clusters are read again with every so many looks at the engine's health.
CLUSTER_POLLS = 2
#: While the feed brought something within this time the engine is asked half as often.
QUIET_SECONDS = 1.0
#: Names are read with these looks and with every so many; between them while a site has none (an engine that has just
#: started learns them), ever more seldom.
FIRST_NAME_POLLS, NAME_POLLS = frozenset({2, 8, 30}), 60


class ConsoleApp(ConsoleKeys, inherit_bindings=False):
    """The console. `desk` is what every widget reaches for."""

    BINDINGS = bindings_for("view", "app")
    CSS_PATH = Path(__file__).with_name("noc.tcss")
    MODES: ClassVar[dict[str, Any]] = {name: partial(open_view, spec) for name, spec in VIEWS.items()}
    DEFAULT_MODE = "overview"
    ENABLE_COMMAND_PALETTE = False
    TITLE = "noc-console"

    def __init__(self, client: EngineClient, clock: Clock, options: Options | None = None) -> None:
        options = options or Options()
        self.session = SessionFile(options.state_dir / "session.json" if options.state_dir else None)
        self.restored = self.session.load()
        if self.restored.view in VIEWS:
            self.DEFAULT_MODE = self.restored.view  # type: ignore[misc]
        mono = "NO_COLOR" in os.environ or options.theme == "mono"
        super().__init__(ansi_color=True if mono else None)
        encoding = getattr(sys.__stderr__, "encoding", "utf-8")
        self.desk = Desk(client, clock, options, glyphs_for(encoding, options.ascii))
        self.desk.saved_views = dict(self.restored.views)
        self.desk.say, self.desk.ask = self._say, self._ask
        self.desk.ask_pin = self._ask_pin
        self.desk.acts = Acts(self.desk)
        self.desk.pump = Pump(self.desk.mirror, self._paint, self._ask_terminal, clock.monotonic)
        self.desk.pump.frames = min(options.frames, MOST_FRAMES_PER_SECOND)
        self.desk.reload, self.desk.copy = self._reload, self._copy
        self.desk.want = self._want
        self.desk.pump.heard = self._heard
        self.desk.bell = Bell(self.desk.mirror)
        self._waiting_bell = WaitingBell(self.desk.mirror)
        self.views = SavedViews(self, self.restored.named)
        if options.keymap is not None:
            rebind(options.keymap)
            self.set_keymap({name: ",".join(keys) for name, keys in options.keymap.keys.items()})
        self.gate = KeyGate(self)
        self.feed = Feed(client, self.desk.mirror, clock, self.desk.pump.arrived)
        self._polls = 0
        self._names_at, self._names_wait = 0, 1
        self.trail = Trail(self.DEFAULT_MODE)
        self.histories: dict[str, list[str]] = dict(self.restored.prompts)
        self._no_color = mono
        self.animation_level = "none"
        #: What the operator chose; a terminal without colours chooses for itself only.
        self.chosen_theme = options.theme or self.restored.theme or "dark"
        self.apply_theme("mono" if mono else self.chosen_theme)

    # start and end

    def on_mount(self) -> None:
        self.desk.pump.acknowledges = not self.is_headless
        self.set_interval(0.5 / self.desk.pump.frames, self.desk.pump.tick)
        self.set_interval(SAVE_SECONDS, self.save)
        self.set_interval(1.0, self._draw_lines)
        self.call_after_refresh(self.start_feed)
        if not self.is_headless:
            self._hang_up = HangUp(self.save, self.leave, self.desk.client)
            self._hang_up.catch()

    def start_feed(self) -> None:
        """After the first frame: nothing heavy may come before it."""
        load_pages()
        if not self.is_headless:
            _spare_collections()
        self.run_worker(self._feed(), name="feed")
        self._poll()
        self.set_interval(HEALTH_SECONDS, self._poll)
        for problem in options.keymap.problems if (options := self.desk.options).keymap else ():
            self._say(problem, "warn", seconds=30.0)
        if self.restored.saved_at is not None:
            self._say(Safe(f"restored what was on the screen at {self.restored.saved_at:%H:%M}Z"), "dim")

    async def _feed(self) -> None:
        try:
            await self.feed.run()
        except EngineFailed:
            self.exit(1)

    def leave(self, code: int = 0) -> None:
        """Save and end. The engine is ended by whoever started it."""
        self.save()
        self.exit(code)

    def save(self) -> None:
        views = dict(self.desk.saved_views)
        for name, stack in self._screen_stacks.items():
            if stack and isinstance(stack[0], FrameScreen) and stack[0].is_mounted:
                views[name] = stack[0].save_state()
        self.session.save(
            SessionState(
                view=self.current_mode,
                theme=self.chosen_theme,
                saved_at=self.desk.clock.now(),
                views=views,
                prompts=self.histories,
                named=self.views.saved,
            )
        )

    # live frames

    def on_cursor_position(self, event: events.CursorPosition) -> None:
        self.desk.pump.pacer.answered(self.desk.clock.monotonic())

    def _paint(self, dirty: Dirty) -> None:
        frame = self.frame()
        if frame is not None:
            frame.hold(frame is not self.screen)
            frame.live(dirty)

    def _heard(self, dirty: Dirty) -> None:
        options = self.desk.options
        found = self.desk.bell.due(dirty, self.desk.clock.now())
        asked = self._waiting_bell.due(dirty, self.desk.clock.now())
        quiet = self.desk.bell.quiet_until(self.desk.clock.now()) is not None
        if (found or (asked and not quiet)) and options.bell:
            self._write("\a")
        if found and options.notify:
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            self._write(f"\x1b]9;{safe_text(f'critical: {self.desk.names.words(found[0].title)[:120]}{more}')}\a")

    def _draw_lines(self) -> None:
        """The lines around the panes go on while the panes are frozen."""
        if self.desk.pump.frozen_at is not None and isinstance(self.screen, FrameScreen):
            self.screen.draw_lines()

    def _ask_terminal(self) -> None:
        self.call_after_refresh(self._write, ASK_CURSOR)

    def _write(self, text: str) -> None:
        if self._driver is not None:
            self._driver.write(text)
            self._driver.flush()

    def _copy(self, text: str) -> str:
        return copy(text, self._write, os.environ, self.desk.options.state_dir)

    def _poll(self) -> None:
        self.run_worker(self._ask_engine(), group="health", exclusive=True)

    async def _ask_engine(self) -> None:
        self._polls += 1
        mirror = self.desk.mirror
        seconds = mirror.contact_seconds(self.desk.clock.monotonic())
        is_quiet = seconds is None or seconds >= QUIET_SECONDS
        try:
            if self._polls % 2 == 0 or is_quiet or mirror.health is None:
                await self.feed.ask()
            if self._polls % CLUSTER_POLLS == 1:
                await self.feed.follow_clusters()
            if self._are_names_due():
                await self.feed.read_names()
        except EngineFailed:
            self.exit(1)

    def _are_names_due(self) -> bool:
        """Twice as long after each look for the name of a site of an incident that has none."""
        sites = self.desk.names.sites
        if all(not incident.site or incident.site in sites for incident in self.desk.mirror.incidents.values()):
            self._names_wait = 1
            return self._polls in FIRST_NAME_POLLS or not self._polls % NAME_POLLS
        if self._polls < max(2, self._names_at):
            return False
        self._names_at = self._polls + self._names_wait
        self._names_wait = min(NAME_POLLS, 2 * self._names_wait)
        return True

    def _reload(self) -> None:
        self.feed.retry()
        self.run_worker(self.feed.reload, group="reload", exclusive=True)  # type: ignore[arg-type]

    def _want(self, watches: Iterable[Watch]) -> None:
        if self.desk.mirror.lists.want({*watches, *STANDING}) and self.desk.mirror.loaded:
            self.run_worker(self.feed.read_lists, group="lists", exclusive=True)  # type: ignore[arg-type]

    # keys and acts

    async def on_event(self, event: events.Event) -> None:
        if not isinstance(event, events.Key):
            await super().on_event(event)
        elif event.is_forwarded:
            await super().on_event(event)
            self.gate.came_back(event)
        elif not self.gate.holds(event):
            await super().on_event(event)

    def action_act(self, action_id: str) -> None:
        self.act(action_id)

    def act(self, action_id: str, argument: str = "") -> None:
        """Do an action of the registry, or say why not."""
        action = ACTIONS[action_id]
        holder = self._holder(action)
        reason = refusal(self.desk, action) or (Safe("does nothing on this screen") if holder is None else Safe(""))
        if not reason and isinstance(self.screen, FrameScreen):
            reason = self.screen.why_not(action)
        if reason:
            self._say(Safe(f"{action.title}: {reason}"), "warn")
            return
        handler = getattr(holder, action.handler)
        done = handler(argument) if action.argument else handler()
        if isinstance(done, Coroutine):
            self.gate.close(self.run_worker(done, group="acts"))

    def command(self, line: str) -> None:
        """A `:` line: word and argument."""
        word, _, argument = line.strip().partition(" ")
        known = commands()
        if word in {"q", "q!"}:
            word = "quit"
        found = [known[word]] if word in known else [known[name] for name in known if word and name.startswith(word)]
        if len(found) == 1:
            self.act(found[0].id, argument.strip())
        elif word:
            few = ", ".join(action.command for action in found) or "? lists them"
            self._say(safe_text(f"no command {word!r}: {few}"), "warn")

    def _holder(self, action: Action) -> DOMNode | None:
        nodes: list[DOMNode] = [*(self.focused.ancestors_with_self if self.focused else (self.screen,)), self]
        if self.screen not in nodes:
            nodes.append(self.screen)
        return next((node for node in nodes if hasattr(node, action.handler)), None)

    def _say(self, text: Safe, tone: str = "text", *, seconds: float = 8.0) -> None:
        frame = self.frame()
        if frame is not None:
            frame.say(text, tone, seconds)

    async def _ask(self, label: Safe, *, initial: str = "", kind: str = "") -> str | None:
        frame = self.frame()
        return None if frame is None else await frame.ask(label, initial, kind, self.histories)

    async def _ask_pin(self, confirm: Confirm) -> bool:
        from noc_console.dialogs.pin import ask_pin

        return await ask_pin(self, confirm)

    def apply_theme(self, name: str) -> None:
        """Switch colours; without colour in the terminal it stays mono."""
        if self._no_color and name != "mono":
            name = "mono"
        try:
            theme = themes.load_theme(name)
        except KeyError:
            theme = themes.load_theme("dark")
        self.register_theme(theme)
        self.theme = theme.name
        colours = {**theme.variables, "background": theme.background or "#000000"}
        sixteen = self.console.color_system == "standard"
        self.desk.palette = Palette(colours, colourless=theme.ansi, sixteen_on_white=sixteen and not theme.dark)
        for stack in self._screen_stacks.values():
            for screen in stack:
                screen.refresh(layout=True)


def _spare_collections() -> None:
    """What is there after the start stays until the end: looking through it for garbage would cost frames."""
    gc.freeze()
    gc.set_threshold(10_000, 100, 1_000)


def unfit_terminal() -> str:
    """Why this terminal cannot show the console, in one line with the remedy; "" when it can."""
    term = os.environ.get("TERM", "")
    if term in {"", "dumb", "unknown"}:
        shown = term or "(unset)"
        return f"noc-console: TERM={shown} cannot move a cursor; set TERM=xterm-256color or use `noc-console headless`"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return "noc-console: no terminal on standard input and error; use `noc-console headless` or `noc-console query`"
    return ""
