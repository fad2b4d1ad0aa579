"""Fraud heatmaps from what the engine sums up, and from single scores; and what a cell says, in words. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from noc_console import words
from noc_console.safe_text import Safe, safe_text
from noc_console.widgets.heat_grid import HeatCell, HeatColumn, HeatRow

#: From this score on an event is worth an alert.
FLAGGED = 0.8
NAMES_SHOWN = 3
_MAX, _EVENTS, _FLAGGED = itemgetter("max"), itemgetter("events"), itemgetter("flagged")


def hour_columns() -> list[HeatColumn]:
    """The hours of a day, by their number."""
    return [HeatColumn(str(hour), Safe(f"{hour:02d}")) for hour in range(24)]


def day_columns(today: datetime, days: int) -> list[HeatColumn]:
    """The last `days` dates, the newest last, by their ISO form."""
    dates = [today.date() - timedelta(days=back) for back in reversed(range(days))]
    return [HeatColumn(date.isoformat(), Safe(f"{date:%d}")) for date in dates]


def last_hours(now: datetime, hours: int = 24) -> list[HeatColumn]:
    """The last clock hours in UTC, the newest last, by their ISO form."""
    first = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    times = [first - timedelta(hours=back) for back in reversed(range(hours))]
    return [HeatColumn(_hour_key(time), Safe(f"{time:%H}")) for time in times]


def rows_of_cells(cells: Iterable[Mapping[str, Any]], column: str, names: Mapping[str, Safe]) -> list[HeatRow]:
    """The engine's cells as rows, the worst site first. `column` is the field of the column: hour or day.

    Only the sums that rank the rows are made here; a row's cells are made when it is drawn.
    """
    by_site: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for cell in cells:
        by_site[cell["site"]].append(cell)
    rows = [
        HeatRow(
            site,
            names.get(site) or safe_text(site or "no site"),
            LazyCells(found, column),
            max(map(_MAX, found)),
            sum(map(_EVENTS, found)),
            sum(map(_FLAGGED, found)),
        )
        for site, found in by_site.items()
    ]
    return sorted(rows, key=_worst_first)


class LazyCells(Mapping[str, HeatCell]):
    """The cells of one site by column, made from the engine's answer when the first of them is asked for."""

    __slots__ = ("_column", "_found", "_made")

    def __init__(self, found: Sequence[Mapping[str, Any]], column: str) -> None:
        self._found, self._column = found, column
        self._made: dict[str, HeatCell] | None = None

    @property
    def is_made(self) -> bool:
        return self._made is not None

    def _cells(self) -> dict[str, HeatCell]:
        if self._made is None:
            self._made = {
                str(cell[self._column]): HeatCell(float(cell["max"]), int(cell["events"]), int(cell["flagged"]))
                for cell in self._found
            }
        return self._made

    def __getitem__(self, column: str) -> HeatCell:
        return self._cells()[column]

    def __contains__(self, column: object) -> bool:
        return column in self._cells()

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells())

    def __len__(self) -> int:
        return len(self._found)


def rows_of_scores(scores: Iterable[Any], names: Mapping[str, Safe]) -> list[HeatRow]:
    """Single scores by site and clock hour in UTC, the worst site first."""
    by_site: defaultdict[str, dict[str, HeatCell]] = defaultdict(dict)
    for score in scores:
        cells, key = by_site[score.site], _hour_key(score.at)
        old = cells.get(key, HeatCell(0.0, 0, 0))
        cells[key] = HeatCell(max(old.worst, score.score), old.events + 1, old.flagged + (score.score >= FLAGGED))
    return _ranked(by_site, names)


def in_column(score: Any, column: str, zone: str) -> bool:
    """Whether the score belongs to the column, by the clock of its site."""
    at = score.at.astimezone(_zone(zone))
    return column == (at.date().isoformat() if _is_day(column) else str(at.hour))


def column_words(column: HeatColumn) -> str:
    """The column in a sentence."""
    if _is_day(column.key):
        return f"on {datetime.fromisoformat(column.key):%d %b}"
    return f"between {int(column.key):02d}:00 and {int(column.key):02d}:59 site time"


def cell_words(cell: HeatCell | None, column: HeatColumn) -> Safe:
    """How many events there were and what the worst scored."""
    when = column_words(column)
    if cell is None:
        return Safe(f"{when}: no attendance event")
    worst = f"worst {cell.worst:.0%}" if cell.worst >= 0.005 else "none of them suspicious"
    flagged = f", {cell.flagged:,} of them {FLAGGED:.0%} or more" if cell.flagged else ""
    return Safe(f"{when}: {words.many(cell.events, 'event')}{flagged}; {worst}")


def who_words(scores: Sequence[Any], person_name: Mapping[str, Safe]) -> tuple[Safe, Safe]:
    """The people of these scores, the worst first, and the patterns with their counts."""
    worst: dict[str, float] = {}
    for score in scores:
        worst[score.person] = max(worst.get(score.person, 0.0), score.score)
    ranked = sorted(worst, key=lambda person: (-worst[person], person))
    people = ", ".join(f"{person_name.get(person, person)} {worst[person]:.0%}" for person in ranked[:NAMES_SHOWN])
    more = f" and {len(ranked) - NAMES_SHOWN} more" if len(ranked) > NAMES_SHOWN else ""
    found = Counter(name for score in scores for name in score.anomalies)
    patterns = ", ".join(
        f"{name.replace('_', ' ')} {count}x" if count > 1 else name.replace("_", " ")
        for name, count in found.most_common(NAMES_SHOWN + 1)
    )
    return safe_text(people + more or "nobody"), safe_text(patterns or "none")


def _ranked(by_site: Mapping[str, Mapping[str, HeatCell]], names: Mapping[str, Safe]) -> list[HeatRow]:
    rows = [
        HeatRow(
            site,
            names.get(site) or safe_text(site or "no site"),
            cells,
            max(cell.worst for cell in cells.values()),
            sum(cell.events for cell in cells.values()),
            sum(cell.flagged for cell in cells.values()),
        )
        for site, cells in by_site.items()
    ]
    return sorted(rows, key=_worst_first)


def _worst_first(row: HeatRow) -> tuple[float, int, str]:
    return -row.worst, -row.flagged, row.key


def _is_day(column: str) -> bool:
    return "-" in column


def _hour_key(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H}"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
