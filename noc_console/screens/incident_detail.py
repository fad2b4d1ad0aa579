"""One incident: facts, timeline, alerts, why, related, notes; live while it is open."""

from __future__ import annotations

from collections.abc import Sequence

from data.records import Incident
from engine.client import Query
from noc_console import words
from noc_console.actions import bindings_for
from noc_console.mirror import Dirty
from noc_console.reading import Reading
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.alert_acts import alert_copied, alert_matchers
from noc_console.screens.anomaly_acts import AnomalyActs, judgeable
from noc_console.screens.context_section import ContextSection
from noc_console.screens.detail import DetailScreen, Section
from noc_console.screens.detail_sections import (
    AlertsSection,
    NotesSection,
    RelatedSection,
    TimelineSection,
    WhySection,
)
from noc_console.screens.incident_acts import IncidentActs
from noc_console.screens.incident_facts import fact_lines, heading
from noc_console.screens.incident_peek import LABEL
from noc_console.screens.oncall_words import incident_lines
from noc_console.screens.playbooks_section import PlaybooksSection
from noc_console.views import ViewSpec
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.piece import Line, Piece

#: Seconds between two readings of who is told next, while nothing is heard of it.
DUTY_SECONDS = 30.0


class IncidentDetail(AnomalyActs, IncidentActs, DetailScreen):
    """`number` is the incident's; n and N go on to the next one that waits, in place."""

    SCOPES = ("incident", "alerts", "context", "anomaly")
    BINDINGS = bindings_for("incident", "alerts", "context", "anomaly", "table")

    def __init__(self, view: ViewSpec, number: int, section: str) -> None:
        super().__init__(view, number, section)
        self.incident: Incident | None = None
        self._problem = Safe("")

    def sections(self) -> list[Section]:
        self._timeline = TimelineSection(self.desk, lambda: self.incident.opened_at if self.incident else None)
        self._why = WhySection(self.desk)
        self._alerts, self._related = AlertsSection(self.desk), RelatedSection(self.desk)
        self._notes, self._around = NotesSection(self.desk), ContextSection(self.desk)
        self._playbooks = PlaybooksSection(self.desk)
        self._ask()
        named = (self._timeline, self._alerts, self._why, self._related, self._around, self._playbooks, self._notes)
        return list(named)

    def _ask(self) -> None:
        target = f"incident:{self.number}"
        self._timeline.ask(self.number)
        self._notes.ask(self.number)
        self._alerts.ask(self.number)
        self._around.ask(self.number)
        self._playbooks.ask(self.number)
        self._duty = Reading(self.desk.client, Query(kind="incidents/{id}/oncall", params={"id": self.number}))
        self._duty_read_at, self._duty_owed = float("-inf"), True
        self._why.ask(target)
        self._related.ask(target)

    def on_mount(self) -> None:
        self.refresh_subject()

    # facts

    def heading(self) -> Safe:
        return words.number(self.number) if self.incident is None else heading(self.incident, self.desk.names)

    def fact_lines(self, cells: int) -> list[Line]:
        if self.incident is not None:
            now = self.desk.clock.now()
            facts = fact_lines(self.incident, now, cells, self.desk.glyphs, self.desk.names)
            return facts + incident_lines(self._duty.rows, now, cells, LABEL)
        told = self._problem or Safe("asking the engine")
        return [[Piece(safe_text(f"  {told}"), "warn" if self._problem else "dim")]]

    def refresh_subject(self) -> None:
        found = self.desk.mirror.incident(self.number)
        if found is not None:
            self.incident = found
        elif self.incident is None:
            self.run_worker(self._read_incident(), group="incident", exclusive=True)

    def apply(self, dirty: Dirty) -> None:
        super().apply(dirty)
        self._read_duty_when_due(dirty)

    def _read_duty_when_due(self, dirty: Dirty) -> None:
        """Who is told next: on its own news and once in a while, for duty changes hands by the clock."""
        now = self.desk.clock.monotonic()
        told = self.number in dirty.incidents or f"escalation:I{self.number}" in dirty.subjects
        self._duty_owed = self._duty_owed or dirty.reset or told
        since = now - self._duty_read_at
        if since >= (1.0 if self._duty_owed else DUTY_SECONDS):
            self._duty_read_at, self._duty_owed = now, False
            self.run_worker(self._read_duty(self._duty), group="duty", exclusive=True)

    async def _read_duty(self, reading: Reading) -> None:
        await reading.load()
        if reading is self._duty and reading.rows and self.is_attached:
            self.draw_facts()

    async def _read_incident(self) -> None:
        """An incident that ended long ago is not in the mirror."""
        reading = Reading(self.desk.client, Query(kind="incidents", id=str(self.number), limit=1))
        await reading.load()
        self.incident = reading.rows[0] if reading.rows else None
        self._problem = reading.problem or (Safe("") if reading.rows else Safe("there is no such incident"))
        self.draw_facts()

    def playbook_went(self) -> None:
        self._read_at.pop("playbooks", None)
        self._owed.add("playbooks")
        self.show_section("playbooks")  # one reading: a second would cancel the first before it has begun

    def concerns(self, dirty: Dirty) -> bool:
        if any(subject.startswith("execution:") for subject in dirty.subjects):
            return True
        ours = self.number in dirty.incidents
        return ours or any(f"alert:{number}" in dirty.subjects for number in self._alerts.alerts)

    # acts

    def incident_targets(self) -> Sequence[Incident]:
        return [self.incident] if self.incident is not None else []

    def targets(self, verb: str) -> list[str]:
        return [f"incident:{self.number}"]

    def split_targets(self) -> list[str]:
        return [f"alert:{number}" for number in sorted(self._alerts.table.marks)]

    def anomaly_targets(self) -> list[str]:
        """The alert under the cursor or the marked ones while the alerts are in front, else an only alert."""
        alerts, table = self._alerts.alerts, self._alerts.table
        if self.section is self._alerts:
            return judgeable([alerts.get(number) for number in table.targets])
        return judgeable(list(alerts.values())) if len(alerts) == 1 else []

    def proposed_matchers(self) -> str:
        """Of the alert under the cursor while the alerts are in front, else of the incident."""
        alert = self._alerts.alerts.get(self._alerts.table.cursor or 0)
        return alert_matchers(alert) if alert and self.section is self._alerts else super().proposed_matchers()

    def copied(self, form: str) -> list[str]:
        alert = self._alerts.alerts.get(self._alerts.table.cursor or 0)
        if alert is not None and self.section is self._alerts:
            return [alert_copied(alert, form, self.desk.names)]
        return super().copied(form)

    def acted(self) -> None:
        if self._alerts.table.marks:
            self._alerts.table.do_table_unmark()
        self._alerts.at_once = True
        self.read_all_again()

    def marked(self) -> int:
        return len(self._alerts.table.marks)

    # keys

    def do_incident_why(self) -> None:
        self.show_section("why")

    def do_context_show(self) -> None:
        """In front, it is gathered again."""
        if self.section is self._around:
            self.read_again("context")
        self.show_section("context")

    def do_incident_timeline(self) -> None:
        self.show_section("timeline")

    def do_alerts_suppressed(self) -> None:
        self.show_section("alerts")
        self._alerts.do_alerts_suppressed()

    def do_incident_next_unacked(self) -> None:
        self._go(1)

    def do_incident_previous_unacked(self) -> None:
        self._go(-1)

    def do_table_open(self) -> None:
        """A merged incident leads to where it went."""
        if self.incident is not None and self.incident.merged_into is not None:
            self.open_incident(self.incident.merged_into)

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        if event.table is self._related.table:
            self.open_incident(self._related.found[event.key][0].incident)
        else:
            self.open_alert(event.key)

    def on_line_table_marked(self) -> None:
        self.draw_lines()

    def reorder(self) -> None:
        self.begin_again()

    def _go(self, step: int) -> None:
        waiting: list[int] = [incident.id for incident in self.desk.mirror.unacked(self.desk.clock.now())]
        if not waiting:
            self.desk.say(Safe("every incident is acknowledged or shelved"), "ok")
            return
        place = waiting.index(self.number) + step if self.number in waiting else 0
        self.number = waiting[place % len(waiting)]
        self.incident = self.desk.mirror.incident(self.number)
        self._ask()
        self.begin_again()
