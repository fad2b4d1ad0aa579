"""assign_resource: give the incident to somebody; a rollback gives it back, unless it has gone on since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from data.records import ENDED, Incident
from engine.effects import Around
from engine.playbooks.actions import Act, Done, Failed, Idempotency, Planned, StepAction

if TYPE_CHECKING:
    from engine.book import Draft


class AssignParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    assignee: Annotated[str, Meta(min_length=1, max_length=200)]


class AssignResource(StepAction):
    name = "assign_resource"
    words = "Give the incident to somebody."
    params = AssignParams
    gives = frozenset({"assignee"})
    free: frozenset[str] = frozenset()

    def __init__(self, around: Around) -> None:
        """Needs nothing."""

    def idempotency(self, params: Any) -> Idempotency:
        return Idempotency.SAFE

    def on_line(self, params: Any) -> bool:
        return True

    def plan(self, params: AssignParams) -> Planned:
        return Planned(targets=(), words=f"give the incident to {params.assignee}")

    def apply(self, draft: Draft, act: Act, params: AssignParams) -> Done:
        incident = _open(draft, act)
        _give(draft, act, incident, params.assignee)
        return Done(output={"assignee": params.assignee}, undo={"owner": incident.owner})

    def take_back(self, draft: Draft, act: Act, params: AssignParams, undo: Mapping[str, Any]) -> Done:
        incident = _open(draft, act)
        if incident.owner == params.assignee:
            _give(draft, act, incident, undo["owner"])
        return Done(output={"assignee": draft.book.incidents[act.incident].owner})


def _open(draft: Draft, act: Act) -> Incident:
    incident = draft.book.incidents.get(act.incident)
    if incident is None or incident.state in ENDED:
        raise Failed("the incident is over")
    return incident


def _give(draft: Draft, act: Act, incident: Incident, owner: str) -> None:
    from engine.reasons import ReasonCode

    if incident.owner != owner:
        draft.record(incident.id, "assigned", actor=f"playbook/{act.playbook}", text=owner)
        draft.put_incident(replace(incident, owner=owner, version=incident.version + 1), ReasonCode.BY_PLAYBOOK)


STEP = AssignResource
