"""How long, as operators type it: 15m, 1h, 90, 1h30m, until 18:30. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_UNITS = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)Z?")
MOST_MINUTES = 366 * 24 * 60


def read_minutes(text: str, now: datetime) -> int:
    """Minutes from `now`; "HH:MM" is the next time the UTC clock shows it. Raises ValueError with the remedy."""
    words = text.strip().lower().removeprefix("until").strip()
    minutes = _until(words, now) if ":" in words else _length(words)
    if not minutes:
        raise ValueError("write 15m, 1h, 4h, 1h30m or until 18:30 (UTC)")
    if minutes > MOST_MINUTES:
        raise ValueError("at most a year")
    return minutes


def split_duration(text: str) -> tuple[str, str]:
    """The duration at the start of a line and the rest: "until 18:30 fan noise" → ("until 18:30", "fan noise")."""
    first, _, rest = text.strip().partition(" ")
    if first.lower() == "until":
        second, _, rest = rest.strip().partition(" ")
        first = f"{first} {second}"
    return first, rest.strip()


def _length(words: str) -> int:
    if words.isdecimal() and len(words) <= 7:
        return int(words)
    found = _UNITS.fullmatch(words)
    if found is None or len(words) > 20:
        return 0
    days, hours, minutes = (int(part or 0) for part in found.groups())
    return days * 1440 + hours * 60 + minutes


def _until(words: str, now: datetime) -> int:
    found = _CLOCK.fullmatch(words.removesuffix("z"))
    if found is None:
        return 0
    at = now.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
    if at <= now:
        at += timedelta(days=1)
    return max(1, round((at - now).total_seconds() / 60))
