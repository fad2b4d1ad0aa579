"""View 3: clusters as a tree, each opening to its alerts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.app import ComposeResult

from data.records import Alert, Incident
from noc_console.actions import bindings_for
from noc_console.desk import Age
from noc_console.mirror import Dirty
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.acting import OF_ALERTS
from noc_console.screens.alert_acts import alert_copied, alert_matchers
from noc_console.screens.anomaly_acts import AnomalyActs, judgeable
from noc_console.screens.cluster_tree import ClusterTree, Key
from noc_console.screens.feeding import feeding_lines
from noc_console.screens.frame import FrameScreen
from noc_console.screens.grave_acts import matchers_of
from noc_console.screens.incident_acts import IncidentActs
from noc_console.screens.tree_rows import TREE_COLUMNS, TreeRows
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.pane import Pane, PaneState, text_lines
from noc_console.widgets.piece import Piece
from noc_console.words import many

#: What is open is read again at most this often while things change.
AGAIN_SECONDS = 2.0


class AlertsScreen(AnomalyActs, IncidentActs, FrameScreen):
    SCOPES = ("incident", "alerts", "anomaly")
    BINDINGS = bindings_for("incident", "alerts", "anomaly")

    def compose_body(self) -> ComposeResult:
        self._tree = ClusterTree(self.desk)
        self._rows = TreeRows(self.desk, self._tree, lambda: self._table.descending)
        self._table: LineTable[Key] = LineTable(TREE_COLUMNS, self._rows, sort="last")
        self._pane = Pane(Safe("Alerts"), self._table, id="alerts-pane")
        self._read_at = float("-inf")
        self._owed = False
        yield self._pane

    def on_mount(self) -> None:
        self._table.focus()

    # frames

    def apply(self, dirty: Dirty) -> None:
        if dirty.clusters or dirty.reset or dirty.ended or dirty.appeared:
            self._follow()
        self._owed = self._owed or dirty.reset or bool(dirty.clusters) or self._touches(dirty)
        now = self.desk.clock.monotonic()
        if self._owed and now - self._read_at >= AGAIN_SECONDS:
            self._owed, self._read_at = False, now
            self.run_worker(self._again(), group="again", exclusive=True)
        self._rows.order()
        self._table.live(sorting_changed=bool(dirty.clusters or dirty.reset))
        self._draw()

    def _touches(self, dirty: Dirty) -> bool:
        return any(f"alert:{number}" in dirty.subjects for number in self._tree.alerts)

    async def _again(self) -> None:
        problem = await self._tree.read_others() or await self._tree.again()
        self._told(problem)
        self._follow()
        self._rows.order()
        self._table.live(sorting_changed=True)
        self._draw()

    def _follow(self) -> None:
        self._tree.follow()
        self._table.set_keys(self._tree.keys())

    def _reshape(self) -> None:
        """The operator opened or folded something: the rows take their places at once."""
        self._rows.order()
        self._table.set_keys(self._tree.keys())
        self._table.reorder()
        self._draw()

    def reorder(self) -> None:
        self._rows.order()
        self._table.reorder()

    # what is shown

    def set_filter(self, text: str) -> None:
        self.run_worker(self._search(text.strip()), group="search", exclusive=True)

    async def _search(self, text: str) -> None:
        problem = await self._tree.search(text)
        if problem:
            self.filter_wrong(text, problem)
            return
        super().set_filter(text)
        self._follow()
        self._reshape()

    def _draw(self) -> None:
        tree, mirror = self._tree, self.desk.mirror
        alerts = sum(cluster.alerts for cluster in tree.clusters.values())
        hidden = sum(cluster.suppressed for cluster in tree.clusters.values())
        if tree.hits is not None:
            total = tree.hits.total if tree.hits.total is not None else len(tree.hits.rows)
            said = f"{len(tree.hits.rows):,} of {total:,} matching alerts in {many(len(tree.clusters), 'cluster')}"
        else:
            near = f", {hidden:,} near repeats {'shown' if tree.suppressed else 'folded'}" if hidden else ""
            said = f"{many(alerts, 'alert')} in {many(len(tree.clusters), 'cluster')}{near}"
        title = safe_text(f"Alerts > {self.filter}") if self.filter else Safe("Alerts")
        self._pane.retitle(title, [Piece(Safe(said), "dim")])
        if tree.clusters:
            self._pane.ready()
        elif self.desk.age() is Age.DOWN and not mirror.loaded:
            why = [Piece(Safe("  ")), Piece(safe_text(mirror.why_down), "warn")]
            self._pane.page(PaneState.ERROR, [*text_lines("", "No engine answers yet; trying again.", ""), why])
        elif not mirror.loaded:
            self._pane.page(PaneState.LOADING, text_lines("", "waiting for the engine"))
        elif self.filter:
            self._pane.page(PaneState.EMPTY, text_lines("", "no active alert matches; esc shows all"))
        else:
            self._pane.page(PaneState.EMPTY, feeding_lines(self.desk.listen, self.size.height - 6))

    # opening

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        kind, number = event.key
        if kind == "alert":
            self.open_alert(number)
        elif kind == "cluster" and self._tree.is_open(number):
            self._fold(number)
        else:
            self._unfold(number)

    def do_table_right(self) -> None:
        """l: open the cluster."""
        key = self._table.cursor
        if key is not None and (key[0] == "more" or (key[0] == "cluster" and not self._tree.is_open(key[1]))):
            self._unfold(key[1])

    def do_table_left(self) -> None:
        """h: fold the cluster; from an alert too."""
        parent = self._tree.parent(self._table.cursor) if self._table.cursor is not None else None
        if parent is not None and self._tree.is_open(parent):
            self._fold(parent)

    def do_alerts_suppressed(self) -> None:
        self._tree.suppressed = not self._tree.suppressed
        self._reshape()
        self.desk.say(Safe("near repeats are " + ("shown" if self._tree.suppressed else "folded away")), "text")

    def _fold(self, number: int) -> None:
        self._tree.fold(number)
        self._table.select(("cluster", number))
        self._reshape()

    def _unfold(self, number: int) -> None:
        self.run_worker(self._read_cluster(number), group=f"unfold-{number}", exclusive=True)

    async def _read_cluster(self, number: int) -> None:
        self._told(await self._tree.unfold(number))
        self._reshape()
        if self._table.cursor == ("cluster", number):
            self._table.reveal_below(len(self._tree.members(number)))

    def _told(self, problem: Safe) -> None:
        if problem:
            self.desk.say(safe_text(f"not read: {problem}"), "warn")

    # acts

    def targets(self, verb: str) -> list[str]:
        """Alerts for verbs that take them; a cluster stands for its incident."""
        names = []
        for key in self._table.targets:
            alert = self._tree.alerts.get(key[1]) if key[0] == "alert" else None
            if alert is not None and verb in OF_ALERTS:
                names.append(f"alert:{alert.id}")
            elif (incident := self._incident_of(key)) is not None:
                names.append(f"incident:{incident}")
        return list(dict.fromkeys(names))

    def incident_targets(self) -> Sequence[Incident]:
        numbers = dict.fromkeys(self._incident_of(key) for key in self._table.targets)
        found = (self.desk.mirror.incident(number) for number in numbers if number is not None)
        return [incident for incident in found if incident is not None]

    def anomaly_targets(self) -> list[str]:
        return judgeable([self._tree.alerts.get(number) for kind, number in self._table.targets if kind == "alert"])

    def split_targets(self) -> list[str]:
        """What is marked, else the alert or the cluster under the cursor."""
        return [f"{kind}:{number}" for kind, number in self._table.targets if kind != "more"]

    def alerts_of(self, target: str) -> int:
        kind, _, number = target.partition(":")
        cluster = self._tree.clusters.get(int(number)) if kind == "cluster" else None
        return cluster.alerts if cluster is not None else 1

    def proposed_matchers(self) -> str:
        """Of an alert all that names it; of a cluster what its alerts have in common."""
        alert = self._alert()
        if alert is not None:
            return alert_matchers(alert)
        cluster = self._tree.clusters.get(self._table.cursor[1]) if self._table.cursor else None
        if cluster is None:
            return ""
        name = cluster.names[0] if len(cluster.names) == 1 else ""
        return matchers_of({"alertname": name, "site": cluster.site if len(cluster.sites) <= 1 else ""})

    def copied(self, form: str) -> list[str]:
        alert = self._alert()
        return [alert_copied(alert, form, self.desk.names)] if alert is not None else super().copied(form)

    def acted(self) -> None:
        if self._table.marks:
            self._table.do_table_unmark()

    def marked(self) -> int:
        return len(self._table.marks)

    def on_line_table_marked(self) -> None:
        self.draw_lines()

    def do_incident_next_unacked(self) -> None:
        self._step_unacked(1)

    def do_incident_previous_unacked(self) -> None:
        self._step_unacked(-1)

    def _step_unacked(self, step: int) -> None:
        """Cursor to a cluster of the next incident that waits, worst first."""
        homes: dict[int, int] = {}
        for cluster in self._tree.clusters.values():
            homes.setdefault(cluster.incident, cluster.id)
        waiting = [homes[i.id] for i in self.desk.mirror.unacked(self.desk.clock.now()) if i.id in homes]
        if not waiting:
            self.desk.say(Safe("every incident here is acknowledged or shelved"), "ok")
            return
        here = self._tree.parent(self._table.cursor) if self._table.cursor else None
        place = waiting.index(here) + step if here in waiting else 0
        self._table.select(("cluster", waiting[place % len(waiting)]))

    def _alert(self) -> Alert | None:
        key = self._table.cursor
        return self._tree.alerts.get(key[1]) if key is not None and key[0] == "alert" else None

    def _incident_of(self, key: Key) -> int | None:
        if key[0] == "alert":
            alert = self._tree.alerts.get(key[1])
            return alert.incident if alert is not None else None
        cluster = self._tree.clusters.get(key[1])
        return cluster.incident if cluster is not None else None

    # session

    def save_state(self) -> dict[str, Any]:
        parent = self._tree.parent(self._table.cursor) if self._table.cursor else None
        return {
            "filter": self.filter,
            "sort": self._table.sort,
            "descending": self._table.descending,
            "cluster": parent,
            "suppressed": self._tree.suppressed,
        }

    def restore_state(self, state: dict[str, Any]) -> None:
        if isinstance(state.get("sort"), str):
            self._table.sort_by(state["sort"], bool(state.get("descending", True)))
        self._tree.suppressed = state.get("suppressed") is True
        if isinstance(state.get("cluster"), int):
            self._table.wish(("cluster", state["cluster"]), ())
        super().restore_state(state)
