"""View 6: what is likely to go wrong, how likely and by when, why and what to do, and how such words did before.

Owns the arrangement, the window of time and the cursor in it. Never predicts; acts are done on what enter opens.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from textual.app import ComposeResult

from engine.client import Query
from noc_console import words
from noc_console.actions import bindings_for, declare, register
from noc_console.dialogs.facts import FactsDialog
from noc_console.filter import Filter, FilterError, read_filter
from noc_console.mirror import Dirty
from noc_console.reading import Reading
from noc_console.safe_text import Safe, clipped, safe_text
from noc_console.screens.frame import FrameScreen
from noc_console.screens.incident_acts import IncidentActs
from noc_console.screens.operations_rows import facts
from noc_console.screens.predictions_pane import WATCH, PredictionsPane
from noc_console.screens.predictions_rows import (
    COLUMNS,
    EVENTS,
    OVER,
    RECORD_COLUMNS,
    PredictionRows,
    RecordRows,
    full,
)
from noc_console.screens.predictions_words import explained, record_facts, reliability_lines, why_facts
from noc_console.views import ViewSpec
from noc_console.widgets.box import Box
from noc_console.widgets.lanes import LaneTable
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.line_view import LineView
from noc_console.widgets.pane import Pane, PaneState, text_lines
from noc_console.widgets.piece import Line, Piece
from noc_console.widgets.time_axis import wall_clock

__all__ = ["PredictionsPane", "PredictionsScreen"]

#: The record is made anew this often while it is shown.
RECORD_SECONDS = 30.0
#: Hours before and after now that the lanes show.
SPANS = ((2, 4), (1, 1), (8, 4), (24, 4))
#: The window moves on in steps, so that lanes are not drawn anew with every frame.
STEP_SECONDS = 30.0
#: Steps of the cursor in time over the window.
SCRUB = 36
MODELS = ("", "sla", "device", "staffing")
#: Kind of what a prediction is about → kind of records.
KINDS = {"ticket": "tickets", "device": "devices", "post": "sites"}

register(
    declare("predictions.outcomes", "d", "Outcomes", "show also what has ended, with what became of it", footer=11),
    declare("predictions.about", "o", "About", "the ticket, device or site that it is about", footer=12),
    declare("predictions.why", "w", "Why", "features, rules and numbers behind it", footer=13),
    declare("predictions.record", "C", "Calibration", "how far this model could be believed", footer=14,
            command="calibration"),
    declare("predictions.model", "m", "Model", "all, SLA, device or staffing alone", footer=15),
    declare("predictions.span", "b", "Span", "hours that the lanes show", footer=16),
    declare("predictions.now", "e", "To now", "the cursor in time back to now", footer=18),
)  # fmt: skip


class PredictionsScreen(IncidentActs, FrameScreen):
    SCOPES = ("predictions",)
    BINDINGS = bindings_for("predictions")
    WATCHES = (WATCH,)
    DEFAULT_CSS = """
    PredictionsScreen #predictions-split { layout: vertical; height: 1fr; width: 1fr; }
    PredictionsScreen #predictions-lanes { height: 1fr; }
    PredictionsScreen #predictions-low { layout: vertical; height: 7; width: 1fr; }
    PredictionsScreen #predictions-said { display: none; }
    PredictionsScreen #predictions-record { height: 5; }
    PredictionsScreen.-normal #predictions-low { layout: horizontal; height: 13; }
    PredictionsScreen.-normal #predictions-why { margin: 0 1 0 0; }
    PredictionsScreen.-normal #predictions-said { display: block; }
    PredictionsScreen.-wide #predictions-split { layout: horizontal; }
    PredictionsScreen.-wide #predictions-lanes { width: 5fr; margin: 0 1 0 0; }
    PredictionsScreen.-wide #predictions-low { width: 3fr; height: 1fr; }
    PredictionsScreen.-wide #predictions-said { display: block; height: 13; }
    """

    def __init__(self, spec: ViewSpec) -> None:
        super().__init__(spec)
        self._held: dict[str, Any] = {}
        self._records: dict[str, Any] = {}
        self._outcomes = True
        self._model = ""
        self._span = 0
        #: Steps of the cursor from now; 0 follows the clock.
        self._scrub = 0
        self._filter: Filter | None = None
        self._read_at = float("-inf")
        self._drawn: tuple[object, ...] = ()

    def compose_body(self) -> ComposeResult:
        self._reading = Reading(self.desk.client, Query(kind="predictions/performance"))
        self._rows = PredictionRows(self.desk, self._held, self._records, lambda: self._lanes.window)
        self._lanes: LaneTable[str] = LaneTable(COLUMNS, self._rows, sort="p", clock=self._clock)
        self._record: LineTable[str] = LineTable(RECORD_COLUMNS, RecordRows(self._records), sort="model")
        self._why, self._deciles = LineView(), LineView()
        self._lane_pane = Pane(Safe("Predictions"), self._lanes, id="predictions-lanes")
        self._why_pane = Pane(Safe("Why"), self._why, id="predictions-why")
        self._said_pane = Pane(Safe("Reliability"), self._deciles, id="predictions-said")
        self._record_pane = Pane(Safe("Record"), self._record, id="predictions-record")
        with Box(id="predictions-split"):
            yield self._lane_pane
            with Box(id="predictions-low"):
                yield self._why_pane
                yield self._said_pane
        yield self._record_pane

    def on_mount(self) -> None:
        self._lanes.focus()
        self._draw()

    @property
    def _clock(self) -> Any:
        return wall_clock(self.desk.options.zone)

    # frames

    def apply(self, dirty: Dirty) -> None:
        now = self.desk.clock.monotonic()
        if dirty.reset or now - self._read_at >= RECORD_SECONDS:
            self._read_at = now
            self.run_worker(self._read, group="predictions-read", exclusive=True)  # type: ignore[arg-type]
        self._place_window()
        changed = dirty.records.get(WATCH.kind, set())
        if dirty.reset or changed:
            self._follow()
        self._lanes.live(sorting_changed=bool(changed or dirty.reset))
        self._record.live()
        self._draw()

    async def _read(self) -> None:
        await self._reading.load()
        if not self.is_attached:
            return
        if self._reading.loaded:
            self._records.clear()
            self._records.update({row["model"]: row for row in self._reading.rows})
        self._record.set_keys(self._records)
        self._record.live(sorting_changed=True)
        self._drawn = ()
        self._draw()

    def _follow(self) -> None:
        """Take what the list holds, as far as it is chosen and within the lanes."""
        now = self.desk.clock.now()
        keeps = self._filter(now) if self._filter is not None else None
        since = now - timedelta(hours=SPANS[self._span][0])
        self._held.clear()
        for one in self.desk.mirror.lists.of(WATCH).records.values():
            if self._model not in {"", one.model} or (keeps is not None and not keeps(one)):
                continue
            if one.state not in OVER or (self._outcomes and (one.validated_at or one.due_at) >= since):
                self._held[one.id] = one
        self._lanes.set_keys(self._held)

    def _place_window(self) -> None:
        """Lanes from some hours back to some ahead; the cursor at now unless it was moved."""
        back, ahead = SPANS[self._span]
        now = self.desk.clock.now().timestamp()
        stand = now - now % STEP_SECONDS
        since, until = stand - back * 3600, stand + ahead * 3600
        self._lanes.set_window(since, until, stand + self._scrub * (until - since) / SCRUB, not self._scrub)

    # what is shown

    def _draw(self) -> None:
        self._draw_lanes()
        self._draw_why()
        self._draw_record()

    def _draw_lanes(self) -> None:
        found, pane = self.desk.mirror.lists.of(WATCH), self._lane_pane
        title = f"Predictions > {self.filter}" if self.filter else "Predictions"
        if self._model:
            title += f" {EVENTS[self._model]}"
        pane.retitle(safe_text(title), self._note())
        if found.problem and not found.loaded:
            pane.page(PaneState.ERROR, [[], [Piece(Safe("  Could not be read: ")), Piece(found.problem, "warn")]])
        elif not found.loaded:
            pane.page(PaneState.LOADING, text_lines("", "asking the engine", style="dim"))
        elif self._held:
            pane.ready()
        elif self.filter or self._model:
            pane.page(PaneState.EMPTY, text_lines("", "no prediction matches; esc and m show all"))
        else:
            pane.page(PaneState.EMPTY, text_lines("", *_NOTHING))

    def _note(self) -> Line:
        standing = [one for one in self._held.values() if one.state == "open"]
        sure = sum(round(one.probability, 2) >= 0.8 for one in standing)
        said = f"{len(standing):,} open, {sure:,} of 80% or more"
        if not self._scrub:
            return [Piece(Safe(said), "strong" if sure else "dim")]
        at = self._lanes.window.cursor
        minutes = (at - self.desk.clock.now().timestamp()) / 60
        when = f"{words.short(abs(minutes) * 60)} {'ago' if minutes < 0 else 'ahead'}"
        return [Piece(Safe(f"as of {self._clock(at):%H:%M}, {when}  "), "warn"), Piece(Safe("e"), "key"),
                Piece(Safe(" now"), "dim")]  # fmt: skip

    def _draw_why(self) -> None:
        found = self._held.get(self._lanes.cursor or "")
        cells = self._why.scrollable_content_region.width or self._why_pane.size.width - 1
        minute = int(self.desk.clock.now().timestamp() // 15)
        record = self._records.get(found.model) if found is not None else None
        drawn = (found, cells, self.desk.palette, minute, self.desk.names.version, id(record))
        if cells <= 0 or drawn == self._drawn:
            return
        self._drawn = drawn
        said = self._records.get(found.model if found is not None else self._record.cursor or "")
        self._draw_reliability(said)
        if found is None:
            self._why_pane.retitle(Safe("Why"))
            self._why.show([])
            return
        keys = [
            Piece(Safe("w"), "key"),
            Piece(Safe(" more  "), "dim"),
            Piece(Safe("enter"), "key"),
            Piece(Safe(" open"), "dim"),
        ]
        self._why_pane.retitle(Safe("Why"), keys)
        lines = explained(
            found, record, self.desk.names, cells=cells, now=self.desk.clock.now(), clock=self._clock,
            glyphs=self.desk.glyphs,
        )  # fmt: skip
        self._why.show(lines)

    def _draw_reliability(self, record: Any) -> None:
        cells = self._deciles.scrollable_content_region.width or self._said_pane.size.width - 1
        if record is None or cells <= 0:
            self._said_pane.retitle(Safe("Reliability"))
            self._said_pane.page(PaneState.EMPTY, text_lines("no outcome yet", style="dim", indent=1))
            return
        note = f"{record['examples']:,} outcomes, {record['days']} days"
        self._said_pane.retitle(safe_text(f"Reliability of {EVENTS.get(record['model'], record['model'])}"),
                                [Piece(Safe(note), "dim")])  # fmt: skip
        self._said_pane.ready()
        self._deciles.show(reliability_lines(record, cells, self.desk.glyphs))

    def _draw_record(self) -> None:
        reading, pane = self._reading, self._record_pane
        problem = [Piece(reading.problem, "warn")] if reading.problem else []
        note = [Piece(Safe("C"), "key"), Piece(Safe(" how far they could be believed"), "dim")]
        days = f", {reading.rows[0]['days']} days" if reading.rows else ""
        pane.retitle(Safe(f"Record{days}"), problem or note)
        if self._records:
            pane.ready()
        elif reading.problem:
            pane.page(PaneState.ERROR, [[Piece(Safe(" Could not be read: ")), Piece(reading.problem, "warn")]])
        else:
            pane.page(PaneState.LOADING, text_lines("asking the engine", style="dim", indent=1))

    # events

    def on_lane_table_scrubbed(self, event: LaneTable.Scrubbed) -> None:
        back, ahead = SPANS[self._span]
        least, most = -round(SCRUB * back / (back + ahead)), round(SCRUB * ahead / (back + ahead)) - 1
        self._scrub = max(least, min(most, self._scrub + event.step))
        self._place_window()
        self._draw_lanes()

    def on_line_table_moved(self, event: LineTable.Moved) -> None:
        if event.table is self._record:
            self._draw_reliability(self._records.get(event.key))
        else:
            self._draw_why()

    async def on_line_table_opened(self, event: LineTable.Opened) -> None:
        if event.table is self._record:
            self.run_worker(self.do_predictions_record(), group="acts")
            return
        found = self._held.get(event.key)
        if found is not None and found.incident is not None:
            self.open_incident(found.incident)
        elif found is not None:
            self.run_worker(self._tell_about(found), group="acts")

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw_anew)

    def _draw_anew(self) -> None:
        self._drawn = ()
        self._draw()

    # keys

    def _here(self) -> Any:
        found = self._held.get(self._lanes.cursor or "")
        if found is None:
            self.desk.say(Safe("no prediction under the cursor"), "warn")
        return found

    async def do_predictions_about(self) -> None:
        found = self._here()
        if found is not None:
            await self._tell_about(found)

    async def _tell_about(self, found: Any) -> None:
        """The record of what it is about, as it is now."""
        kind = KINDS.get(found.entity_kind, f"{found.entity_kind}s")
        id = found.entity.rpartition("/")[0] if found.entity_kind == "post" else found.entity
        reading = Reading(self.desk.client, Query(kind=kind, id=id, limit=1))
        await reading.load()
        if reading.problem or not reading.rows:
            told = reading.problem or safe_text(f"the {found.entity_kind} {found.entity} has no record of its own")
            self.desk.say(Safe(told), "warn")
            return
        await self.show(
            FactsDialog(safe_text(f"{found.entity_kind} {id}"), facts(reading.rows[0], self.desk.clock.now()))
        )

    async def do_predictions_why(self) -> None:
        found = self._here()
        if found is None:
            return
        reading = Reading(self.desk.client, Query(kind="why", id=f"prediction:{found.id}"))
        await reading.load()
        if reading.problem:
            self.desk.say(safe_text(f"not read: {reading.problem}"), "warn")
            return
        await self.show(
            FactsDialog(clipped(safe_text(f"Why {full(found, self.desk.names)}"), 66), why_facts(reading.rows))
        )

    async def do_predictions_record(self) -> None:
        """The calibration card: of the row's model, or of the record under the cursor."""
        here = self._held.get(self._lanes.cursor or "")
        model = self._record.cursor if self._record.has_focus or here is None else here.model
        record = self._records.get(model or "")
        if record is None:
            self.desk.say(self._reading.problem or Safe("no record yet"), "warn")
            return
        await self.show(FactsDialog(Safe("How far it could be believed"), record_facts(record)))

    def do_predictions_outcomes(self) -> None:
        self._outcomes = not self._outcomes
        self.desk.say(Safe("what has ended is shown" if self._outcomes else "only what is open is shown"))
        self._again()

    def do_predictions_model(self) -> None:
        self._model = MODELS[(MODELS.index(self._model) + 1) % len(MODELS)]
        self._again()

    def do_predictions_span(self) -> None:
        self._span, self._scrub = (self._span + 1) % len(SPANS), 0
        back, ahead = SPANS[self._span]
        self.desk.say(Safe(f"lanes: {words.many(back, 'hour')} back, {words.many(ahead, 'hour')} ahead"))
        self._again()

    def do_predictions_now(self) -> None:
        self._scrub = 0
        self._place_window()
        self._draw_lanes()

    def _again(self) -> None:
        self._place_window()
        self._follow()
        self._lanes.reorder()
        self._draw()

    def set_filter(self, text: str) -> None:
        try:
            self._filter = read_filter(text)
        except FilterError as error:
            self.filter_wrong(text, error.words)
            return
        super().set_filter(text.strip())
        self._again()

    def reorder(self) -> None:
        self._read_at = float("-inf")
        self._lanes.reorder()

    def incident_targets(self) -> Sequence[Any]:
        """`:ack` and its like are for the incidents of the predictions' own alerts."""
        found = [self._held[key].incident for key in self._lanes.targets if key in self._held]
        held = (self.desk.mirror.incident(number) for number in dict.fromkeys(found) if number is not None)
        return [incident for incident in held if incident is not None]

    def marked(self) -> int:
        return len(self._lanes.marks)

    # session

    def save_state(self) -> dict[str, Any]:
        return {
            "filter": self.filter, "outcomes": self._outcomes, "model": self._model, "span": self._span,
            "sort": self._lanes.sort, "descending": self._lanes.descending, "cursor": self._lanes.cursor,
        }  # fmt: skip

    def restore_state(self, state: dict[str, Any]) -> None:
        self._outcomes = state.get("outcomes") is not False
        self._model = state["model"] if state.get("model") in MODELS else ""
        span = state.get("span")
        self._span = span if isinstance(span, int) and 0 <= span < len(SPANS) else 0
        if isinstance(state.get("sort"), str):
            self._lanes.sort_by(state["sort"], bool(state.get("descending", True)))
        if isinstance(state.get("cursor"), str):
            self._lanes.wish(state["cursor"], ())
        super().restore_state(state)


_NOTHING = (
    "Nothing is foretold: no ticket is likely to break its SLA within 2 h,"
    " no device to go offline within 1 h, no post to stay empty within 4 h.",
    "",
    "Predictions are made of open tickets, devices and shifts"
    " (noc.ticket, noc.device, noc.shift on /ingest/events), every few minutes.",
)
