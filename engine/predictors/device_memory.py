"""What is remembered of devices: outages, errors and failed synchronisations by how long ago, batteries, their types.

Owns the tables behind the predictor `device`. What a device says is taken note of when it comes; how a horizon ended
counts for its type and for the error codes that it had reported by then.
"""

from __future__ import annotations

from datetime import datetime
from math import log, nan
from typing import Any, NamedTuple
from zlib import crc32

from data.nouns.world import Device
from engine.book import Draft
from engine.domain.events import DeviceData
from engine.predictors.memory import CODES, DEVICES, TYPES, Shares, faded, log_odds, put

#: Half-lives in seconds: the last hour, the last hours, the last days, the last weeks, and the failures of a type.
HOUR_S, SYNC_S, SYNC_BEFORE_S, OFFLINE_S, WEEKS_S, TYPE_S = (
    3600.0,
    6 * 3600.0,
    48 * 3600.0,
    2 * 86_400.0,
    14 * 86_400.0,
    30 * 86_400.0,
)
#: Between two readings of a battery that a slope is worked out from, and the weights of the newest slope and level.
READING_S, SLOPE, LEVEL = 1800.0, 0.3, 0.1
#: Codes of errors that are remembered of a device, the newest; each in so many numbers.
CODES_MOST, CODE_WIDTH = 8, 4
#: A code of which less is left than this is not counted for what comes.
FRESH = 0.1
#: Cases that the share of all devices counts as, in that of a type above or a code.
CASES = 300.0


class Past(NamedTuple):
    """What is remembered of a device, in seconds since 1970: outages (number, faded to `offline_at`), failed
    synchronisations (faded in two ways to `sync_at`), the battery at its last reading (below 0 = none), its slope in
    percent per hour (0 = never seen to fall), the latest outage (0 = none) and since when it is known. Then outages
    faded over an hour and over weeks, synchronisations that failed, errors (number, faded over an hour, hours and days
    to `error_at`), and what the battery was like on average."""

    outages: float = 0.0
    offline: float = 0.0
    offline_at: float = 0.0
    sync: float = 0.0
    sync_before: float = 0.0
    sync_at: float = 0.0
    battery: float = -1.0
    battery_at: float = 0.0
    slope: float = 0.0
    out_at: float = 0.0
    since: float = 0.0
    offline_hour: float = 0.0
    offline_weeks: float = 0.0
    syncs: float = 0.0
    errors: float = 0.0
    errors_hour: float = 0.0
    errors_hours: float = 0.0
    errors_days: float = 0.0
    error_at: float = 0.0
    battery_mean: float = 0.0


def past(draft: Draft, of: Device) -> Past:
    found = draft.derived(DEVICES).get((of.tenant, of.id))
    return Past(*found) if found is not None else Past(since=of.at.timestamp())


# -- what is learned


def note(draft: Draft, of: Device, data: DeviceData, at: datetime) -> None:
    """Take note of what a device said, once it is known what state that leaves it in."""
    before = found = past(draft, of)
    now = at.timestamp()
    if data.status == "offline" and of.state == "offline" and not of.cause and now > found.out_at:
        found = out(draft, of, found, now)
    if data.status == "sync_failed" and now >= found.sync_at:
        gone = now - found.sync_at
        found = found._replace(
            sync=1.0 + faded(found.sync, gone, SYNC_S),
            sync_before=1.0 + faded(found.sync_before, gone, SYNC_BEFORE_S),
            sync_at=now,
            syncs=found.syncs + 1.0,
        )
    if data.status == "error":
        found = _failed(found, now)
        _coded(draft, of, data.error, now)
    if data.battery is not None:
        found = _read(found, data.battery, now, charged=data.status == "maintained")
    if found != before:
        put(draft, DEVICES, (of.tenant, of.id), tuple(map(float, found)))


def out(draft: Draft, of: Device, found: Past, now: float) -> Past:
    """One more outage: of the device, of its type and of its site."""
    gone = now - found.offline_at
    for part, name in _around(of):
        key = (of.tenant, "out", part, name)
        hour, days, at = draft.derived(TYPES).get(key, (0.0, 0.0, now))
        past = max(0.0, now - at)
        put(draft, TYPES, key, (1.0 + faded(hour, past, HOUR_S), 1.0 + faded(days, past, OFFLINE_S), max(now, at)))
    return found._replace(
        outages=found.outages + 1.0,
        offline=1.0 + faded(found.offline, gone, OFFLINE_S),
        offline_hour=1.0 + faded(found.offline_hour, gone, HOUR_S),
        offline_weeks=1.0 + faded(found.offline_weeks, gone, WEEKS_S),
        offline_at=now,
        out_at=now,
    )


