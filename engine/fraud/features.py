"""The twelve features of an attendance event, computed online from what was known before it.

Owns their names, order and meaning. Never mutates in `observe`; `learn` writes through the caller's writer. What is
missing is NaN, never 0: the model and the heuristic both treat it as unknown.
"""

from __future__ import annotations

from math import isnan, nan, sqrt
from typing import NamedTuple

from msgspec import Struct

from data.nouns.fraud import PersonHistory, Use
from engine.fraud.earth import metres_between
from engine.fraud.history import (
    CONFIRMED_S,
    DAY_S,
    HOUR_S,
    NOBODY,
    FraudState,
    PlainWriter,
    Writer,
    remember,
    rest_ended,
    within_a_day,
)

FEATURES = (
    "hour_deviation_h",
    "minutes_from_start",
    "metres_from_site",
    "accuracy_m",
    "speed_kmh",
    "device_persons_24h",
    "device_new",
    "biometric",
    "hours_since_rest",
    "rate_z",
    "unusual_day",
    "confirmed_30d",
)

#: Two events nearer in time than this are taken to be this far apart: clocks of devices differ.
_LEAST_APART_S = 120.0
#: Two persons on one device within this time did it together.
_TOGETHER_S = 300.0
#: Steps in which the nearness in time of two uses of a device counts.
_STEP_S = 600.0
#: With fewer events than this a person has no usual hour and no usual days.
_USUAL_LEAST = 3
_NEIGHBOURS = 3


class Observation(Struct, frozen=True, kw_only=True, gc=False):
    """An attendance event with what the engine knows of its surroundings. NaN is unknown.

    `at` is seconds since 1970; `hour` the hour of day at the site (0 ≤ hour < 24); `day_type` 0 = Monday … 6 =
    Sunday; `start` when the shift begins. `kind` is in, out or visit. `site_lat`, `site_lon` are where the person
    should be: the site of the shift, else the site that the event names. `shared_device` marks fixed readers, which all
    people of a site use: that says nothing of them.
    """

    tenant: str
    person: str
    at: float
    hour: float
    day_type: int
    site: str = ""
    kind: str = "in"
    lat: float = nan
    lon: float = nan
    accuracy_m: float = nan
    device: str = ""
    registered_device: str = ""
    shared_device: bool = False
    biometric: float = nan
    start: float = nan
    site_lat: float = nan
    site_lon: float = nan
    radius_m: float = nan

    @property
    def position(self) -> tuple[float, float]:
        """Where the person was: measured, else the site."""
        return (self.site_lat, self.site_lon) if isnan(self.lat) else (self.lat, self.lon)

    @property
    def slack_m(self) -> float:
        """How wrong the position may be."""
        if not isnan(self.lat):
            return 0.0 if isnan(self.accuracy_m) else self.accuracy_m
        return 0.0 if isnan(self.radius_m) else self.radius_m


class Features(NamedTuple):
    """`values` in the order of FEATURES; the rest are the whole numbers behind them, for words and checks."""

    values: tuple[float, ...]
    others: tuple[str, ...]
    together: tuple[str, ...]
    minutes_apart: float
    metres_moved: float
    last_site: str
    last_kind: str


def observe(state: FraudState, event: Observation) -> Features:
    """The features of `event`, from the state before it. Mutates nothing."""
    history = state.persons.get((event.tenant, event.person), NOBODY)
    uses = state.devices.get((event.tenant, event.device), ()) if event.device else ()
    others = [use for use in uses if use.person != event.person and abs(event.at - use.at) < DAY_S]
    metres, apart = _movement(history, event)
    values = (
        _hour_deviation(history, event),
        (event.at - event.start) / 60.0,
        _metres_from_site(history, event),
        event.accuracy_m,
        metres / max(apart, _LEAST_APART_S) * 3.6,
        _sharing(others, event),
        _device_new(history, event),
        event.biometric,
        (event.at - rest_ended(history, event.at)) / HOUR_S,
        _rate_z(history, event.at),
        _unusual_day(history, event.day_type),
        float(_confirmed(state, event)),
    )
    together = tuple(use.person for use in others if abs(event.at - use.at) <= _TOGETHER_S)
    names = tuple(use.person for use in others)
    return Features(values, names, together, apart / 60.0, metres, history.site, history.kind)


def learn(state: FraudState, event: Observation, features: Features, writer: Writer | None = None) -> None:
    """Take the event into the state. `features` must be those that `observe` gave for it."""
    assert len(features.values) == len(FEATURES)
    remember(state, event, writer or PlainWriter())


def _movement(history: PersonHistory, event: Observation) -> tuple[float, float]:
    """Metres that the person must have moved since the last event, and the seconds between; NaN where unknown."""
    if not history.events:
        return nan, nan
    apart = abs(event.at - history.at)
    if history.point is None:
        return nan, apart
    metres = metres_between(*history.point, *event.position)
    return (nan if isnan(metres) else max(0.0, metres - history.slack_m - event.slack_m)), apart


def _hour_deviation(history: PersonHistory, event: Observation) -> float:
    """Hours, on the clock's circle, to the nearest habit: the mean distance to the three nearest remembered hours.

    Neighbours and not the mean hour, because people who rotate between shifts have several usual hours.
    """
    hours = history.hours_out if event.kind == "out" else history.hours_in
    if len(hours) < _USUAL_LEAST:
        return nan
    apart = sorted(min(abs(event.hour - hour), 24.0 - abs(event.hour - hour)) for hour in hours)
    return sum(apart[:_NEIGHBOURS]) / _NEIGHBOURS


def _metres_from_site(history: PersonHistory, event: Observation) -> float:
    """Metres from the site's point; where no such point is known, from the nearest place of the person's own."""
    if isnan(event.lat):
        return nan
    if not isnan(event.site_lat):
        return metres_between(event.site_lat, event.site_lon, event.lat, event.lon)
    return min((metres_between(place.lat, place.lon, event.lat, event.lon) for place in history.places), default=nan)


def _sharing(others: list[Use], event: Observation) -> float:
    """Persons who used the device in the 24 hours around, each counting less the longer ago, by steps of 10 minutes."""
    if not event.device or event.shared_device:
        return nan
    return sum(1.0 - abs(event.at - use.at) // _STEP_S * _STEP_S / DAY_S for use in others)


def _device_new(history: PersonHistory, event: Observation) -> float:
    if not event.device or event.shared_device or not (history.devices or event.registered_device):
        return nan
    return float(event.device not in history.devices and event.device != event.registered_device)


def _rate_z(history: PersonHistory, at: float) -> float:
    if history.events < _USUAL_LEAST:
        return nan
    rate = within_a_day(history.recent, at) + 1
    return (rate - history.rate_mean) / sqrt(history.rate_variance + 1.0)


def _unusual_day(history: PersonHistory, day_type: int) -> float:
    """0 on the person's most usual day type, 1 on one on which the person was never seen."""
    if history.events < _USUAL_LEAST:
        return nan
    return 1.0 - history.days[day_type] / max(history.days)


def _confirmed(state: FraudState, event: Observation) -> int:
    keys = ((event.tenant, "person", event.person), (event.tenant, "site", event.site))
    return sum(event.at - CONFIRMED_S < at <= event.at for key in keys for at in state.confirmed.get(key, ()))
