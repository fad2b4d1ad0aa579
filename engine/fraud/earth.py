"""Distances on earth. Owns one formula, never a rule."""

from __future__ import annotations

from math import cos, hypot, radians

_METRES_PER_DEGREE = 111_194.9
_HALF_TURN = 180.0


def metres_between(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Metres between two WGS 84 points in degrees, by the equirectangular approximation.

    Within 0.1 % below 100 km away from the poles; longer ways come out up to some percent wrong, which no limit on a
    speed or a geofence notices. NaN in, NaN out.

    >>> round(metres_between(40.7, -74.0, 40.7, -73.9))
    8430
    """
    across = abs(other_lon - lon)
    if across > _HALF_TURN:
        across = 2 * _HALF_TURN - across
    return _METRES_PER_DEGREE * hypot(other_lat - lat, across * cos(radians((lat + other_lat) / 2)))
