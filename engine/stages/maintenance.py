"""Maintenance windows: recurring silences from the configuration, right across time zones and clock changes.

When a window begins, its occurrence becomes a silence of its own ("maintenance/<name>/<date>"), so that everything
that knows silences (preview, list, why, expiry computed from stored times) knows maintenance too. Start and end are
wall-clock times of the window's zone: a time that a clock change skips is moved forward, one that it repeats is the
first of the two. A window whose end would not be after its moved start keeps its length, so that it happens once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from data.records import Silence, TenantId
from engine.book import Draft
from engine.rules import Window
from engine.stages import mute

#: Who made the silences of maintenance windows.
MAINTENANCE = "maintenance"
_DAY_MINUTES = 24 * 60


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def occurrences(window: Window, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """(start, end) in UTC of the occurrences that hold at `now`."""
    zone = _zone(window.time_zone)
    today = now.astimezone(zone).date()
    for back in (1, 0):
        day = today - timedelta(days=back)
        if day.weekday() not in window.days:
            continue
        start = _moment(day.toordinal(), window.start_minute, zone)
        over = window.end_minute <= window.start_minute
        end = _moment(day.toordinal() + over, window.end_minute, zone)
        if end <= start:
            end = start + timedelta(minutes=(window.end_minute - window.start_minute) % _DAY_MINUTES)
        if start <= now < end:
            yield start, end


def _moment(ordinal: int, minute: int, zone: ZoneInfo) -> datetime:
    local = datetime.fromordinal(ordinal).replace(hour=minute // 60, minute=minute % 60, tzinfo=zone)
    return local.astimezone(UTC)


def maintain(draft: Draft) -> None:
    """Let the windows that hold now be silences, of every tenant that has alerts."""
    for window in draft.rules.maintenance:
        for start, end in occurrences(window, draft.now):
            name = f"{MAINTENANCE}/{window.name}/{start:%Y-%m-%dT%H:%M}"
            for tenant in {draft.tenant: None, **dict.fromkeys(draft.book.current)}:
                if name not in draft.book.silences.get(tenant, {}):
                    _begin(draft, tenant, _silence(draft, name, window, start, end))


def _begin(draft: Draft, tenant: TenantId, silence: Silence) -> None:
    own, draft.tenant = draft.tenant, tenant
    draft.put_silence(replace(silence, tenant=tenant), "silence_created")
    mute.resilence(draft, (silence,))
    draft.book.at(silence.ends_at, "silence", silence.id)
    draft.tenant = own


def _silence(draft: Draft, name: str, window: Window, start: datetime, end: datetime) -> Silence:
    return Silence(
        id=name,
        tenant=draft.tenant,
        matchers=window.matchers,
        starts_at=start,
        ends_at=end,
        created_by=MAINTENANCE,
        comment=window.name,
        updated_at=draft.now,
    )
