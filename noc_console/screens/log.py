"""View 9: the feed, the sources, the dead letters, the engine's health, the KPIs, the models."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult

from data.records import Change, Reject
from noc_console.actions import bindings_for
from noc_console.acts import names
from noc_console.dialogs.reject import EDIT_MOST, EditDialog, RejectDialog, editable
from noc_console.mirror import Dirty
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.frame import FrameScreen
from noc_console.screens.incident_acts import IncidentActs
from noc_console.screens.log_panes import FeedPane, HealthPane, KpisPane, LogPane, RejectsPane, SourcesPane
from noc_console.screens.models_pane import ModelActs, ModelsPane
from noc_console.screens.silence_acts import SilenceActs
from noc_console.screens.silences_pane import SilencesPane
from noc_console.views import ViewSpec
from noc_console.widgets.feed_view import FeedView
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.one_line import OneLine
from noc_console.widgets.pane import PaneState
from noc_console.widgets.piece import Piece


class LogScreen(ModelActs, SilenceActs, IncidentActs, FrameScreen):
    SCOPES = ("log",)
    BINDINGS = bindings_for("log", "table")

    def __init__(self, spec: ViewSpec) -> None:
        super().__init__(spec)
        self._wanted = "feed"
        self._read_at: dict[str, float] = {}

    def compose_body(self) -> ComposeResult:
        self._feed, self._rejects = FeedPane(self.desk), RejectsPane(self.desk)
        self.silences_pane, self.models_pane = SilencesPane(self.desk), ModelsPane(self.desk)
        self._panes: list[LogPane] = [
            self._feed,
            SourcesPane(self.desk),
            self._rejects,
            self.silences_pane,
            HealthPane(self.desk),
            KpisPane(self.desk),
            self.models_pane,
        ]
        self._strip = OneLine("bar", id="log-strip")
        yield self._strip
        yield from self._panes

    def on_mount(self) -> None:
        self.show_pane(self._wanted)

    @property
    def pane(self) -> LogPane:
        return next((pane for pane in self._panes if pane.name == self._wanted), self._feed)

    def show_pane(self, name: str) -> None:
        self._wanted = name if name in {pane.name for pane in self._panes} else "feed"
        for pane in self._panes:
            pane.set_class(pane is self.pane, "-shown")
        self.filter = self._feed.filter_text if self.pane is self._feed else ""
        self._focus()
        self._read()
        self.draw_lines()

    def apply(self, dirty: Dirty) -> None:
        if dirty.logged or self.pane is self._feed:
            self._feed.follow()
        if any(subject.startswith("silence:") for subject in dirty.subjects):
            self._read_at.pop("silences", None)
        if any(subject.startswith("model:") for subject in dirty.subjects):
            self._read_at.pop("models", None)
        if dirty.reset:
            self._read_at = {"feed": self._read_at["feed"]} if "feed" in self._read_at else {}
        self._read()
        self._draw_strip()
        self._focus()

    def set_filter(self, text: str) -> None:
        problem = self.pane.set_filter(text.strip())
        if problem:
            self.filter_wrong(text, problem)
        else:
            super().set_filter(text.strip())

    def open_section(self, argument: str) -> None:
        """`:log rejects` shows a pane, `:log site=…` filters the feed."""
        if argument in {pane.name for pane in self._panes}:
            self.show_pane(argument)
        else:
            self.show_pane("feed")
            self.set_filter(argument)

    def reorder(self) -> None:
        self._read_at.clear()
        self._read()

    # keys

    def do_app_next_pane(self) -> None:
        self._step(1)

    def do_app_previous_pane(self) -> None:
        self._step(-1)

    def do_log_feed(self) -> None:
        self.show_pane("feed")

    def do_log_sources(self) -> None:
        self.show_pane("sources")

    def do_log_rejects(self) -> None:
        self.show_pane("rejects")

    def do_log_silences(self) -> None:
        self.show_pane("silences")

    def do_log_health(self) -> None:
        self.show_pane("health")

    def do_log_kpis(self) -> None:
        self.show_pane("kpis")

    def do_log_models(self) -> None:
        self.show_pane("models")

    def on_feed_view_opened(self, event: FeedView.Opened) -> None:
        self._open_change(event.change)

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        if event.table is self._rejects.table:
            self.run_worker(self._look(self._rejects.rejects[event.key]), group="acts")

        elif event.table is self.silences_pane.table:
            self.run_worker(self.look_at_silence(event.key), group="acts")
        elif event.table is self.models_pane.table:
            self.run_worker(self.look_at_model(event.key), group="acts")

    # dead letters

    async def _look(self, reject: Reject) -> None:
        choice = await self.show(RejectDialog(reject))
        if choice is not None:
            # Through the registry, which knows whether it is allowed now.
            await self.run_action(f"app.act('reject.{choice}')")

    async def do_reject_edit(self) -> None:
        reject = self._reject()
        if reject is None:
            return
        if len(reject.body) > EDIT_MOST:
            self.desk.say(Safe(f"R-{reject.id} is too long to edit here ({len(reject.body):,} characters)"), "warn")
            return
        body = await self.show(EditDialog(reject))
        if body is not None:
            await self._replay([reject.id], {} if body == editable(reject.body)[0] else {"body": body})

    async def do_reject_replay(self) -> None:
        await self._replay(self._rejects.table.targets, {})

    async def do_reject_discard(self) -> None:
        targets = [f"reject:{number}" for number in self._rejects.table.targets]
        if not targets:
            return
        kept = Safe("The body stays in the database until it is pruned, but it is never taken.")
        lines = (kept, Safe("This has no undo."))
        if await self.yes(Safe(f"Discard {names(targets)}?"), lines, Safe("Discard")):
            await self._settle("discard_reject", targets, {})

    async def _replay(self, numbers: list[int], params: dict[str, Any]) -> None:
        await self._settle("replay_reject", [f"reject:{number}" for number in numbers], params)

    async def _settle(self, verb: str, targets: list[str], params: dict[str, Any]) -> None:
        if await self.send(verb, targets, params) is not None:
            await self._rejects.read()
            self._draw_strip()

    def _reject(self) -> Reject | None:
        cursor = self._rejects.table.cursor
        return self._rejects.rejects.get(cursor) if cursor is not None else None

    def acted(self) -> None:
        self._rejects.table.marks.clear()
        self.silences_pane.table.marks.clear()

    # session

    def save_state(self) -> dict[str, Any]:
        return {"pane": self._wanted, "filter": self._feed.filter_text, "wrap": self._feed.view.wrap}

    def restore_state(self, state: dict[str, Any]) -> None:
        self._feed.view.wrap = state.get("wrap") is True
        if isinstance(state.get("filter"), str):
            self._feed.set_filter(state["filter"])
        if isinstance(state.get("pane"), str):
            self.show_pane(state["pane"])

    # inside

    def _open_change(self, change: Change) -> None:
        kind, _, number = change.subject.partition(":")
        if kind == "incident" and number.isdigit():
            self.open_incident(int(number))
        elif kind == "alert" and number.isdigit():
            self.open_alert(int(number))
        elif kind == "reject":
            self.show_pane("rejects")
        else:
            self.desk.say(safe_text(f"{change.subject} has no screen of its own"), "text")

    def _step(self, step: int) -> None:
        place = self._panes.index(self.pane) + step
        self.show_pane(self._panes[place % len(self._panes)].name)

    def _read(self) -> None:
        """Read the shown pane when it is due."""
        pane, now = self.pane, self.desk.clock.monotonic()
        before = self._read_at.get(pane.name)
        if before is None or (pane.every and now - before >= pane.every):
            self._read_at[pane.name] = now
            self.run_worker(self._read_pane(pane), group=f"read-{pane.name}", exclusive=True)

    async def _read_pane(self, pane: LogPane) -> None:
        await pane.read()
        self._draw_strip()
        self._focus()

    def _focus(self) -> None:
        content = self.pane.content
        if content is not None and self.pane.state is PaneState.READY and not content.has_focus:
            content.focus(scroll_visible=False)

    def _draw_strip(self) -> None:
        line: list[Piece] = []
        for pane in self._panes:
            here, badge = pane is self.pane, pane.badge()
            line.append(Piece(Safe(f" {pane.key}"), "bar-here" if here else "bar-key"))
            label = f" {pane.label} {badge} " if badge else f" {pane.label} "
            line.append(Piece(safe_text(label), "bar-here" if here else "bar"))
        line += [Piece(Safe("  tab"), "bar-key"), Piece(Safe(" next"), "bar-dim")]
        self._strip.show(line)
