"""The named checks and the heuristic score: limits, numbers, and what is unknown."""

from __future__ import annotations

from math import nan
from typing import Any

import pytest

from engine.fraud import heuristics
from engine.fraud.anomalies import Anomaly, Scan, check, ghost_round
from engine.fraud.features import FEATURES, Features
from tests.fakes.attendance import seen


def features(others: tuple[str, ...] = (), together: tuple[str, ...] = (), **given: float) -> Features:
    values = tuple(given.get(name, nan) for name in FEATURES)
    return Features(values, others, together, given.get("minutes", 6.0), given.get("metres", 40_000.0), "", "in")


def kinds(found: tuple[Anomaly, ...]) -> list[str]:
    return [anomaly.kind for anomaly in found]


def test_nothing_known_is_no_anomaly() -> None:
    assert check(seen(), features()) == ()
    assert heuristics.score(features(), ()) == (0.0, ())


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"speed_kmh": 400.0}, "impossible_travel"),
        ({"biometric": 0.69}, "biometric_low"),
        ({"hours_since_rest": 16.5}, "too_little_rest"),
        ({"metres_from_site": 161.0}, "geofence"),
        ({"device_persons_24h": 0.3, "others": ("bo",)}, "device_sharing"),
    ],
)
def test_beyond_the_limit(given: dict[str, Any], kind: str) -> None:
    assert kinds(check(seen(), features(**given))) == [kind]


@pytest.mark.parametrize(
    "given",
    [
        {"speed_kmh": 149.0},
        {"speed_kmh": 400.0, "metres": 1_500.0},
        {"biometric": 0.70},
        {"hours_since_rest": 16.0},
        {"metres_from_site": 160.0},
        {"device_persons_24h": 0.0},
    ],
)
def test_at_the_limit(given: dict[str, float]) -> None:
    assert check(seen(), features(**given)) == ()


def test_long_work_is_judged_when_it_begins_again_only() -> None:
    assert check(seen(kind="out"), features(hours_since_rest=20.0)) == ()


def test_numbers_and_words() -> None:
    (found,) = check(seen(), features(speed_kmh=400.0))
    assert found.words == "40.0 km in 6 min (400 km/h)"
    assert found.numbers == {"speed_kmh": 400.0, "metres": 40_000.0, "minutes": 6.0}


def test_a_buddy_is_named() -> None:
    found = check(seen(), features(("bo", "cy"), ("bo",), device_persons_24h=1.9))
    assert kinds(found) == ["device_sharing", "buddy_checkin"] or kinds(found) == ["buddy_checkin", "device_sharing"]
    buddy = next(anomaly for anomaly in found if anomaly.kind == "buddy_checkin")
    assert buddy.others == ("bo",)
    shared = next(anomaly for anomaly in found if anomaly.kind == "device_sharing")
    assert shared.words == "device used by 3 people in 24 h"


def scans(seconds: float, apart_m: float, count: int = 5) -> list[Scan]:
    return [
        Scan(at=number * seconds, checkpoint=f"c{number}", lat=40.7 + number * apart_m / 111_195, lon=-74.0)
        for number in range(count)
    ]


def test_a_round_at_the_desk() -> None:
    found = ghost_round(scans(20, 0), 0.0)
    assert found is not None
    assert found.strength == 1.0
    assert found.numbers == {"scans": 5.0, "seconds_per_scan": 20.0, "spread_m": 0.0, "moved_m": 0.0}


@pytest.mark.parametrize(
    ("given", "moved"),
    [(scans(120, 60), 300.0), (scans(120, 60), None), (scans(20, 0, count=2), 0.0), (scans(120, 0), 300.0), ([], None)],
)
def test_a_walked_or_an_unknown_round(given: list[Scan], moved: float | None) -> None:
    assert ghost_round(given, moved) is None


def test_points_of_the_heuristic_sum_to_its_score() -> None:
    found = features(("bo",), ("bo",), device_persons_24h=1.0, biometric=0.4, device_new=1.0, hour_deviation_h=6.0)
    score, reasons = heuristics.score(found, check(seen(), found))
    assert 0.8 < score < 1.0
    assert sum(reason.points for reason in reasons) == pytest.approx(100 * score)
    assert reasons[0].points == max(reason.points for reason in reasons)


def test_more_signs_never_lower_the_heuristic() -> None:
    given: dict[str, float] = {}
    last = 0.0
    for name, value in (("device_new", 1.0), ("biometric", 0.5), ("metres_from_site", 900.0), ("speed_kmh", 900.0)):
        given[name] = value
        found = features(**given)
        score, _ = heuristics.score(found, check(seen(), found))
        assert score > last
        last = score
