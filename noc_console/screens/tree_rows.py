"""Clusters and their alerts as rows of one table. Pure but for the clock it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from data.records import RANK, Alert, Cluster
from noc_console import alert_words, words
from noc_console.desk import Desk
from noc_console.palette import SEVERITY_MARK, SEVERITY_STYLE
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.alert_rows import SEVERITY_HELP, quiet_style
from noc_console.screens.cluster_tree import ClusterTree, Key
from noc_console.widgets.columns import Column
from noc_console.widgets.last_known import LastKnown
from noc_console.widgets.piece import Piece

# fmt: off
TREE_COLUMNS = (
    Column(key="sev", title=Safe("SEV"), width=4, descending=True, keep=98, help=SEVERITY_HELP),
    Column(key="id", title=Safe("ID"), width=8, flex=1, most=11, descending=True, keep=80),
    Column(key="flag", title=Safe("STATE"), width=9, keep=95, sortable=False,
           help=Safe("of the incident, or of the alert: what matters most")),
    Column(key="last", title=Safe("LAST"), width=5, right=True, descending=True, keep=92,
           help=Safe("since it was heard last")),
    Column(key="alerts", title=Safe("N"), width=5, right=True, descending=True, keep=90,
           help=Safe("alerts in the cluster; how many times the alert was told")),
    Column(key="suppressed", title=Safe("FOLD"), width=4, right=True, descending=True, keep=40,
           help=Safe("near repeats of others, folded away; d shows them")),
    Column(key="site", title=Safe("SITE"), width=9, flex=3, most=20, keep=60),
    Column(key="what", title=Safe("WHAT"), width=24, wish=44, flex=20, keep=100),
    Column(key="entity", title=Safe("ENTITY"), width=14, flex=4, most=28, keep=30, sortable=False),
    Column(key="incident", title=Safe("OF"), width=7, keep=70, descending=True,
           help=Safe("the incident that it is of")),
    Column(key="flags", title=Safe("ALSO"), width=20, flex=1, most=40, keep=10, sortable=False,
           help=Safe("what else is true of it")),
)
# fmt: on
_NOTHING = [Piece(Safe(""))] * len(TREE_COLUMNS)


class TreeRows:
    """`descending()` says how the table is sorted now: a cluster always stands above its alerts."""

    def __init__(self, desk: Desk, tree: ClusterTree, descending: Callable[[], bool]) -> None:
        self._desk, self._tree, self._descending = desk, tree, descending
        self._last: dict[int, int] = {}
        self._gone_clusters, self._gone_alerts = LastKnown[int, Cluster](), LastKnown[int, Alert]()

    def cells(self, key: Key) -> Sequence[Piece]:
        kind, number = key
        if kind == "cluster":
            cluster = self._gone_clusters.keep(number, self._tree.clusters.get(number))
            return _NOTHING if cluster is None else self._cluster(cluster)
        if kind == "more":
            return self._more(number)
        alert = self._gone_alerts.keep(number, self._tree.alerts.get(number))
        return _NOTHING if alert is None else self._alert(alert)

    def order(self) -> None:
        """Note the places of the alerts in their clusters, for the next sorting."""
        self._last = {}
        for number in self._tree.clusters:
            if self._tree.is_open(number):
                self._last.update({alert.id: place for place, alert in enumerate(self._tree.members(number), 1)})

    def rank(self, key: Key, column: str) -> Any:
        cluster = self._tree.clusters.get(self._tree.parent(key) or 0)
        if cluster is None:
            return (0.0, 0, 0)
        place = {"cluster": 0, "more": 1_000_000}.get(key[0], self._last.get(key[1], 999_999))
        names, value = self._desk.names, None
        if column in {"site", "what"}:
            value = (names.site(cluster.site) if column == "site" else names.words(cluster.title)).casefold()
        value = _RANKS[column](cluster) if value is None else value
        return (value, cluster.id, -place if self._descending() else place)

    def _cluster(self, cluster: Cluster) -> Sequence[Piece]:
        glyph = "-" if self._tree.is_open(cluster.id) else "+"
        now = self._desk.clock.now()
        incident = self._desk.mirror.incident(cluster.incident)
        state = words.state(incident, now) if incident is not None else Piece(Safe(""))
        site, more = self._desk.names.site(cluster.site), len(cluster.sites) - 1
        return (
            Piece(Safe(SEVERITY_MARK[cluster.severity]), SEVERITY_STYLE[cluster.severity]),
            Piece(Safe(f"C-{cluster.id}"), "strong"),
            state,
            Piece(words.age(cluster.last_at, now), "dim"),
            Piece(Safe(f"{cluster.alerts:,}"), "strong"),
            Piece(Safe(f"{cluster.suppressed:,}" if cluster.suppressed else "-"), "dim"),
            Piece(Safe(f"{site} +{more}") if more > 0 else site),
            Piece(Safe(f"{glyph} {self._desk.names.words(cluster.title)}"), "strong"),
            Piece(Safe(words.many(cluster.entities, "entity", "entities") if cluster.entities else "-"), "dim"),
            Piece(words.number(cluster.incident), "dim"),
            Piece(Safe(f"full or split: {cluster.method}" if cluster.closed else ""), "dim"),
        )

    def _alert(self, alert: Alert) -> Sequence[Piece]:
        now, quiet = self._desk.clock.now(), quiet_style(alert)
        found = alert_words.flags(alert, now)
        severity = alert_words.severity(alert)
        branch = self._desk.glyphs.branch
        return (
            severity if alert.ended_at is None else severity._replace(style="dim"),
            Piece(alert_words.number(alert.id), "dim"),
            Piece(found[0].word, found[0].style),
            Piece(words.age(alert.last_at, now), "dim"),
            Piece(Safe(f"{alert.count:,}"), quiet),
            Piece(Safe("")),
            Piece(self._desk.names.site(alert.site), quiet),
            Piece(Safe(f"{branch} {self._desk.names.words(alert.title)}"), quiet),
            Piece(safe_text(alert.entity or "-"), "dim"),
            Piece(Safe("")),
            Piece(Safe(", ".join(flag.word for flag in found[1:])), "dim"),
        )

    def _more(self, number: int) -> Sequence[Piece]:
        reading, cluster = self._tree.open.get(number), self._tree.clusters.get(number)
        left = (cluster.alerts if cluster else 0) - (len(reading.rows) if reading else 0)
        cells = list(_NOTHING)
        words_left = f"{left:,} more" if left > 0 else "more"
        cells[7] = Piece(Safe(f"{self._desk.glyphs.last} {words_left} (enter)"), "key")
        return cells


_RANKS: dict[str, Any] = {
    "sev": lambda c: RANK[c.severity],
    "id": lambda c: c.id,
    "last": lambda c: c.last_at.timestamp(),
    "alerts": lambda c: c.alerts,
    "suppressed": lambda c: c.suppressed,
    "incident": lambda c: c.incident,
}
