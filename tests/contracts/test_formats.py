"""What every registered format promises, whatever it is sent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.records import Reject, Signal
from engine.formats import registry
from engine.ports import Format, FormatError, Parsed
from tests.fakes.bodies import (
    NOW,
    cloud_event,
    pagerduty_event,
    prometheus_alert,
    received,
    webhook_alert,
    webhook_v4,
)

FORMATS = [pytest.param(format, id=name) for name, format in sorted(registry().items())]

GOOD: list[Any] = [
    [prometheus_alert(), prometheus_alert(instance="b")],
    webhook_v4(webhook_alert(), webhook_alert(status="resolved")),
    {"ruleId": 1, "ruleName": "CPU", "state": "alerting", "evalMatches": [], "tags": {"host": "a"}},
    pagerduty_event(),
    {"title": "Disk full", "host": "a", "labels": {"a": "b"}, "time": 1},
    cloud_event({"title": "Smoke"}),
    [cloud_event({"labels": {"a": "1"}})],
]
CONTENT_TYPES = [
    "application/json",
    "application/x-ndjson",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "",
]
WORDS = sorted({"labels", "annotations", "alerts", "startsAt", "endsAt", "status", "payload", "data", "id", "severity"})

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-05:00", "firing", "resolved", 10**19])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=12,
)


@st.composite
def spoiled(draw: st.DrawFn) -> Any:
    """A good body with one value, somewhere inside, replaced by any other."""
    body = msgspec.json.decode(msgspec.json.encode(draw(st.sampled_from(GOOD))))
    here = body
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = draw(st.sampled_from(keys))
        if not isinstance(here[key], dict | list) or not here[key] or draw(st.booleans()):
            here[key] = draw(values)
            return body
        here = here[key]


@st.composite
def cut(draw: st.DrawFn) -> bytes:
    """A good body with a stretch of bytes replaced."""
    body = msgspec.json.encode(draw(st.sampled_from(GOOD)))
    start = draw(st.integers(0, len(body)))
    return body[:start] + draw(st.binary(max_size=6)) + body[start + draw(st.integers(0, 9)) :]


bodies = st.binary(max_size=60) | cut() | (values | spoiled()).map(lambda value: _encode(value))


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value)


def rows(parsed: Parsed) -> tuple[Sequence[Signal], Sequence[Reject]]:
    parts = [parsed, *parsed.parts]
    return [s for part in parts for s in part.signals], [r for part in parts for r in part.rejects]


def check(parsed: Parsed) -> None:
    signals, rejects = rows(parsed)
    for taken in signals:
        assert taken.key
        assert taken.labels
        assert taken.name
        assert taken.starts_at <= taken.ends_at
        assert len(taken.title) <= 300
        assert msgspec.json.decode(msgspec.json.encode(taken), type=Signal) == taken
    for row in rejects:
        assert row.reason
        assert row.remedy
        assert msgspec.json.encode(row)
    assert all(not part.parts for part in parsed.parts)


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(body=bodies, content_type=st.sampled_from(CONTENT_TYPES), gzipped=st.booleans())
def test_any_body_is_taken_or_refused_with_a_reason(
    format: Format, body: bytes, content_type: str, gzipped: bool
) -> None:
    headers = {"content_type": content_type} | ({"content_encoding": "gzip"} if gzipped else {})
    given_body = received(body, **headers)
    before = msgspec.json.encode(given_body)
    try:
        parsed = format.parse(given_body)
    except FormatError as error:
        assert error.reason
        assert error.remedy
        assert error.status in (400, 413, 415, 422)
        return
    finally:
        assert msgspec.json.encode(given_body) == before
    check(parsed)
    assert format.parse(given_body) == parsed


HOSTILE = {
    "brackets": b"[" * 500_000,
    "objects": b'{"a":' * 100_000,
    "quotes": b'"' * 500_000,
    "escaped quotes": b'"' + b'\\"' * 250_000,
    "open and closed": b"[]" * 250_000,
    "commas": b"[" + b"{}," * 160_000 + b"{}]",
    "lines": b"{}\n" * 20_000,
    "one long label": b'[{"labels":{"a":"' + b"x" * 500_000 + b'"}}]',
    "many labels": b'[{"labels":{' + b",".join(b'"l%d":"x"' % n for n in range(30_000)) + b"}}]",
    "digits": b'[{"labels":{"a":"1"},"startsAt":"' + b"9" * 400_000 + b'"}]',
    "number": b'[{"labels":{"a":"1"},"startsAt":' + b"9" * 400_000 + b"}]",
    "nested label": b'[{"labels":{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}}]",
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("content_type", ["application/json", "application/cloudevents-batch+json"])
def test_half_a_megabyte_of_malice_costs_little(format: Format, body: bytes, content_type: str) -> None:
    started = time.process_time()
    try:
        check(format.parse(received(body, content_type=content_type)))
    except FormatError as error:
        assert len(str(error)) < 1000
    # What is linear takes well under a second on any machine; what is quadratic takes minutes.
    assert time.process_time() - started < 5


def test_every_format_takes_something() -> None:
    taken = {
        name
        for name, format in registry().items()
        for body in GOOD
        for content_type in CONTENT_TYPES
        if _takes(format, body, content_type)
    }
    assert taken == registry().keys() - {"pagerduty_change"}


def _takes(format: Format, body: Any, content_type: str) -> bool:
    try:
        return bool(rows(format.parse(received(body, content_type=content_type, now=NOW)))[0])
    except FormatError:
        return False
