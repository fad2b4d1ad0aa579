"""View 7: all modules in numbers, from tenant to client to site to entity; tickets with their clocks; audit findings.

Owns the arrangement and the way down. A level is a screen of its own on top of the one above: esc goes back up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from textual.app import ComposeResult

from engine.client import Query
from noc_console import words
from noc_console.actions import Action, bindings_for
from noc_console.dialogs.facts import FactsDialog
from noc_console.filter import Filter, FilterError, read_filter
from noc_console.mirror import Dirty
from noc_console.reading import Reading
from noc_console.record_lists import Watch
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.frame import FrameScreen
from noc_console.screens.operations_acts import FindingActs, TicketActs
from noc_console.screens.operations_records import FindingTable, RecordsScreen, TicketTable
from noc_console.screens.operations_rows import (
    BELOW_COLUMNS,
    ENTITY_COLUMNS,
    FIGURE_COLUMNS,
    BelowRows,
    FigureRows,
    facts,
    is_trouble,
    moment,
)
from noc_console.views import ViewSpec
from noc_console.widgets.box import Box
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.one_line import OneLine
from noc_console.widgets.pane import Pane, PaneState, text_lines
from noc_console.widgets.piece import Piece

TICKETS = Watch(kind="tickets", active=True)
FINDINGS = Watch(kind="findings", active=True)
#: The figures are some fifty counts for the engine: asked for this often while they are shown.
AGAIN_SECONDS = 30.0
PAGE = 200


class Place(Struct, frozen=True, kw_only=True):
    """Where the figures are of: "" leaves a level out. `names` are the words of the way down."""

    client: str = ""
    site: str = ""
    entity: str = ""
    names: tuple[Safe, ...] = ()

    def params(self) -> dict[str, Any]:
        levels = {"client": self.client, "site": self.site, "entity": self.entity}
        return {level: id for level, id in levels.items() if id}

    def down(self, row: Mapping[str, Any]) -> Place:
        """The place that a row below stands for."""
        name = safe_text(row.get("name") or row["id"])
        level = row["level"] if row["level"] in {"client", "site"} else "entity"
        return Place(**{**self.params(), level: row["id"], "names": (*self.names, name)})


class OperationsScreen(TicketActs, FindingActs, FrameScreen):
    SCOPES = ("operations",)
    BINDINGS = bindings_for("operations")
    WATCHES = (TICKETS, FINDINGS)
    DEFAULT_CSS = """
    OperationsScreen #operations-strip { height: 1; }
    OperationsScreen .operations-part { display: none; height: 1fr; width: 1fr; }
    OperationsScreen #operations-modules { layout: horizontal; }
    OperationsScreen .operations-part.-shown { display: block; }
    OperationsScreen #operations-figures { width: 3fr; margin: 0 1 0 0; }
    OperationsScreen #operations-below { width: 2fr; }
    OperationsScreen #operations-below.-none { display: none; }
    OperationsScreen.-narrow #operations-modules { layout: vertical; }
    OperationsScreen.-narrow #operations-figures { width: 1fr; height: 3fr; margin: 0; }
    OperationsScreen.-narrow #operations-below { width: 1fr; height: 2fr; }
    """

    def __init__(self, spec: ViewSpec, place: Place = Place()) -> None:  # noqa: B008  (frozen)
        super().__init__(spec)
        self._place = place
        self._part = "modules"
        self._figures: dict[int, Mapping[str, Any]] = {}
        self._below: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._tickets: dict[str, Any] = {}
        self._findings: dict[str, Any] = {}
        self._filters: dict[str, tuple[str, Filter | None]] = {}
        self._read_at = float("-inf")

    def compose_body(self) -> ComposeResult:
        client = self.desk.client
        self._reading = Reading(client, Query(kind="observability", params=self._place.params()))
        site = {"site": self._place.site} if self._place.site else {}
        self._sla = Reading(client, Query(kind="tickets/sla", params=site))
        self._figure_table: LineTable[int] = LineTable(
            FIGURE_COLUMNS, FigureRows(self.desk, self._figures), sort="module"
        )
        columns = ENTITY_COLUMNS if self._place.site else BELOW_COLUMNS
        self._below_table: LineTable[tuple[str, str]] = LineTable(
            columns, BelowRows(self.desk, self._below, columns), sort="state" if self._place.site else "incidents"
        )
        self._ticket_table = TicketTable(self.desk, self._tickets)
        self._finding_table = FindingTable(self.desk, self._findings)
        self._figure_pane = Pane(Safe("Modules"), self._figure_table, id="operations-figures")
        self._below_pane = Pane(Safe("Below"), self._below_table, id="operations-below")
        self._ticket_pane = Pane(Safe("Tickets"), self._ticket_table, id="operations-tickets")
        self._finding_pane = Pane(Safe("Audit findings"), self._finding_table, id="operations-findings")
        self._strip = OneLine("bar", id="operations-strip")
        self._ticket_pane.add_class("operations-part")
        self._finding_pane.add_class("operations-part")
        yield self._strip
        with Box(id="operations-modules", classes="operations-part"):
            yield self._figure_pane
            yield self._below_pane
        yield self._ticket_pane
        yield self._finding_pane

    def on_mount(self) -> None:
        self._below_pane.set_class(bool(self._place.entity), "-none")
        self._show(self._part)

    # parts

    def _show(self, part: str) -> None:
        self._part = part
        for name in ("modules", "tickets", "findings"):
            self.query_one(f"#operations-{name}").set_class(name == part, "-shown")
        self.filter = self._filters.get(part, ("", None))[0]
        self._draw()
        self._focus()
        self.draw_lines()

    def _focus(self) -> None:
        table = {"tickets": self._ticket_table, "findings": self._finding_table}.get(self._part, self._figure_table)
        if self.focused not in {table, self._below_table} or not self.focused.display or self._part != "modules":
            table.focus(scroll_visible=False)

    def do_operations_modules(self) -> None:
        self._show("modules")

    def do_operations_tickets(self) -> None:
        self._show("tickets")

    def do_operations_findings(self) -> None:
        self._show("findings")

    def open_section(self, argument: str) -> None:
        """`:operations tickets` shows a part, all else filters."""
        if argument in {"modules", "tickets", "findings"}:
            self._show(argument)
        else:
            super().open_section(argument)

    # frames

    def apply(self, dirty: Dirty) -> None:
        now = self.desk.clock.monotonic()
        if dirty.reset or now - self._read_at >= AGAIN_SECONDS:
            self._read_at = now
            self.run_worker(self._read, group="operations-read", exclusive=True)  # type: ignore[arg-type]
        for watch in self.WATCHES:
            if dirty.reset or watch.kind in dirty.records:
                self._follow(watch, dirty)
        for watch, table in ((TICKETS, self._ticket_table), (FINDINGS, self._finding_table)):
            table.live(changed=None if dirty.reset else dirty.records.get(watch.kind, ()))
        self._draw()

    async def _read(self) -> None:
        await self._reading.load()
        await self._sla.load()
        if not self.is_attached:
            return
        if self._reading.rows:
            found = self._reading.rows[0]
            self._figures.clear()
            self._figures.update(enumerate(found["figures"]))
            self._below.clear()
            self._below.update({(row["level"], row["id"]): row for row in found["below"]})
            self._figure_table.set_keys(self._figures)
            self._below_table.set_keys(self._below)
            self._figure_table.live(sorting_changed=True)
            self._below_table.live(sorting_changed=True)
        self._draw()

    def _follow(self, watch: Watch, dirty: Dirty) -> None:
        part, held, table = (
            ("tickets", self._tickets, self._ticket_table)
            if watch is TICKETS
            else ("findings", self._findings, self._finding_table)
        )
        test = self._filters.get(part, ("", None))[1]
        keeps = test(self.desk.clock.now()) if test is not None else None
        records = self.desk.mirror.lists.of(watch).records.values()
        held.clear()
        held.update({record.id: record for record in records if self._is_here(record) and (not keeps or keeps(record))})
        table.set_keys(held)
        table.live(sorting_changed=True)

    def _is_here(self, record: Any) -> bool:
        """Whether it belongs to the place; a finding does not name its client."""
        place = self._place
        if place.entity and record.entity != place.entity:
            return False
        if place.site:
            return bool(record.site == place.site)
        below = {id for level, id in self._below if level == "site"}
        return not place.client or getattr(record, "client", "") == place.client or record.site in below

    # what is shown

    def _draw(self) -> None:
        self._draw_strip()
        self._draw_modules()
        self._draw_list(self._ticket_pane, TICKETS, self._tickets, self._ticket_note(), "No ticket is open here.")
        waiting = sum(not finding.disposition for finding in self._findings.values())
        note = f"{len(self._findings):,} findings, {waiting:,} not judged"
        self._draw_list(self._finding_pane, FINDINGS, self._findings, note, "No audit finding stands here.")

    def _draw_strip(self) -> None:
        bad = sum(is_trouble(figure) for figure in self._figures.values())
        parts = (
            ("modules", "M", f"Modules {bad}!" if bad else "Modules"),
            ("tickets", "T", f"Tickets {len(self._tickets):,}"),
            ("findings", "A", f"Audit {len(self._findings):,}"),
        )
        line: list[Piece] = []
        for name, key, label in parts:
            here = name == self._part
            line.append(Piece(Safe(f" {key}"), "bar-here" if here else "bar-key"))
            line.append(Piece(Safe(f" {label} "), "bar-here" if here else "bar"))
        way = " > ".join(("all clients", *self._place.names))
        self._strip.show([*line, Piece(Safe("   at "), "bar-dim"), Piece(safe_text(way), "bar-strong")])

    def _draw_modules(self) -> None:
        reading = self._reading
        at = moment(reading.rows[0].get("at")) if reading.rows else None
        said = f"as of {at:%H:%M:%S}Z  " if at else ""
        keys = [Piece(Safe("enter"), "key"), Piece(Safe(" rows behind it"), "dim")]
        note = [Piece(reading.problem, "warn")] if reading.problem else [Piece(Safe(said), "dim"), *keys]
        self._figure_pane.retitle(Safe("Modules"), note)
        level = {"client": "Sites", "site": "Devices and people"}.get(self._level(), "Clients")
        self._below_pane.retitle(Safe(level), [Piece(Safe("enter"), "key"), Piece(Safe(" down  esc up"), "dim")])
        if reading.loaded:
            self._figure_pane.ready()
            if self._below:
                self._below_pane.ready()
            else:
                told = "No client is known yet." if self._level() == "tenant" else "Nothing is known below this."
                self._below_pane.page(PaneState.EMPTY, text_lines("", told, style="dim"))
            return
        for pane in (self._figure_pane, self._below_pane):
            if reading.problem:
                why = [Piece(Safe("  Could not be read: ")), Piece(reading.problem, "warn")]
                pane.page(PaneState.ERROR, [[], why, [Piece(Safe("  ctrl+r tries again."), "dim")]])
            else:
                pane.page(PaneState.LOADING, text_lines("", "asking the engine", style="dim"))

    def _draw_list(self, pane: Pane, watch: Watch, held: Mapping[str, Any], note: str, empty: str) -> None:
        found, text = self.desk.mirror.lists.of(watch), self._filters.get(watch.kind, ("", None))[0]
        title = "Tickets" if watch is TICKETS else "Audit findings"
        pane.retitle(safe_text(f"{title} > {text}" if text else title), [Piece(Safe(note), "dim")])
        if found.problem and not found.loaded:
            pane.page(PaneState.ERROR, [[], [Piece(Safe("  Could not be read: ")), Piece(found.problem, "warn")]])
        elif not found.loaded:
            pane.page(PaneState.LOADING, text_lines("", "asking the engine", style="dim"))
        elif not held:
            pane.page(PaneState.EMPTY, text_lines("", "nothing matches; esc shows all" if text else empty))
        else:
            pane.ready()

    def _ticket_note(self) -> str:
        over = sum(ticket.sla == "breached" and ticket.resolved_at is None for ticket in self._tickets.values())
        risk = sum(ticket.sla == "at_risk" for ticket in self._tickets.values())
        said = f"{words.many(len(self._tickets), 'ticket')}, {over} over, {risk} at risk"
        if self._sla.rows:
            month = self._sla.rows[0]
            took = f", median {month['median_minutes']:,.0f} min" if month.get("median_minutes") is not None else ""
            said += f"; 30 d: {month['tickets']:,}, {month['breached']:,} breached{took}"
        return said

    def _level(self) -> str:
        place = self._place
        return "entity" if place.entity else "site" if place.site else "client" if place.client else "tenant"

    # events

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        if event.table is self._figure_table:
            self._open_figure(self._figures[event.key])
        elif event.table is self._below_table:
            self._go_down(self._below[event.key])
        else:
            record = (self._tickets if event.table is self._ticket_table else self._findings).get(event.key)
            if record is not None:
                self.run_worker(self._tell(record), group="acts")

    def _open_figure(self, figure: Mapping[str, Any]) -> None:
        if figure.get("value") is None:
            self.desk.say(Safe("this module does not count single entities"), "text")
            return
        query = Query(
            kind=figure["kind"],
            q=figure["q"],
            active=figure["active"],
            since=moment(figure["since"]),
            limit=PAGE,
            total=True,
        )
        self._open_rows(query, figure["module"], figure["name"])

    def _go_down(self, row: Mapping[str, Any]) -> None:
        """To the place that the row stands for; what is at no place has its incidents alone."""
        if row["level"] == "rest":
            query = Query(kind=row["kind"], q=row["q"], limit=PAGE, total=True)
            self._open_rows(query, row["name"], "open incidents")
        else:
            self.app.push_screen(OperationsScreen(self.spec, self._place.down(row)))

    def _open_rows(self, query: Query, *title: str) -> None:
        self.app.push_screen(RecordsScreen(self.spec, safe_text(" > ".join((*self._place.names, *title))), query))

    async def _tell(self, record: Any) -> None:
        await self.show(FactsDialog(safe_text(record.id), facts(record, self.desk.clock.now())))

    def on_line_table_marked(self) -> None:
        self.draw_lines()

    # keys

    def why_not(self, action: Action) -> Safe:
        nothing = action.id == "app.filter" and self._part == "modules"
        return Safe("filters tickets and findings; enter goes down here") if nothing else Safe("")

    def set_filter(self, text: str) -> None:
        if self._part == "modules" and text:
            self.desk.say(Safe("filters tickets (T) and findings (A)"), "text")
            return
        try:
            self._filters[self._part] = (text.strip(), read_filter(text, self.desk.names.sites))
        except FilterError as error:
            self.filter_wrong(text, error.words)
            return
        super().set_filter(text.strip())
        for watch in self.WATCHES:
            self._follow(watch, Dirty(reset=True))
        self._draw()

    def ticket_targets(self) -> Sequence[str]:
        return self._ticket_table.targets if self._part == "tickets" else ()

    def finding_targets(self) -> Sequence[Any]:
        keys = self._finding_table.targets if self._part == "findings" else ()
        return [self._findings[key] for key in keys if key in self._findings]

    def acted(self) -> None:
        for table in (self._ticket_table, self._finding_table):
            if table.marks:
                table.do_table_unmark()

    def marked(self) -> int:
        return len(self._ticket_table.marks) + len(self._finding_table.marks)

    def reorder(self) -> None:
        self._read_at = float("-inf")
        for table in (self._figure_table, self._below_table, self._ticket_table, self._finding_table):
            table.reorder()

    # session

    def save_state(self) -> dict[str, Any]:
        return {"part": self._part, "filters": {part: text for part, (text, _) in self._filters.items()}}

    def restore_state(self, state: dict[str, Any]) -> None:
        filters, part = state.get("filters"), state.get("part")
        for name, text in filters.items() if isinstance(filters, dict) else ():
            if name in {"tickets", "findings"} and isinstance(text, str) and text:
                self._part = name
                self.set_filter(text)
        self._show(part if part in {"modules", "tickets", "findings"} else "modules")
