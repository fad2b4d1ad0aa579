"""Devices that will be offline within the hour.

Owns the seven features and their columns, and the probability without a model: log odds that add up, each weight a rule
of thumb that `words` names. A device that a device above it takes down is not foretold: that
one is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import inf, isnan, log, nan
from typing import Any

from data.nouns.world import Device
from data.records import TenantId
from engine.book import Draft
from engine.domain import devices
from engine.domain.rhythm import listening_since
from engine.predictors import device_memory
from engine.predictors.device_memory import HOUR_S, OFFLINE_S, SYNC_BEFORE_S, SYNC_S, WEEKS_S, past
from engine.predictors.memory import DEVICES, faded, log_odds, put
from engine.predictors.predictor import Acts, Happened, Predictor, Row, Thing

HORIZON = timedelta(hours=1)
FEATURES = (
    "offline_history",
    "sync_trend",
    "event_age",
    "type",
    "battery_slope",
    "errors_24h",
    "maintenance_days",
    "offline_history.hour",
    "offline_history.weeks",
    "offline_history.total",
    "offline_history.rate",
    "offline_history.since",
    "sync_trend.hours",
    "sync_trend.days",
    "sync_trend.total",
    "sync_trend.since",
    "event_age.state",
    "type.upper",
    "type.outages_hour",
    "type.outages_days",
    "type.site_outages_hour",
    "type.site_outages_days",
    "battery_slope.level",
    "battery_slope.fall",
    "errors_24h.hour",
    "errors_24h.hours",
    "errors_24h.weeks",
    "errors_24h.total",
    "errors_24h.since",
    "errors_24h.codes",
    "errors_24h.codes_lately",
    "errors_24h.worst",
    "errors_24h.odds",
    "maintenance_days.known",
)
_ERRORS_HOUR, _OFFLINE_HOUR, _LEVEL = map(
    FEATURES.index, ("errors_24h.hour", "offline_history.hour", "battery_slope.level")
)
#: An outage is believed when it has stood for so long: until then a device above may turn out to be its cause.
BELIEVED = timedelta(seconds=60)
#: The share of events, and log odds of a type, that rules of thumb take at most.
MOST_SHARE, KIND_MOST = 0.01, 1.5


# -- the row


def row(draft: Draft, thing: Thing) -> Row:
    of: Device = thing.record
    now, found = draft.now.timestamp(), past(draft, of)
    known_days = max(1.0, (now - (found.since or now)) / 86_400.0)
    kind = device_memory.kind(draft, of, PREDICTOR.prior)
    gone, quiet, whole = now - found.sync_at, now - found.error_at, now - found.offline_at
    sync, before = faded(found.sync, gone, SYNC_S), faded(found.sync_before, gone, SYNC_BEFORE_S)
    limit = devices.silence(draft, of.type).total_seconds()
    last = of.last_seen
    has_battery = found.battery >= 0.0
    return (
        faded(found.offline, whole, OFFLINE_S) + found.outages / known_days,
        sync - before * SYNC_S / SYNC_BEFORE_S,
        log(1.0 + max(0.0, (draft.now - last).total_seconds()) / limit) if last is not None else nan,
        kind.own,
        found.slope if has_battery else nan,
        log(1.0 + of.errors),
        (now - of.maintained_at.timestamp()) / 86_400.0 if of.maintained_at is not None else known_days,
        log(1.0 + faded(found.offline_hour, whole, HOUR_S)),
        log(1.0 + faded(found.offline_weeks, whole, WEEKS_S)),
        log(1.0 + found.outages),
        log(found.outages / known_days) if found.outages else nan,
        log(1.0 + whole / 3600.0) if found.outages else nan,
        log(1.0 + sync),
        log(1.0 + before),
        log(1.0 + found.syncs),
        log(1.0 + gone / 3600.0) if found.syncs else nan,
        log(1.0 + max(0.0, (draft.now - of.state_at).total_seconds()) / 3600.0) if of.state_at is not None else nan,
        kind.upper,
        kind.type_hour,
        kind.type_days,
        kind.site_hour,
        kind.site_days,
        found.battery if has_battery else nan,
        found.battery_mean - found.battery if has_battery else nan,
        log(1.0 + faded(found.errors_hour, quiet, HOUR_S)),
        log(1.0 + faded(found.errors_hours, quiet, SYNC_S)),
        log(1.0 + faded(found.errors_days, quiet, WEEKS_S)),
        log(1.0 + found.errors),
        log(1.0 + quiet / 3600.0) if found.errors else nan,
        kind.number,
        kind.fresh,
        kind.worst,
        kind.codes,
        log(known_days),
    )


# -- without a model


def margin(values: Row, share: float, thing: Thing | None = None) -> float:
    """Log odds that add up from the share of devices that go offline in an hour.

    A share above MOST_SHARE is of an outage that many had together, and says little of one of them. What happened in
    the last hour says most; a battery counts when it will be empty within the hour.

    >>> calm, failing = (0.0, 0.0, 0.1, 0.0, 0.0, 0.0, 1.0), (3.0, 3.0, 0.6, 1.0, 0.0, 2.5, 1.0)
    >>> margin(calm, 0.002) < -5.0 < -2.5 < margin(failing, 0.002)
    True
    """
    offline, sync, age, kind, _, errors, _ = values[:7]
    found = log_odds(min(share, MOST_SHARE)) + min(kind, KIND_MOST)
    found += 0.3 * min(offline, 4.0) + 0.5 * min(max(sync, 0.0), 3.0) + 0.2 * min(errors, 3.0)
    found += 1.4 * min(_column(values, _ERRORS_HOUR), 3.0)
    found += 5.0 * max(0.0, min(_column(values, _OFFLINE_HOUR), 1.8) - 0.9)
    found += 6.0 * min(1.0, max(0.0, 1.6 - _hours_left(values)) / 0.6)
    return found if isnan(age) else found + 3.0 * max(0.0, age - log(1.5))


def _column(values: Row, place: int) -> float:
    """0 where it is not known, as in a row of the features alone."""
    return 0.0 if place >= len(values) or isnan(values[place]) else values[place]


def _hours_left(values: Row) -> float:
    """Until the battery is empty, were it to go on as it does."""
    slope, level = values[4], _column(values, _LEVEL)
    return level / -slope if slope < -0.3 and level > 0.0 else inf


def words(name: str, value: float) -> str:
    """
    >>> words("battery_slope", -4.2)
    'its battery loses 4.2 % an hour'
    """
    if isnan(value):
        return f"{name.replace('_', ' ')} is not known"
    return _WORDS[name](value)


def _age(value: float) -> str:
    return f"last heard {10.0 ** (value / 2.302585) - 1.0:.1f} times its usual silence ago"


_WORDS: Mapping[str, Callable[[float], str]] = {
    "offline_history": lambda value: f"{value:.1f} outages lately" if value >= 0.05 else "no outage lately",
    "sync_trend": lambda value: f"synchronisation fails {'more' if value > 0 else 'less'} often ({value:+.1f})",
    "event_age": _age,
    "type": lambda value: f"its type fails {2.718282**value:.1f} times as often as most",
    "battery_slope": lambda value: f"its battery loses {-value:.1f} % an hour",
    "errors_24h": lambda value: f"{2.718282**value - 1.0:.0f} errors in 24 h",
    "maintenance_days": lambda value: f"{value:.0f} days since it was maintained",
}


def action(values: Row, thing: Thing) -> str:
    of: Device = thing.record
    name = of.name or of.id
    if not isnan(values[4]) and values[4] < -2.0:
        return f"Charge or change the battery of {name}"
    if values[1] > 0.5:
        return f"Check the link of {name}, and have it synchronise"
    if values[5] > 0.0 and of.firmware:
        return f"Restart {name}; look whether others with firmware {of.firmware} report errors, too"
    return f"Restart {name}, or send a technician"


# -- what it is about


def things(draft: Draft) -> Sequence[tuple[TenantId, str]]:
    return list(draft.book.nouns["devices"])


def thing(draft: Draft, id: Any) -> Thing | None:
    """A device that is heard; a stub or one that has never been heard is none, nor one that had no time yet to be
    heard since the start, nor one that has been silent for too long."""
    of: Device | None = draft.book.nouns["devices"].get(id)
    if of is None or of.state in ("offline", "unknown") or not of.verified or of.last_seen is None:
        return None
    heard_from, silence = listening_since(draft), devices.silence(draft, of.type)
    if of.last_seen < heard_from and heard_from + silence > draft.now:
        return None
    if of.last_seen + silence <= draft.now:
        return None  # it is gone, and will be called so
    return as_thing(of)


def as_thing(of: Device) -> Thing:
    return Thing(entity=of.id, kind="device", name=of.name or of.id, site=of.site, record=of)


def acts(draft: Draft, id: Any) -> Acts:
    of: Device | None = draft.book.nouns["devices"].get(id)
    return ((of.maintained_at, "maintained"),) if of is not None and of.maintained_at is not None else ()


def happened(draft: Draft, id: Any) -> Happened | None:
    """The latest outage of its own, once it is believed."""
    of: Device | None = draft.book.nouns["devices"].get(id)
    if of is None:
        return None
    found = past(draft, of)
    at = datetime.fromtimestamp(found.out_at, UTC) if found.out_at else None
    if of.state == "offline" and of.cause:
        return None
    if of.state == "offline" and of.state_at is not None and (at is None or of.state_at > at):
        at = of.state_at  # it fell silent
        put(draft, DEVICES, (of.tenant, of.id), tuple(map(float, device_memory.out(draft, of, found, at.timestamp()))))
    if at is None or draft.now - at < BELIEVED:
        return None
    return Happened(at=at, alert=("device_offline", devices.about(of)))


PREDICTOR = Predictor(
    name="device",
    event="goes offline",
    features=FEATURES,
    horizon_s=HORIZON.total_seconds(),
    least_lead_s=120.0,
    half_life_s=7 * 86_400.0,
    prior=0.001,
    warns="device_failure_predicted",
    calm=(0.0, 0.0, 0.1, 0.0, 0.0, 0.0, 30.0),
    raise_at=0.5,
    things=things,
    entity=lambda id: str(id[1]),
    thing=thing,
    happened=happened,
    acts=acts,
    outcome=device_memory.outcome,
    row=row,
    margin=margin,
    words=words,
    action=action,
    about=lambda found: devices.about(found.record),
    title=lambda found: f"{found.name} is likely to go offline",
)
