"""A series and what is usual of it: a level, a spread, the hour of the day, and how long the same value stands.

Owns the arithmetic of one series, pure and in constant memory. Level and spread are exponentially weighted (Roberts,
1959; mean absolute deviation for the spread), the hour's part is a running mean of distances from the level. A value is
odd when it is `LIMIT` spreads away from level and hour. Nothing is judged before a day's worth has been seen, so that a
start raises no storm. It fails on series with two modes: they are either always or never odd.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from data.nouns.samples import AnomalyKind, SeriesState

#: Weight of a new value in level, spread and interval.
LEVEL, SPREAD, INTERVAL, HOUR = 0.02, 0.02, 0.1, 0.1
#: Spreads from what is expected; mean absolute deviations, so 8 are about 6.4 standard deviations.
LIMIT = 8.0
#: Samples and seconds before a series is judged.
ENOUGH, ENOUGH_SECONDS = 60, 6 * 3600.0
#: Odd values in a row that are a new level, calm ones that end an anomaly, equal ones that are a flat line.
SHIFTED, CALM, FLAT = 4, 5, 30
#: A level that has shifted is believed after so many odd values.
BELIEVED = 24


class Found(NamedTuple):
    """A verdict on one sample."""

    kind: AnomalyKind
    expected: float
    score: float


def expected(of: SeriesState, at: float) -> float:
    hour = int(at // 3600.0) % 24
    return of.level + (of.hours[hour] if of.hours and of.seen[hour] >= 3 else 0.0)


def is_ready(of: SeriesState) -> bool:
    return of.count >= ENOUGH and of.last_at - of.first_at >= ENOUGH_SECONDS


def fits(of: SeriesState, resumed: int) -> bool:
    """Whether what was known before a gap is a measure for what came since, `resumed` samples ago (0: there was none).

    It is once a sample was as usual. Where none was, the level has moved meanwhile: told as soon as that is certain,
    not sample by sample."""
    return of.odd < resumed or not resumed or of.odd >= SHIFTED


def step(of: SeriesState, at: float, value: float) -> tuple[SeriesState, Found | None]:
    """The state after one more sample, and what is odd of it. A sample that is not newer than the last changes nothing.

    While a value is odd the usual is not learned from it, unless it stays: then it is the new usual."""
    if of.count and at <= of.last_at:
        return of, None
    if not of.count:
        return _first(of, at, value), None
    usual = expected(of, at)
    away = value - usual
    floor = max(of.spread, 0.01 * abs(of.level), 1e-9)
    score = abs(away) / floor
    is_odd = is_ready(of) and score > LIMIT
    odd = of.odd + 1 if is_odd else 0
    same = of.same + 1 if value == of.value else 0
    learns = not is_odd or odd >= BELIEVED
    found = _kind(of, odd, same, usual, score)
    return _next(of, at, value, away, (odd, same, 0 if found else of.calm + 1), learns=learns), found


def _first(of: SeriesState, at: float, value: float) -> SeriesState:
    return replace(of, count=1, first_at=at, last_at=at, value=value, level=value, hours=(0.0,) * 24, seen=(0,) * 24)


def _kind(of: SeriesState, odd: int, same: int, usual: float, score: float) -> Found | None:
    if odd:
        return Found("level_shift" if odd >= SHIFTED else "spike", round(usual, 6), round(score, 2))
    # A flat line is odd only of a series that usually moves from sample to sample.
    if same >= FLAT and is_ready(of) and of.moves > 0.9:
        return Found("flat", round(usual, 6), float(same))
    return None


def _next(
    of: SeriesState, at: float, value: float, away: float, runs: tuple[int, int, int], *, learns: bool
) -> SeriesState:
    odd, same, calm = runs
    gap = at - of.last_at
    weight = max(INTERVAL, 1.0 / of.count)
    interval = of.interval + weight * (gap - of.interval) if gap < 10 * of.interval or of.count < 5 else of.interval
    moved = 0.0 if value == of.value else 1.0
    level, spread, hours, seen, moves = of.level, of.spread, of.hours, of.seen, of.moves
    if learns:
        pace = max(LEVEL, 1.0 / (of.count + 1)) if odd < BELIEVED else 0.2
        hour = int(at // 3600.0) % 24
        hours = (*hours[:hour], hours[hour] + HOUR * (value - level - hours[hour]), *hours[hour + 1 :])
        seen = (*seen[:hour], min(999, seen[hour] + 1), *seen[hour + 1 :])
        level += pace * (value - level)
        spread += max(SPREAD, 1.0 / of.count) * (abs(away) - spread)
        moves += max(LEVEL, 1.0 / of.count) * (moved - moves) if same < FLAT else 0.0
    return replace(
        of,
        count=of.count + 1,
        last_at=at,
        value=value,
        level=level,
        spread=spread,
        moves=moves,
        interval=interval,
        hours=hours,
        seen=seen,
        odd=odd,
        same=same,
        calm=min(calm, 1000),
    )
