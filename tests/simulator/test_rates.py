"""A simulated week: rates within bounds, truth that fits the events, signs before failures."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any

import pytest

from engine.simulator import Simulator, rows, truth

SCALE = 0.3


class Week:
    """What a week of the normal scenario brought, with without samples and heartbeats."""

    def __init__(self) -> None:
        self.simulator = Simulator(11, SCALE, routine=False)
        self.counts: Counter[str] = Counter()
        self.kept: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.reports: dict[str, list[datetime]] = defaultdict(list)
        for event in self.simulator.events(self.simulator.start + timedelta(days=7)):
            kind = event["type"]
            self.counts[kind] += 1
            if kind in ("noc.attendance", "noc.tour", "noc.shift", "noc.ticket"):
                self.kept[kind].append(event)
            elif kind == "noc.device":
                for row in rows(event):
                    if row["status"] in ("error", "sync_failed"):
                        self.reports[row["id"]].append(datetime.fromisoformat(event["time"]))
        self.truth: dict[type, list[Any]] = defaultdict(list)
        for record in self.simulator.truth.records:
            self.truth[type(record)].append(record)


@pytest.fixture(scope="module")
def week() -> Week:
    return Week()


def test_rates_are_those_of_an_operation(week: Week) -> None:
    sites, devices = len(week.simulator.world.sites), len(week.simulator.world.devices)
    per_day = {kind: number / 7 for kind, number in week.counts.items()}
    assert 6 < per_day["noc.attendance"] / sites < 14
    assert 50 < per_day["noc.tour"] / sites < 130
    assert 4 < per_day["noc.ticket"] / sites < 18
    assert 150 < per_day["noc.alert"] / SCALE / 10 < 900
    assert 0.002 < len(week.truth[truth.Failure]) / 7 / devices < 0.03


def test_about_one_attendance_event_in_a_hundred_lies(week: Week) -> None:
    ids = {event["id"] for event in week.kept["noc.attendance"]}
    lies = {record.event for record in week.truth[truth.Fraud] if record.event in ids}
    assert 0.003 < len(lies) / len(ids) < 0.035


def test_most_come_and_most_are_on_time(week: Week) -> None:
    starts = {event["data"]["id"]: event["data"]["starts_at"] for event in reversed(week.kept["noc.shift"])}
    late = []
    for event in week.kept["noc.attendance"]:
        data = event["data"]
        if data["kind"] == "in" and data["shift"] in starts:
            due = datetime.fromisoformat(starts[data["shift"]])
            late.append((datetime.fromisoformat(event["time"]) - due).total_seconds() / 60)
    assert sum(minutes > 5 for minutes in late) / len(late) < 0.15
    assert any(minutes > 10 for minutes in late)
    assert 0.002 < len(week.truth[truth.Gap]) / len(starts) < 0.1


def test_gaps_are_shifts_that_nobody_checked_into_in_time(week: Week) -> None:
    first: dict[str, str] = {}
    for event in week.kept["noc.attendance"]:
        first.setdefault(event["data"]["shift"], event["time"])
    lies = {record.event for record in week.truth[truth.Fraud]}
    bought = {event["data"]["shift"] for event in week.kept["noc.attendance"] if event["id"] in lies}
    assert week.truth[truth.Gap]
    for gap in week.truth[truth.Gap]:
        if gap.shift in first and gap.shift not in bought:
            late = datetime.fromisoformat(first[gap.shift]) - datetime.fromisoformat(gap.at)
            assert late > timedelta(minutes=30)


def test_breaches_are_tickets_that_were_open_when_due(week: Week) -> None:
    due: dict[str, str] = {}
    done: dict[str, str] = {}
    for event in week.kept["noc.ticket"]:
        data = event["data"]
        if data["state"] == "NEW":
            due[data["id"]] = data["due_at"]
        elif data["state"] == "RESOLVED":
            done[data["id"]] = event["time"]
    end = (week.simulator.start + timedelta(days=7)).isoformat()
    late = {id for id, at in due.items() if at < end and done.get(id, "9") > at}
    assert late == {record.ticket for record in week.truth[truth.Breach]}
    assert 0.003 < len(late) / len(due) < 0.25


def test_devices_show_signs_before_they_fail_but_not_all(week: Week) -> None:
    failures = week.truth[truth.Failure]
    sudden = [failure for failure in failures if failure.since is None]
    assert 0.05 < len(sudden) / len(failures) < 0.5
    before = Counter[str]()
    for failure in failures:
        at = datetime.fromisoformat(failure.at)
        signs = [sign for sign in week.reports[failure.device] if at - timedelta(hours=12) <= sign < at]
        before[failure.kind] += len(signs)
    kinds = Counter(failure.kind for failure in failures)
    ailing = (before["software"] + before["hardware"]) / (kinds["software"] + kinds["hardware"])
    assert ailing > 3 * (before["sudden"] / max(1, kinds["sudden"]) + 0.1)
    assert week.truth[truth.Decline], "some declines end without a failure"


def test_tours_are_scanned_in_order(week: Week) -> None:
    order: dict[str, list[int]] = defaultdict(list)
    for event in week.kept["noc.tour"]:
        if event["data"]["action"] == "scan":
            order[event["data"]["id"]].append(int(event["data"]["checkpoint"].rpartition("cp")[2]))
    assert order
    assert all(numbers == sorted(set(numbers)) for numbers in order.values())


def test_ghost_rounds_have_no_movement_between_scans(week: Week) -> None:
    ghosts = {record.event for record in week.truth[truth.Fraud] if record.pattern == "ghost_rounds"}
    if not ghosts:
        pytest.skip("no ghost round in this week")
    places: dict[str, set[str]] = defaultdict(set)
    for event in week.kept["noc.tour"]:
        if event["id"] in ghosts:
            places[event["data"]["id"]].add(str(event["data"]["point"]))
    assert all(len(points) == 1 for points in places.values())


def test_anomalies_carry_their_kind_and_their_stretch(week: Week) -> None:
    anomalies = week.truth[truth.Anomaly]
    assert {"spike", "level_shift", "missing"} <= {record.kind for record in anomalies}
    assert all(record.start < record.end for record in anomalies)


def test_truth_survives_its_file(week: Week) -> None:
    records = week.simulator.truth.records
    assert list(truth.read(truth.lines(records))) == list(records)


def test_the_fraud_scenario_has_many_more() -> None:
    def lies(scenario: str) -> int:
        simulator = Simulator(3, 0.4, scenario=scenario, routine=False)
        for _ in simulator.events(simulator.start + timedelta(days=1)):
            pass
        return simulator.truth.counts["fraud"]

    assert lies("fraud") > 2 * lies("normal") + 5


def test_buddies_use_one_phone_within_minutes_and_their_face_does_not_fit() -> None:
    simulator = Simulator(3, 0.6, scenario="fraud", routine=False)
    events = {
        event["id"]: event
        for event in simulator.events(simulator.start + timedelta(days=2))
        if event["type"] == "noc.attendance"
    }
    found = [
        events[record.event]["data"]
        for record in simulator.truth.records
        if isinstance(record, truth.Fraud) and record.pattern == "buddy_checkin"
    ]
    owner = {person.phone.id: person.id for person in simulator.world.people if person.phone}
    assert found
    assert all(owner[data["device"]] != data["person"] and data["biometric"] < 0.7 for data in found)
