"""The one place where a playbook is let go: the plan, then `E`, then `y` within ten seconds.

Owns the guards: it arms only by a key that was pressed on purpose, with a fresh dry run, on data that is not old, for
somebody who may; held keys, pastes and the keys of other acts never approve. It stays open until the engine has taken
the decision, which its matter sends, and follows meanwhile what others decide.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, Protocol

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from noc_console.dialogs.dialog import Dialog
from noc_console.safe_text import Safe
from noc_console.widgets.choice_row import ChoiceRow
from noc_console.widgets.field import MOST_FIGURE, Field
from noc_console.widgets.line_view import LineView
from noc_console.widgets.piece import Line

#: Nothing is decided in this time after it opened.
OPENING_SECONDS = 0.5
ARMED_SECONDS = 10.0
#: Where the incident's number has to be typed, there is more time.
TYPING_SECONDS = 20.0
TICK_SECONDS = 0.5
#: Lines of the box beside the plan: border, title, number, Cancel, words, keys.
FRAME_LINES = 8
_ANOTHER_PLAN = Safe("the plan is another one now: read it, then E again")
#: Plans that take this many approvals are grave: the incident's number is typed as well.
GRAVE_QUORUM = 2


class Matter(Protocol):
    """What is decided, as it is now. The dialog asks again and again."""

    @property
    def number(self) -> int:
        """The incident's."""
        ...

    @property
    def grave(self) -> bool:
        """The incident's number has to be typed to let it go."""
        ...

    @property
    def go(self) -> str:
        """What E does."""
        ...

    @property
    def no(self) -> str:
        """What x does; "" = there is no x."""
        ...

    @property
    def plans(self) -> bool:
        """There is a plan to work out, and not only an outcome to tell."""
        ...

    @property
    def sha256(self) -> str:
        """Of the plan that is asked for, or, when that has changed, of the one that is shown."""
        ...

    @property
    def changed(self) -> bool:
        """The plan is no longer the one that was asked for."""
        ...

    def over(self) -> Safe:
        """Why there is nothing to decide any more; "" while there is."""
        ...

    def why_not(self) -> Safe:
        """Why this person may not let it go now; "" when it may be."""
        ...

    def lines(self, cells: int) -> list[Line]: ...

    async def send(self) -> Safe:
        """Let it go, or have a changed plan asked for anew; words when it was refused, "" when it was taken."""
        ...

    async def plan(self) -> None:
        """Work out the dry run; what went wrong stands in the lines."""
        ...

    async def compare(self) -> list[Line]:
        """The plan beside the last run of it that succeeded."""
        ...


