"""The twelve features: what they say, what they do when something is missing, and that they only look back."""

from __future__ import annotations

import random
from copy import deepcopy
from math import isnan, nan
from typing import Any

import pytest

from engine.book import Book, Draft
from engine.fraud import history
from engine.fraud.features import FEATURES, Features, Observation, learn, observe
from engine.fraud.history import FraudState, PlainWriter, confirm
from engine.fraud.keeping import Kept
from engine.rules import Rules
from tests.fakes.attendance import TOWER, seen
from tests.fakes.line import ANA, T0


def value(features: Features, name: str) -> float:
    return features.values[FEATURES.index(name)]


def take(state: FraudState, event: Observation) -> Features:
    features = observe(state, event)
    learn(state, event, features)
    return features


def after(*events: Observation) -> FraudState:
    state = FraudState()
    for event in events:
        take(state, event)
    return state


def week(**given: Any) -> list[Observation]:
    return [
        seen(day, hour, kind=kind, **given) for day in range(5) for hour, kind in ((8.0, "in"), (16.0, "out"))
    ]


def some(count: int, seed: int = 7) -> list[Observation]:
    """Events of a few people, late ones and holes among them."""
    draw = random.Random(seed)
    events = []
    for number in range(count):
        person = f"p{draw.randrange(6)}"
        given: dict[str, Any] = {"person": person, "device": draw.choice(["", "d1", "d2", f"phone-{person}"])}
        if draw.random() < 0.2:
            given |= {"lat": nan, "lon": nan, "accuracy_m": nan}
        if draw.random() < 0.2:
            given |= {"biometric": nan, "site_lat": nan, "site_lon": nan}
        late = draw.choice([0.0, 0.0, 0.0, -0.4])
        events.append(seen(number / 10 + late, draw.uniform(0, 23), kind=draw.choice(["in", "out", "visit"]), **given))
    return events


def test_there_are_twelve_with_these_names() -> None:
    assert len(FEATURES) == len(set(FEATURES)) == 12
    assert len(observe(FraudState(), seen()).values) == 12


def test_what_is_missing_is_nan_and_never_zero() -> None:
    bare = Observation(tenant="t", person="ana", at=0.0, hour=8.0, day_type=0)
    features = observe(FraudState(), bare)
    unknown = [name for name, found in zip(FEATURES, features.values, strict=True) if isnan(found)]
    assert unknown == [name for name in FEATURES if name != "confirmed_30d"]


def test_only_looks_back() -> None:
    events = some(300)
    state = FraudState()
    whole = [take(state, event).values for event in events]
    for cut in (1, 50, 170, 299):
        short = FraudState()
        again = [take(short, event).values for event in events[:cut]]
        assert repr(again) == repr(whole[:cut])


def test_observing_writes_nothing() -> None:
    state = after(*some(100))
    before = deepcopy(state)
    observe(state, seen(40))
    assert state == before


def test_is_learned_again_to_the_same_state() -> None:
    events = some(200)
    assert after(*events) == after(*events)


def test_dropping_the_draft_takes_everything_back() -> None:
    book = Book()
    draft = Draft(book, Rules(), ANA.tenant, T0)
    kept = Kept(draft)
    for event in some(50):
        learn(kept.state, event, observe(kept.state, event), kept)
    before = deepcopy((book.derived, book.nouns))
    second = Draft(book, Rules(), ANA.tenant, T0)
    kept = Kept(second)
    for event in some(50, seed=8):
        learn(kept.state, event, observe(kept.state, event), kept)
    confirm(kept.state, ("default", "ana", "harbour"), 1.0, kept)
    assert (book.derived, book.nouns) != before
    second.drop()
    assert (book.derived, book.nouns) == before


def test_state_of_a_person_and_a_device_is_bounded() -> None:
    state = FraudState()
    for number in range(400):
        place = {"lat": 40.0 + number / 50, "device": f"d{number}"}
        take(state, seen(number / 100, number % 24, **place))
        take(state, seen(number / 100, number % 24, person=f"p{number}", device="d"))
    known = state.persons["default", "ana"]
    assert len(known.places) <= history.PLACES_MOST
    assert len(known.recent) <= history.RECENT_MOST
    assert len(known.hours_in) <= history.HOURS_MOST
    assert len(known.devices) <= history.DEVICES_MOST
    assert len(state.devices["default", "d"]) <= history.USERS_MOST


def test_people_and_devices_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PERSONS_MOST", 10)
    monkeypatch.setattr(history, "KEYS_MOST", 7)
    state = after(*(seen(0, 8, person=f"p{number}", device=f"d{number}") for number in range(50)))
    assert len(state.persons) == 10
    assert len(state.devices) == 7
    assert ("default", "p49") in state.persons


@pytest.mark.parametrize(("hour", "expected"), [(8.0, 0.0), (11.0, 3.0), (2.0, 6.0), (20.0, 12.0)])
def test_deviation_from_the_usual_hour_goes_round_the_clock(hour: float, expected: float) -> None:
    assert value(observe(after(*week()), seen(7, hour)), "hour_deviation_h") == pytest.approx(expected)


