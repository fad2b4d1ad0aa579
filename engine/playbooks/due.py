"""When a run is looked at next, so that one that waits costs nothing until its time comes or something changes. Pure.

Owns the times at which runs are due, whose change of which incident or alert wakes them, and the queues of those that
wait for room. All of it is learned from the records; a dropped draft takes it along, and it is learned anew with every
run due at once. Never writes a record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

from data.nouns.playbooks import EXECUTION_OVER, Execution
from data.records import AlertId, IncidentId, TenantId
from engine.book import Book, Draft
from engine.playbooks.limits import HOUR, Full, full

_NAME = "playbooks.due"
_KEPT = ""
_NEVER = float("inf")

#: Tenant and id of a run.
Key = tuple[TenantId, str]


class Turn(NamedTuple):
    """`number` is the order in which runs came: earlier ones go first."""

    number: int
    key: Key


_NOBODY: frozenset[Turn] = frozenset()


class Due:
    """`when` holds the time at which each run is due; what stands in `order` with another time is out of date."""

    def __init__(self) -> None:
        self.turns: dict[Key, Turn] = {}
        self.when: dict[Key, float] = {}
        self.order: list[tuple[float, Turn]] = []
        self.woken: set[Turn] = set()
        self.of_incident: dict[IncidentId, set[Turn]] = {}
        self.of_alert: dict[AlertId, set[Turn]] = {}
        self.blocked: dict[Key, Full] = {}
        #: Place → how often it may be held → who waits for that.
        self.queues: dict[tuple[str, ...], dict[int, list[Turn]]] = {}
        #: Where a place has become free since the queues were looked at.
        self.freed: set[tuple[str, ...]] = set()
        self._next = 0

    def turn(self, run: Execution) -> Turn:
        key = (run.tenant, run.id)
        found = self.turns.get(key)
        if found is None:
            found = self.turns[key] = Turn(self._next, key)
            self._next += 1
        return found

    def enter(self, run: Execution) -> Turn:
        """Have it come when its incident or its alert changes."""
        found = self.turn(run)
        if found not in self.of_incident.get(run.incident, _NOBODY):
            self.of_incident.setdefault(run.incident, set()).add(found)
        alert = run.facts.get("alert.id")
        if isinstance(alert, int):
            self.of_alert.setdefault(AlertId(alert), set()).add(found)
        return found

    def look_at(self, turn: Turn, moment: float) -> None:
        if self.when.get(turn.key) == moment:
            return
        self.when[turn.key] = moment
        if moment != _NEVER:
            heappush(self.order, (moment, turn))

    def wait(self, turn: Turn, place: Full | None) -> None:
        """Have it wait for room there; None: it waits for none."""
        if self.blocked.get(turn.key) == place:
            return
        if place is None:
            self.blocked.pop(turn.key, None)
        else:
            self.blocked[turn.key] = place
            heappush(self.queues.setdefault(place.place, {}).setdefault(place.most, []), turn)

    def drop_queue(self, place: Full) -> None:
        queues = self.queues[place.place]
        del queues[place.most]
        if not queues:
            del self.queues[place.place]

    def wake(self, incidents: Iterable[IncidentId], alerts: Iterable[AlertId]) -> None:
        """Look at those at the next tick whose incident or alert has changed."""
        if not self.turns:
            return
        for incident in incidents:
            self.woken |= self.of_incident.get(incident, _NOBODY)
        for alert in alerts:
            self.woken |= self.of_alert.get(alert, _NOBODY)

    def forget(self, run: Execution) -> None:
        turn = self.turns.pop((run.tenant, run.id), None)
        if turn is None:
            return
        self.when.pop(turn.key, None)
        self.blocked.pop(turn.key, None)
        _leave(self.of_incident, run.incident, turn)
        _leave(self.of_alert, run.facts.get("alert.id"), turn)

    def take(self, now: float) -> set[Turn]:
        """What is due or was woken; the rest stays."""
        found, self.woken = self.woken, set()
        while self.order and self.order[0][0] <= now:
            moment, turn = heappop(self.order)
            if self.when.get(turn.key) == moment:
                self.when[turn.key] = _NEVER
                found.add(turn)
        return found


def _leave(table: dict[Any, set[Turn]], subject: object, turn: Turn) -> None:
    turns = table.get(subject)
    if turns is not None:
        turns.discard(turn)
        if not turns:
            del table[subject]


def due_at(run: Execution) -> float:
    """When time alone may bring something about for this run: seconds since 1970, infinity for never."""
    if run.state in EXECUTION_OVER:
        moments = [None if run.ended_at is None else run.ended_at + HOUR]
    elif run.state == "pending":
        moments = [run.expires_at]
    elif run.state != "running":
        moments = []  # people decide
    elif run.phase == "verify":
        moments = [run.verify_until]
    else:
        if any(step.state == "waiting" for step in run.steps):
            return 0.0  # what it waits for may have to do with the time: at each tick
        moments = [step.lease_until for step in run.steps if step.state == "started"]
        if run.phase == "forward" and not run.cancelling:
            moments.append(run.deadline_at)
    return min((moment.timestamp() for moment in moments if moment is not None), default=_NEVER)


# -- the one of a Book


def _kept(draft: Draft) -> Due:
    """For changing it: should the draft be dropped, it goes too."""
    table = draft.derived(_NAME)
    found: Due | None = table.pop(_KEPT, None)
    if found is None:
        found = _learned(draft)
    draft.set(table, _KEPT, found)
    return found


def _learned(draft: Draft) -> Due:
    due = Due()
    for run in draft.all_nouns("executions"):
        due.woken.add(due.enter(run))
    return due


def note(draft: Draft, run: Execution) -> None:
    """A run was written, or looked at: look at it again when it is due (at the next tick where it is already) and when
    there is room for it."""
    due, moment = _kept(draft), due_at(run)
    turn = due.enter(run)
    if run.state in EXECUTION_OVER and moment <= draft.now.timestamp():
        moment = _NEVER  # it goes when its incident does
    due.look_at(turn, moment)
    waits = run.state == "pending" and run.asks == "target"
    place = full(draft, run) if waits else None
    due.wait(turn, place)
    if waits and place is None:
        due.woken.add(turn)


def forget(draft: Draft, run: Execution) -> None:
    _kept(draft).forget(run)


def freed(draft: Draft, place: tuple[str, ...]) -> None:
    _kept(draft).freed.add(place)


def forget_all(draft: Draft) -> None:
    """Look at every run at the next tick."""
    draft.discard(draft.derived(_NAME), _KEPT)


def watch(draft: Draft) -> None:
    """Once this draft is kept, wake whoever its incidents and alerts mean something to."""
    book, incidents, alerts = draft.book, draft.incidents, draft.alerts
    draft.learn(lambda: _wake(book, incidents, alerts))


def _wake(book: Book, incidents: Iterable[IncidentId], alerts: Iterable[AlertId]) -> None:
    due: Due | None = book.derived.get(_NAME, {}).get(_KEPT)
    if due is not None:  # else every run is looked at anyway
        due.wake(incidents, alerts)


def those_due(draft: Draft) -> list[Key]:
    """Runs to be looked at now, in the order in which they came. They are due no more: whoever looks makes a `note`."""
    due = _kept(draft)
    due.wake(draft.incidents, draft.alerts)
    return [turn.key for turn in sorted(due.take(draft.now.timestamp()))]


def those_with_room(draft: Draft) -> Iterator[Execution]:
    """Runs that waited for a place which has become free, in the order in which they came, each when it has room.

    Whoever takes one has it run before the next is asked for: it may take the room of those behind it."""
    due = _kept(draft)
    freed, due.freed = due.freed, set()
    heads = [
        (queue[0], Full(place, most)) for place in freed for most, queue in due.queues.get(place, {}).items() if queue
    ]
    heapify(heads)
    tenant = draft.tenant
    while heads:
        turn, place = heappop(heads)
        queue = due.queues[place.place][place.most]
        if queue[0] != turn:  # one that came before has come to wait here too
            heappush(heads, (queue[0], place))
            continue
        waits = due.blocked.get(turn.key) == place  # else it waits elsewhere by now, or no more
        run: Execution | None = draft.book.nouns["executions"].get(turn.key) if waits else None
        draft.tenant = turn.key[0]
        lacks = full(draft, run) if run is not None else None
        if lacks == place:
            continue  # it stays the first, and nobody behind it has room here
        heappop(queue)
        if queue:
            heappush(heads, (queue[0], place))
        else:
            due.drop_queue(place)
        if waits:
            due.wait(turn, lacks)
        if run is not None and lacks is None:
            yield run
    draft.tenant = tenant
