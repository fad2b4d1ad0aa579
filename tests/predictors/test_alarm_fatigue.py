"""Warnings worth reading: a device is told of for signs of its own, and not again and again."""

from __future__ import annotations

from datetime import timedelta
from math import log, nan

from data.nouns.world import Device
from data.records import DEFAULT_TENANT
from engine.book import Draft
from engine.models.calibration import logistic
from engine.predictors import device, quiet
from engine.predictors.predictor import Row
from tests.domain.timeline import World
from tests.fakes.line import T0

KEY = (DEFAULT_TENANT, "device", "d1")


def row(**values: float) -> Row:
    """Of a device of which nothing is wrong, but for these columns."""
    calm = dict(zip(device.FEATURES, device.PREDICTOR.calm, strict=False))
    return tuple(({**calm, **values}).get(name, nan) for name in device.FEATURES)


def chance(share: float = 0.001, **values: float) -> float:
    return logistic(device.margin(row(**{name.replace("__", "."): value for name, value in values.items()}), share))


def draft_at(world: World, seconds: float) -> Draft:
    return Draft(world.book, world.rules, DEFAULT_TENANT, T0 + timedelta(seconds=seconds))


def test_a_battery_counts_by_the_time_until_it_is_empty() -> None:
    falls = {"battery_slope": -13.0}
    full = chance(**falls, battery_slope__level=90.0)
    empty = chance(**falls, battery_slope__level=9.0)
    assert full == chance() and empty > 100.0 * full


def test_an_outage_of_all_does_not_speak_against_each() -> None:
    assert chance(share=0.6) < 0.1 * device.PREDICTOR.raise_at
    assert chance(share=0.005) > chance(share=0.001)


def test_what_is_of_the_last_hour_says_more_than_what_is_of_the_day() -> None:
    day, hour = chance(errors_24h=log(13.0)), chance(errors_24h=log(13.0), errors_24h__hour=log(10.0))
    assert hour > 10.0 * day > 10.0 * chance()


def test_errors_of_a_day_alone_are_no_warning() -> None:
    assert chance(share=0.01, errors_24h=log(20.0), sync_trend=5.0) < device.PREDICTOR.raise_at


def test_a_device_that_is_silent_for_too_long_is_gone_and_not_foretold() -> None:
    world = World()
    world.book.derived["domain.listening"] = {DEFAULT_TENANT: T0 - timedelta(days=1)}
    world.book.nouns["devices"][DEFAULT_TENANT, "d1"] = Device(
        tenant=DEFAULT_TENANT, id="d1", at=T0, type="camera", state="online", last_seen=T0
    )
    assert device.thing(draft_at(world, 60.0), (DEFAULT_TENANT, "d1")) is not None
    assert device.thing(draft_at(world, 86_400.0), (DEFAULT_TENANT, "d1")) is None


def test_each_false_alarm_in_a_row_keeps_it_quiet_for_longer() -> None:
    world, at, waited = World(), 0.0, []
    for _ in range(5):
        quiet.quieten(draft_at(world, at), device.PREDICTOR, KEY, false_alarm=True)
        began = at
        while quiet.is_quiet(draft_at(world, at), KEY):
            at += 1800.0
        waited.append((at - began) / 3600.0)
    assert waited == [1.0, 4.0, 16.0, 64.0, 64.0]


def test_one_that_came_true_or_was_prevented_keeps_it_quiet_no_longer() -> None:
    world = World()
    for number in range(3):
        quiet.quieten(draft_at(world, 7200.0 * number), device.PREDICTOR, KEY, false_alarm=False)
        assert quiet.is_quiet(draft_at(world, 7200.0 * number + 3500.0), KEY)
        assert not quiet.is_quiet(draft_at(world, 7200.0 * number + 3600.0), KEY)
    for seconds in (30_000.0, 40_000.0):
        quiet.quieten(draft_at(world, seconds), device.PREDICTOR, KEY, false_alarm=True)
    quiet.came_true(draft_at(world, 50_000.0), device.PREDICTOR, KEY)
    assert quiet.is_quiet(draft_at(world, 53_500.0), KEY) and not quiet.is_quiet(draft_at(world, 53_600.0), KEY)
