"""Moments and spans as people write them on a command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")


class Moment(click.ParamType[datetime]):
    """RFC 3339 (`2026-11-20T14:00Z`, `2026-11-20`) or how long ago (`90m`, `24h`, `7d`). Without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        span = seconds_of(str(value))
        try:
            if span is not None:
                from engine.clock import SystemClock

                return SystemClock().now() - timedelta(seconds=span)
            moment = datetime.fromisoformat(str(value))
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither a time (2026-11-20T14:00Z) nor an age (24h)", param, ctx)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def seconds_of(text: str) -> float | None:
    """Seconds of `90m` or `1.5h`; None when it is not a span."""
    found = _SPAN.fullmatch(text)
    return float(found[1]) * _UNITS[found[2]] if found else None
