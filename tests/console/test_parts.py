"""The pure parts: order of rows, columns, pacing, status line, durations, mirror, handover, trail."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from data.records import Ack, Change, IncidentState, Severity, TenantId
from engine.client import Resync
from noc_console.desk import Age
from noc_console.directory import Directory
from noc_console.durations import read_minutes, split_duration
from noc_console.embedded import Handover
from noc_console.feed_words import change_pieces
from noc_console.glyphs import ASCII, UNICODE, glyphs_for
from noc_console.mirror import INBOX_CAP, Dirty, Mirror
from noc_console.pump import Pacer, Pump
from noc_console.safe_text import Safe
from noc_console.trail import Trail
from noc_console.widgets.columns import GAP, Column, lay_out
from noc_console.widgets.piece import line_width
from noc_console.widgets.row_order import RowOrder
from noc_console.widgets.spark import spark
from noc_console.widgets.status_bar import StatusFacts, status_line
from tests.fakes import world

NOW = datetime(2026, 11, 20, 14, 3, 22, tzinfo=UTC)


# order of rows


def test_first_rows_are_sorted_and_later_ones_wait() -> None:
    order = RowOrder[int](lambda key: key, descending=True)
    order.set_keys({1, 3, 2})
    assert order.rows == [3, 2, 1]
    order.set_keys({1, 3, 2, 9})
    assert order.rows == [3, 2, 1, 9] and order.fresh == {9} and order.due(100.0)
    order.reorder(100.0)
    assert order.rows == [9, 3, 2, 1] and not order.fresh


def test_a_row_that_is_gone_keeps_its_place_until_the_reorder() -> None:
    order = RowOrder[int](lambda key: key)
    order.set_keys({1, 2, 3})
    order.set_keys({1, 3})
    assert order.rows == [1, 2, 3] and order.ghosts == {2}
    order.reorder(1.0)
    assert order.rows == [1, 3]


@pytest.mark.parametrize(
    ("sorted_at", "moved_at", "held", "due"),
    [(0.0, 0.0, False, True), (6.0, 0.0, False, False), (0.0, 9.0, False, False), (0.0, 0.0, True, False)],
)
def test_when_the_order_may_change(sorted_at: float, moved_at: float, held: bool, due: bool) -> None:
    order = RowOrder[int](lambda key: key)
    order.set_keys({1})
    order.reorder(sorted_at)
    order.moved(moved_at)
    order.held = held
    order.touch()
    assert order.due(10.0) is due


@settings(deadline=None)
@given(st.lists(st.sets(st.integers(0, 20)), max_size=8))
def test_order_holds_exactly_the_keys_after_a_reorder(steps: list[set[int]]) -> None:
    order = RowOrder[int](lambda key: key)
    for keys in steps:
        order.set_keys(keys)
        assert set(order.rows) >= keys and len(order.rows) == len(set(order.rows))
        assert all(order.rows[place] == key for key, place in order.index.items())
    order.reorder(1.0)
    assert order.rows == sorted(steps[-1] if steps else [])


# columns


def _column(key: str, cells: int, keep: int, flex: int = 0) -> Column:
    return Column(key=key, title=Safe(key), width=cells, keep=keep, flex=flex)


def test_columns_leave_by_rank_and_the_flexible_takes_the_rest() -> None:
    columns = (_column("a", 4, 90), _column("b", 4, 10), _column("c", 6, 100, flex=1))
    assert [(p.column.key, p.cells) for p in lay_out(columns, 20)] == [("a", 4), ("b", 4), ("c", 10)]
    assert [(p.column.key, p.cells) for p in lay_out(columns, 12)] == [("a", 4), ("c", 7)]
    assert [(p.column.key, p.cells) for p in lay_out(columns, 5)] == [("c", 5)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 9), st.integers(0, 3)), min_size=1), st.integers(1, 200))
def test_columns_never_exceed_the_width(shapes: list[tuple[int, int, int]], cells: int) -> None:
    columns = [_column(str(n), *shape) for n, shape in enumerate(shapes)]
    placed = lay_out(columns, cells)
    assert placed and sum(p.cells for p in placed) + GAP * (len(placed) - 1) <= cells


# pacing


def test_next_frame_waits_for_the_answer() -> None:
    pacer = Pacer()
    assert pacer.may_paint(0.0) and pacer.painted(0.0)
    assert not pacer.may_paint(0.5)
    pacer.answered(0.6)
    assert pacer.may_paint(0.7) and pacer.rtt == pytest.approx(0.6)


def test_without_an_answer_it_goes_on_slowly() -> None:
    pacer = Pacer()
    pacer.painted(0.0)
    assert not pacer.may_paint(9.9) and not pacer.slow(9.9)
    assert pacer.may_paint(10.0) and pacer.slow(10.0)
    assert not pacer.painted(10.0)
    assert not pacer.may_paint(12.0) and pacer.may_paint(15.0)


def test_what_waits_is_merged_not_queued() -> None:
    mirror, painted, now = Mirror(), list[Dirty](), [0.0]
    pump = Pump(mirror, painted.append, lambda: None, lambda: now[0])
    pump.tick()
    for n in range(20):
        mirror.push([_change(world.incident(n % 3 + 1))])
        now[0] += 0.25
        pump.tick()
    assert len(painted) == 2
    pump.pacer.answered(now[0])
    now[0] += 0.5
    pump.tick()
    assert painted[-1].incidents == {1, 2, 3}


# mirror


def _change(incident: object, seq: int = 1) -> Change:
    record = msgspec.Raw(msgspec.json.encode(incident))
    return Change(kind="incident_updated", tenant=TenantId("default"), at=NOW, subject=f"incident:{incident.id}",  # type: ignore[attr-defined]
                  record=record, seq=seq)  # fmt: skip


def test_mirror_folds_in_appearance_change_and_end() -> None:
    mirror, incident = Mirror(), world.incident(7)
    mirror.push([_change(incident)])
    assert mirror.drain().appeared == {7}
    mirror.push([_change(replace(incident, alerts=99), 2), _change(replace(incident, state=IncidentState.CLOSED), 3)])
    dirty = mirror.drain()
    assert dirty.ended == {7} and dirty.logged == 2 and mirror.seq == 3
    assert not mirror.incidents and mirror.incident(7) is not None


def test_mirror_drops_a_flood_that_nobody_drains_and_asks_for_a_fresh_read() -> None:
    mirror, batch = Mirror(), [_change(world.incident(7))] * 1_000
    for _ in range(INBOX_CAP // 1_000 + 1):
        mirror.push(batch)
    assert mirror.overrun


def test_a_lapsed_ack_or_shelf_counts_at_once() -> None:
    mirror = Mirror()
    past = NOW - timedelta(minutes=1)
    acked = replace(world.incident(1), ack=Ack(by="eva", at=past, severity=Severity.CRITICAL, expires_at=past))
    mirror.load([acked, replace(world.incident(2), shelved_until=NOW + timedelta(hours=1))], [], 0)
    assert [i.id for i in mirror.unacked(NOW)] == [1]
    assert mirror.counts(NOW)[Severity.CRITICAL] == 1


# lines


@settings(deadline=None)
@given(st.integers(60, 220), st.booleans(), st.integers(0, 5000))
def test_status_line_fits_and_keeps_age_and_clock(cells: int, busy: bool, number: int) -> None:
    facts = StatusFacts(
        now=NOW, age=Age.STALE, data_seconds=95, counts=dict.fromkeys(Severity, number), shelved=number, marks=number,
        frozen_seconds=42 if busy else None, readonly=busy, undo_seconds=8 if busy else None, tenant="t" * 20,
        engine="store_down", alarms_10m=number, rtt_seconds=0.085,
    )  # fmt: skip
    line = status_line(facts, cells, UNICODE)
    text = "".join(piece.text for piece in line)
    assert line_width(line) <= cells and "STALE 95s" in text
    assert text.rstrip().endswith("14:03:22Z") or busy


@pytest.mark.parametrize(
    ("encoding", "ascii_only", "unicode"),
    [("utf-8", False, True), ("UTF-8", True, False), ("ISO-8859-1", False, False), (None, False, False)],
)
def test_glyphs_by_terminal(encoding: str | None, ascii_only: bool, unicode: bool) -> None:
    assert glyphs_for(encoding, ascii_only) is (UNICODE if unicode else ASCII)


def test_spark_shows_the_least_above_zero_and_what_is_missing() -> None:
    assert spark([0, 0.001, 5, 10, 99, None], 10, UNICODE) == " ▁▄██?"


# durations


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("15m", 15), ("1h", 60), ("90", 90), ("1h30m", 90), ("2d", 2880), ("until 18:03", 240), ("14:00", 1437)],
)
def test_durations(text: str, minutes: int) -> None:
    assert read_minutes(text, NOW.replace(second=0)) == minutes


@pytest.mark.parametrize("text", ["", "soon", "0m", "25:00", "9999d", "1" * 30])
def test_durations_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"write 15m|at most a year"):
        read_minutes(text, NOW)


def test_duration_and_reason_are_parted() -> None:
    assert split_duration("until 18:30 fan noise") == ("until 18:30", "fan noise")
    assert split_duration("1h") == ("1h", "")


# trail and handover


def test_trail_forgets_what_was_ahead() -> None:
    trail = Trail("a")
    trail.visit("b")
    trail.visit("c")
    assert (trail.last(), trail.back(), trail.back(), trail.back(), trail.forward()) == ("b", "b", "a", "a", "b")
    trail.visit("d")
    assert (trail.forward(), trail.last()) == ("d", "b")


async def test_handover_keeps_order_and_turns_an_overrun_into_a_resync() -> None:
    handover = Handover(asyncio.get_running_loop(), cap=3)
    first = [_change(world.incident(1), 1)]
    await asyncio.to_thread(handover.put, first)
    assert await handover.take() == [first]
    for seq in range(2, 7):
        handover.put([_change(world.incident(1), seq)])
    taken = await handover.take()
    assert isinstance(taken[0], Resync) and taken[0].seq == 5 and taken[1][0].seq == 6


# the feed


@pytest.mark.parametrize(
    ("subject", "record", "told"),
    [
        (
            "prediction:8e2ff7",
            {"model": "staffing", "entity": "site-046/night", "entity_name": "night", "probability": 0.97},
            "staffing gap: night, 97% likely",
        ),
        ("change:68455a", {"kind": "deployment", "what": "firmware 4.2"}, "firmware 4.2"),
        ("change:68455a", {"what": 7}, ""),
        ("execution:run-A7", {"state": "rolled_back"}, "run-A7    rolled back"),
    ],
)
def test_the_feed_tells_what_has_no_title_without_its_digest(
    subject: str, record: dict[str, object], told: str
) -> None:
    raw = msgspec.Raw(msgspec.json.encode(record))
    change = Change(kind="made", tenant=TenantId("t"), at=NOW, subject=subject, record=raw)
    words = "".join(piece.text for piece in change_pieces(change, Directory()))
    assert " ".join(words.split()) == " ".join(f"made {told}".split())
