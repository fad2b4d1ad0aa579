"""Body of POST /api/v2/alerts → signals and rejects."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from data.records import Severity, SignalStatus
from engine.formats.alertmanager import FORMAT
from engine.formats.intake import IntakeSettings
from engine.ports import FormatError
from engine.stages.normalise import IntakeRules, LabelLimits
from tests.fakes.bodies import NOW, prometheus_alert, received


def parse(body: Any, **more: Any):
    return FORMAT.parse(received(body, **more))


def refused(body: Any, **more: Any) -> FormatError:
    with pytest.raises(FormatError) as caught:
        parse(body, **more)
    return caught.value


def test_what_prometheus_sends() -> None:
    parsed = parse([prometheus_alert()])
    (taken,) = parsed.signals
    assert not parsed.rejects
    assert (taken.name, taken.severity, taken.entity) == ("HighLatency", Severity.CRITICAL, "web-1:9100")
    assert taken.starts_at == datetime(2026, 5, 1, 11, 55, 0, 123457, tzinfo=UTC)
    assert (taken.ends_at, taken.timeout, taken.status) == (NOW + timedelta(minutes=4), False, SignalStatus.FIRING)
    assert taken.url == "http://prometheus/graph"
    assert taken.title == "p99 above 2 s"


def test_what_amtool_sends() -> None:
    zero = "0001-01-01T00:00:00.000Z"
    (taken,) = parse([{"labels": {"alertname": "A"}, "startsAt": zero, "endsAt": zero, "generatorURL": ""}]).signals
    assert (taken.starts_at, taken.ends_at, taken.timeout) == (NOW, NOW + timedelta(minutes=5), True)


def test_a_resolved_alert() -> None:
    (taken,) = parse([{**prometheus_alert(), "endsAt": "2026-05-01T12:00:00Z"}]).signals
    assert taken.status is SignalStatus.RESOLVED


@pytest.mark.parametrize("body", [b"[]", b"null", b" [ ] "])
def test_no_alert_is_no_error(body: bytes) -> None:
    assert parse(body).signals == []


@pytest.mark.parametrize(
    "alert",
    [
        {"labels": {"a": "1"}, "annotations": None, "startsAt": None, "endsAt": None, "generatorURL": None},
        {"labels": {"a": "1", "b": None}, "startsAt": ""},
        {"labels": {"a": "1"}, "startsAt": 1714564800},
        {"labels": {"a": "1"}, "foo": [[{}]]},
        {"labels": {"a": "1"}, "generatorURL": "not a uri"},
        {"labels": {"ä": "1"}},
    ],
)
def test_what_is_odd_but_clear_is_taken(alert: dict[str, Any]) -> None:
    parsed = parse([alert])
    assert len(parsed.signals) == 1
    assert not parsed.rejects


def test_one_bad_alert_costs_only_itself() -> None:
    bad_span = {"labels": {"a": "1"}, "startsAt": "2026-01-02T00:00:00Z", "endsAt": "2026-01-01T00:00:00Z"}
    parsed = parse([prometheus_alert(), bad_span, {"labels": {"z": ""}}, prometheus_alert(instance="b")])
    assert [taken.entity for taken in parsed.signals] == ["web-1:9100", "b"]
    assert [(row.field, row.reason) for row in parsed.rejects] == [
        ("[1].endsAt", "start time must be before end time"),
        ("[2].labels", "at least one label pair required"),
    ]
    assert '"2026-01-02T00:00:00Z"' in parsed.rejects[0].body
    assert all(row.remedy for row in parsed.rejects)


def test_a_time_that_is_none_costs_only_its_alert() -> None:
    parsed = parse([prometheus_alert(), {**prometheus_alert(), "endsAt": "soon"}])
    assert len(parsed.signals) == 1
    assert parsed.rejects[0].field == "[1].endsAt"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ([prometheus_alert(), 5], "[1]"),
        ([{}], "[0].labels"),
        ([{"labels": None}], "[0].labels"),
        ([{"labels": ["a"]}], "[0].labels"),
        ([{"labels": {"a": "1", "instance": 5}}], "[0].labels.instance"),
        ([prometheus_alert(), {"labels": {"a": "1"}, "annotations": {"x": []}}], "[1].annotations.x"),
        ([{"labels": {"a": "1"}, "annotations": 0}], "[0].annotations"),
        ([{"labels": {"a": "1"}, "generatorURL": 5}], "[0].generatorURL"),
    ],
)
def test_another_shape_is_refused_with_its_field(body: Any, field: str) -> None:
    error = refused(body)
    assert (error.status, error.field) == (422, field)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[{",
        b"[] []",
        b'[{"labels":{"a":NaN}}]',
        b'[{"labels":{"a":"\xff"}}]',
        b'[{"labels":{"a":"\\ud800"}}]',
        b'[{"labels":{"a":"1"},"x":' + b"[" * 62 + b"]" * 62 + b"}] ",
        b"[" * 100_000,
        b'[{"labels":{"a":"1"},"x":' + b'{"a":' * 50_000,
    ],
)
def test_what_is_no_json_or_too_deep_is_a_bad_request(body: bytes) -> None:
    if b"[" * 62 in body and len(body) < 1000:
        body = body.replace(b"[" * 62, b"[" * 63).replace(b"]" * 62, b"]" * 63)
    assert refused(body).status == 400


def test_depth_64_is_taken_and_many_alerts_are_not_depth() -> None:
    deep = b'[{"labels":{"a":"1"},"x":' + b"[" * 62 + b"]" * 62 + b"}]"
    assert len(parse(deep).signals) == 1
    assert len(parse([prometheus_alert(n=str(n)) for n in range(300)]).signals) == 300
    braces = prometheus_alert(text="{{ $value }} [" * 100)
    assert len(parse([braces]).signals) == 1


@pytest.mark.parametrize(
    ("alert", "field"),
    [
        ({"labels": {"alertname": "A", "instance": "x" * 8193}}, "[1].labels.instance"),
        ({"labels": {f"l{n}": "x" for n in range(129)}}, "[1].labels"),
        ({"labels": {"a": "1"}, "annotations": {"text": "x" * 65537}}, "[1].annotations.text"),
        ({"labels": {"a": "1"}, "annotations": {f"l{n}": "x" for n in range(129)}}, "[1].annotations"),
    ],
)
def test_limits_name_the_field(alert: dict[str, Any], field: str) -> None:
    parsed = parse([prometheus_alert(), alert])
    assert len(parsed.signals) == 1
    assert [row.field for row in parsed.rejects] == [field]


def test_limits_come_from_the_settings() -> None:
    settings = IntakeSettings(rules=IntakeRules(limits=LabelLimits(labels=2)))
    parsed = parse([{"labels": {"a": "1", "b": "2", "c": "3"}, "annotations": {}}], settings=settings)
    # Three short labels are far from a body that could hold too many of them: counted all the same.
    assert [row.field for row in parsed.rejects] == ["[0].labels"]


def test_gzip_is_inflated_and_bombs_are_not() -> None:
    body = gzip.compress(b'[{"labels":{"a":"1"}}]')
    assert len(parse(body, content_encoding="gzip").signals) == 1
    assert refused(gzip.compress(b" " * 1_000_000), content_encoding="gzip").status == 400
    assert refused(body[:-4], content_encoding="gzip").status == 400
    assert refused(b"plain", content_encoding="gzip").status == 400
    assert refused(body, content_encoding="br").status == 415


def test_the_same_alert_twice_has_one_key() -> None:
    first, second = parse([prometheus_alert(), prometheus_alert()]).signals
    assert first.key == second.key
