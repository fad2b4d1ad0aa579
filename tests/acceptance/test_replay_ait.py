"""A real recording of three intrusion detectors, converted and replayed through the command to incidents."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from tests.bench.ait import GAP_SECONDS, Moment, moments, statements
from tests.bench.replay_ait import DATA, measure

SCENARIO = "russellmitchell"
ROWS = 400

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the AIT alert data set is not beside this project")


def moment(at: float, name: str = "Wazuh: IDS event.", host: str = "mail") -> Moment:
    return Moment(at, name, "10.0.0.1", host, "false_positive", "-")


def test_a_series_is_one_alert_that_ends_a_minute_after_its_last_moment() -> None:
    said = list(statements([moment(100.0), moment(150.0), moment(300.0)]))
    assert [row["startsAt"][-9:] for row in said] == ["00:01:40Z", "00:01:40Z", "00:01:40Z", "00:05:00Z", "00:05:00Z"]
    assert [row.get("endsAt", "")[-9:] for row in said] == ["", "", "00:03:30Z", "", "00:06:00Z"]
    assert said[0]["labels"]["sensor"] == "Wazuh" and said[0]["annotations"]["summary"] == "IDS event."


def test_series_of_other_hosts_and_names_are_others_and_time_goes_forward() -> None:
    said = list(statements([moment(130.0, host="web"), moment(100.0), moment(140.0, name="AMiner: New")]))
    firing = [(row["labels"]["alertname"], row["labels"]["host"]) for row in said if "endsAt" not in row]
    assert firing == [("Wazuh: IDS event.", "mail"), ("Wazuh: IDS event.", "web"), ("AMiner: New", "mail")]
    assert [row["endsAt"] for row in said[3:]] == sorted(row["endsAt"] for row in said[3:])
    assert GAP_SECONDS == 60.0


@needs_data
def test_the_recording_becomes_incidents(tmp_path: Path) -> None:
    found = measure(DATA, SCENARIO, ROWS, tmp_path)
    read = list(islice(moments(DATA / f"{SCENARIO}_alerts.csv.xz"), ROWS))
    assert found["events"] == ROWS and found["rejects"] == 0
    assert isinstance(found["alerts"], int) and isinstance(found["incidents"], int)
    names = len({(row.name, row.host) for row in read})
    assert names <= found["alerts"] <= ROWS
    assert 1 <= found["incidents"] <= found["alerts"]
