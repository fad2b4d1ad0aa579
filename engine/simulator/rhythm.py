"""The rhythm of the day, the week and the year at a place: what is usual at which hour.

Pure functions of a moment (epoch seconds) and a city. Daylight saving is that of the IANA zone.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from math import cos, pi
from zoneinfo import ZoneInfo

from engine.simulator.places import HOLIDAYS, City

HOUR, DAY = 3600.0, 86_400.0


@lru_cache(maxsize=4096)
def _offset(zone: str, hour: int) -> float:
    offset = datetime.fromtimestamp(hour * HOUR, ZoneInfo(zone)).utcoffset()
    return offset.total_seconds() if offset is not None else 0.0


def local_hour(city: City, at: float) -> float:
    """Hours since local midnight, 0 ≤ h < 24."""
    return (at + _offset(city.zone, int(at // HOUR))) % DAY / HOUR


def local_date(city: City, at: float) -> date:
    return datetime.fromtimestamp(at, ZoneInfo(city.zone)).date()


def moment(city: City, day: date, hour: float) -> float:
    """Epoch seconds of a local time; hours from 24 on are those of the next day."""
    days, rest = divmod(hour, 24.0)
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(city.zone)) + timedelta(days=days)
    return midnight.replace(hour=int(rest), minute=int(rest % 1 * 60)).timestamp()


@cache
def is_holiday(country: str, month: int, day: int) -> bool:
    return (month, day) in HOLIDAYS[country]


def is_day_off(city: City, at: float) -> bool:
    """Saturday, Sunday or a holiday."""
    today = local_date(city, at)
    return today.weekday() >= 5 or is_holiday(city.country, today.month, today.day)


@lru_cache(maxsize=4096)
def _busy(city: City, quarter: int) -> float:
    at = quarter * 900.0
    hour = local_hour(city, at)
    share: float = max(0.0, cos((hour - 13.5) / 24.0 * 2 * pi)) ** 0.7
    dent = 0.15 if 12.0 <= hour < 13.0 else 0.0
    return max(0.03, share - dent) * (0.25 if is_day_off(city, at) else 1.0)


def busy(city: City, at: float) -> float:
    """0.03 (night) … 1 (a working day's early afternoon): people about, doors, traffic, requests."""
    return _busy(city, int(at // 900.0))


def warmth(city: City, at: float) -> float:
    """Outdoor temperature in °C: by latitude, season and hour."""
    year = datetime.fromtimestamp(at, UTC).timetuple().tm_yday / 365.25
    mean = 30.0 - 0.4 * abs(city.lat)
    season = -0.22 * abs(city.lat) * cos((year - 0.05) * 2 * pi)
    return mean + season + 4.0 * cos((local_hour(city, at) - 15.0) / 24.0 * 2 * pi)
