"""Incidents and clusters as rows: columns, cells, sorting. Pure but for the mirror and the clock it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from data.records import RANK, Incident
from noc_console import words
from noc_console.desk import Desk
from noc_console.directory import Directory
from noc_console.mirror import is_shelved
from noc_console.palette import SEVERITY_MARK, SEVERITY_STYLE
from noc_console.safe_text import Safe
from noc_console.widgets.columns import Column
from noc_console.widgets.piece import Piece

#: Of all tables that have them.
SEVERITY_HELP = Safe("C! critical  H high  M medium  L low  i info; the worst of its alerts")
STATE_HELP = Safe("new  acked  cleared: over, but nobody acknowledged it  shelved  muted: all that fires is")

# fmt: off
INCIDENT_COLUMNS = (
    Column(key="pri", title=Safe("PRI"), width=4, right=True, descending=True, keep=99,
           help=Safe("rank from 0 to 100; w says what it is made of")),
    Column(key="sev", title=Safe("SEV"), width=3, descending=True, keep=98, help=SEVERITY_HELP),
    Column(key="id", title=Safe("ID"), width=6, flex=1, most=9, descending=True, keep=97),
    Column(key="state", title=Safe("STATE"), width=8, keep=90, help=STATE_HELP),
    Column(key="age", title=Safe("AGE"), width=4, right=True, descending=True, keep=92, help=Safe("since it began")),
    Column(key="site", title=Safe("SITE"), width=10, flex=5, most=24, keep=80,
           help=Safe("+2: and two sites more; enter shows them with their ids")),
    Column(key="what", title=Safe("WHAT"), width=26, wish=46, flex=20, keep=100),
    Column(key="client", title=Safe("CLIENT"), width=14, keep=10),
    Column(key="firing", title=Safe("FIRING"), width=6, right=True, descending=True, keep=20,
           help=Safe("alerts of it that fire now")),
    Column(key="alerts", title=Safe("N"), width=4, right=True, descending=True, keep=70,
           help=Safe("alerts in it, those that ended too")),
    Column(key="last", title=Safe("LAST"), width=5, right=True, keep=15, help=Safe("since an alert of it was heard")),
    Column(key="sla", title=Safe("SLA"), width=4, right=True, keep=75, help=Safe("time left to deal with it")),
    Column(key="owner", title=Safe("OWN"), width=4, flex=2, most=12, keep=60, help=Safe("who has taken it on")),
)

CLUSTER_COLUMNS = (
    Column(key="sev", title=Safe("SEV"), width=3, descending=True, keep=98, help=SEVERITY_HELP),
    Column(key="id", title=Safe("OF"), width=6, keep=50, descending=True, help=Safe("the incident that it is of")),
    Column(key="last", title=Safe("LAST"), width=5, right=True, keep=60, descending=True,
           help=Safe("since an alert of it was heard")),
    Column(key="alerts", title=Safe("N"), width=4, right=True, descending=True, keep=90, help=Safe("alerts in it")),
    Column(key="suppressed", title=Safe("FOLD"), width=4, right=True, descending=True, keep=20,
           help=Safe("near repeats of others in it, folded away")),
    Column(key="site", title=Safe("SITE"), width=8, flex=3, most=20, keep=40),
    Column(key="what", title=Safe("WHAT"), width=16, flex=20, keep=100),
)
# fmt: on


class IncidentRows:
    """Cells of an incident by its number. Shelved ones rank below all others."""

    def __init__(self, desk: Desk, found: Callable[[int], Incident | None] | None = None) -> None:
        """`found` gives the incident of a number; the mirror's when it is left out."""
        self._desk, self._found = desk, found or desk.mirror.incident

    def cells(self, key: int) -> Sequence[Piece]:
        incident = self._found(key)
        if incident is None:
            return [Piece(Safe(""))] * len(INCIDENT_COLUMNS)
        now = self._desk.clock.now()
        quiet = "dim" if is_shelved(incident, now) or words.is_muted(incident) else "text"
        loud = "strong" if words.is_waiting(incident, now) else quiet
        return (
            Piece(Safe(f"{incident.priority:.0f}"), loud),
            words.severity(incident),
            Piece(words.number(incident.id), quiet),
            words.state(incident, now),
            Piece(words.age(incident.opened_at, now), quiet),
            Piece(self._desk.names.place(incident), quiet),
            Piece(self._desk.names.words(incident.title), loud),
            Piece(self._desk.names.client(incident.client) if incident.client else NO_CLIENT, "dim"),
            Piece(Safe(str(incident.firing)), quiet),
            Piece(Safe(str(incident.alerts)), quiet),
            Piece(words.age(incident.last_at, now), "dim"),
            words.due(incident.due_at, now),
            words.owner(incident),
        )

    def rank(self, key: int, column: str) -> Any:
        incident = self._found(key)
        if incident is None:
            return ()
        if column == "pri":
            shelved = is_shelved(incident, self._desk.clock.now())
            # By the figure that is shown: a fraction that nobody sees moves no row.
            return (not shelved, round(incident.priority), RANK[incident.severity], -incident.id)
        if column in _SPOKEN:
            return (_SPOKEN[column](self._desk.names, incident).casefold(), incident.priority)
        return (_INCIDENT_RANKS[column](incident), incident.priority)


