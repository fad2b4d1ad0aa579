"""What is remembered of each person and device to judge their next attendance event.

Owns the tables, their bounds and how an event is learned. Never scores and never reads a clock: times are those of the
events. All values are immutable and written through a `Writer`, so that a draft can take every write back; the tables
can be learned again from stored events in their order of arrival.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from typing import TYPE_CHECKING, Any, Protocol

from msgspec.structs import replace

from data.nouns.fraud import PersonHistory, Place, Use
from engine.fraud.earth import metres_between

if TYPE_CHECKING:
    from engine.fraud.features import Observation

DAY_S = 86_400.0
HOUR_S = 3_600.0
#: A break of this long after a check-out is a rest; after a check-in (the check-out is missing) twice that.
REST_S = 8 * HOUR_S
CONFIRMED_S = 30 * DAY_S

RECENT_MOST = 32
HOURS_MOST = 32
PLACES_MOST = 32
DEVICES_MOST = 8
USERS_MOST = 32
CONFIRMED_MOST = 32
PERSONS_MOST = 200_000
KEYS_MOST = 200_000

#: Visits within this many metres of a known place are visits of that place.
SAME_PLACE_M = 150.0
_SAME_PLACE_DEGREES = 0.002
#: Weight of the newest value in the running baseline of a person's events per day.
_RATE_WEIGHT = 0.1


class Writer(Protocol):
    """How tables are written: a draft's `set` and `discard`, or the plain ones below."""

    def put(self, table: dict[Any, Any], key: Any, value: Any) -> None: ...

    def drop(self, table: dict[Any, Any], key: Any) -> None: ...


class PlainWriter:
    """Writes at once and for good."""

    def put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        table[key] = value

    def drop(self, table: dict[Any, Any], key: Any) -> None:
        table.pop(key, None)


@dataclass(frozen=True, slots=True)
class FraudState:
    """The tables, each (tenant, …) → an immutable value. `confirmed`: (tenant, "person" or "site", id) → when anomalies
    were confirmed."""

    persons: dict[tuple[str, str], PersonHistory] = field(default_factory=dict)
    devices: dict[tuple[str, str], tuple[Use, ...]] = field(default_factory=dict)
    confirmed: dict[tuple[str, str, str], tuple[float, ...]] = field(default_factory=dict)


NOBODY = PersonHistory()


def remember(state: FraudState, event: Observation, writer: Writer) -> None:
    """Learn one event. Late ones are counted and do not move the last position back."""
    key = (event.tenant, event.person)
    writer.put(state.persons, key, learned(state.persons.get(key, NOBODY), event))
    _bound(state.persons, PERSONS_MOST, writer)
    if event.device:
        device = (event.tenant, event.device)
        writer.put(state.devices, device, _used(state.devices.get(device, ()), event))
        _bound(state.devices, KEYS_MOST, writer)


def confirm(state: FraudState, where: tuple[str, str, str], at: float, writer: Writer) -> None:
    """Enter a confirmed anomaly at `at` for `where` = (tenant, person, site); one of the two may be ""."""
    tenant, person, site = where
    for key in ((tenant, "person", person), (tenant, "site", site)):
        if key[2]:
            times = state.confirmed.get(key, ())
            writer.put(state.confirmed, key, (*times, at)[-CONFIRMED_MOST:])
            _bound(state.confirmed, KEYS_MOST, writer)


def rest_ended(history: PersonHistory, at: float) -> float:
    """When the stretch of work that an event at `at` belongs to began; NaN where the person was never seen."""
    if not history.events:
        return nan
    needed = 2 * REST_S if history.kind == "in" else REST_S
    return at if at - history.at >= needed else history.rested_at


def within_a_day(times: Sequence[float], at: float) -> int:
    return sum(at - DAY_S < time <= at for time in times)


def learned(old: PersonHistory, event: Observation) -> PersonHistory:
    """`old` with one event more."""
    rate = within_a_day(old.recent, event.at) + 1
    surprise = rate - old.rate_mean if old.events else 0.0
    out = event.kind == "out"
    hours = (*(old.hours_out if out else old.hours_in)[1 - HOURS_MOST :], event.hour)
    devices = old.devices
    if event.device and not event.shared_device:
        devices = (*(device for device in devices if device != event.device), event.device)[-DEVICES_MOST:]
    found = replace(
        old,
        events=old.events + 1,
        rate_mean=old.rate_mean + _RATE_WEIGHT * surprise if old.events else float(rate),
        rate_variance=(1 - _RATE_WEIGHT) * (old.rate_variance + _RATE_WEIGHT * surprise * surprise),
        recent=(*(time for time in old.recent[1 - RECENT_MOST :] if time > event.at - DAY_S), event.at),
        hours_in=old.hours_in if out else hours,
        hours_out=hours if out else old.hours_out,
        days=_one_more(old.days, event.day_type),
        places=old.places if isnan(event.lat) else _visited(old.places, event.lat, event.lon),
        devices=devices,
    )
    return _moved(old, found, event) if not old.events or event.at >= old.at else found


def _moved(old: PersonHistory, found: PersonHistory, event: Observation) -> PersonHistory:
    lat, lon = event.position
    return replace(
        found,
        at=event.at,
        kind=event.kind,
        site=event.site,
        point=None if isnan(lat) else (lat, lon),
        slack_m=event.slack_m,
        rested_at=rest_ended(old, event.at) if old.events else event.at,
    )


def _one_more(counts: tuple[int, ...], index: int) -> tuple[int, ...]:
    return (*counts[:index], counts[index] + 1, *counts[index + 1 :])


def _visited(places: tuple[Place, ...], lat: float, lon: float) -> tuple[Place, ...]:
    """The place visited moves to the end; where there are too many, the least visited of the older half goes."""
    for index, place in enumerate(places):
        if abs(place.lat - lat) < _SAME_PLACE_DEGREES and metres_between(place.lat, place.lon, lat, lon) < SAME_PLACE_M:
            visits = place.visits + 1
            centre = Place(place.lat + (lat - place.lat) / visits, place.lon + (lon - place.lon) / visits, visits)
            return (*places[:index], *places[index + 1 :], centre)
    if len(places) >= PLACES_MOST:
        gone = min(range(PLACES_MOST // 2), key=lambda index: places[index].visits)
        places = (*places[:gone], *places[gone + 1 :])
    return (*places, Place(lat, lon, 1))


def _used(uses: tuple[Use, ...], event: Observation) -> tuple[Use, ...]:
    """The uses of the last day, one per person, newest last."""
    kept = (use for use in uses if use.person != event.person and use.at > event.at - DAY_S)
    return (*kept, Use(event.person, event.at))[-USERS_MOST:]


def _bound(table: dict[Any, Any], most: int, writer: Writer) -> None:
    if len(table) > most:
        writer.drop(table, next(iter(table)))
