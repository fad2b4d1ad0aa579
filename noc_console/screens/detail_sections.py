"""The sections of a detail: timeline, alerts, why, related, notes. Each reads its rows and draws them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from data.records import Alert, Note, TimelineEntry
from engine.client import Query
from noc_console import alert_words, words
from noc_console.desk import Desk
from noc_console.reading import Reading
from noc_console.safe_text import Safe, safe_lines, safe_text, wrap
from noc_console.screens.alert_rows import ALERT_COLUMNS, AlertRows
from noc_console.screens.detail import Section
from noc_console.screens.timeline_lines import with_joins
from noc_console.widgets.columns import Column
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.line_view import LineView
from noc_console.widgets.piece import Line, Piece

PAGE = 200
TIMELINE_PAGE = 500
#: Cells of a timeline below which its columns stand closer.
NARROW = 64
JOINS_PAGE = 1_000
#: News that come later than this say when it began.
LATE_SECONDS = 60.0


class TextSection(Section):
    """A section of lines: give `lines(cells)`."""

    def __init__(self, desk: Desk) -> None:
        self.view = LineView()
        super().__init__(desk, self.view)

    def lines(self, cells: int) -> list[Line]:
        raise NotImplementedError

    def draw(self) -> None:
        cells = self.view.scrollable_content_region.width or self.size.width - 1  # not laid out while a page is shown
        self.view.show(self.lines(max(30, cells if cells > 0 else 78)))

    def on_resize(self) -> None:
        """The view inside learns its new size after its pane does."""
        if self.rows():
            self.call_after_refresh(self.draw)


class TimelineSection(TextSection):
    """What was done and which alerts joined: the engine's entries, and the alerts' own times. `began` is when the
    incident began at its source, which late news tell after the fact."""

    name, key, label, empty = "timeline", "t", "Timeline", "nothing has happened yet"

    def __init__(self, desk: Desk, began: Callable[[], datetime | None]) -> None:
        super().__init__(desk)
        self._began = began

    def ask(self, incident: int) -> None:
        query = Query(kind="timeline", incident=incident, sort="-id", limit=TIMELINE_PAGE)
        self.reading = Reading(self.desk.client, query)
        self._rows: list[TimelineEntry] = []
        joined = Query(kind="alerts", incident=incident, sort="-id", limit=JOINS_PAGE)
        self._joined = Reading(self.desk.client, joined)

    async def read(self) -> None:
        await self._joined.load()
        if self.reading is not None:
            await self.reading.load()
            self._rows = with_joins(self.reading.rows, self._joined.rows, self.desk.names)
        if self.is_attached:
            self.settle()

    def rows(self) -> Sequence[TimelineEntry]:
        return self._rows

    def count(self) -> str:
        return f"{len(self.rows())}{'+' if self.reading and self.reading.more else ''}" if self.rows() else ""

    def lines(self, cells: int) -> list[Line]:
        today, began = self.desk.clock.now().date(), self._began()
        lines: list[Line] = []
        for entry in self.rows():
            told = entry.text + (late_words(entry.at, began, today) if entry.kind == "opened" and began else "")
            lines += _entry_lines(entry, self.desk.names.words(told), today, cells)
        if self.reading is not None and self.reading.more:
            lines.append([Piece(Safe(f"  the latest {TIMELINE_PAGE}; noc-console query timeline has all"), "dim")])
        if self._joined.more:
            lines.append([Piece(Safe(f"  joins of the latest {JOINS_PAGE:,} alerts only"), "dim")])
        return lines


class NotesSection(TextSection):
    """Notes of the incident's timeline, newest first."""

    name, key, label, empty = "notes", "", "Notes", "no note yet; i writes one"

    def ask(self, incident: int) -> None:
        self.reading = Reading(self.desk.client, Query(kind="timeline", incident=incident, sort="-id", limit=1000))

    def rows(self) -> Sequence[TimelineEntry]:
        return [entry for entry in super().rows() if entry.kind in {"note", "noted"}]

    def count(self) -> str:
        return str(len(self.rows())) if self.rows() else ""

    def lines(self, cells: int) -> list[Line]:
        notes = [Note(by=entry.actor, at=entry.at, text=entry.text) for entry in self.rows()]
        return note_lines(notes, self.desk.clock.now(), cells)


