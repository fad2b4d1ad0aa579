"""Who has duty: turns of a rota, holidays, and overrides over both. Pure.

Turns are counted in days of the rota's own calendar and change hands at a time of its clocks, so that a turn over a
change to or from summer time is an hour shorter or longer. A handover that such a change skips is that much later; one
that it repeats is the first of the two (`engine.stages.maintenance` has the same rule).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from data.nouns.oncall import Override

#: Turns that one look ahead gives at most.
MOST_TURNS = 400


class Holiday(Struct, frozen=True):
    start: datetime
    end: datetime
    person: str


class Rota(Struct, frozen=True, kw_only=True):
    """`starts`: ordinal of a day on which a turn of the first person begins; `minute`: of the day, of the handover."""

    name: str
    people: tuple[str, ...]
    starts: int
    minute: int = 540
    days: int = 7
    time_zone: str = "UTC"
    holidays: tuple[Holiday, ...] = ()


class Turn(Struct, frozen=True, kw_only=True):
    """`person` has duty from `start` (included) to `end` (not included). `why` is a sentence for people."""

    rota: str
    person: str
    start: datetime
    end: datetime
    why: str


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def moment(ordinal: int, minute: int, time_zone: str) -> datetime:
    """That minute of that day by the clocks of the zone, in UTC."""
    local = datetime.fromordinal(ordinal).replace(hour=minute // 60, minute=minute % 60, tzinfo=_zone(time_zone))
    return local.astimezone(UTC)


def holidays(days: Iterable[tuple[str, str]], minute: int, time_zone: str) -> tuple[Holiday, ...]:
    """(day as 2026-12-25, person) → when each has duty, in order."""
    found = []
    for text, person in days:
        day = date.fromisoformat(text).toordinal()
        found.append(Holiday(moment(day, minute, time_zone), moment(day + 1, minute, time_zone), person))
    return tuple(sorted(found, key=lambda holiday: holiday.start))


def on_call(rota: Rota, overrides: Iterable[Override], at: datetime) -> Turn:
    """Who has duty at `at`. Of overrides that meet, the one that was made last holds."""
    mine = [one for one in overrides if one.rota == rota.name and one.state == "set"]
    turn = _planned(rota, at)
    holding = [one for one in mine if one.starts_at <= at < one.ends_at]
    if holding:
        last = max(holding, key=lambda one: (one.at, one.id))
        turn = replace(turn, person=last.person, start=last.starts_at, end=last.ends_at, why=_instead(turn, last))
    edges = [edge for one in mine for edge in (one.starts_at, one.ends_at)]
    start = max((edge for edge in edges if turn.start < edge <= at), default=turn.start)
    end = min((edge for edge in edges if at < edge < turn.end), default=turn.end)
    return replace(turn, start=start, end=end)


def _instead(turn: Turn, override: Override) -> str:
    words = "by a swap" if override.swap else "by an override"
    reason = f": {override.reason}" if override.reason else ""
    instead = f" instead of {turn.person}" if turn.person != override.person else ""
    return f"{override.person}{instead}, {words} of {override.by}{reason}"


def _planned(rota: Rota, at: datetime) -> Turn:
    """Whose turn it is by the plan."""
    start, end, number = _turn(rota, at)
    for holiday in rota.holidays:
        if holiday.start <= at < holiday.end:
            day = holiday.start.astimezone(_zone(rota.time_zone)).date()
            words = f"{holiday.person} has the holiday of {day}"
            return Turn(rota=rota.name, person=holiday.person, start=holiday.start, end=holiday.end, why=words)
        if holiday.end <= at:
            start = max(start, holiday.end)
        else:
            end = min(end, holiday.start)
            break
    person = rota.people[number % len(rota.people)]
    return Turn(rota=rota.name, person=person, start=start, end=end, why=f"{person}'s turn in {rota.name}")


def _turn(rota: Rota, at: datetime) -> tuple[datetime, datetime, int]:
    """Begin, end and number of the turn; the plan goes on before its first day as after it."""
    today = at.astimezone(_zone(rota.time_zone)).date().toordinal()
    number = (today - rota.starts) // rota.days
    if _begins(rota, number) > at:
        number -= 1
    return _begins(rota, number), _begins(rota, number + 1), number


def _begins(rota: Rota, number: int) -> datetime:
    return moment(rota.starts + number * rota.days, rota.minute, rota.time_zone)


def turns(rota: Rota, overrides: Sequence[Override], since: datetime, until: datetime) -> list[Turn]:
    """The turns that touch [since, until), in order, without gaps; at most `MOST_TURNS`."""
    found: list[Turn] = []
    at = since
    while at < until and len(found) < MOST_TURNS:
        turn = on_call(rota, overrides, at)
        last = found[-1] if found else None
        if last is not None and (last.person, last.why) == (turn.person, turn.why):
            found[-1] = replace(last, end=turn.end)
        else:
            found.append(turn)
        at = turn.end
    return found


def quiet_until(start: int, end: int, time_zone: str, at: datetime) -> datetime | None:
    """When the quiet hours end that hold at `at`; None when none do. `start` and `end` are minutes of the day, an end
    not after the start is on the next day."""
    today = at.astimezone(_zone(time_zone)).date()
    for back in (1, 0):
        day = (today - timedelta(days=back)).toordinal()
        over = moment(day + (end <= start), end, time_zone)
        if moment(day, start, time_zone) <= at < over:
            return over
    return None
