"""Posts that will be short of people when a shift begins within four hours.

Owns the six features and their columns, what is remembered of who comes, and the probability without a model: the
chance that more of the people who are due stay away than can be spared, each of them staying away by chance (a binomial
tail). It fails where absences come together, as in an illness or a strike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import comb, isnan
from typing import Any

from msgspec import Struct

from data.nouns.world import Shift, Site
from data.records import TenantId
from engine.book import Draft
from engine.domain import staffing
from engine.domain.calendar import local_day
from engine.domain.settings import rules_of
from engine.predictors import staffing_memory
from engine.predictors.memory import TYPES, Shares, log_odds
from engine.predictors.predictor import Acts, Happened, Predictor, Row, Thing

HORIZON = timedelta(hours=4)
FEATURES = (
    "scheduled",
    "attendance_rate",
    "time_to_shift",
    "site_criticality",
    "known_absences",
    "no_show_rate",
    *(f"no_show_rate.{name}" for name in staffing_memory.COLUMNS),
)
#: Share of people who stay away before anything is known, and over how long it is forgotten.
STAYS_AWAY, HALF_LIFE_S = 0.05, 60 * 86_400.0
_GROUPS, _DECIDED = "predictions.posts", "predictions.decided"
#: After a start posts whose shift began longer ago are not learned from again.
_FRESH = timedelta(minutes=15)
_MOST = 20_000

#: A post of a site with the second at which its shift begins.
Key = tuple[TenantId, str, str, float]


class Post(Struct, frozen=True, kw_only=True, gc=False):
    """The people due at one post of a site at one moment. `decides_at`: from then on who is not there is missing."""

    tenant: TenantId
    site: str
    name: str
    starts_at: datetime
    decides_at: datetime
    required: int
    criticality: int
    zone: str
    shifts: tuple[Shift, ...]

    @property
    def due(self) -> tuple[Shift, ...]:
        return tuple(shift for shift in self.shifts if shift.state in ("scheduled", "present"))

    @property
    def away(self) -> int:
        return sum(shift.state == "absent" and shift.announced == "absent" for shift in self.shifts)

    def there(self) -> int:
        """How many were there in time."""
        return sum(came(shift, self.decides_at) for shift in self.shifts)


def came(shift: Shift, until: datetime) -> bool:
    return shift.state != "cancelled" and shift.checked_in_at is not None and shift.checked_in_at <= until


# -- what is learned


def learn(draft: Draft, of: Post) -> None:
    """Who of those that were due was there in time. Once per post and beginning."""
    decided = draft.derived(_DECIDED)
    key = (of.tenant, of.site, of.name, of.starts_at.timestamp())
    if key in decided or draft.now - of.decides_at > _FRESH:
        return
    draft.set(decided, key, True)
    if len(decided) > _MOST:
        draft.discard(decided, next(iter(decided)))
    staffing_memory.learn(draft, _slot(of), of.there(), of.required)
    shares = Shares(draft, TYPES, HALF_LIFE_S)
    for shift in of.shifts:
        if shift.announced == "scheduled" and shift.state != "cancelled":
            away = float(not came(shift, of.decides_at))
            for part in _parts(of, shift):
                shares.add((of.tenant, *part), away)


def _parts(of: Post, shift: Shift) -> tuple[tuple[str, str], ...]:
    return (
        ("away", ""),
        ("away_site", of.site),
        ("away_person", shift.person or of.site),
        ("away_day", _day(of)),
        ("away_site_day", f"{of.site}/{_day(of)}"),
    )


def _day(of: Post) -> str:
    """The day of the week at the site, Monday 0."""
    return str(local_day(of.starts_at, of.zone).weekday())


# -- the row


def row(draft: Draft, thing: Thing) -> Row:
    of: Post = thing.record
    shares = Shares(draft, TYPES, HALF_LIFE_S)
    whole = shares.of((of.tenant, "away", ""), STAYS_AWAY, 50.0)
    site = shares.of((of.tenant, "away_site", of.site), whole, 20.0)
    due = of.due
    away = [shares.of((of.tenant, "away_person", shift.person), site, 10.0) for shift in due if shift.person]
    day = shares.of((of.tenant, "away_day", _day(of)), whole, 50.0)
    return (
        float(len(due) - of.required),
        1.0 - (sum(away) / len(away) if away else site),
        (of.starts_at - draft.now).total_seconds() / 3600.0,
        float(of.criticality),
        float(of.away),
        shares.of((of.tenant, "away_site_day", f"{of.site}/{_day(of)}"), day, 20.0),
        *staffing_memory.columns(draft, _slot(of), PREDICTOR.prior),
    )


def _slot(of: Post) -> staffing_memory.Slot:
    return staffing_memory.Slot(of.tenant, of.site, of.name, of.starts_at, of.zone)


# -- without a model


def margin(values: Row, share: float, thing: Thing | None = None) -> float:
    """Log odds that more stay away than can be spared. Whoever has checked in comes.

    >>> spare, short = (1.0, 0.95, 2.0, 3.0, 0.0, 0.05), (-1.0, 0.95, 2.0, 3.0, 1.0, 0.05)
    >>> margin(spare, 0.1) < margin(short, 0.1)
    True
    """
    slack, attendance, _, _, _, no_show = values[:6]
    slack = 0.0 if isnan(slack) else slack
    of: Post | None = thing.record if thing is not None else None
    people = len(of.due) if of is not None else max(1, 2 + int(slack))
    there = sum(shift.state == "present" for shift in of.due) if of is not None else 0
    away = ((1.0 - attendance) + no_show) / 2.0 if not isnan(no_show) else 1.0 - attendance
    return log_odds(_tail(people - there, int(slack) + 1, away))


def _tail(number: int, least: int, chance: float) -> float:
    """The chance that at least `least` of so many stay away."""
    if least <= 0:
        return 0.97
    if least > number:
        return 0.002
    return sum(
        comb(number, away) * chance**away * (1.0 - chance) ** (number - away) for away in range(least, number + 1)
    )


def words(name: str, value: float) -> str:
    """
    >>> words("scheduled", -1.0)
    '1 fewer planned than needed'
    """
    if isnan(value):
        return f"{name.replace('_', ' ')} is not known"
    return _WORDS[name](value)


def _scheduled(value: float) -> str:
    if not value:
        return "just as many planned as needed"
    return f"{abs(value):.0f} {'more' if value > 0 else 'fewer'} planned than needed"


_WORDS: Mapping[str, Callable[[float], str]] = {
    "scheduled": _scheduled,
    "attendance_rate": lambda value: f"those who are due come {100.0 * value:.0f} % of the time",
    "time_to_shift": lambda value: f"{value:.1f} h until the shift",
    "site_criticality": lambda value: f"criticality {value:.0f} of 5",
    "known_absences": lambda value: f"{value:.0f} known absences",
    "no_show_rate": lambda value: f"{100.0 * value:.0f} % stay away on such a day",
}


def action(values: Row, thing: Thing) -> str:
    of: Post = thing.record
    short = max(1, of.required - len(of.due))
    if values[0] < 0:
        return f"Find {short} more for post {of.name} at {of.site} before {of.starts_at:%H:%M} UTC"
    return f"Have somebody on call for post {of.name} at {of.site}, and confirm who comes"


# -- what it is about


def things(draft: Draft) -> Sequence[Key]:
    """The posts whose shift begins within the horizon, or began a moment ago."""
    grace = timedelta(seconds=rules_of(draft).staffing_grace_seconds)
    found: defaultdict[Key, list[str]] = defaultdict(list)
    for (tenant, id), shift in draft.book.nouns["shifts"].items():
        if shift.post and draft.now - grace - HORIZON <= shift.starts_at <= draft.now + HORIZON:
            found[tenant, shift.site, shift.post, shift.starts_at.timestamp()].append(id)
    draft.set(draft.derived(_GROUPS), "", {key: tuple(ids) for key, ids in found.items()})
    return list(found)


def post_of(draft: Draft, key: Key) -> Post | None:
    """The post as it is now; None for one that needs nobody, or that nobody is due at."""
    tenant, place, name, starts = key
    ids = draft.derived(_GROUPS).get("", {}).get(key, ())
    held = draft.book.nouns["shifts"]
    shifts = tuple(found for id in ids if (found := held.get((tenant, id))) is not None)
    site: Site | None = draft.book.nouns["sites"].get((tenant, place))
    required = site.posts.get(name, 0) if site is not None else 0
    if site is None or not required or not shifts:
        return None
    begins = datetime.fromtimestamp(starts, UTC)
    grace = timedelta(seconds=rules_of(draft).staffing_grace_seconds)
    return Post(
        tenant=tenant,
        site=place,
        name=name,
        starts_at=begins,
        decides_at=begins + grace,
        required=required,
        criticality=site.criticality,
        zone=site.zone,
        shifts=shifts,
    )


def thing(draft: Draft, key: Any) -> Thing | None:
    of = post_of(draft, key)
    if of is None:
        return None
    if draft.now >= of.decides_at:
        learn(draft, of)
        return None
    if draft.now >= of.starts_at:
        return None
    return as_thing(of)


def as_thing(of: Post) -> Thing:
    return Thing(
        entity=entity((of.tenant, of.site, of.name, of.starts_at.timestamp())),
        kind="post",
        name=f"{of.name} at {of.site} from {of.starts_at:%d %b %H:%M} UTC",
        site=of.site,
        record=of,
        due_at=of.decides_at,
    )


def acts(draft: Draft, key: Any) -> Acts:
    of = post_of(draft, key)
    if of is None:
        return ()
    return tuple(
        (min(shift.stamps.values()), f"{shift.person or 'somebody'} was planned in addition")
        for shift in of.due
        if shift.stamps
    )


def entity(key: Any) -> str:
    _, site, post, starts = key
    return f"{site}/{post}/{datetime.fromtimestamp(starts, UTC):%Y-%m-%dT%H:%M}"


def happened(draft: Draft, key: Any) -> Happened | None:
    of = post_of(draft, key)
    if of is None or draft.now < of.decides_at or of.there() >= of.required:
        return None
    return Happened(at=of.decides_at, alert=("staffing_shortfall", staffing.about(of.site, of.name)))


PREDICTOR = Predictor(
    name="staffing",
    event="is short of people",
    features=FEATURES,
    horizon_s=HORIZON.total_seconds(),
    least_lead_s=900.0,
    half_life_s=7 * 86_400.0,
    prior=0.1,
    warns="staffing_gap_predicted",
    calm=(1.0, 0.97, 2.0, 3.0, 0.0, 0.03),
    raise_at=0.5,
    things=things,
    entity=entity,
    thing=thing,
    happened=happened,
    acts=acts,
    outcome=lambda draft, id, came: None,
    row=row,
    margin=margin,
    words=words,
    action=action,
    about=lambda found: staffing.about(found.record.site, found.record.name),
    title=lambda found: f"Too few people are likely at post {found.name}",
    rising=frozenset({"known_absences", "no_show_rate", *(f"no_show_rate.{name}" for name in staffing_memory.SHORT)}),
    falling=frozenset({"scheduled", "attendance_rate", *(f"no_show_rate.{name}" for name in staffing_memory.FILLED)}),
)
