"""The stream itself: the same by seed, in order, valid, and independent of how it is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import msgspec
import pytest

from data.records import TenantId
from engine.domain.events import DATA
from engine.formats.cloudevents import parse_event
from engine.ports import Received
from engine.simulator import DEFAULT_START, SCENARIOS, Simulator, rows

SMALL = 0.1


def until(hours: float) -> datetime:
    return DEFAULT_START + timedelta(hours=hours)


def text(simulator: Simulator, hours: float) -> bytes:
    return b"\n".join(msgspec.json.encode(event) for event in simulator.events(until(hours)))


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert text(Simulator(5, SMALL), 6) == text(Simulator(5, SMALL), 6)


def test_another_seed_gives_another_world() -> None:
    assert text(Simulator(5, SMALL), 1) != text(Simulator(6, SMALL), 1)


def test_reading_in_pieces_changes_nothing() -> None:
    whole = list(Simulator(5, SMALL).events(until(3)))
    simulator, pieces = Simulator(5, SMALL), []
    for minutes in range(7, 180, 7):
        stream = simulator.events(until(minutes / 60))
        pieces += islice(stream, 5)  # abandoned in the middle
        pieces += simulator.events(until(minutes / 60))
    pieces += simulator.events(until(3))
    assert pieces == whole


def test_without_the_routine_the_rest_is_the_same() -> None:
    def told(routine: bool) -> list[tuple[str, str]]:
        events = Simulator(5, SMALL, routine=routine).events(until(8))
        kinds = ("noc.ticket", "noc.attendance", "noc.tour", "noc.alert", "noc.change")
        return [(event["time"], str(event["data"])) for event in events if event["type"] in kinds]

    assert told(True) == told(False) != []


def test_times_never_go_back_and_ids_are_unique() -> None:
    events = list(Simulator(3, SMALL).events(until(12)))
    times = [event["time"] for event in events]
    assert times == sorted(times)
    assert len({(event["source"], event["id"]) for event in events}) == len(events) > 1000


def test_the_default_world_has_its_size_and_grows_with_scale() -> None:
    world = Simulator(1).world
    assert (len(world.sites), len(world.people), len(world.devices)) == (50, 400, 1500)
    assert len(Simulator(1, scale=2).world.devices) == 3000
    assert len({site.city.zone for site in world.sites}) >= 5


def test_everything_hangs_on_the_power_of_its_own_site() -> None:
    for device in Simulator(1).world.devices:
        above = device.above()
        assert (above[-1] if above else device).type == "ups"
        assert all(other.site is device.site for other in above)


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_every_payload_decodes_strictly(scenario: str) -> None:
    for event in Simulator(2, 0.1, scenario=scenario).events(until(6)):
        if event["type"] != "noc.alert":
            for row in rows(event):
                decoded = msgspec.convert(row, DATA[event["type"]])
                assert set(row) <= set(decoded.__struct_fields__)


def test_every_type_of_event_comes() -> None:
    kinds = {event["type"] for event in Simulator(2, 0.2).events(until(14))}
    assert kinds == {*DATA, "noc.alert"}


def test_the_engine_takes_every_event_and_rejects_none() -> None:
    for event in Simulator(2, 0.2, scenario="network").events(until(3)):
        parsed = parse_event(event, received(event))
        assert not parsed.rejects
        assert len(parsed.events) + len(parsed.signals) == len(rows(event))


def received(event: dict[str, Any]) -> Received:
    now = datetime.fromisoformat(event["time"])
    return Received(body=b"", headers={}, source="simulator", tenant=TenantId("main"), now=now)


def test_alerts_say_what_a_monitoring_tool_says() -> None:
    alerts = [
        event["data"] for event in Simulator(2, 0.3, routine=False).events(until(12)) if event["type"] == "noc.alert"
    ]
    assert {"firing", "resolved"} == {alert["status"] for alert in alerts}
    for alert in alerts:
        assert alert["name"] and alert["title"] and alert["severity"]
        assert alert.get("host") or alert.get("service")
    ends = [alert["dedup_key"] for alert in alerts if alert["status"] == "resolved"]
    assert set(ends) <= {alert["dedup_key"] for alert in alerts if alert["status"] == "firing" and "dedup_key" in alert}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"scenario": "calm"}, "no scenario"),
        ({"scale": 0}, "scale"),
        ({"start": datetime(2026, 1, 1)}, "zone"),  # noqa: DTZ001
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Simulator(1, **arguments)


def test_the_opening_is_inventory_and_attendance_only() -> None:
    simulator = Simulator(4, SMALL)
    kinds = {event["type"] for event in simulator.events(simulator.start)}
    allowed = {"noc.client", "noc.site", "noc.person", "noc.device", "noc.asset", "noc.shift", "noc.attendance"}
    assert {"noc.shift", "noc.attendance"} < kinds <= allowed | {"noc.change"}
    assert simulator.now == simulator.start == DEFAULT_START.astimezone(UTC)
