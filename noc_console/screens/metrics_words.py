"""Values of series in words: their units, as the name of the series says. Pure.

Names follow the custom of ending in the unit ("latency_ms", "disk_used_bytes"); a label "unit" goes before the name.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import ceil, isfinite, log10

from noc_console.safe_text import Safe, safe_text

#: End of a name → unit and the family that says how it is written.
_UNITS = {
    "percent": ("%", "plain"), "pct": ("%", "plain"), "ratio": ("", "plain"),
    "bytes": ("B", "bytes"), "seconds": ("s", "seconds"), "s": ("s", "seconds"), "sec": ("s", "seconds"),
    "ms": ("ms", "ms"), "milliseconds": ("ms", "ms"), "minutes": (" min", "plain"), "hours": (" h", "plain"),
    "c": ("°C", "plain"), "celsius": ("°C", "plain"), "kw": (" kW", "plain"), "watts": (" W", "plain"),
    "volts": (" V", "plain"), "amps": (" A", "plain"), "kbps": (" kbit/s", "plain"), "second": ("/s", "plain"),
    "hz": (" Hz", "plain"), "metres": (" m", "plain"), "meters": (" m", "plain"), "dbm": (" dBm", "plain"),
}  # fmt: skip
#: Ends that say how something was counted, not in what.
_COUNTED = ("total", "count", "sum", "avg", "max", "min")
#: Family → least size, by what it is divided, and the word behind it; the last fits what is smaller.
_SCALES: dict[str, tuple[tuple[float, float, str], ...]] = {
    "bytes": ((2.0**40, 2.0**40, " TiB"), (2.0**30, 2.0**30, " GiB"), (2.0**20, 2.0**20, " MiB"),
              (2.0**10, 2.0**10, " KiB"), (0.0, 1.0, " B")),
    "seconds": ((172_800.0, 86_400.0, "d"), (7_200.0, 3_600.0, "h"), (120.0, 60.0, "min"), (1.0, 1.0, "s"),
                (1e-3, 1e-3, "ms"), (0.0, 1e-6, "us")),
    "plain": ((1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"), (0.0, 1.0, "")),
}  # fmt: skip

#: Kind of anomaly → its letter in a plot. What is missing of it is a kind that this console does not know yet.
LETTERS = {
    "spike": Safe("S"),
    "level_shift": Safe("L"),
    "drift": Safe("D"),
    "missing": Safe("M"),
    "flat": Safe("F"),
    "seasonal_break": Safe("B"),
}
UNKNOWN_LETTER = Safe("?")


class Unit:
    """How the values of one series are written; `word` is what stands behind a plain number."""

    def __init__(self, word: str, family: str) -> None:
        self.word, self.family = safe_text(word), family

    def value(self, value: float | None, step: float = 0.0) -> Safe:
        """With its unit, as short as it still tells: 12.4%, 3.2 MiB, 240ms, 1.6M. `step` is how far apart the values
        are that must not look alike."""
        if value is None or not isfinite(value):
            return Safe("-")
        family, by = ("seconds", 1e-3) if self.family == "ms" else (self.family, 1.0)
        size = max(abs(value), step) * by
        _, scale, word = next(found for found in _SCALES[family] if size >= found[0])
        number = value * by / scale
        told = _number(number) if not step else f"{number:.{_digits(step * by / scale)}f}"
        return Safe(f"{told}{word}{self.word if family == 'plain' else ''}")


def _digits(step: float) -> int:
    """Decimals that tell numbers this far apart."""
    return max(0, min(6, ceil(-log10(step) - 1e-9))) if step > 0 else 0


def unit_of(name: str, labels: Mapping[str, str]) -> Unit:
    """The unit of a series by its label "unit", else by the end of its name."""
    said = labels.get("unit", "")
    return _unit(said[:12].lower(), True) if said else _unit(name, False)


@lru_cache(maxsize=512)
def _unit(name: str, is_unit: bool) -> Unit:
    parts = [part for part in name.lower().split("_") if part]
    while len(parts) > 1 and parts[-1] in _COUNTED:
        parts.pop()
    # "c" of a name is a unit only behind another word: "temperature_c".
    if parts and parts[-1] in _UNITS and (is_unit or len(parts) > 1):
        return Unit(*_UNITS[parts[-1]])
    return Unit(f" {name}" if is_unit and name != "%" else name if is_unit else "", "plain")


def _number(value: float) -> str:
    """Three digits that count, at most seven cells."""
    if value == int(value) and abs(value) < 1e4:
        return str(int(value))
    if abs(value) >= 1e7 or abs(value) < 1e-3:
        return f"{value:.2e}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 100 else f"{value:.3g}"


def kind_words(kind: str) -> Safe:
    """level_shift → level shift."""
    return safe_text(kind.replace("_", " ") or "-")
