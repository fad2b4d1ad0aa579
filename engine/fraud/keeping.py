"""The fraud state of a Book: tables in its derived dicts, each write also a profile that is stored.

Owns the way between the two, so that the state is the same after a restart as before it. Never computes a feature.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from data.nouns.fraud import AttendanceProfile, FraudTicket
from engine.book import Draft
from engine.fraud.history import FraudState

KIND = "attendance_profiles"
TICKET_AGAIN_S = 86_400.0
#: A profile that nothing was added to for so long is dropped.
KEEP = timedelta(days=180)

Tickets = dict[tuple[str, str], tuple[FraudTicket, ...]]


class Kept:
    """The state as one draft sees and writes it; the `Writer` of `engine.fraud.history`."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self.state = FraudState(
            persons=draft.derived("fraud.persons"),
            devices=draft.derived("fraud.devices"),
            confirmed=draft.derived("fraud.confirmed"),
        )
        self._tickets: Tickets = draft.derived("fraud.tickets")
        mark = draft.derived("fraud.restored")
        if not mark:
            mark["done"] = True
            self._restore()

    def put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        self._draft.set(table, key, value)
        name, part = self._place(table, key)
        profile = AttendanceProfile(tenant=key[0], id=name, at=self._draft.now, **{part: value})
        self._draft.put_noun(profile, announce=False)

    def drop(self, table: dict[Any, Any], key: Any) -> None:
        self._draft.discard(table, key)
        name, _ = self._place(table, key)
        self._draft.put_noun(
            AttendanceProfile(tenant=key[0], id=name, at=self._draft.now, state="dropped"), announce=False
        )

    def ticket(self, person: str, kind: str, at: float) -> str:
        """The ticket of the last 24 hours about this person and type of fraud, "" if there is none."""
        for known in self._tickets.get((self._draft.tenant, person), ()):
            if known.kind == kind and abs(at - known.at) < TICKET_AGAIN_S:
                return known.ticket
        return ""

    def opened(self, person: str, ticket: FraudTicket) -> None:
        key = (self._draft.tenant, person)
        others = (known for known in self._tickets.get(key, ()) if known.kind != ticket.kind)
        self.put(self._tickets, key, (*others, ticket)[-16:])

    def _place(self, table: dict[Any, Any], key: tuple[str, ...]) -> tuple[str, str]:
        """Id and field of the profile."""
        if table is self.state.persons:
            return f"person:{key[1]}", "history"
        if table is self.state.devices:
            return f"device:{key[1]}", "uses"
        if table is self._tickets:
            return f"tickets:{key[1]}", "tickets"
        return f"confirmed:{key[1]}:{key[2]}", "confirmed"

    def _restore(self) -> None:
        """Fill the tables from what is stored; that is committed or of this draft's own kept predecessors."""
        for profile in self._draft.all_nouns(KIND):
            kind, _, rest = profile.id.partition(":")
            if profile.history is not None:
                self.state.persons[profile.tenant, rest] = profile.history
            elif kind == "device":
                self.state.devices[profile.tenant, rest] = profile.uses
            elif kind == "tickets":
                self._tickets[profile.tenant, rest] = profile.tickets
            elif kind == "confirmed":
                about, _, id = rest.partition(":")
                self.state.confirmed[profile.tenant, about, id] = profile.confirmed


def forget_old(draft: Draft) -> None:
    """Drop the profiles that are older than KEEP."""
    kept = Kept(draft)
    tables: dict[str, dict[Any, Any]] = {"person": kept.state.persons, "device": kept.state.devices}
    for profile in draft.all_nouns(KIND):
        if draft.now - profile.at <= KEEP:
            continue
        kind, _, rest = profile.id.partition(":")
        draft.tenant = profile.tenant
        if kind in tables:
            draft.discard(tables[kind], (profile.tenant, rest))
        draft.put_noun(replace(profile, at=draft.now, state="dropped"), announce=False)


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
