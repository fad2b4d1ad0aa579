"""View 4: playbooks that wait for a decision, runs as they go on, and how each playbook has done.

Owns the arrangement and what is under the cursor. Never lets anything run: `approvals_acts` does, through its dialog.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from textual.app import ComposeResult

from data.nouns.playbooks import Approval, Execution
from noc_console import standing, words
from noc_console.actions import Action, bindings_for, declare, register
from noc_console.filter import Filter, FilterError, read_filter
from noc_console.filter_words import quoted
from noc_console.mirror import Dirty
from noc_console.record_lists import Watch
from noc_console.safe_text import Safe, safe_text
from noc_console.screens import approvals_words as say
from noc_console.screens.approvals_acts import ApprovalActs
from noc_console.screens.approvals_books import Books
from noc_console.screens.approvals_history import history_lines
from noc_console.screens.approvals_hold import PlanView, QuestionTable
from noc_console.screens.approvals_matter import OPEN_RUNS, DryRuns
from noc_console.screens.approvals_pane import ApprovalsPane
from noc_console.screens.approvals_parts import Part
from noc_console.screens.approvals_plan import plan_lines
from noc_console.screens.approvals_progress import progress_lines
from noc_console.screens.approvals_rows import (
    BOOK_COLUMNS,
    RUN_COLUMNS,
    WAITING_COLUMNS,
    BookRows,
    RunRows,
    WaitingRows,
)
from noc_console.screens.approvals_strip import strip_line
from noc_console.screens.frame import FrameScreen
from noc_console.screens.incident_acts import IncidentActs
from noc_console.views import ViewSpec
from noc_console.widgets.box import Box
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.line_view import LineView
from noc_console.widgets.one_line import OneLine
from noc_console.widgets.piece import Line, Piece

__all__ = ["ApprovalsPane", "ApprovalsScreen"]

#: Runs that are settled, the latest ones.
PAST_RUNS = Watch(kind="executions", active=False, cap=100)
PARTS = ("waiting", "runs", "playbooks")
_OF_QUESTIONS = frozenset(f"approvals.{act}" for act in ("execute", "reject", "hold", "plan", "compare"))
#: Figures of playbooks are asked for again this often while they are shown.
AGAIN_SECONDS = 30.0
#: Lines of one output when a run is shown alone.
WHOLE_OUTPUT = 200

# fmt: off
register(
    declare("approvals.waiting", "W", "Waiting", "questions that wait for an answer", footer=15),
    declare("approvals.runs", "R", "Runs", "runs step by step, those that go on first", footer=16),
    declare("approvals.playbooks", "B", "Playbooks", "each playbook with how its runs ended", footer=17),
)
# fmt: on


class ApprovalsScreen(ApprovalActs, IncidentActs, FrameScreen):
    SCOPES = ("approvals", "playbooks")
    BINDINGS = bindings_for("approvals", "playbooks")
    WATCHES = (standing.WAITING, OPEN_RUNS, PAST_RUNS)
    DEFAULT_CSS = """
    ApprovalsScreen #approvals-strip { height: 1; }
    ApprovalsScreen .approvals-part { display: none; height: 1fr; width: 1fr; layout: vertical; }
    ApprovalsScreen .approvals-part.-shown { display: block; }
    ApprovalsScreen .approvals-list { height: 2fr; }
    ApprovalsScreen .approvals-told { height: 3fr; }
    ApprovalsScreen.-wide .approvals-part { layout: horizontal; }
    ApprovalsScreen.-wide .approvals-list { width: 1fr; height: 1fr; margin: 0 1 0 0; }
    ApprovalsScreen.-wide .approvals-told { width: 1fr; height: 1fr; }
    """

    def __init__(self, spec: ViewSpec) -> None:
        super().__init__(spec)
        self._part = "waiting"
        self._approvals: dict[str, Approval] = {}
        self._open_runs: Mapping[str, Execution] = {}
        self._runs: dict[str, Execution] = {}
        self._filter: Filter | None = None
        self._read_at = float("-inf")
        #: The run that was let go here: the cursor goes there as soon as it is listed.
        self._went = ""
        self._compared: tuple[str, list[Line]] = ("", [])

    def compose_body(self) -> ComposeResult:
        desk = self.desk
        self.dry_runs, self._books = DryRuns(desk), Books(desk.client)
        self._open_runs = desk.mirror.lists.of(OPEN_RUNS).records
        self._waiting_table: LineTable[str] = QuestionTable(
            WAITING_COLUMNS, WaitingRows(desk, self._approvals, self._runs), sort="left"
        )
        self._run_table: LineTable[str] = LineTable(RUN_COLUMNS, RunRows(desk, self._runs), sort="state")
        self._book_table: LineTable[str] = LineTable(BOOK_COLUMNS, BookRows(desk, self._books.rows), sort="playbook")
        self._parts = {
            "waiting": Part(self._waiting_table, PlanView(), ("Waiting", "Plan")),
            "runs": Part(self._run_table, LineView(), ("Runs", "Progress")),
            "playbooks": Part(self._book_table, LineView(), ("Playbooks", "History")),
        }
        self._strip = OneLine("bar", id="approvals-strip")
        yield self._strip
        for name, part in self._parts.items():
            with Box(id=f"approvals-{name}", classes="approvals-part"):
                yield from part

    def on_mount(self) -> None:
        self._show(self._part)

    # parts

    def _show(self, part: str) -> None:
        self._part = part
        for name in PARTS:
            self.query_one(f"#approvals-{name}").set_class(name == part, "-shown")
        self._parts[part].table.focus(scroll_visible=False)
        if part == "playbooks":
            self._ask()
        self._draw()
        self.draw_lines()

    def do_approvals_waiting(self) -> None:
        self._show("waiting")

    def do_approvals_runs(self) -> None:
        self._show("runs")

    def do_approvals_playbooks(self) -> None:
        self._show("playbooks")

    def open_section(self, argument: str) -> None:
        """`:approvals runs` shows a part, all else filters."""
        if argument in PARTS:
            self._show(argument)
        else:
            super().open_section(argument)

    # frames

    def apply(self, dirty: Dirty) -> None:
        now = self.desk.clock.monotonic()
        changed = {kind: dirty.records.get(kind, set()) for kind in ("approvals", "executions")}
        if dirty.reset or changed["approvals"] or changed["executions"]:
            self._follow()
        self._lapse()
        if self._part == "playbooks" and now - self._read_at >= AGAIN_SECONDS:
            self._ask()
        for part, kind in (("waiting", "approvals"), ("runs", "executions")):
            keys = None if dirty.reset or part == "waiting" else self._moving() | changed[kind]
            self._parts[part].table.live(sorting_changed=bool(changed[kind] or dirty.reset), changed=keys)
        self._draw()

    def _moving(self) -> set[str]:
        """Runs whose times go on."""
        return {key for key, run in self._runs.items() if run.state in {"running", "unknown"}}

    def _follow(self) -> None:
        """Take what the feed says."""
        lists, now = self.desk.mirror.lists, self.desk.clock.now()
        self._open_runs = lists.of(OPEN_RUNS).records
        keeps = self._filter(now) if self._filter is not None else None
        waiting = {one.id: one for one in standing.waiting(self.desk.mirror, now) if keeps is None or keeps(one)}
        self._approvals.clear()
        self._approvals.update(waiting)
        runs = {**lists.of(PAST_RUNS).records, **self._open_runs}
        self._runs.clear()
        self._runs.update({key: run for key, run in runs.items() if keeps is None or keeps(run)})
        self._waiting_table.set_keys(self._approvals)
        self._run_table.set_keys([key for key, run in self._runs.items() if run.asks != "approval"])
        if self._went and self._went in self._run_table.keys:
            self._run_table.select(self._went)
            self._went = ""

    def _lapse(self) -> None:
        """What has expired does not wait any more, also before the engine says so."""
        now = self.desk.clock.now()
        over = [key for key, one in self._approvals.items() if not standing.is_waiting(one, now)]
        for key in over:
            del self._approvals[key]
        if over:
            self._waiting_table.set_keys(self._approvals)

    def _ask(self) -> None:
        self._read_at = self.desk.clock.monotonic()
        self.run_worker(self._read, group="approvals-read", exclusive=True)  # type: ignore[arg-type]

    async def _read(self) -> None:
        await self._books.read()
        if not self.is_attached:
            return
        self._book_table.set_keys(self._books.rows)
        self._book_table.live(sorting_changed=True)
        self._draw()
        self._read_history(again=True)

    def _read_history(self, *, again: bool = False) -> None:
        name = self._book_table.cursor
        if name is not None and (again or name not in self._books.histories):
            self.run_worker(partial(self._history_of, name), group="approvals-history", exclusive=True)  # type: ignore[arg-type]

    async def _history_of(self, name: str) -> None:
        await self._books.read_history(name)
        if self.is_attached:
            self._draw()

    # what is shown

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        self._draw_strip()
        draw = {"waiting": self._draw_waiting, "runs": self._draw_runs, "playbooks": self._draw_books}
        draw[self._part]()

    def _draw_strip(self) -> None:
        going = sum(run.state in {"running", "unknown"} for run in self._open_runs.values())
        switch = standing.stopped(self.desk.mirror)
        self._strip.show(strip_line(self._part, len(self._approvals), going, switch))

    def _draw_waiting(self) -> None:
        found, approval = self.desk.mirror.lists.of(standing.WAITING), self.question()
        text = safe_text(f"Waiting > {self.filter}" if self.filter else "Waiting")
        note = f"{words.many(len(self._approvals), 'question')}, first to expire on top"
        self._parts["waiting"].list.retitle(text, [Piece(Safe(note), "dim")])
        if not self._settled("waiting", found, bool(self._approvals)):
            return
        self._plan_what_is_seen()
        matter = self.matter_of(approval) if approval is not None else None
        part = self._parts["waiting"]
        if matter is None or not part.cells:
            return
        keys = (("E", " execute  "), ("x", " reject  "), ("h", " hold  "), ("enter", " opens"))
        note_line = [piece for key, what in keys for piece in (Piece(Safe(key), "key"), Piece(Safe(what), "dim"))]
        plan = f"Plan {say.short_hash(matter.approval.plan_sha256)}" if not matter.is_outcome else "Was it done?"
        part.peek.retitle(Safe(plan), note_line)
        clock = self.desk.clock
        lines = plan_lines(matter.subject(), clock.now(), clock.monotonic(), part.cells)
        if self._compared[0] == matter.approval.id:
            lines += [[], *self._compared[1]]
        part.told.show(lines)

    def _draw_runs(self) -> None:
        found, run = self.desk.mirror.lists.of(PAST_RUNS), self.chosen_run()
        going = sum(one.state in {"running", "unknown"} for one in self._runs.values())
        title = safe_text(f"Runs > {self.filter}" if self.filter else "Runs")
        more = f"the latest {PAST_RUNS.cap} and " if found.truncated else ""
        self._parts["runs"].list.retitle(title, [Piece(Safe(f"{more}{going} going on"), "dim")])
        if not self._settled("runs", found, bool(self._run_table.keys)):
            return
        part = self._parts["runs"]
        if run is None or not part.cells:
            return
        note = [Piece(Safe("X"), "key"), Piece(Safe(" cancel  "), "dim")] if run.state not in say.OVER else []
        note += [Piece(Safe("enter"), "key"), Piece(Safe(" all output"), "dim")]
        part.peek.retitle(safe_text(run.playbook), note)
        most = WHOLE_OUTPUT if self.has_class("-zoomed") else 4
        site, full = self.desk.names.site(run.site), self.desk.glyphs.full
        lines = progress_lines(run, self.desk.clock.now(), part.cells, site=site, output_lines=most, full=full)
        part.told.show(lines)

    def _draw_books(self) -> None:
        many = words.many(len(self._books.rows), "playbook")
        note = "" if self._books.files.problem else f"{many}, figures of 30 days"
        self._parts["playbooks"].list.retitle(Safe("Playbooks"), [Piece(Safe(note), "dim")])
        if not self._settled("playbooks", self._books.files, bool(self._books.rows)):
            return
        name, part = self._book_table.cursor, self._parts["playbooks"]
        if name is None or not part.cells:
            return
        part.peek.retitle(safe_text(name))
        read = self._books.histories.get(name)
        part.told.show(history_lines(name, self._books.rows.get(name, {}), read, self.desk.clock.now(), part.cells))

    def _settled(self, part: str, found: Any, rows: bool) -> bool:
        """Whether there is anything to draw."""
        self._parts[part].share(None if self.has_class("-wide") or not rows else self.size.height)
        return self._parts[part].settle(found, rows, say.NO_MATCH if self.filter else say.EMPTY[part])

    # what is under the cursor

    def question(self) -> Approval | None:
        """On runs: the open question about the run under the cursor."""
        if self._part == "waiting":
            return self._approvals.get(self._waiting_table.cursor or "")
        if self._part == "runs":
            run = self.chosen_run()
            asked = (one for one in self._approvals.values() if run is not None and one.execution == run.id)
            return next(asked, None)
        return None

    def chosen_run(self) -> Execution | None:
        if self._part == "runs":
            return self._runs.get(self._run_table.cursor or "")
        approval = self.question()
        return self._runs.get(approval.execution) if approval is not None else None

    def went(self, run: str) -> None:
        self._went = run
        self._show("runs")
        self._follow()

    def planned(self) -> None:
        self._draw()

    def compared(self, approval: Approval, lines: list[Line]) -> None:
        self._compared = (approval.id, lines)
        self._draw()
        self._parts[self._part].told.do_table_bottom()

    # events

    def on_line_table_moved(self) -> None:
        self._draw()
        if self._part == "playbooks":
            self._read_history()

    def _plan_what_is_seen(self) -> None:
        """The plan is worked out once when the cursor comes to it; d does it again."""
        approval = self.question()
        if approval is not None and self.dry_runs.wants(approval):
            self.run_worker(partial(self._plan, approval), group="approvals-plan", exclusive=True)  # type: ignore[arg-type]

    async def _plan(self, approval: Approval) -> None:
        await self.dry_runs.plan_question(approval)
        if self.is_attached:
            self._draw()

    async def on_line_table_opened(self) -> None:
        """enter: the plan to decide on; the whole output of a run; the runs of a playbook."""
        if self._part == "waiting":
            self.run_worker(self.decide(armed=False), group="acts")
        elif self._part == "runs":
            self._parts["runs"].told.focus(scroll_visible=False)
            self.do_app_zoom()
            self._draw()
        elif self._book_table.cursor is not None:
            self.set_filter(f"entity={quoted(self._book_table.cursor)}")
            self._show("runs")

    def do_app_unzoom(self) -> None:
        super().do_app_unzoom()
        self._parts[self._part].table.focus(scroll_visible=False)
        self._draw()

    def on_resize(self) -> None:
        super().on_resize()
        self.call_after_refresh(self._draw)

    # keys

    def why_not(self, action: Action) -> Safe:
        if action.id in _OF_QUESTIONS:
            return Safe("") if self.question() is not None else Safe("nothing under the cursor waits for an answer")
        if action.id == "approvals.cancel":
            run = self.chosen_run()
            going = run is not None and run.state not in say.OVER
            return Safe("") if going else Safe("no run under the cursor goes on")
        return Safe("")

    def set_filter(self, text: str) -> None:
        try:
            self._filter = read_filter(text)
        except FilterError as error:
            self.filter_wrong(text, error.words)
            return
        super().set_filter(text.strip())
        self._follow()
        for table in (self._waiting_table, self._run_table):
            table.reorder()
        self._draw()

    def reorder(self) -> None:
        self._read_at = float("-inf")
        self._books.histories.clear()
        for part in self._parts.values():
            part.table.reorder()
        if self._part == "playbooks":
            self._ask()

    # session

    def save_state(self) -> dict[str, Any]:
        return {"part": self._part, "filter": self.filter}

    def restore_state(self, state: dict[str, Any]) -> None:
        super().restore_state(state)
        if state.get("part") in PARTS:
            self._show(state["part"])
