"""How much may run: one run per target, so many in an hour, none while the kill switch is on. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from data.nouns.playbooks import Execution, KillSwitch
from data.records import Incident
from engine.book import Draft

KILL_SWITCH = "playbooks"
#: Runs of one tenant at once, whatever they touch.
MOST_RUNNING = 16
HOUR = timedelta(hours=1)
FLOOD = timedelta(minutes=10)
_BEGUN = "playbooks.begun"
_HELD = "playbooks.held"
_BUILT = ""
#: States in which a run holds its targets. What nobody knows the outcome of holds them too.
_HOLDING = frozenset({"running", "unknown"})


def kill_switch(draft: Draft) -> KillSwitch | None:
    """The switch, while it is on."""
    found: KillSwitch | None = draft.noun("kill_switches", KILL_SWITCH)
    return found


class Full(NamedTuple):
    """A place that is held as often as it may be, for those who may hold it so often."""

    place: tuple[str, ...]
    most: int


def full(draft: Draft, run: Execution) -> Full | None:
    """The first place without room for this run; None: it may run."""
    held = _held(draft)
    runs = (run.tenant, _RUNS)
    if len(held.get(runs, ())) >= MOST_RUNNING:
        return Full(runs, MOST_RUNNING)
    most = run.definition.policy.per_target
    for target in run.targets:
        place = (run.tenant, _TARGET, target)
        if len(held.get(place, ())) >= most:
            return Full(place, most)
    return None


def note_targets(draft: Draft, run: Execution) -> frozenset[tuple[str, ...]]:
    """Keep the table of who holds what, before the run is written: a thousand that wait must not look at each other.
    → the places that it leaves."""
    old: Execution | None = draft.noun("executions", run.id)
    before, after = _places(old), _places(run)
    if before == after:
        return frozenset()
    held = _held(draft)
    for place in before - after:
        rest = held.get(place, frozenset()) - {run.id}
        if rest:
            draft.set(held, place, rest)
        else:
            draft.discard(held, place)
    for place in after - before:
        draft.set(held, place, held.get(place, frozenset()) | {run.id})
    return before - after


_RUNS, _TARGET = "runs", "target"


def _places(run: Execution | None) -> frozenset[tuple[str, ...]]:
    """What a run holds: its targets; and a place among those that run unless it only watches what came of it, or waits
    for people to say what did."""
    if run is None or run.state not in _HOLDING:
        return frozenset()
    targets = {(run.tenant, _TARGET, target) for target in run.targets}
    busy = run.state == "running" and run.phase != "verify"
    return frozenset({(run.tenant, _RUNS), *targets} if busy else targets)


def _held(draft: Draft) -> dict[Any, frozenset[str]]:
    """(tenant, …) → ids of the runs that hold it; built from what is kept the first time that it is asked for."""
    table: dict[Any, frozenset[str]] = draft.derived(_HELD)
    if _BUILT not in table:
        table[_BUILT] = frozenset()
        for run in draft.all_nouns("executions"):
            for place in _places(run):
                table[place] = table.get(place, frozenset()) | {run.id}
    return table


def begin_in_rate(draft: Draft, playbook: str, per_hour: int) -> bool:
    """Count one more run that a trigger begins; False when it has begun as many in the last hour as it may.

    The times are kept beside the records, from which they are read once: in a storm nobody counts them again and again.
    """
    since, key, table = draft.now - HOUR, (draft.tenant, playbook), draft.derived(_BEGUN)
    begun = table.get(key)
    if begun is None:
        begun = tuple(sorted(_begun(draft, playbook)))
    begun = tuple(at for at in begun if at > since)
    room = len(begun) < per_hour
    draft.set(table, key, (*begun, draft.now) if room else begun)
    return room


def _begun(draft: Draft, playbook: str) -> Iterator[datetime]:
    for run in draft.all_nouns("executions"):
        counts = run.started_at is not None or run.asks or run.state == "expired"
        if run.tenant == draft.tenant and run.playbook == playbook and run.triggered and counts:
            yield run.at


def flood(draft: Draft, most: int) -> bool:
    """Whether more incidents than `most` came up in the last ten minutes, whenever their sources say they began."""
    since, opened = draft.now - FLOOD, 0
    for incident in reversed(draft.book.incidents.values()):
        if incident.tenant == draft.tenant and _came_at(draft, incident) > since:
            opened += 1
            if opened > most:
                return True
    return False


def _came_at(draft: Draft, incident: Incident) -> datetime:
    """An incident counts from its source's start, which lies in the past where its sender was cut off, or lies."""
    root = draft.book.alerts.get(incident.root)
    return incident.opened_at if root is None else max(incident.opened_at, root.received_at)
