"""Generic JSON, CloudEvents and NDJSON → signals."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from data.records import Severity, SignalStatus
from engine.formats import alertmanager, cloudevents, generic, ndjson
from engine.formats.intake import FieldMapping, IntakeSettings
from engine.ports import FormatError
from engine.stages.normalise import IntakeRules
from tests.fakes.bodies import NOW, cloud_event, prometheus_alert, received

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


def parse(body: Any, **more: Any):
    return generic.FORMAT.parse(received(body, **more))


def test_common_names_are_guessed() -> None:
    (taken,) = parse(
        {
            "message": "Disk full",
            "priority": "1",
            "node": "db-1",
            "location": "Alpha",
            "customer": "Acme",
            "status": "PROBLEM",
            "timestamp": 1777636740,
            "tags": ["team:storage", "urgent", {"tag": "mount", "value": "/"}],
            "link": "http://x",
        }
    ).signals
    assert (taken.title, taken.name, taken.entity, taken.site) == ("Disk full", "Disk full", "db-1", "Alpha")
    assert (taken.client, taken.status, taken.url) == ("Acme", SignalStatus.FIRING, "http://x")
    assert taken.starts_at == NOW - timedelta(minutes=1)
    assert taken.ends_at == NOW - timedelta(minutes=1) + timedelta(days=7) + timedelta(minutes=1)
    assert taken.labels | {"team": "storage", "urgent": "true", "mount": "/"} == taken.labels


def test_a_severity_is_no_part_of_the_key_and_a_host_is() -> None:
    def key(**more: str) -> str:
        return parse({"title": "Disk full", "host": "a", **more}).signals[0].key

    assert key(severity="warning") == key(severity="critical") == key(status="resolved")
    assert key() != key(host="b")


def test_an_own_key_is_scoped_to_the_source() -> None:
    body = {"title": "t", "dedup_key": "1"}
    assert parse(body, source="a").signals[0].key != parse(body, source="b").signals[0].key
    assert parse(body | {"title": "u"}).signals[0].key == parse(body).signals[0].key


@pytest.mark.parametrize(
    ("word", "status"),
    [("ok", "resolved"), ("Recovered", "resolved"), ("ack", "acknowledged"), ("down", "firing"), ("?", "firing")],
)
def test_status_words(word: str, status: str) -> None:
    (taken,) = parse({"title": "t", "status": word, "time": "2026-05-01T11:00:00Z"}).signals
    assert taken.status == status
    assert (taken.ends_at == NOW - timedelta(hours=1)) is (status == "resolved")


def test_a_mapping_with_dotted_paths() -> None:
    mapping = FieldMapping(
        items="data.events",
        fields={"title": ("what.text",), "host": ("where.0.name",), "severity": ("rank",), "status": ("st",)},
        severities={"9": "critical"},
        statuses={"gone": "resolved"},
    )
    settings = IntakeSettings(rules=IntakeRules(), mapping=mapping)
    row = {"what": {"text": "Fan"}, "where": [{"name": "sw-1"}], "rank": 9, "st": "gone"}
    (taken,) = parse({"data": {"events": [row]}}, settings=settings).signals
    assert (taken.title, taken.entity, taken.severity) == ("Fan", "sw-1", Severity.CRITICAL)
    assert taken.status is SignalStatus.RESOLVED
    with pytest.raises(FormatError) as refused:
        parse({"data": {}}, settings=settings)
    assert refused.value.field == "data.events"


@pytest.mark.parametrize("row", [5, None, [], {}, {"severity": "critical"}, {"title": "t", "time": "x"}])
def test_one_bad_row_costs_only_itself(row: Any) -> None:
    parsed = parse([{"title": "good"}, row])
    assert len(parsed.signals) == 1
    assert parsed.rejects[0].field.startswith("[1]")


def test_ndjson_to_the_generic_webhook() -> None:
    body = b'{"title":"a"}\n\nnope\n{"title":"b"}\n'
    parsed = parse(body, content_type="application/x-ndjson; charset=utf-8")
    assert [taken.title for taken in parsed.signals] == ["a", "b"]
    assert [(row.field, row.body) for row in parsed.rejects] == [("line 3.body", "nope")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"title":"a","title":"b"}', "title"),
        (b'{"title":NaN}', "body"),
        (b'{"title":1e999}', "body"),
        (msgspec.json.encode({str(n): n for n in range(501)}), "body"),
        (b"[" * 65 + b"]" * 65, "body"),
        (b"[" * 400_000, "body"),
        (b'"' + b'\\"' * 200_000, "body"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "body"),
    ],
)
def test_json_over_the_limits_is_a_bad_request(body: bytes, field: str) -> None:
    with pytest.raises(FormatError) as refused:
        parse(body)
    assert (refused.value.status, refused.value.field) == (400, field)


def events(body: Any, content_type: str = STRUCTURED, **headers: str):
    return cloudevents.FORMAT.parse(received(body, content_type=content_type, **headers))


def test_a_structured_event_has_its_identity() -> None:
    parsed = events(cloud_event({"title": "Smoke", "severity": "critical"}, subject="hall-3"))
    (taken,) = parsed.signals
    assert (taken.title, taken.entity, taken.severity) == ("Smoke", "hall-3", Severity.CRITICAL)
    assert parsed.id == events(cloud_event({"title": "other"})).id
    assert parsed.id != events(cloud_event({"title": "Smoke"}, source="/sensors/8")).id
    assert parsed.id != events(cloud_event({"title": "Smoke"}, id="2")).id


def test_the_events_time_stands_in_for_the_alerts() -> None:
    (taken,) = events(cloud_event({"title": "Smoke"}, time="2026-05-01T11:30:00Z")).signals
    assert taken.starts_at == NOW - timedelta(minutes=30)


def test_data_in_alertmanagers_shape_has_alertmanagers_key() -> None:
    (taken,) = events(cloud_event(prometheus_alert(), type="com.example.alert", subject="x")).signals
    assert taken.key == alertmanager.FORMAT.parse(received([prometheus_alert()])).signals[0].key


def test_base64_data() -> None:
    event = cloud_event(None) | {"data_base64": base64.b64encode(b'{"title":"Smoke"}').decode()}
    assert events(event).signals[0].title == "Smoke"
    assert events(event | {"data_base64": "?"}).rejects[0].field == "data_base64"


def test_binary_mode_decodes_its_headers() -> None:
    headers = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/s%20%C3%A4", "ce_type": "noc.alert"}
    parsed = events({"title": "Smoke"}, "application/json", **headers)
    assert parsed.signals[0].title == "Smoke"
    assert parsed.id == events(cloud_event({}, source="/s ä")).id
    with pytest.raises(FormatError):
        events({"title": "Smoke"}, "application/json", **{**headers, "ce_id": "%ff"})


def test_a_batch_has_one_part_for_each_event() -> None:
    good, later = cloud_event({"title": "a"}), cloud_event({"title": "b"}, id="2")
    parsed = events([good, {"id": "x"}, cloud_event({}, id="3"), later], BATCH)
    assert [[taken.title for taken in part.signals] for part in parsed.parts] == [["a"], [], [], ["b"]]
    assert [[row.field for row in part.rejects] for part in parsed.parts] == [
        [],
        ["[1].source"],
        ["[2].data.title"],
        [],
    ]
    assert len({part.id for part in parsed.parts}) == 4


@pytest.mark.parametrize("kind", ["noc.rumour", "noc.alertness"])
def test_other_types_of_the_domain_are_kept_as_dead_letters(kind: str) -> None:
    parsed = events(cloud_event({"title": "x"}, type=kind))
    assert not parsed.signals
    assert "not handled by this version" in parsed.rejects[0].reason
    assert parsed.id
    assert msgspec.json.decode(parsed.rejects[0].body)["type"] == kind


@pytest.mark.parametrize("name", ["id", "source", "specversion", "type"])
def test_required_attributes(name: str) -> None:
    for event in (cloud_event({"title": "x"}) | {name: ""}, cloud_event({"title": "x"}) | {name: 5}):
        with pytest.raises(FormatError) as refused:
            events(event)
        assert (refused.value.status, refused.value.field) == (400, name)


@pytest.mark.parametrize(
    "content_type", ["application/cloudevents+avro", "application/cloudevents-batch+xml", "text/plain", ""]
)
def test_other_media_types_are_unsupported(content_type: str) -> None:
    with pytest.raises(FormatError) as refused:
        events(cloud_event({"title": "x"}), content_type)
    assert refused.value.status == 415


def test_ndjson_mixes_all_three_and_a_bad_line_costs_only_itself() -> None:
    lines = [
        msgspec.json.encode(cloud_event({"title": "event"})),
        msgspec.json.encode(prometheus_alert()),
        b'{"title":"generic"}',
        b"{broken",
        b'{"specversion":"1.0"}',
        msgspec.json.encode(cloud_event({"x": 1}, id="2", type="noc.rumour")),
        b'{"labels":{"a":1}}',
        b"",
    ]
    parsed = ndjson.FORMAT.parse(received(b"\r\n".join(lines)))
    assert [taken.title for taken in parsed.signals] == ["p99 above 2 s", "generic"]
    assert [row.field for row in parsed.rejects] == ["line 4.body", "line 5.id", "line 7.labels.a"]
    event, unhandled = parsed.parts
    assert [taken.title for taken in event.signals] == ["event"]
    assert unhandled.rejects[0].field == "line 6.type"