def _due(incident: Incident) -> float:
    return incident.due_at.timestamp() if incident.due_at else float("inf")


NO_CLIENT = Safe("no client")
#: What sorts by the words that are shown.
_SPOKEN: dict[str, Callable[[Directory, Incident], Safe]] = {
    "site": lambda names, i: names.site(i.site),
    "client": lambda names, i: names.client(i.client) if i.client else NO_CLIENT,
    "what": lambda names, i: names.words(i.title),
}
_INCIDENT_RANKS: dict[str, Any] = {
    "sev": lambda i: RANK[i.severity],
    "id": lambda i: i.id,
    "state": lambda i: (words.is_muted(i), i.state.value),
    "age": lambda i: -i.opened_at.timestamp(),
    "firing": lambda i: i.firing,
    "alerts": lambda i: i.alerts,
    "last": lambda i: -i.last_at.timestamp(),
    "sla": _due,
    "owner": lambda i: i.owner.casefold() or "\uffff",
}


class ClusterRows:
    """Cells of a cluster by its number."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def cells(self, key: int) -> Sequence[Piece]:
        cluster = self._desk.mirror.clusters.get(key)
        if cluster is None:
            return [Piece(Safe(""))] * len(CLUSTER_COLUMNS)
        now = self._desk.clock.now()
        return (
            Piece(Safe(SEVERITY_MARK[cluster.severity]), SEVERITY_STYLE[cluster.severity]),
            Piece(words.number(cluster.incident), "dim"),
            Piece(words.age(cluster.last_at, now), "dim"),
            Piece(Safe(str(cluster.alerts)), "strong"),
            Piece(Safe(str(cluster.suppressed) if cluster.suppressed else "-"), "dim"),
            Piece(self._desk.names.site(cluster.site)),
            Piece(self._desk.names.words(cluster.title)),
        )

    def rank(self, key: int, column: str) -> Any:
        cluster = self._desk.mirror.clusters.get(key)
        if cluster is None:
            return (0, 0)
        if column in {"site", "what"}:
            names = self._desk.names
            shown = names.site(cluster.site) if column == "site" else names.words(cluster.title)
            return (shown.casefold(), cluster.id)
        return (_CLUSTER_RANKS[column](cluster), cluster.id)


_CLUSTER_RANKS: dict[str, Any] = {
    "sev": lambda c: RANK[c.severity],
    "id": lambda c: c.incident,
    "last": lambda c: c.last_at.timestamp(),
    "alerts": lambda c: c.alerts,
    "suppressed": lambda c: c.suppressed,
}
