"""Named checks of one attendance event or round: which rule was broken, by which numbers.

Owns the limits and the words. Pure; never decides alone: strengths become a score in `engine.fraud.heuristics`, and
the model sees the features themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan

from msgspec import Struct

from engine.fraud.earth import metres_between
from engine.fraud.features import FEATURES, Features, Observation

#: km/h and metres from which a movement is impossible; by natural check-ins of a large city 1 step in 900 is faster.
TRAVEL_KMH, TRAVEL_M = 150.0, 2_000.0
TRAVEL_SURE_KMH = 900.0
#: Fences without a radius of their own.
RADIUS_M = 150.0
BIOMETRIC_LEAST, BIOMETRIC_NONE = 0.70, 0.30
#: Hours of work without a rest of 8 hours.
REST_HOURS, REST_SURE_HOURS = 16.0, 24.0
#: A round of this many scans that kept within this many metres, or took less than this many seconds a checkpoint.
GHOST_SCANS, GHOST_METRES, GHOST_SECONDS = 3, 15.0, 45.0
OTHERS_SURE = 3

_POSITION = {name: index for index, name in enumerate(FEATURES)}


class Anomaly(Struct, frozen=True, kw_only=True, gc=False):
    """`strength` is 0..1: how far beyond the limit. `numbers` are what was compared, `others` persons involved."""

    kind: str
    strength: float
    words: str
    numbers: dict[str, float]
    others: tuple[str, ...] = ()


class Scan(Struct, frozen=True, kw_only=True, gc=False):
    """A checkpoint that was scanned: seconds since 1970 and where, if known."""

    at: float
    checkpoint: str
    lat: float | None = None
    lon: float | None = None


def value(features: Features, name: str) -> float:
    return features.values[_POSITION[name]]


def check(event: Observation, features: Features) -> tuple[Anomaly, ...]:
    """All anomalies of the event, strongest first. What is unknown is never an anomaly."""
    found = (
        *_impossible_travel(features),
        *_device_sharing(features),
        *_buddy_checkin(features),
        *_geofence(event, features),
        *_biometric_low(features),
        *_too_little_rest(event, features),
    )
    return tuple(sorted(found, key=lambda anomaly: -anomaly.strength))


def ghost_round(scans: Sequence[Scan], moved_m: float | None) -> Anomaly | None:
    """A round that was scanned and not walked. `moved_m` is what the phone moved meanwhile, None = not known.

    Judged by what is known: the places of the scans, the movement of the phone, and the pace.
    """
    if len({scan.checkpoint for scan in scans}) < GHOST_SCANS:
        return None
    seconds = (scans[-1].at - scans[0].at) / (len(scans) - 1)
    points = [(scan.lat, scan.lon) for scan in scans if scan.lat is not None and scan.lon is not None]
    spread = max((metres_between(*points[0], *point) for point in points), default=0.0)
    placed = len(points) >= GHOST_SCANS
    still = (placed and spread < GHOST_METRES) + (moved_m is not None and moved_m < GHOST_METRES)
    known = placed + (moved_m is not None)
    if not still or (known > still and seconds > GHOST_SECONDS):
        return None
    strength = min(1.0, 0.6 + 0.2 * still + 0.2 * (seconds < GHOST_SECONDS))
    numbers = {"scans": float(len(scans)), "seconds_per_scan": round(seconds, 1), "spread_m": round(spread, 1)}
    if moved_m is not None:
        numbers["moved_m"] = round(moved_m, 1)
    words = f"{len(scans)} checkpoints scanned without moving, {seconds:.0f} s apart"
    return Anomaly(kind="ghost_round", strength=strength, words=words, numbers=numbers)


def ramp(value: float, low: float, high: float) -> float:
    """0.5 at `low`, 1 from `high` on: a limit that is just broken counts half."""
    return min(1.0, 0.5 + 0.5 * (value - low) / (high - low))


def _impossible_travel(features: Features) -> Iterator[Anomaly]:
    speed, metres = value(features, "speed_kmh"), features.metres_moved
    if speed > TRAVEL_KMH and metres > TRAVEL_M:
        yield Anomaly(
            kind="impossible_travel",
            strength=ramp(speed, TRAVEL_KMH, TRAVEL_SURE_KMH),
            words=f"{metres / 1000:.1f} km in {features.minutes_apart:.0f} min ({speed:.0f} km/h)",
            numbers={"speed_kmh": round(speed, 1), "metres": round(metres, 1), "minutes": features.minutes_apart},
        )


def _device_sharing(features: Features) -> Iterator[Anomaly]:
    others = len(features.others)
    if value(features, "device_persons_24h") > 0:
        yield Anomaly(
            kind="device_sharing",
            strength=min(1.0, 0.5 + 0.5 * (others - 1) / (OTHERS_SURE - 1)),
            words=f"device used by {others + 1} people in 24 h",
            numbers={"persons": float(others + 1)},
            others=features.others,
        )


def _buddy_checkin(features: Features) -> Iterator[Anomaly]:
    if features.together and value(features, "device_persons_24h") > 0:
        yield Anomaly(
            kind="buddy_checkin",
            strength=min(1.0, 0.7 + 0.3 * (len(features.together) > 1)),
            words=f"{len(features.together)} others checked in on the same device within 5 min",
            numbers={"together": float(len(features.together))},
            others=features.together,
        )


def _geofence(event: Observation, features: Features) -> Iterator[Anomaly]:
    metres = value(features, "metres_from_site")
    if isnan(metres) or isnan(event.site_lat):
        return
    radius = RADIUS_M if isnan(event.radius_m) else event.radius_m
    surely = metres - (0.0 if isnan(event.accuracy_m) else event.accuracy_m)
    if surely > radius:
        yield Anomaly(
            kind="geofence",
            strength=ramp(surely, radius, 3 * radius + 1.0),
            words=f"{metres:.0f} m from the site, {radius:.0f} m are allowed",
            numbers={"metres": round(metres, 1), "radius_m": radius},
        )


def _biometric_low(features: Features) -> Iterator[Anomaly]:
    score = value(features, "biometric")
    if score < BIOMETRIC_LEAST:
        yield Anomaly(
            kind="biometric_low",
            strength=min(1.0, 0.5 + 0.5 * (BIOMETRIC_LEAST - score) / (BIOMETRIC_LEAST - BIOMETRIC_NONE)),
            words=f"biometric match {score:.2f}, {BIOMETRIC_LEAST:.2f} is the least",
            numbers={"biometric": round(score, 3)},
        )


def _too_little_rest(event: Observation, features: Features) -> Iterator[Anomaly]:
    hours = value(features, "hours_since_rest")
    if event.kind == "in" and hours > REST_HOURS:
        yield Anomaly(
            kind="too_little_rest",
            strength=ramp(hours, REST_HOURS, REST_SURE_HOURS),
            words=f"{hours:.0f} h since the last rest of 8 h",
            numbers={"hours": round(hours, 1)},
        )