class ExecuteDialog(Dialog[str]):
    """Answers "went" or "reject". `armed`: the key that opened it was `E`. Escape, `n`, `q` and Cancel leave."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *Dialog.BINDINGS,
        Binding("E", "arm", show=False),
        Binding("y", "go", show=False),
        Binding("x", "refuse", show=False),
        Binding("d", "plan", show=False),
        Binding("c", "compare", show=False),
        Binding("n,q", "leave", show=False),
        Binding("a", "not_ack", show=False),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
        Binding("pagedown,ctrl+d", "scroll(10)", show=False),
        Binding("pageup,ctrl+u", "scroll(-10)", show=False),
        Binding("g,home", "scroll(-10000)", show=False),
        Binding("G,end", "scroll(10000)", show=False),
    ]
    DEFAULT_CSS = """
    ExecuteDialog > Vertical { width: 110; }
    """

    def __init__(self, title: Safe, matter: Matter, *, armed: bool = False) -> None:
        keys = [("E", matter.go), ("y", "in 10 s")]
        keys += [("d", "dry run"), ("c", "last good")] if matter.plans else []
        super().__init__(title, [*keys, *([("x", matter.no)] if matter.no else []), ("esc", "leave")])
        self._matter = matter
        self._view = LineView(id="execute-plan")
        self._view.can_focus = False
        self._cancel = ChoiceRow((Safe("Cancel"),))
        self._field = Field(
            "number", hint=f"type {matter.number}, the incident's number, then enter", most=MOST_FIGURE
        )
        self._field.entry.takes_paste = False
        self._field.display = False
        self._wants_armed, self._told = armed, Safe("")
        self._armed_at: float | None = None
        #: The plan that it was armed for.
        self._armed_for = ""
        self._planning = self._sending = False
        self._over = Safe("")
        self._extra: list[Line] = []

    def compose_parts(self) -> ComposeResult:
        yield self._view
        yield self._field
        yield self._cancel

    def on_mount(self) -> None:
        self._cancel.focus()
        self._begin_plan()
        self._draw()
        self.set_interval(TICK_SECONDS, self.look)
        self.set_timer(OPENING_SECONDS + 0.02, self.look)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    # what it says

    def look(self) -> None:
        """What others did meanwhile, what ran out, what is old by now."""
        self._check()
        if self._wants_armed and not self._planning and self._is_open():
            self._wants_armed = False
            self._arm()
        self._draw()

    def _check(self) -> None:
        self._over = Safe("") if self._sending else self._matter.over()
        if self._armed_at is None:
            return
        if self._matter.sha256 != self._armed_for:
            self._disarm()
            self._told = _ANOTHER_PLAN
        elif self._over or self._left() <= 0 or self._matter.why_not():
            self._disarm()

    def _draw(self) -> None:
        cells = self._view.scrollable_content_region.width or 100
        lines = [*self._matter.lines(max(40, cells - 1)), *self._extra]
        self._view.styles.height = max(3, min(len(lines), self.size.height - FRAME_LINES))
        self._view.show(lines)
        words, style = self._state()
        self.problem(words, style)

    def _state(self) -> tuple[Safe, str]:
        """The line above the keys: the most important of what there is to say."""
        if self._sending:
            return Safe("sent to the engine, waiting for its word"), "strong"
        if self._over:
            return self._over, "warn"
        if self._armed_at is not None:
            how = f"type {self._matter.number} and enter" if self._matter.grave else "y"
            first = f"{self._told}. " if self._told else ""
            return Safe(f"{first}ARMED: {how} within {self._left():.0f} s to {self._matter.go}; esc leaves"), "alarm"
        if self._told:
            return self._told, "warn"
        if self._planning:
            return Safe("working out the dry run, nothing is done"), "dim"
        reason = self._matter.why_not()
        if reason:
            return Safe(f"E is off: {reason}"), "warn"
        if self._matter.changed:
            return Safe("the plan has changed: E has it asked for anew as it is shown here"), "warn"
        return Safe(f"E, then y within {ARMED_SECONDS:.0f} s: {self._matter.go}"), "text"

    # keys

    def action_plan(self) -> None:
        """d: the dry run. It is worked out when the dialog opens, too."""
        self._disarm()
        self._told = Safe("")
        self._begin_plan()
        self._draw()

    def _begin_plan(self) -> None:
        if not self._planning:
            self._planning = True
            self.run_worker(self._plan(), group="plan", exclusive=True)

    async def _plan(self) -> None:
        await self._matter.plan()
        self._planning = False
        if self.is_attached:
            self.look()

    def action_compare(self) -> None:
        self._disarm()
        self.run_worker(self._compare(self._matter.compare), group="compare", exclusive=True)

    async def _compare(self, compare: Callable[[], Awaitable[list[Line]]]) -> None:
        found = await compare()
        if self.is_attached:
            self._extra = [[], *found]
            self._draw()
            self._view.do_table_bottom()

    def action_arm(self) -> None:
        if self._is_meant():
            self._arm()

    def action_go(self) -> None:
        """y: only behind an E, in its time, and by a key of its own."""
        self._check()
        if self._armed_at is None:
            another = self._told == _ANOTHER_PLAN
            self._tell(_ANOTHER_PLAN if another else Safe(f"y counts only within {ARMED_SECONDS:.0f} s behind E"))
        elif self._matter.grave:
            self._tell(Safe(f"this one takes two people: type {self._matter.number} and enter"))
        elif self._is_meant():
            self._send()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._check()
        if self._armed_at is None:
            another = self._told == _ANOTHER_PLAN
            self._tell(_ANOTHER_PLAN if another else Safe("it took too long: press E again"))
        elif self.desk.clock.monotonic() - self._armed_at < OPENING_SECONDS:
            # Nobody types a number so fast: a terminal that pastes key by key does.
            self._disarm()
            self._tell(Safe("that number came too soon behind E, as a paste does; E again"))
        elif self._field.value.upper().removeprefix("I-") != str(self._matter.number):
            self._field.entry.value = ""
            self._tell(Safe(f"that is not {self._matter.number}"))
        else:
            self._send()

    def action_refuse(self) -> None:
        if self._matter.no and self._is_meant() and not self._matter.over():
            self.dismiss("reject")

    def action_not_ack(self) -> None:
        self._disarm()
        self._tell(Safe("a acknowledges incidents and never lets anything run; E does"))

    def action_scroll(self, lines: int) -> None:
        self._view.scroll_to(y=self._view.scroll_offset.y + lines, animate=False)

    def on_choice_row_picked(self, event: ChoiceRow.Picked) -> None:
        event.stop()
        self.dismiss(None)

    def on_paste(self, event: events.Paste) -> None:
        self._disarm()
        super().on_paste(event)
        self._tell(Safe("a paste decides nothing"))

    # inside

    def _send(self) -> None:
        """Once; the plan is drawn anew only when the engine has answered, for nothing is to come before the act."""
        if not self._sending:
            self._sending, self._armed_at = True, None
            self.run_worker(self._sent(self._matter.sha256), group="send", exclusive=True)

    async def _sent(self, sha256: str) -> None:
        refused = await self._matter.send() if self._matter.sha256 == sha256 else _ANOTHER_PLAN
        self._sending = False
        if not self.is_attached:
            return
        if not refused:
            self.dismiss("went")
            return
        self._disarm()
        self._begin_plan()
        self._tell(refused)

    def _arm(self) -> None:
        self._told = Safe("")
        self._over = self._matter.over()
        if self._over or self._planning or self._sending or self._matter.why_not():
            self._draw()
            return
        if self._matter.changed:
            self._send()
            return
        if self._armed_at is None:
            self._armed_at, self._armed_for = self.desk.clock.monotonic(), self._matter.sha256
        if self._matter.grave:
            self._field.display = True
            self._field.entry.focus()
        self._draw()

    def _disarm(self) -> None:
        self._armed_at = None
        self._wants_armed = False
        self._field.entry.value = ""
        self._field.display = False
        self._cancel.focus()

    def _left(self) -> float:
        """Seconds that it stays armed."""
        if self._armed_at is None:
            return 0.0
        whole = TYPING_SECONDS if self._matter.grave else ARMED_SECONDS
        return max(0.0, self._armed_at + whole - self.desk.clock.monotonic())

    def _is_open(self) -> bool:
        return self.desk.clock.monotonic() - self._opened_at >= OPENING_SECONDS

    def _is_meant(self) -> bool:
        """Pressed on purpose, for this dialog; a key that came too soon takes the arming back."""
        if self._is_open() and not self._held:
            return True
        self._disarm()
        self._tell(Safe("that key came too soon after another, as held keys and pastes do; E again"))
        return False

    def _tell(self, words: Safe) -> None:
        self._told = words
        self._draw()