class WhySection(TextSection):
    """Rules, numbers and mutes behind it, as the engine puts them into words."""

    name, key, label, empty = "why", "w", "Why", "no reason was kept"

    def ask(self, target: str) -> None:
        self.reading = Reading(self.desk.client, Query(kind="why", id=target))

    def lines(self, cells: int) -> list[Line]:
        lines: list[Line] = []
        about = ""
        for row in self.rows():
            if row.get("about") != about:
                about = str(row.get("about", ""))
                lines.append([Piece(safe_text(f" {about}"), "title")])
            lines += _why_lines(row, cells)
        return lines


class AlertsSection(Section):
    """The incident's alerts; near repeats are hidden until they are asked for."""

    name, key, label, empty = "alerts", "", "Alerts", "no alert"

    def __init__(self, desk: Desk) -> None:
        self.alerts: dict[int, Alert] = {}
        self.table: LineTable[int] = LineTable(ALERT_COLUMNS, AlertRows(desk, self.alerts), sort="sev")
        self.all = False
        #: The operator did something to them: what that moved takes its place at once.
        self.at_once = False
        super().__init__(desk, self.table)

    def ask(self, incident: int) -> None:
        self.alerts.clear()
        self.table.marks.clear()
        query = Query(kind="alerts", incident=incident, sort="-severity", limit=PAGE, total=True)
        self.reading = Reading(self.desk.client, query)

    def count(self) -> str:
        total = self.reading.total if self.reading and self.reading.total is not None else len(self.alerts)
        return f"{total:,}" if total else ""

    def remark(self) -> str:
        hidden = 0 if self.all else sum(alert.suppressed for alert in self.alerts.values())
        return f"{self.count()}, {words.many(hidden, 'near repeat')} folded: d shows them" if hidden else self.count()

    def draw(self) -> None:
        self.alerts.clear()
        self.alerts.update({alert.id: alert for alert in self.rows()})
        shown = {number for number, alert in self.alerts.items() if self.all or not alert.suppressed}
        self.table.set_keys(shown or self.alerts)
        if self.at_once:
            self.at_once = False
            self.table.reorder()
        self.table.live(sorting_changed=True)

    def do_alerts_suppressed(self) -> None:
        self.all = not self.all
        self.settle()
        self.table.reorder()

    async def on_line_table_moved(self, event: LineTable.Moved) -> None:
        """Near the end of what was read: read on."""
        keys = self.table.keys
        if self.reading is not None and self.reading.more and keys and event.key == keys[-1]:
            await self.reading.extend()
            self.settle()


class RelatedSection(Section):
    """Alerts of the same half hour elsewhere, with why they may belong."""

    name, key, label = "related", "", "Related"
    empty = "nothing at the same sites or of the same kind within half an hour"

    def __init__(self, desk: Desk) -> None:
        self.found: dict[int, tuple[Alert, Mapping[str, Any]]] = {}
        self.table: LineTable[int] = LineTable(RELATED_COLUMNS, _RelatedRows(desk, self.found), sort="score")
        super().__init__(desk, self.table)

    def ask(self, target: str) -> None:
        self.found.clear()
        self.reading = Reading(self.desk.client, Query(kind="related", id=target))

    def count(self) -> str:
        return str(len(self.found)) if self.found else ""

    def draw(self) -> None:
        alerts = [(alert_words.alert_of(row["alert"]), row) for row in self.rows()]
        self.found.clear()
        self.found.update({alert.id: (alert, row) for alert, row in alerts})
        self.table.set_keys(self.found)
        self.table.live(sorting_changed=True)


RELATED_COLUMNS = (
    Column(key="score", title=Safe("LIKE"), width=5, right=True, descending=True, keep=60),
    Column(key="sev", title=Safe("SEV"), width=3, descending=True, keep=98, sortable=False),
    Column(key="incident", title=Safe("OF"), width=7, keep=90, descending=True),
    Column(key="age", title=Safe("AGE"), width=4, right=True, keep=70, sortable=False),
    Column(key="what", title=Safe("WHAT"), width=20, flex=10, keep=100, sortable=False),
    Column(key="reason", title=Safe("BECAUSE"), width=24, flex=10, keep=80, sortable=False),
)


