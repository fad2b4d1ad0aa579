"""Features in words, for the reasons of a score. Owns the wording only."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

_WORDS = {
    "hour_deviation_h": "{:.1f} h from the usual hour",
    "minutes_from_start": "{:+.0f} min from the start of the shift",
    "metres_from_site": "{:.0f} m from where the person should be",
    "accuracy_m": "position good to {:.0f} m",
    "speed_kmh": "{:.0f} km/h since the last event",
    "device_new": "device {} for the person",
    "biometric": "biometric match {:.2f}",
    "hours_since_rest": "{:.1f} h since the last rest",
    "rate_z": "event rate {:+.1f} deviations from the person's own",
    "confirmed_30d": "{:.0f} confirmed in 30 days",
}
_MISSING = {
    "hour_deviation_h": "no usual hour known yet",
    "minutes_from_start": "no shift known",
    "metres_from_site": "no position",
    "accuracy_m": "no accuracy of the position",
    "speed_kmh": "no speed known",
    "device_persons_24h": "no personal device",
    "device_new": "no personal device",
    "biometric": "no biometric score",
    "hours_since_rest": "first event of the person",
    "rate_z": "no usual rate known yet",
    "unusual_day": "no usual days known yet",
}


def words(name: str, value: float, others: Sequence[str] = ()) -> str:
    """What a value of a feature means; names that are not of attendance are shown as they are."""
    if isnan(value):
        return _MISSING.get(name, f"{name} missing")
    if name == "device_persons_24h":
        persons = len(others) + 1 if others else (value > 0) + 1
        return f"device used by {persons} {'person' if persons == 1 else 'people'} in 24 h"
    if name == "device_new":
        return "device new for the person" if value else "device known of the person"
    if name == "unusual_day":
        return f"day of the week {'never' if value >= 1 else 'rarely' if value > 0.7 else 'often'} worked"
    return _WORDS[name].format(value) if name in _WORDS else f"{name} {value:g}"
