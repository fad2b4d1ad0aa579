"""wait_for_condition: go on once a query finds the incident, or fail when the step's time is over.

It is looked at on the line every second: a wait is a record and survives a restart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from data.query import QueryError
from engine.effects import Around
from engine.playbooks.actions import Act, Done, Failed, Idempotency, NotYet, Planned, Refusal, StepAction

if TYPE_CHECKING:
    from engine.book import Draft


class WaitParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`until` is a query on the incident."""

    until: Annotated[str, Meta(min_length=1, max_length=1000)]


class WaitForCondition(StepAction):
    name = "wait_for_condition"
    words = "Wait until a query finds the incident."
    params = WaitParams
    gives: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset()
    fixed = frozenset({"until"})

    def __init__(self, around: Around) -> None:
        """Needs nothing."""

    def idempotency(self, params: Any) -> Idempotency:
        return Idempotency.CHECK

    def on_line(self, params: Any) -> bool:
        return True

    def plan(self, params: WaitParams) -> Planned:
        from engine.rules import incident_test

        try:
            incident_test(params.until)
        except QueryError as error:
            raise Refusal(str(error), getattr(error, "remedy", "mend the query")) from error
        return Planned(targets=(), words=f"wait until {params.until[:200]}")

    def apply(self, draft: Draft, act: Act, params: WaitParams) -> Done:
        from engine.rules import incident_test

        incident = draft.book.incidents.get(act.incident)
        if incident is None:
            raise Failed("the incident has been put away")
        if not incident_test(params.until)(incident, draft.now):
            raise NotYet
        return Done()


STEP = WaitForCondition
