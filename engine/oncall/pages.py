"""Pages: telling a person of an incident, at once or, in a flood, together with others. Pure.

A page is a record and, for each way in which the person is reached, one effect under a key of its own, both in the
commit of the step that asked for it: whatever crashes, a step tells everybody once. Owns both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Literal

from msgspec.structs import replace

from data.nouns.oncall import Escalation, Page
from data.records import Effect, Incident
from engine.book import Draft
from engine.oncall.rules import OnCall, Way
from engine.reasons import ReasonCode
from engine.stages.notify import summary

#: The action that delivers (`engine/actions/page.py`).
ACTION = "page"
FLOOD = timedelta(minutes=10)
#: Incidents that one message names; more are counted.
MOST_TOLD = 50
_RECENT = "oncall.pages"
_TEXT_CHARS = 2000


def page(
    draft: Draft,
    oncall: OnCall,
    escalation: Escalation,
    person: str,
    *,
    kind: Literal["step", "reminder", "approval"],
    text: str,
    channels: frozenset[str] = frozenset(),
) -> tuple[Escalation, Page]:
    """Tell a person → the escalation with the page counted, and the page."""
    number = escalation.pages + 1
    made = Page(
        tenant=escalation.tenant,
        id=f"{escalation.id}-{escalation.at:%Y%m%dT%H%M%S%f}-{number}",
        at=draft.now,
        person=person,
        incident=escalation.incident,
        site=escalation.site,
        severity=escalation.severity,
        escalation=escalation.id,
        kind=kind,
        text=text[:_TEXT_CHARS],
        ways=tuple(way.words for way in _ways(oncall, person, channels)),
    )
    if made.ways and _flooded(draft, oncall, person):
        made = replace(made, state="held")
        draft.put_noun(made, ReasonCode.NEW)
    else:
        made = replace(made, sent_at=draft.now)
        _send(draft, oncall, [made])
    return replace(escalation, pages=number), made


def _ways(oncall: OnCall, person: str, channels: frozenset[str]) -> list[Way]:
    return [way for way in oncall.contacts.get(person, ()) if not channels or way.channel in channels]


def _flooded(draft: Draft, oncall: OnCall, person: str) -> bool:
    """Count a page; whether this person had more than enough in the last ten minutes."""
    table, place = draft.derived(_RECENT), (draft.tenant, person)
    recent = tuple(at for at in table.get(place, ()) if at > draft.now - FLOOD)[-oncall.flood_pages :]
    draft.set(table, place, (*recent, draft.now))
    return len(recent) >= oncall.flood_pages


def flush(draft: Draft, oncall: OnCall) -> None:
    """Send what was held for long enough, one message per person and way; what nobody needs to hear any more is
    dropped."""
    groups: dict[Any, list[Page]] = {}
    for held in draft.all_nouns("pages"):
        groups.setdefault((held.tenant, held.person, held.ways), []).append(held)
    for (tenant, *_), group in groups.items():
        if group[0].at + timedelta(seconds=oncall.batch_seconds) > draft.now:
            continue
        draft.tenant = tenant
        due = []
        for held in group:
            if _needed(draft, held) and _known(oncall, held):
                due.append(replace(held, state="sent", sent_at=draft.now, batch=group[0].id))
            else:
                draft.put_noun(replace(held, state="dropped"), ReasonCode.EXPIRED)
        if due:
            _send(draft, oncall, due)


def _needed(draft: Draft, held: Page) -> bool:
    escalation: Escalation | None = draft.noun("escalations", held.escalation)
    if escalation is None:
        return False
    return held.kind == "reminder" or escalation.state in ("waiting", "quiet", "exhausted")


def _known(oncall: OnCall, page: Page) -> list[Way]:
    """The ways of a page that still are ways of its person."""
    ways = oncall.contacts.get(page.person, ())
    # What was held by an engine that still kept addresses in pages names them.
    return [way for way in ways if way.words in page.ways or f"{way.channel} {way.to}" in page.ways]


def _send(draft: Draft, oncall: OnCall, told: Sequence[Page]) -> None:
    """One effect per way for these pages of one person, and the pages as sent."""
    first = told[0]
    incidents = [
        incident for one in told[:MOST_TOLD] if (incident := draft.book.incidents.get(one.incident)) is not None
    ]
    for way in _known(oncall, first):
        params = {
            "event": "paged",
            "webhook": way.to if way.channel == "webhook" else "",
            "email": way.to if way.channel == "email" else "",
            "person": first.person,
            "title": _title(told),
            "text": _text(told),
            "incident": summary(incidents[0]) if incidents else {"id": first.incident},
            "incidents": [summary(incident) for incident in incidents[1:]],
            "pages": len(told),
        }
        lane = way.to if way.channel == "webhook" else "@"
        draft.effects.append(
            Effect(
                key=f"{ACTION}/{lane}/{first.batch or first.id}/{first.id}",
                tenant=first.tenant,
                action=ACTION,
                params=params,
                created_at=draft.now,
                incident=first.incident,
            )
        )
    for one in told:
        draft.put_noun(one, ReasonCode.NEW)


def _title(told: Sequence[Page]) -> str:
    if len(told) > 1:
        return f"{len(told)} pages: {', '.join(f'I-{number}' for number in _numbers(told)[:5])} …"
    return f"I-{told[0].incident} {told[0].severity}"


def _text(told: Sequence[Page]) -> str:
    lines = [one.text for one in told[:MOST_TOLD]]
    more = len(told) - len(lines)
    return "\n".join([*lines, *([f"and {more} more"] if more else [])])


def _numbers(told: Iterable[Page]) -> list[int]:
    return list(dict.fromkeys(one.incident for one in told))


def words_of(incident: Incident) -> str:
    """The incident in one line of a page."""
    where = f" at {incident.site}" if incident.site else ""
    return f"I-{incident.id} {incident.severity}: {incident.title[:500]}{where}"
