"""View 1: incidents and clusters, and below them what each other page shows of itself.

A page's own pane is made after the first frame, so that the console is there before it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.app import ComposeResult
from textual.dom import DOMNode

from data.records import Incident
from noc_console.actions import bindings_for
from noc_console.mirror import CLUSTER_CAP, Dirty
from noc_console.record_lists import Watch
from noc_console.safe_text import Safe
from noc_console.screens.frame import FrameScreen
from noc_console.screens.incident_acts import IncidentActs
from noc_console.screens.incident_list import IncidentList
from noc_console.screens.incident_rows import CLUSTER_COLUMNS, ClusterRows
from noc_console.screens.page_pane import PagePane
from noc_console.screens.peek_pane import IncidentPeek
from noc_console.views import VIEWS, pane_class
from noc_console.widgets.box import Box
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.pane import Pane, PaneState, text_lines
from noc_console.widgets.piece import Piece
from noc_console.words import many


class OverviewScreen(IncidentActs, FrameScreen):
    SCOPES = ("incident",)
    BINDINGS = bindings_for("incident")

    def compose_body(self) -> ComposeResult:
        self._incidents = IncidentList(self.desk, id="overview-incidents")
        self._clusters: LineTable[int] = LineTable(CLUSTER_COLUMNS, ClusterRows(self.desk), sort="last")
        self._cluster_pane = Pane(Safe("Clusters"), self._clusters, id="overview-clusters")
        self._peek = IncidentPeek(self.desk, id="overview-peek")
        self._panes: dict[str, PagePane] = {}
        self._places = [view for view in VIEWS.values() if view.pane]
        with Box(id="overview"):
            with Box(id="overview-top"):
                yield self._incidents
                with Box(id="overview-right"):
                    yield self._cluster_pane
                    yield self._peek
            with Box(id="overview-panes"):
                for view in self._places:
                    yield Pane(view.title, id=f"overview-{view.name}", classes="page-pane")

    def on_mount(self) -> None:
        self._incidents.table.focus()
        self.call_after_refresh(self._fill)

    async def _fill(self) -> None:
        """Put the pages' own panes into their places."""
        for view in self._places:
            made = pane_class(view)
            if made is None or not self.is_mounted:
                continue
            place = self.query_one(f"#overview-{view.name}", Pane)
            pane = self._panes[view.name] = made(self.desk)
            pane.view = view.name
            pane.add_class("page-pane")
            await self.query_one("#overview-panes").mount(pane, before=place)
            await place.remove()
            pane.id = f"overview-{view.name}"
        self.desk.want(self.watches())
        self.live(Dirty(reset=True))

    def watches(self) -> Sequence[Watch]:
        return [watch for pane in self._panes.values() for watch in pane.WATCHES]

    def apply(self, dirty: Dirty) -> None:
        self._incidents.apply(dirty)
        if dirty.clusters or dirty.reset:
            self._clusters.set_keys(self.desk.mirror.clusters)
        self._clusters.live(sorting_changed=bool(dirty.clusters), changed=None if dirty.reset else dirty.clusters)
        self._draw_clusters()
        self._peek.look_at(self._incidents.current())
        for name, pane in self._panes.items():
            allowed = self.desk.may(VIEWS[name].capability)
            pane.display = allowed
            if allowed:
                pane.apply(dirty)

    def set_filter(self, text: str) -> None:
        problem = self._incidents.set_filter(text)
        if problem:
            self.filter_wrong(text, problem)
        else:
            super().set_filter(text)

    def incident_targets(self) -> Sequence[Incident]:
        found = (self.desk.mirror.incident(number) for number in self._chosen())
        return [incident for incident in found if incident is not None]

    def acted(self) -> None:
        self._incidents.acted()

    def marked(self) -> int:
        return len(self._incidents.table.marks)

    def reorder(self) -> None:
        self._incidents.reorder()
        self._clusters.reorder()

    def save_state(self) -> dict[str, Any]:
        return self._incidents.save_state()

    def restore_state(self, state: dict[str, Any]) -> None:
        self._incidents.restore_state(state)
        self.filter = self._incidents.filter_text

    def do_incident_next_unacked(self) -> None:
        self._incidents.step_unacked(1)

    def do_incident_previous_unacked(self) -> None:
        self._incidents.step_unacked(-1)

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        pane = self._page_pane(event.table)
        if pane is not None:
            pane.opened(event.key)
            return
        chosen = self._chosen() if event.table is self._clusters else [event.key]
        if chosen:
            self.open_incident(chosen[0])

    def on_line_table_moved(self) -> None:
        self._peek.look_at(self._incidents.current(), top=True)

    def on_line_table_marked(self) -> None:
        self.draw_lines()

    def _chosen(self) -> list[int]:
        """Incident numbers an act is for; a cluster stands for its incident."""
        if self._page_pane(self.focused) is not None:
            return []
        if not self._clusters.has_focus:
            return self._incidents.table.targets
        found = (self.desk.mirror.clusters.get(key) for key in self._clusters.targets)
        return list(dict.fromkeys(cluster.incident for cluster in found if cluster is not None))

    def _page_pane(self, node: DOMNode | None) -> PagePane | None:
        """The page's pane that the widget is in."""
        return None if node is None else next((n for n in node.ancestors_with_self if isinstance(n, PagePane)), None)

    def _draw_clusters(self) -> None:
        clusters = self.desk.mirror.clusters.values()
        alerts, hidden = sum(c.alerts for c in clusters), sum(c.suppressed for c in clusters)
        latest = "the latest " if len(clusters) == CLUSTER_CAP else ""
        words = f"{many(alerts, 'alert')} in {latest}{len(clusters):,}" + (f", {hidden:,} suppressed" if hidden else "")
        self._cluster_pane.retitle(Safe("Clusters"), [Piece(Safe(words), "dim")])
        if clusters:
            self._cluster_pane.ready()
        else:
            self._cluster_pane.page(PaneState.EMPTY, text_lines("no active cluster", style="dim", indent=1))