class _RelatedRows:
    def __init__(self, desk: Desk, found: Mapping[int, tuple[Alert, Mapping[str, Any]]]) -> None:
        self._desk, self._found = desk, found

    def cells(self, key: int) -> Sequence[Piece]:
        if key not in self._found:
            return [Piece(Safe(""))] * len(RELATED_COLUMNS)
        alert, row = self._found[key]
        return (
            Piece(Safe(f"{row.get('score', 0):.2f}")),
            alert_words.severity(alert),
            Piece(words.number(alert.incident)),
            Piece(words.age(alert.starts_at, self._desk.clock.now()), "dim"),
            Piece(Safe(f"{self._desk.names.site(alert.site)}  {self._desk.names.words(alert.title)}")),
            Piece(safe_text(str(row.get("reason", ""))), "dim"),
        )

    def rank(self, key: int, column: str) -> Any:
        if key not in self._found:
            return (0, 0)
        alert, row = self._found[key]
        return (row.get("score", 0), -alert.id) if column == "score" else (alert.incident, -alert.id)


# lines


def stamp(at: datetime, today: Any) -> Safe:
    """The time, with the date when it is not today's."""
    return Safe(f"{at:%H:%M:%S}" if at.date() == today else f"{at:%d %b %H:%M}")


def note_lines(notes: Sequence[Note], now: datetime, cells: int) -> list[Line]:
    """Each note under who wrote it and when."""
    lines: list[Line] = []
    for note in notes:
        who = Piece(safe_text(f" {note.by or '-'}"), "strong")
        lines.append([who, Piece(Safe(f"  {stamp(note.at, now.date())}Z, {words.ago(note.at, now)}"), "dim")])
        lines += [[Piece(Safe("   ")), Piece(part)] for text in safe_lines(note.text) for part in wrap(text, cells - 4)]
    return lines


_TONES: Mapping[str, str] = {
    "opened": "strong",
    "joined": "dim",
    "severity_rose": "warn",
    "ack_broken": "warn",
    "fired_again": "warn",
    "acknowledged": "ok",
    "resolved": "ok",
    "returned": "warn",
    "note": "title",
}


def late_words(heard: datetime, began: datetime, today: Any) -> str:
    """When it had begun, for news that came late; "" for all other."""
    late = (heard - began).total_seconds()
    return f"; began {stamp(began, today)}Z, {words.short(late)} before it was heard of" if late >= LATE_SECONDS else ""


def _entry_lines(entry: TimelineEntry, text: Safe, today: Any, cells: int) -> list[Line]:
    """`text` is what it says, with names for ids."""
    narrow = cells < NARROW
    head = f" {stamp(entry.at, today):<{8 if narrow else 12}} "
    kind = safe_text(f"{entry.kind.replace('_', ' '):<{0 if narrow else 16}} ")
    because = f"({entry.reason.code.replace('_', ' ')})" if entry.reason and not text else ""
    told = text or because
    by = entry.actor + (": " if text else " ") if entry.actor else ""
    parts = wrap(safe_text(f"{by}{told}".rstrip()), max(20, cells - len(head) - len(kind)))
    pad = Safe(" " * (len(head) + len(kind)))
    if narrow:  # the rest stands below what happened, or words would break in the middle
        rest = wrap(safe_text(f"{by}{told}".rstrip()), max(20, cells - len(head)))
        if len(parts) > len(rest):
            parts, pad = [Safe(""), *rest], Safe(" " * len(head))
    first: Line = [Piece(Safe(head), "dim"), Piece(kind, _TONES.get(entry.kind, "text")), Piece(parts[0])]
    return [first, *([Piece(pad), Piece(part)] for part in parts[1:])]


def _why_lines(row: Mapping[str, Any], cells: int) -> list[Line]:
    at = _moment(row.get("at"))
    head = f"   {at:%H:%M:%S}  " if at else "   "
    parts = wrap(safe_text(str(row.get("words", ""))), max(20, cells - len(head)))
    first: Line = [Piece(Safe(head), "dim"), Piece(parts[0])]
    return [first, *([Piece(Safe(" " * len(head))), Piece(part)] for part in parts[1:])]


def _moment(value: Any) -> datetime | None:
    return msgspec.convert(value, datetime | None)
