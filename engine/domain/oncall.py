"""On-call on the tick: steps and reminders that are due, held pages, questions of playbooks, and overrides."""

from __future__ import annotations

from msgspec.structs import replace

from engine.book import Draft
from engine.domain.registry import every
from engine.oncall.escalation import settle
from engine.oncall.pages import flush
from engine.oncall.questions import tell_of_questions
from engine.reasons import ReasonCode


@every(1.0)
def look_at_duty(draft: Draft) -> None:
    oncall = draft.rules.oncall
    if oncall is not None:
        settle(draft)
        tell_of_questions(draft, oncall)
        flush(draft, oncall)
    for override in draft.all_nouns("oncall_overrides"):
        if override.ends_at <= draft.now:
            draft.put_noun(replace(override, state="over"), ReasonCode.EXPIRED)
