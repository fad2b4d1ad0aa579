"""Assign and note: who has it, and what is known."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from data.records import ENDED, AlertNotes, Note
from engine.acts.registry import Acting, act
from engine.reasons import ReasonCode
from engine.stages import dedup

#: Notes that a dedup key keeps, newest last, and alerts of an incident that a note is remembered for.
NOTES_KEPT = 20
ALERTS_NOTED = 200


class AssignParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`owner` "" takes the owner away."""

    owner: Annotated[str, Meta(max_length=128)]


class NoteParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=4096)]


@act("assign", capability="noc:ack", kinds="incident", params=AssignParams)
def assign(acting: Acting, params: AssignParams) -> None:
    """Give it to somebody (or to nobody)."""
    for incident in acting.incidents():
        acting.draft.record(incident.id, "assigned", acting.actor, params.owner or "nobody")
        updated = replace(incident, owner=params.owner, version=incident.version + 1)
        acting.draft.put_incident(updated, ReasonCode.BY_OPERATOR)
        acting.change("incident", incident.id)


@act("note", capability="noc:ack", kinds="incident alert", params=NoteParams)
def note(acting: Acting, params: NoteParams) -> None:
    """Write a note; it comes back when the same alert fires again."""
    draft = acting.draft
    written = Note(by=acting.actor, at=draft.now, text=params.text)
    for incident in acting.incidents():
        draft.record(incident.id, "note", acting.actor, params.text)
        updated = replace(incident, notes=incident.notes + 1, version=incident.version + 1)
        draft.put_incident(updated, ReasonCode.BY_OPERATOR)
        for alert, _ in zip(draft.members(incident.id), range(ALERTS_NOTED), strict=False):
            if alert.ended_at is None or incident.state not in ENDED or dedup.is_recent(draft, alert.ended_at):
                _remember(acting, alert.key, written)
        acting.change("incident", incident.id)
    for alert in acting.alerts():
        _remember(acting, alert.key, written)
        draft.put_alert(replace(alert, notes=(*alert.notes, written)[-NOTES_KEPT:]))
        draft.announce("alert", alert.id, "alert_updated", ReasonCode.BY_OPERATOR, alert.site)
        acting.change("alert", alert.id)


def _remember(acting: Acting, key: str, written: Note) -> None:
    draft = acting.draft
    old = draft.book.notes.get((draft.tenant, key))
    kept = (*(old.notes if old else ()), written)[-NOTES_KEPT:]
    draft.put_notes(AlertNotes(tenant=draft.tenant, key=key, notes=kept))
