"""What detectors have learned outlives a restart: no blind hours, no storm, bounded, and by tenant."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from data.nouns.samples import DetectorState
from data.records import TenantId
from engine.domain import detection, device_scores, keep_detectors
from tests.domain.timeline import World, event
from tests.fakes.line import at

NAMES = ("cpu", "heat", "power")
RECORDS = 240


def fed(world: World, first: int, last: int, spike: float = 0.0, tenant: TenantId | None = None) -> World:
    """Three metrics of a device every minute, in one delivery."""
    rows = []
    for number in range(first, last):
        random = Random(number)
        load = random.uniform(40.0, 60.0)
        for place, name in enumerate(NAMES):
            value = (place + 1) * load + random.gauss(0.0, 0.5) + spike
            rows.append(
                event(
                    "sample", 60.0 * number, event_id=f"{name}{number}", name=name, value=value, labels={"device": "gw"}
                )
            )
    world.now = max(world.now, rows[-1].at)
    world.take_events(*rows, tenant=tenant)
    return world


def kept(world: World) -> list[DetectorState]:
    return [found for found in world.nouns("detector_states") if isinstance(found, DetectorState)]


def alarms(world: World, since: int) -> set[tuple[str, int]]:
    """(metric, minute) of the anomalies that the detector has begun from this minute on."""
    found = [record for record in world.nouns("anomalies") if record.detector == "ensemble"]
    minutes = {(record.name, round((record.at - at(0)).total_seconds() / 60.0)) for record in found}
    return {(name, minute) for name, minute in minutes if minute >= since}


@pytest.fixture
def restarted() -> World:
    world = fed(World(), 0, RECORDS)
    world.tick(60)
    assert {piece.table for piece in kept(world)} == {"series", "devices"}
    world.restart()
    return world


def test_a_restart_neither_hides_a_spike_nor_raises_a_storm(restarted: World) -> None:
    """What is told is what would have been told without the restart."""
    steady = fed(World(), 0, RECORDS)
    steady.tick(60)
    for world in (restarted, steady):
        fed(world, RECORDS + 2, RECORDS + 60)
        fed(world, RECORDS + 60, RECORDS + 61, spike=500.0)
    told = alarms(restarted, RECORDS)
    assert told == alarms(steady, RECORDS)
    assert {(name, RECORDS + 60) for name in NAMES} <= told
    assert len(told) <= 2 * len(NAMES)


def test_without_what_was_kept_the_detector_would_be_blind() -> None:
    """The test above can fail: a restart that finds nothing kept says nothing of the same spike."""
    world = fed(World(), 0, RECORDS)
    assert kept(world) == []
    world.restart()
    fed(world, RECORDS + 2, RECORDS + 60)
    fed(world, RECORDS + 60, RECORDS + 61, spike=500.0)
    assert alarms(world, RECORDS) == set()


def test_devices_go_on_where_they_were(restarted: World) -> None:
    fed(restarted, RECORDS + 2, RECORDS + 3)
    watched = restarted.book.derived["domain.devices_watched"][restarted.tenant, "gw"]
    assert watched.words == NAMES and watched.settled > RECORDS
    assert watched.model._seen == RECORDS - device_scores.SETTLED + 2
    assert restarted.book.derived["domain.devices_room"]["cells"] == 9


def test_a_start_loads_nothing_before_the_first_sample(restarted: World) -> None:
    restarted.tick(60).tick(60)
    assert "domain.detector" not in restarted.book.derived
    assert not restarted.book.derived.get("domain.devices_watched")


@pytest.mark.parametrize("harm", [lambda state: state[:-9], lambda state: b"", lambda state: b"x" + state])
def test_a_piece_that_is_damaged_is_learned_again(restarted: World, harm: Any) -> None:
    held = restarted.book.nouns["detector_states"]
    for key, piece in list(held.items()):
        held[key] = replace(piece, state=harm(piece.state))
    fed(restarted, RECORDS + 2, RECORDS + 20).tick(60)
    assert len(kept(restarted)) == 2
    assert alarms(restarted, RECORDS) == set()


def test_pieces_are_of_one_tenant_each() -> None:
    world = fed(World(), 0, 20)
    other = TenantId("other")
    fed(world, 20, 40, tenant=other).tick(60)
    assert sorted((piece.tenant, piece.table) for piece in kept(world)) == [
        (tenant, table) for tenant in sorted((world.tenant, other)) for table in ("devices", "series")
    ]
    before = dict(world.book.derived["domain.series_numbers"])
    world.restart()
    fed(world, 40, 41)
    assert set(world.book.derived["domain.series_numbers"]) == set(before)


def test_of_two_pieces_the_later_one_counts_and_a_piece_is_bounded(
    restarted: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = restarted.book.nouns["detector_states"]
    (piece,) = [found for found in held.values() if found.table == "series"]
    stale = World()
    fed(stale, 0, 5).tick(60)
    (old,) = [found for found in kept(stale) if found.table == "series"]
    held[restarted.tenant, "series/7"] = replace(old, id="series/7", at=piece.at.replace(year=piece.at.year - 1))
    fed(restarted, RECORDS + 2, RECORDS + 3)
    detector = restarted.book.derived["domain.detector"]["detector"]
    assert detector.ready(np.arange(3)).all()
    monkeypatch.setattr(keep_detectors, "PIECE", 2)
    for _ in range(2):
        restarted.tick(60)
    assert max(len(found.names) for found in kept(restarted) if found.at == restarted.now) <= 2
    assert len(piece.state) <= 6 * 1024 * len(piece.names)


def test_what_was_not_heard_for_two_weeks_is_not_kept(restarted: World) -> None:
    held = restarted.book.nouns["detector_states"]
    for key, piece in list(held.items()):
        held[key] = replace(piece, at=piece.at.replace(year=piece.at.year - 1))
    fed(restarted, RECORDS + 2, RECORDS + 3)
    detector = restarted.book.derived["domain.detector"]["detector"]
    assert not detector.ready([0, 1, 2]).any()
    assert detection.FORGET_SECONDS == device_scores.FORGET.total_seconds()
