"""The board: the committed picture of what is active, in memory.

Follows the commits one by one and never runs ahead of them. The Alertmanager face, the preview of a silence and
the health line read it; everything that needs history asks the store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

from data.ports import Commit
from data.records import ENDED, Alert, AlertId, Incident, IncidentId, IncidentState, Severity, Silence, TenantId
from data.restricted import ALERTS, of_names
from data.scope import Scope
from engine.book import Book

#: How long the Alertmanager face lists a silence that is over.
SILENCES_SHOWN = timedelta(days=5)
_NOTHING: Mapping[AlertId, Alert] = {}


class Figures:
    """Counts of one tenant: firing alerts by severity, incidents by severity that are open or acknowledged and not
    shelved, incidents that are not over by state."""

    def __init__(self) -> None:
        self.alerts: Counter[Severity] = Counter()
        self.incidents: Counter[Severity] = Counter()
        self.states: Counter[str] = Counter()
        self.silenced = 0
        self.flapping = 0
        self.shelved = 0

    def copy(self) -> Figures:
        other = Figures()
        other.alerts, other.incidents = Counter(self.alerts), Counter(self.incidents)
        other.states = Counter(self.states)
        other.silenced, other.flapping, other.shelved = self.silenced, self.flapping, self.shelved
        return other

    def alert(self, alert: Alert, sign: int) -> None:
        self.alerts[alert.severity] += sign
        if alert.silenced_by:
            self.silenced += sign
        if alert.flapping:
            self.flapping += sign

    def incident(self, incident: Incident, sign: int) -> None:
        self.states[incident.state] += sign
        self.shelved += sign * (incident.shelved_until is not None)
        if incident.state is not IncidentState.RETURNED and incident.shelved_until is None:
            self.incidents[incident.severity] += sign


def _may(scope: Scope, thing: Alert | Incident) -> bool:
    needed = of_names((thing.name,) if isinstance(thing, Alert) else thing.names)
    return not needed or scope.may(needed)


def _counts_alike(old: Alert, new: Alert) -> bool:
    return (
        old.severity is new.severity and old.flapping is new.flapping and bool(old.silenced_by) is bool(new.silenced_by)
    )


class CommittedBoard:
    """Active alerts, open incidents and silences by tenant, with their counts."""

    def __init__(self) -> None:
        self._alerts: dict[TenantId, dict[AlertId, Alert]] = {}
        self._incidents: dict[IncidentId, Incident] = {}
        self._silences: dict[TenantId, dict[str, Silence]] = {}
        self._figures: dict[TenantId, Figures] = {}
        #: Of these, what takes a capability of its own: `data.restricted`.
        self._restricted: dict[tuple[str, int], Alert | Incident] = {}

    def load(self, book: Book) -> None:
        """Start over from a Book that was just loaded."""
        self._alerts, self._incidents, self._figures, self._restricted = {}, {}, {}, {}
        for alert in book.active():
            self._put_alert(alert)
        for incident in book.incidents.values():
            self._put_incident(incident)
        self._silences = {tenant: dict(silences) for tenant, silences in book.silences.items()}

    def apply(self, commit: Commit, book: Book) -> None:
        """Take over what was just committed."""
        for alert in commit.alerts:
            self._put_alert(alert)
        for touch in commit.touches:
            touched = book.alerts.get(touch.id)
            if touched is not None:
                self._put_alert(touched)
        for incident in commit.incidents:
            self._put_incident(incident)
        for counted in commit.incident_touches:
            self._put_incident(book.incidents[counted.id])
        for silence in commit.silences:
            mine = self._silences.setdefault(silence.tenant, {})
            mine[silence.id] = silence
            for name in [name for name, old in mine.items() if old.ends_at < commit.at - SILENCES_SHOWN]:
                del mine[name]

    def alerts(self, tenant: TenantId) -> Mapping[AlertId, Alert]:
        return self._alerts.get(tenant, _NOTHING)

    def silences(self, tenant: TenantId) -> Mapping[str, Silence]:
        return self._silences.get(tenant, {})

    def incident(self, number: str) -> Incident | None:
        """The open incident of this number, or None."""
        return self._incidents.get(IncidentId(int(number))) if number.isascii() and number.isdigit() else None

    def figures(self, scope: Scope) -> Figures:
        """Counts of what the scope sees."""
        if scope.sites is None:
            return self._less_restricted(scope, self._figures.get(scope.tenant) or Figures())
        figures = Figures()
        for alert in self.alerts(scope.tenant).values():
            if scope.sees(alert.site) and _may(scope, alert):
                figures.alert(alert, 1)
        for incident in self._incidents.values():
            here = incident.tenant == scope.tenant and any(scope.sees(site) for site in incident.sites or ("",))
            if here and _may(scope, incident):
                figures.incident(incident, 1)
        return figures

    def _less_restricted(self, scope: Scope, whole: Figures) -> Figures:
        """`whole` without what takes a capability that the scope lacks."""
        mine = (thing for thing in self._restricted.values() if thing.tenant == scope.tenant)
        hidden = [thing for thing in mine if not _may(scope, thing)]
        if not hidden:
            return whole
        figures = whole.copy()
        for thing in hidden:
            if isinstance(thing, Alert):
                figures.alert(thing, -1)
            else:
                figures.incident(thing, -1)
        return figures

    def _put_alert(self, alert: Alert) -> None:
        mine = self._alerts.get(alert.tenant)
        if mine is None:
            mine = self._alerts[alert.tenant] = {}
        old = mine.get(alert.id)
        if alert.name in ALERTS:
            self._restricted.pop(("alert", alert.id), None)
            if alert.ended_at is None and alert.incident:
                self._restricted["alert", alert.id] = alert
        shown = alert.ended_at is None and alert.incident
        if shown:
            mine[alert.id] = alert
        elif old is not None:
            del mine[alert.id]
        if old is not None and shown and _counts_alike(old, alert):
            return
        figures = self._figures.get(alert.tenant) or self._of(alert.tenant)
        if old is not None:
            figures.alert(old, -1)
        if shown:
            figures.alert(alert, 1)

    def _put_incident(self, incident: Incident) -> None:
        old = self._incidents.pop(incident.id, None)
        if of_names(incident.names):
            self._restricted.pop(("incident", incident.id), None)
            if incident.state not in ENDED:
                self._restricted["incident", incident.id] = incident
        figures = self._of(incident.tenant)
        if old is not None:
            figures.incident(old, -1)
        if incident.state not in ENDED:
            self._incidents[incident.id] = incident
            figures.incident(incident, 1)

    def _of(self, tenant: TenantId) -> Figures:
        found = self._figures.get(tenant)
        if found is None:
            found = self._figures[tenant] = Figures()
        return found
