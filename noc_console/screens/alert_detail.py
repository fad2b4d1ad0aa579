"""One alert: labels, annotations, links as text, why, notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from data.records import Alert, Incident
from engine.client import Query
from noc_console import alert_words, words
from noc_console.actions import bindings_for
from noc_console.directory import Directory
from noc_console.mirror import Dirty
from noc_console.reading import Reading
from noc_console.safe_text import Safe, fit, safe_lines, safe_text, width, wrap
from noc_console.screens.acting import OF_ALERTS
from noc_console.screens.alert_acts import alert_copied, alert_matchers
from noc_console.screens.anomaly_acts import AnomalyActs, judgeable
from noc_console.screens.detail import DetailScreen, Section
from noc_console.screens.detail_sections import TextSection, WhySection, note_lines
from noc_console.screens.incident_acts import IncidentActs
from noc_console.views import ViewSpec
from noc_console.widgets.piece import Line, Piece

LABEL = 9


class LabelsSection(TextSection):
    """Labels, annotations and links; the reading is the alert itself, shared by the screen."""

    name, key, label, empty = "labels", "", "Labels", "no label"

    def lines(self, cells: int) -> list[Line]:
        alert: Alert = self.rows()[0]
        links = {"source": alert.url} if alert.url else {}
        links |= {name: text for name, text in alert.annotations.items() if _is_link(text)}
        prose = {name: text for name, text in alert.annotations.items() if not _is_link(text)}
        return [
            *_table("labels", alert.labels, cells),
            *_table("annotations", prose, cells),
            *_table("links", links, cells),
        ]


class AlertNotes(TextSection):
    """Notes that come back whenever this alert fires."""

    name, key, label, empty = "notes", "", "Notes", "no note yet; i writes one"

    def count(self) -> str:
        notes = self.rows()[0].notes if self.rows() else ()
        return str(len(notes)) if notes else ""

    def lines(self, cells: int) -> list[Line]:
        notes = self.rows()[0].notes
        if not notes:
            return [[Piece(Safe(f"  {self.empty}"), "dim")]]
        return note_lines(list(reversed(notes)), self.desk.clock.now(), cells)


class AlertDetail(AnomalyActs, IncidentActs, DetailScreen):
    """`number` is the alert's. Acts that alerts take are for it, all others for its incident."""

    SCOPES = ("incident", "anomaly")
    BINDINGS = bindings_for("incident", "anomaly", "table")

    def __init__(self, view: ViewSpec, number: int, section: str) -> None:
        super().__init__(view, number, section)
        self._alert: Alert | None = None

    def sections(self) -> list[Section]:
        self._reading = Reading(self.desk.client, Query(kind="alerts", id=str(self.number), limit=1))
        self._labels, self._why, self._notes = LabelsSection(self.desk), WhySection(self.desk), AlertNotes(self.desk)
        self._labels.reading = self._notes.reading = self._reading
        self._why.ask(f"alert:{self.number}")
        return [self._labels, self._why, self._notes]

    def heading(self) -> Safe:
        if self._alert is None:
            return alert_words.number(self.number)
        return Safe(f"A-{self.number}  {self._alert.severity.value}  {self.desk.names.words(self._alert.title)}")

    def fact_lines(self, cells: int) -> list[Line]:
        if self._alert is None:
            waiting = Safe("there is no such alert" if self._reading.loaded else "asking the engine")
            problem = self._reading.problem
            return [[Piece(safe_text(f"  {problem or waiting}"), "warn" if problem else "dim")]]
        return _fact_lines(self._alert, self.desk.clock.now(), cells, self.desk.names)

    def refresh_subject(self) -> None:
        self._alert = self._reading.rows[0] if self._reading.rows else None

    def concerns(self, dirty: Dirty) -> bool:
        return f"alert:{self.number}" in dirty.subjects

    async def _read(self, section: Section) -> None:
        await super()._read(section)
        self.refresh_subject()
        self.draw_facts()

    def incident_targets(self) -> Sequence[Incident]:
        found = self.desk.mirror.incident(self._alert.incident) if self._alert is not None else None
        return [found] if found is not None else []

    def targets(self, verb: str) -> list[str]:
        if verb in OF_ALERTS:
            return [f"alert:{self.number}"]
        return [f"incident:{self._alert.incident}"] if self._alert is not None else []

    def anomaly_targets(self) -> list[str]:
        return judgeable([self._alert])

    def split_targets(self) -> list[str]:
        return [f"alert:{self.number}"]

    def proposed_matchers(self) -> str:
        return alert_matchers(self._alert) if self._alert is not None else ""

    def copied(self, form: str) -> list[str]:
        return [alert_copied(self._alert, form, self.desk.names)] if self._alert is not None else []

    def do_incident_why(self) -> None:
        self.show_section("why")

    def do_table_open(self) -> None:
        """Up to the incident."""
        if self._alert is not None and self._alert.incident:
            self.open_incident(self._alert.incident)

    def fact_note(self) -> Line:
        keys = (("enter", " its incident  "), ("esc", " back"))
        return [piece for key, what in keys for piece in (Piece(Safe(key), "key"), Piece(Safe(what), "dim"))]

    def reorder(self) -> None:
        self.begin_again()


def _fact_lines(alert: Alert, now: datetime, cells: int, names: Directory) -> list[Line]:
    is_so = ", ".join(flag.word for flag in alert_words.flags(alert, now))
    ended = f", ended {words.ago(alert.ended_at, now)}" if alert.ended_at else ""
    ack = f"; acknowledged by {alert.ack.by}{': ' + alert.ack.note if alert.ack.note else ''}" if alert.ack else ""
    entity, since = f"{alert.entity_type or 'entity'} {alert.entity or '-'}", f"{alert.starts_at:%d %b %H:%M:%S}Z"
    site = names.full_site(alert.site) if alert.site else "no site"
    client = names.full_client(alert.client) if alert.client else "no client"
    rows = (
        ("what", names.words(alert.title)),
        ("state", f"{is_so}{ack}"),
        ("where", f"{site}, {entity}, {client}"),
        ("when", f"since {since}, last {words.ago(alert.last_at, now)}, seen {alert.count}×{ended}"),
        ("from", f"{alert.source}, in {words.number(alert.incident)}, cluster C-{alert.cluster}, key {alert.key}"),
    )
    lines: list[Line] = []
    for label, text in rows:
        for place, part in enumerate(wrap(safe_text(text), max(20, cells - LABEL))):
            head = Piece(Safe(f" {label if not place else '':<{LABEL - 2}}"), "dim")
            lines.append([head, Piece(part, "strong" if label == "what" else "text")])
    return lines


def _is_link(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def _table(heading: str, pairs: Mapping[str, str], cells: int) -> list[Line]:
    """A heading and `name  value` lines; long values go on below."""
    if not pairs:
        return []
    lines: list[Line] = [[Piece(Safe(f" {heading}"), "title")]]
    room = min(24, max(width(safe_text(name)) for name in pairs)) + 5
    for name, value in sorted(pairs.items()):
        head = Safe(f"   {fit(safe_text(name), room - 5)}  ")
        parts = [part for text in safe_lines(value or '""', 40) for part in wrap(text, max(20, cells - room))]
        lines.append([Piece(head, "dim"), Piece(parts[0] if parts else Safe(""))])
        lines += [[Piece(Safe(" " * room)), Piece(part)] for part in parts[1:]]
    return lines
