"""Signs of life: what people do and what happens at sites, counted in windows of five minutes.

Owns the windows, a person's last sign, and the alert of a guard who gives none. Never judges what the signs mean for
other alerts: that is `engine.domain.correlation`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zlib import crc32

from msgspec.structs import replace

from data.nouns.signals import SignalWindow
from data.nouns.world import Person
from engine.book import Draft
from engine.domain import known
from engine.domain.alerts import About, clear, fire
from engine.domain.events import ActivityData, AttendanceData, DomainEvent, TourData
from engine.domain.merging import latest
from engine.domain.registry import every, on
from engine.domain.rhythm import listening_since
from engine.domain.settings import rules_of

WINDOW_SECONDS = 300
#: Windows are kept open for late news, and at hand for alerts, for so long after they began.
OPEN = timedelta(minutes=75)
#: Things that one window counts; a sender of more adds nothing to what is known.
SEEN = 256
EntityType = Literal["person", "site"]


@on("noc.activity", order=10)
def activity(draft: Draft, event: DomainEvent) -> None:
    data: ActivityData = event.data  # type: ignore[assignment]
    known.device(draft, data.device, event.at)
    amount = data.metres if data.kind == "movement" and data.metres is not None else float(data.count)
    count(draft, event.at, data.kind, amount, data.person, data.site)
    if data.kind == "sos":
        about = about_person(data.person, data.site or where(draft, data.person))
        fire(draft, "guard_sos", about, title=f"{data.person} calls for help", since=event.at)


@on("noc.tour", order=50)
def scanned(draft: Draft, event: DomainEvent) -> None:
    data: TourData = event.data  # type: ignore[assignment]
    if data.action == "scan":
        tour = draft.noun("tours", data.id)
        person = data.person or (tour.person if tour is not None else "")
        count(draft, event.at, "checkpoint", 1.0, person, data.site or (tour.site if tour is not None else ""))


@on("noc.attendance", order=50)
def checked(draft: Draft, event: DomainEvent) -> None:
    data: AttendanceData = event.data  # type: ignore[assignment]
    count(draft, event.at, f"check_{data.kind}", 1.0, data.person, data.site)
    if data.kind == "out":
        clear(draft, "guard_inactive", about_person(data.person, data.site), at=event.at)


def about_person(person: str, site: str) -> About:
    return About(entity=person, entity_type="person", site=site, parts={"person": person})


def where(draft: Draft, person: str) -> str:
    """The site that the person is at, as far as is known."""
    found: Person | None = draft.noun("people", person)
    if found is None:
        return ""
    return found.on_site or (found.sites[0] if found.sites else "")


def count(  # noqa: PLR0917 - one sign: when, what, how much, whose, where
    draft: Draft, at: datetime, kind: str, amount: float, person: str, site: str
) -> None:
    """Count a sign for its person and its site."""
    mark = crc32(f"{kind}/{at.timestamp()}/{amount}/{person}".encode("utf-8", "surrogatepass"))
    if person:
        _sign_of(draft, person, at, site)
        _count(draft, "person", person, site, (at, kind, amount, mark))
    if site:
        known.site(draft, site, at)
        _count(draft, "site", site, site, (at, kind, amount, mark))


def _sign_of(draft: Draft, id: str, at: datetime, site: str) -> None:
    person = known.person(draft, id, at)
    if person is not None and (person.last_seen is None or at > person.last_seen):
        draft.put_noun(replace(person, last_seen=at))
        clear(draft, "guard_inactive", about_person(id, site), at=at)


def window_id(entity_type: EntityType, entity: str, at: datetime) -> str:
    return f"{entity_type}:{entity}:{int(at.timestamp()) // WINDOW_SECONDS}"


def _count(
    draft: Draft, entity_type: EntityType, entity: str, site: str, sign: tuple[datetime, str, float, int]
) -> None:
    at, kind, amount, mark = sign
    if at + OPEN <= draft.now:
        return
    id = window_id(entity_type, entity, at)
    found: SignalWindow | None = draft.noun("signals", id)
    if found is None:
        slot = int(at.timestamp()) // WINDOW_SECONDS * WINDOW_SECONDS
        found = SignalWindow(
            tenant=draft.tenant,
            id=id,
            at=datetime.fromtimestamp(slot, UTC),
            entity=entity,
            entity_type=entity_type,
            site=site,
            kinds={kind: amount},
            first_at=at,
            last_at=at,
            seen=(mark,),
        )
    elif mark in found.seen or len(found.seen) >= SEEN:
        return
    else:
        found = replace(
            found,
            site=max(found.site, site),
            kinds={**found.kinds, kind: round(found.kinds.get(kind, 0.0) + amount, 3)},
            first_at=min(found.first_at, at),
            last_at=max(found.last_at, at),
            seen=tuple(sorted((*found.seen, mark))),
        )
    draft.put_noun(found)


def windows(
    draft: Draft, entity_type: EntityType, entity: str, since: datetime, until: datetime
) -> list[SignalWindow]:
    """The windows of a person or site that touch a span of time, oldest first."""
    first, last = int(since.timestamp()) // WINDOW_SECONDS, int(until.timestamp()) // WINDOW_SECONDS
    ids = (f"{entity_type}:{entity}:{slot}" for slot in range(first, last + 1))
    found: list[Any] = [draft.noun("signals", id) for id in ids]
    return [window for window in found if window is not None]


@every(60.0)
def close_windows(draft: Draft) -> None:
    """Old windows leave memory."""
    for window in draft.all_nouns("signals"):
        if window.at + OPEN <= draft.now:
            draft.put_noun(replace(window, state="closed"))


@every(60.0)
def look_for_silent_guards(draft: Draft) -> None:
    """A guard on shift who gives no sign at all."""
    limit = timedelta(seconds=rules_of(draft).inactive_seconds)
    for person in draft.all_nouns("people"):
        if not person.on_site or person.role != "guard":
            continue
        draft.tenant = person.tenant
        last = latest(person.last_seen, person.on_site_since, listening_since(draft))
        if last is not None and draft.now - last >= limit and on_shift(draft, person):
            about = about_person(person.id, person.on_site)
            title = f"No sign of {person.name or person.id} since {last:%H:%M} UTC"
            fire(draft, "guard_inactive", about, title=title, since=last + limit)


def on_shift(draft: Draft, person: Person) -> bool:
    """Checked in, and not so long ago that a check-out must have been forgotten."""
    return person.on_site_since is not None and draft.now - person.on_site_since < timedelta(hours=16)
