"""The tree of clusters and their alerts as a model: which are open, what was read of them, what is shown.

Alerts are read when a cluster is opened, a page at a time. With a filter the engine finds the alerts and the tree
shows their clusters, open to the hits. Never draws.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from data.records import Alert, Cluster
from engine.client import Query
from noc_console.desk import Desk
from noc_console.filter import with_names
from noc_console.reading import Reading
from noc_console.safe_text import Safe

PAGE = 200
#: Clusters of active incidents that are asked for by number because they are not among the latest.
OTHERS_MOST = 1_000
_CHUNK = 100

#: A row: a cluster, an alert, or "there are more" under a cluster; with the number of the cluster or alert.
Key = tuple[Literal["cluster", "alert", "more"], int]


class ClusterTree:
    """`clusters` and `alerts` by number; `keys()` are the rows to show."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.clusters: dict[int, Cluster] = {}
        self.alerts: dict[int, Alert] = {}
        self.open: dict[int, Reading] = {}
        self.hits: Reading | None = None
        self.suppressed = False
        self._others: dict[int, Cluster] = {}
        self._folded: set[int] = set()

    # what is shown

    def keys(self) -> list[Key]:
        keys: list[Key] = []
        for number in self.clusters:
            keys.append(("cluster", number))
            if self.is_open(number):
                keys.extend(("alert", alert.id) for alert in self.members(number))
                if number in self.open and self.open[number].more:
                    keys.append(("more", number))
        return keys

    def is_open(self, number: int) -> bool:
        return number not in self._folded if self.hits is not None else number in self.open

    def members(self, number: int) -> list[Alert]:
        """The alerts of an open cluster that are shown, in the engine's order."""
        if self.hits is not None:
            return [alert for alert in self.hits.rows if alert.cluster == number]
        found = self.open.get(number)
        rows: Iterable[Alert] = found.rows if found is not None else ()
        here = [alert for alert in rows if alert.cluster == number]
        shown = [alert for alert in here if self.suppressed or not alert.suppressed]
        return shown or here

    def parent(self, key: Key) -> int | None:
        """The cluster that the row belongs to."""
        kind, number = key
        if kind != "alert":
            return number
        alert = self.alerts.get(number)
        return alert.cluster if alert is not None else None

    # reading

    def follow(self) -> None:
        """Take the latest clusters from the mirror, and of the others those whose incident is active."""
        active = self._desk.mirror.incidents
        if self.hits is None:
            kept = {n: c for n, c in self._others.items() if c.incident in active}
            found = {**kept, **self._desk.mirror.clusters}
            self.clusters = {number: cluster for number, cluster in found.items() if not self._is_left(cluster)}
        else:
            wanted = {alert.cluster for alert in self.hits.rows}
            known = {**self._others, **self._desk.mirror.clusters}
            self.clusters = {number: known[number] for number in wanted if number in known}
        for number in self.open.keys() - self.clusters.keys():
            del self.open[number]
        self._index()

    def _is_left(self, cluster: Cluster) -> bool:
        """Whether nothing is in it any more: emptied by hand, or its incident was taken into another one."""
        incident = self._desk.mirror.ended.get(cluster.incident)
        return not cluster.alerts or (incident is not None and incident.merged_into is not None)

    async def read_others(self) -> Safe:
        """Ask for clusters that are not among the latest. Answers what went wrong, "" for nothing."""
        if self.hits is None:
            wanted = {n for incident in self._desk.mirror.incidents.values() for n in incident.clusters}
        else:
            wanted = {alert.cluster for alert in self.hits.rows}
        missing = sorted(wanted - self._others.keys() - self._desk.mirror.clusters.keys(), reverse=True)[:OTHERS_MOST]
        for start in range(0, len(missing), _CHUNK):
            chunk = missing[start : start + _CHUNK]
            query = Query(kind="clusters", q=f"id in ({', '.join(map(str, chunk))})", limit=_CHUNK)
            reading = Reading(self._desk.client, query)
            await reading.load()
            if reading.problem:
                return reading.problem
            self._others.update({cluster.id: cluster for cluster in reading.rows})
        return Safe("")

    async def search(self, text: str) -> Safe:
        """Show only clusters with alerts that match; "" shows all again. Answers what went wrong."""
        if not text:
            self.hits = None
            return Safe("")
        hits = Reading(self._desk.client, _alerts(q=with_names(text, self._desk.names.sites), active=True, total=True))
        await hits.load()
        if hits.problem:
            return hits.problem
        self.hits, self._folded = hits, set()
        return await self.read_others()

    async def unfold(self, number: int) -> Safe:
        """Open a cluster, or read one more page of it. Answers what went wrong."""
        self._folded.discard(number)
        if self.hits is not None:
            return Safe("")
        if number in self.open:
            await self.open[number].extend()
        else:
            reading = Reading(self._desk.client, _alerts(cluster=number))
            await reading.load()
            if reading.problem:
                return reading.problem
            self.open[number] = reading
        self._index()
        return self.open[number].problem

    def fold(self, number: int) -> None:
        self._folded.add(number)
        self.open.pop(number, None)
        self._index()

    async def again(self) -> Safe:
        """Read anew what is open."""
        for reading in (self.hits,) if self.hits is not None else tuple(self.open.values()):
            await reading.load()
            if reading.problem:
                return reading.problem
        self._index()
        return Safe("")

    def _index(self) -> None:
        readings = [self.hits] if self.hits is not None else list(self.open.values())
        self.alerts = {alert.id: alert for reading in readings for alert in reading.rows}


def _alerts(q: str = "", cluster: int | None = None, active: bool | None = None, total: bool = False) -> Query:
    return Query(kind="alerts", q=q, cluster=cluster, active=active, sort="-severity", limit=PAGE, total=total)