def _around(of: Device) -> list[tuple[str, str]]:
    return [(part, name) for part, name in (("type", of.type), ("site", of.site)) if name]


def _failed(found: Past, now: float) -> Past:
    gone = max(0.0, now - found.error_at)
    return found._replace(
        errors=found.errors + 1.0,
        errors_hour=1.0 + faded(found.errors_hour, gone, HOUR_S),
        errors_hours=1.0 + faded(found.errors_hours, gone, SYNC_S),
        errors_days=1.0 + faded(found.errors_days, gone, WEEKS_S),
        error_at=max(now, found.error_at),
    )


def _coded(draft: Draft, of: Device, code: str, now: float) -> None:
    """Of each code: its number, how often it came, faded, and when last."""
    key, mine = (of.tenant, of.id), float(crc32(code.encode("utf-8", "replace")))
    kept = [entry for entry in _codes(draft, key) if entry[0] != mine]
    old = next((entry for entry in _codes(draft, key) if entry[0] == mine), (mine, 0.0, 0.0, now))
    kept.append((mine, old[1] + 1.0, 1.0 + faded(old[2], now - old[3], OFFLINE_S), max(now, old[3])))
    put(draft, CODES, key, tuple(value for entry in kept[-CODES_MOST:] for value in entry))


def _codes(draft: Draft, key: tuple[str, str]) -> list[tuple[float, ...]]:
    flat = draft.derived(CODES).get(key, ())
    return [flat[at : at + CODE_WIDTH] for at in range(0, len(flat), CODE_WIDTH)]


def _read(found: Past, battery: float, now: float, *, charged: bool) -> Past:
    gone = now - found.battery_at
    if charged or found.battery < 0.0 or battery > found.battery + 5.0:
        return found._replace(battery=battery, battery_at=now, slope=0.0, battery_mean=battery)
    if gone < READING_S:
        return found
    slope = (battery - found.battery) / (gone / 3600.0)
    mean = slope if found.slope == 0.0 else found.slope + SLOPE * (slope - found.slope)
    level = found.battery_mean + LEVEL * (battery - found.battery_mean)
    return found._replace(battery=battery, battery_at=now, slope=min(0.0, mean), battery_mean=level)


def outcome(draft: Draft, id: Any, came: bool) -> None:
    """How a horizon of this device ended: what is known of its type, and of the errors that it has."""
    of: Device | None = draft.book.nouns["devices"].get(id)
    shares = Shares(draft, TYPES, TYPE_S)
    shares.add((id[0], "", ""), float(came))
    if of is None:
        return
    for part, name in _kinds(of):
        shares.add((id[0], part, name), float(came))
    now = draft.now.timestamp()
    for code, _, left, at in _codes(draft, (of.tenant, of.id)):
        if faded(left, now - at, OFFLINE_S) >= FRESH:
            shares.add((id[0], "code", f"{code:.0f}"), float(came))


def _kinds(of: Device) -> list[tuple[str, str]]:
    upper = of.type.partition("/")[0]
    found = [("type", of.type)] if of.type else []
    return [*found, ("upper", upper)] if upper != of.type else found


# -- what is known


class Kind(NamedTuple):
    """Log odds above those of all devices: of its type, of the type above, and of the worst and of all error codes that
    it has; then how many codes it has reported, and outages of its type and site in the last hour and days."""

    own: float
    upper: float
    worst: float
    codes: float
    number: float
    fresh: float
    type_hour: float
    type_days: float
    site_hour: float
    site_days: float


def kind(draft: Draft, of: Device, prior: float) -> Kind:
    shares, now = Shares(draft, TYPES, TYPE_S), draft.now.timestamp()
    whole = shares.of((of.tenant, "", ""), prior, 100.0)
    own = shares.of((of.tenant, "type", of.type), whole, 1.0 / max(whole, 1e-4)) if of.type else whole
    above = of.type.partition("/")[0]
    upper = shares.of((of.tenant, "upper", above), whole, CASES) if above != of.type else own
    entries = _codes(draft, (of.tenant, of.id))
    fresh = [code for code, _, left, at in entries if faded(left, now - at, OFFLINE_S) >= FRESH]
    odds = [
        log_odds(shares.of((of.tenant, "code", f"{code:.0f}"), whole, CASES)) - log_odds(whole) for code in fresh
    ]
    around = []
    for part, name in (("type", of.type), ("site", of.site)):
        hour, days, at = draft.derived(TYPES).get((of.tenant, "out", part, name), (0.0, 0.0, now))
        around += [log(1.0 + faded(hour, now - at, HOUR_S)), log(1.0 + faded(days, now - at, OFFLINE_S))]
    return Kind(
        log(own / whole),
        log(upper / whole),
        max(odds, default=nan),
        sum(odds),
        float(len(entries)),
        float(len(fresh)),
        *around,
    )
