"""Plots as lines of characters, time axes on days when clocks change, values with their units."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from noc_console.glyphs import ASCII, UNICODE, Glyphs
from noc_console.safe_text import Safe
from noc_console.screens.metrics_rows import own_spark
from noc_console.screens.metrics_words import unit_of
from noc_console.widgets.plot_canvas import AROUND, GUTTER, Mark, Picture, Scale, Slot, columns_of, draw
from noc_console.widgets.time_axis import label_line, ticks, wall_clock, zone_words

HOUR = 3_600.0


def picture(slots: list[Slot], *, until: float = 40.0, band: bool = True, marks: tuple[Mark, ...] = ()) -> Picture:
    return Picture(
        since=0.0, until=until, slots=tuple(slots), band=band, marks=marks, clock=wall_clock("UTC"),
        number=lambda value, step: Safe(f"{value:g}"),
    )  # fmt: skip


def slot(at: float, avg: float, to: float | None = None, spread: float = 0.0, count: int = 1) -> Slot:
    return Slot(at, at + 1 if to is None else to, avg, avg - spread, avg + spread, count)


def rows(lines: list[object]) -> list[str]:
    return ["".join(piece.text for piece in line)[GUTTER:] for line in lines]  # type: ignore[attr-defined]


def test_a_column_shows_its_slot_and_a_gap_stays_empty() -> None:
    of = picture([slot(0, 1.0, 10), slot(20, 3.0, 30, count=1), slot(30, 5.0, 35, count=3)])
    found = columns_of(of, 4)
    assert [one.avg if one else None for one in found] == [1.0, None, 3.0, 5.0]


def test_the_slot_that_is_still_being_filled_is_drawn_in_the_last_column() -> None:
    found = columns_of(picture([slot(-8, 1.0, 1), slot(38, 3.0, 43), slot(40, 9.0, 45), slot(-9, 9.0, 0)]), 4)
    assert [one.avg if one else None for one in found] == [1.0, None, None, 3.0]
    wide = columns_of(picture([slot(36, 3.0, 56)]), 4)
    assert [one.avg if one else None for one in wide] == [None, None, None, 3.0]


def test_slots_that_share_a_column_are_weighed_and_keep_their_ends() -> None:
    (one,) = columns_of(picture([slot(0, 1.0, 20, 0.5, 1), slot(20, 5.0, 40, 2.0, 3)]), 1)
    assert one is not None and (one.avg, one.low, one.high, one.count) == (4.0, 0.5, 7.0, 4)


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_every_line_is_as_wide_and_reads_without_colour(glyphs: Glyphs) -> None:
    slots = [Slot(at, at + 1, 10 + at, 5 + at, 15 + at, 3, (12.0 + at, 14.0 + at)) for at in range(40) if at != 20]
    mark = Mark("m", 5, 9, Safe("S"), 90.0)
    lines = draw(picture(slots, marks=(mark,)), 40 + GUTTER, 12, glyphs, cursor=30)
    text = rows(list(lines))
    assert len(lines) == 12 and {len(line) for line in text} == {40}
    assert text[0][5] == "S" and text[0][6:10].strip() and text[0][30]
    body = text[1 : 12 - AROUND + 1]
    used = {character for line in body for character in line}
    expected = set("▁─▔░═╍!│ ·") if glyphs is UNICODE else set("_-':=~!| .")
    assert used <= expected and len(used & expected) >= 8
    assert all(line[20] in " ·.|│" for line in body), "the gap has nothing in it"
    assert text[-2][20] == " " and text[-2][19] != " "


def test_a_jump_is_one_line() -> None:
    lines = rows(
        list(draw(picture([slot(0, 0.0, 20), slot(20, 9.0, 40)], band=False), 4 + GUTTER, 10 + AROUND, UNICODE))
    )
    column = [line[2] for line in lines[1:11]]
    assert column.count("│") == 8 and column[0] == "▔"


@pytest.mark.parametrize(
    ("low", "high", "rows", "ends", "step"),
    [
        (0, 100, 12, (0, 100), 20),
        (20, 22, 12, (20, 22), 0.5),
        (5, 5, 9, (4.75, 5.25), 0.1),
        (-3, -3, 9, (-3.15, -2.85), 0.1),
    ],
)
def test_a_scale_has_round_labels(low: float, high: float, rows: int, ends: tuple[float, float], step: float) -> None:
    scale = Scale.over([slot(0, low), slot(1, high)], rows, band=False)
    found, apart = scale.ticks()
    assert (scale.low, scale.high) == pytest.approx(ends) and apart == pytest.approx(step)
    assert 1 <= len(found) <= rows and all(
        value / apart == pytest.approx(round(value / apart)) for value in found.values()
    )
    assert scale.row(scale.low) == rows - 1 and scale.row(scale.high) == 0


def test_an_empty_or_tiny_picture_is_drawn() -> None:
    assert len(draw(picture([]), 3, 2, UNICODE)) == 5
    assert len(draw(picture([slot(0, 1e300, spread=1e290)]), 30, 8, UNICODE)) == 8


def at(*moment: int) -> float:
    return datetime(*moment, tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]


def test_ticks_stand_at_round_times_of_the_wall_clock() -> None:
    since = at(2026, 11, 20, 13, 33)
    found = ticks(since, since + 24 * HOUR, 96, wall_clock("Asia/Kolkata"))
    assert [label for _, label in found[:4]] == ["21:00", "21 Nov", "03:00", "06:00"]
    assert {after[0] - before[0] for before, after in pairwise(found)} == {12}


@pytest.mark.parametrize(("since", "hours", "until_three"), [((2026, 3, 28, 23), 23, 8), ((2026, 10, 24, 22), 25, 16)])
def test_a_day_on_which_clocks_change_is_as_long_as_it_is(since: tuple[int, ...], hours: int, until_three: int) -> None:
    """From midnight to midnight in Berlin, four columns an hour: until 03:00 two hours pass, or four."""
    clock, begin = wall_clock("Europe/Berlin"), at(*since)
    places = {label: cell for cell, label in ticks(begin, begin + hours * HOUR, hours * 4, clock)}
    assert (places["03:00"], places["06:00"] - places["03:00"]) == (until_three, 12)
    assert clock(begin).hour == clock(begin + hours * HOUR).hour == 0


@pytest.mark.parametrize(
    ("days", "labels"),
    [(7, ["15 Nov", "16 Nov"]), (90, ["31 Aug", "14 Sep"]), (730, ["2025", "2026"])],
)
def test_long_ranges_have_dates(days: int, labels: list[str]) -> None:
    until = at(2026, 11, 21)
    found = ticks(until - days * 24 * HOUR, until, 70, wall_clock("UTC"))
    assert [label for _, label in found if label in labels] == labels, found
    assert len(label_line(found, 70)) == 70


@pytest.mark.parametrize(
    ("zone", "moment", "words"),
    [
        ("UTC", (2026, 7, 1), "UTC"),
        ("Europe/Berlin", (2026, 7, 1), "+02:00"),
        ("Europe/Berlin", (2026, 1, 1), "+01:00"),
        ("America/St_Johns", (2026, 1, 1), "-03:30"),
        ("no/where", (2026, 1, 1), "UTC"),
    ],
)  # fmt: skip
def test_how_far_a_zone_is_from_utc(zone: str, moment: tuple[int, ...], words: str) -> None:
    assert zone_words(wall_clock(zone), at(*moment)) == words


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("cpu_percent", 41.25, "41.2%"), ("disk_used_bytes", 3 * 2**20, "3 MiB"), ("latency_ms", 240.0, "240ms"),
        ("latency_ms", 2400.0, "2.4s"), ("up_seconds_total", 90_000.0, "25h"), ("temperature_c", 21.5, "21.5°C"),
        ("c", 21.5, "21.5"), ("requests_total", 1_234_567.0, "1.23M"), ("zero", 0.0, "0"), ("tiny", 1.5e-7, "1.50e-07"),
        ("big", 1e300, "1.00e+288T"), ("nan", float("nan"), "-"), ("gap", None, "-"), ("minus_percent", -12.0, "-12%"),
    ],
)  # fmt: skip
def test_values_have_their_units(name: str, value: float | None, words: str) -> None:
    assert unit_of(name, {}).value(value) == words


def test_a_label_says_the_unit_before_the_name() -> None:
    assert unit_of("speed_ms", {"unit": "knots"}).value(5.0) == "5 knots"
    assert unit_of("share", {"unit": "percent"}).value(5.0) == "5%"


def test_labels_of_an_axis_tell_neighbours_apart() -> None:
    unit = unit_of("battery_percent", {})
    assert [unit.value(value, 0.02) for value in (46.0, 46.02)] == ["46.00%", "46.02%"]
    assert unit.value(0.25, 0.05) == "0.25%" and unit_of("used_bytes", {}).value(2.0**20, 2.0**19) == "1.0 MiB"


def test_a_spark_has_its_own_scale_and_dots_for_gaps() -> None:
    assert own_spark([1.0] * 4 + [None] * 4 + [3.0, None, None, None] + [5.0] * 4, UNICODE) == "▁·▅█"
    assert own_spark([7.0] * 8, UNICODE) == "▁▁" and own_spark([None] * 6, UNICODE) == ""