def test_two_usual_hours_are_both_usual() -> None:
    nights = [seen(day, 23.0) for day in range(7, 12)]
    state = after(*week(), *nights)
    assert value(observe(state, seen(14, 8.0)), "hour_deviation_h") == 0.0
    assert value(observe(state, seen(14, 23.5)), "hour_deviation_h") == pytest.approx(0.5)
    assert value(observe(state, seen(14, 0.5)), "hour_deviation_h") == pytest.approx(1.5)


def test_minutes_from_the_start() -> None:
    late = seen(0, 8.25, start=seen(0, 8.0).at)
    assert value(observe(FraudState(), late), "minutes_from_start") == pytest.approx(15.0)


def test_metres_from_the_site_or_from_the_persons_own_places() -> None:
    away = seen(7, lat=TOWER.lat)
    assert value(observe(FraudState(), away), "metres_from_site") == pytest.approx(22_239, abs=1)
    own = seen(7, lat=TOWER.lat, site_lat=nan, site_lon=nan)
    assert isnan(value(observe(FraudState(), own), "metres_from_site"))
    assert value(observe(after(*week()), own), "metres_from_site") == pytest.approx(22_239, abs=1)


def test_speed_since_the_last_event() -> None:
    state = after(seen(0, 8.0))
    assert value(observe(state, seen(0, 9.0, lat=TOWER.lat)), "speed_kmh") == pytest.approx(22.22, abs=0.05)
    # Clocks of devices differ: what is at the same moment is taken to be two minutes apart.
    assert value(observe(state, seen(0, 8.0, lat=TOWER.lat)), "speed_kmh") == pytest.approx(666.6, abs=1)


def test_an_inaccurate_position_is_no_movement() -> None:
    state = after(seen(0, 8.0))
    assert value(observe(state, seen(0, 8.1, lat=40.705, accuracy_m=600.0)), "speed_kmh") == 0.0


def test_a_late_event_does_not_move_the_person_back() -> None:
    state = after(seen(0, 8.0), seen(0, 16.0, kind="out", lat=TOWER.lat), seen(0, 9.0))
    assert state.persons["default", "ana"].point == (TOWER.lat, -74.0)


def test_persons_on_one_device() -> None:
    others = [seen(0, 8.0 + hour, person=f"p{hour}", device="phone-ana") for hour in range(3)]
    found = observe(after(*others), seen(0, 11.0))
    assert found.others == ("p0", "p1", "p2")
    assert value(found, "device_persons_24h") == pytest.approx(sum(1 - hours / 24 for hours in (1, 2, 3)))
    assert value(observe(after(*others), seen(2, 11.0)), "device_persons_24h") == 0.0


def test_a_fixed_reader_says_nothing_of_who_uses_it() -> None:
    state = after(seen(0, 8.0, person="bo", device="reader", shared_device=True))
    found = observe(state, seen(0, 8.0, device="reader", shared_device=True))
    assert isnan(value(found, "device_persons_24h"))
    assert isnan(value(found, "device_new"))


def test_a_new_device() -> None:
    state = after(*week())
    assert value(observe(state, seen(7)), "device_new") == 0.0
    assert value(observe(state, seen(7, device="other")), "device_new") == 1.0
    assert value(observe(state, seen(7, device="other", registered_device="other")), "device_new") == 0.0


def test_hours_since_rest() -> None:
    state = after(seen(0, 8.0), seen(0, 16.0, kind="out"), seen(0, 18.0), seen(1, 2.0, kind="out"))
    assert value(observe(state, seen(1, 4.0)), "hours_since_rest") == pytest.approx(20.0)
    assert value(observe(state, seen(1, 12.0)), "hours_since_rest") == 0.0


def test_event_rate_against_the_persons_own() -> None:
    state = after(*week())
    usual = value(observe(state, seen(7, 8.0)), "rate_z")
    many = after(*week(), *(seen(7, 8.0 + number / 10) for number in range(6)))
    assert abs(usual) < 1.0
    assert value(observe(many, seen(7, 8.6)), "rate_z") > 2.0


def test_unusual_day() -> None:
    state = after(*week())
    assert value(observe(state, seen(7)), "unusual_day") == 0.0
    assert value(observe(state, seen(12)), "unusual_day") == 1.0


def test_confirmed_anomalies_count_for_thirty_days() -> None:
    state = FraudState()
    confirm(state, ("default", "ana", "harbour"), seen(0).at, PlainWriter())
    confirm(state, ("default", "bo", "harbour"), seen(1).at, PlainWriter())
    assert value(observe(state, seen(2)), "confirmed_30d") == 3.0
    assert value(observe(state, seen(2, site="tower")), "confirmed_30d") == 1.0
    assert value(observe(state, seen(35)), "confirmed_30d") == 0.0


def test_tenants_know_nothing_of_each_other() -> None:
    state = after(*week())
    alone = observe(state, seen(7, tenant="other"))
    assert repr(alone) == repr(observe(FraudState(), seen(7, tenant="other")))
