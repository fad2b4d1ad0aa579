"""Statement → signal: which label means what, times, keys, limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.records import Severity, SignalStatus
from engine.ports import FormatError
from engine.stages.normalise import (
    DedupRule,
    Fields,
    Given,
    IntakeRules,
    LabelLimits,
    Posted,
    dedup_key,
    signal,
    title_of,
)
from engine.stages.severity_words import level
from engine.stages.times import parse_time
from tests.fakes.bodies import NOW

MINUTE = timedelta(minutes=1)
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
label_sets = st.dictionaries(texts, texts, min_size=1, max_size=12)


def made(rules: IntakeRules | None = None, **fields: object):
    fields.setdefault("labels", {"alertname": "A"})
    return signal(Posted(**fields), "prometheus", NOW, rules or IntakeRules())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("critical CRITICAL Crit fatal emergency page p1 P1 sev1 disaster 5", Severity.CRITICAL),
        ("error major high p2 4", Severity.HIGH),
        ("warning WARN average minor p3 3 2 gibberish", Severity.MEDIUM),
        ("low notice p4", Severity.LOW),
        ("info informational none ok debug 1 0", Severity.INFO),
    ],
)
def test_severity_words_of_the_field(words: str, expected: Severity) -> None:
    assert {word: level(word) for word in words.split()} == dict.fromkeys(words.split(), expected)


def test_a_priority_ranks_downwards() -> None:
    assert [level(digit, "priority") for digit in "12345"] == [*Severity]
    assert made(labels={"a": "1", "priority": "1"}).severity is Severity.CRITICAL
    assert made(labels={"a": "1", "severity": " Critical "}).severity is Severity.CRITICAL
    assert made(labels={"a": "1"}).severity is Severity.MEDIUM


@pytest.mark.parametrize(
    ("labels", "field", "expected"),
    [
        ({"event": "E", "title": "T"}, "name", "E"),
        ({"a": "1"}, "name", "unnamed"),
        ({"region": "eu", "cluster": "c1"}, "site", "c1"),
        ({"region": "eu", "cluster": "c1", "site": "Alpha"}, "site", "Alpha"),
        ({"job": "node", "service": "web"}, "service", "web"),
        ({"customer": "Acme"}, "client", "Acme"),
        ({"trace_id": "t"}, "correlation", "t"),
        ({"pod": "p", "instance": "i"}, "entity", "i"),
        ({"pod": "p", "instance": "i"}, "entity_type", "instance"),
        ({"hostname": "h"}, "entity_type", "host"),
        ({"hostname": "h", "entity_type": "door"}, "entity_type", "door"),
        ({"site": "", "region": "eu"}, "site", "eu"),
    ],
)
def test_fields_come_from_the_first_label_present(labels: dict[str, str], field: str, expected: str) -> None:
    assert getattr(made(labels=labels), field) == expected


def test_every_field_has_its_own_place() -> None:
    labels = {
        "alertname": "the name",
        "severity": "low",
        "site": "the site",
        "device": "the entity",
        "service": "the service",
        "client": "the client",
        "correlation_id": "the correlation",
    }
    found = made(
        labels=labels,
        annotations={"summary": "the title"},
        starts_at=NOW - 2 * MINUTE,
        ends_at=NOW + MINUTE,
        url="the url",
    )
    for field in ("name", "title", "site", "entity", "service", "client", "correlation", "url"):
        assert getattr(found, field) == f"the {field}"
    assert (found.source, found.key) == ("prometheus", dedup_key("the name", labels))
    assert (found.entity_type, found.severity, found.status) == ("device", Severity.LOW, SignalStatus.FIRING)
    assert (found.starts_at, found.ends_at) == (NOW - 2 * MINUTE, NOW + MINUTE)
    assert (found.labels, found.annotations) == (labels, {"summary": "the title"})
    assert (found.timeout, found.skewed, found.undated, found.by) == (False, False, False, "")


def test_configured_fields_win() -> None:
    rules = IntakeRules(fields=Fields(site=("plant",), entity={"robot": "machine"}))
    taken = made(rules, labels={"plant": "Ulm", "site": "no", "robot": "r2", "host": "no"})
    assert (taken.site, taken.entity, taken.entity_type) == ("Ulm", "r2", "machine")


def test_the_memo_of_shapes_stays_bounded_and_right() -> None:
    rules = IntakeRules()
    for number in range(5000):
        assert made(rules, labels={f"label{number}": "x", "site": "S"}).site == "S"
    assert len(rules.shapes) <= 4096


@pytest.mark.parametrize(
    ("annotations", "title"),
    [
        ({"summary": "s", "title": "t", "description": "d"}, "s"),
        ({"description": "first\nsecond"}, "first"),
        ({"message": "\n  after blank\nx"}, "after blank"),
        ({"summary": "x" * 400}, "x" * 300),
        ({"summary": " \n "}, "A on h"),
        ({}, "A on h"),
    ],
)
def test_title(annotations: dict[str, str], title: str) -> None:
    assert title_of(annotations, "A", "h") == title


def test_empty_labels_are_dropped_and_text_is_kept_raw() -> None:
    hostile = "\x1b[31m[red]‮\x00"
    taken = made(labels={"alertname": hostile, "empty": ""}, annotations={"summary": hostile})
    assert taken.labels == {"alertname": hostile}
    assert taken.title == taken.name == hostile


@pytest.mark.parametrize("labels", [{}, {"a": ""}])
def test_at_least_one_label(labels: dict[str, str]) -> None:
    with pytest.raises(FormatError, match="at least one label pair required"):
        made(labels=labels)


@pytest.mark.parametrize(
    ("labels", "field"),
    [
        ({"": "x"}, "labels"),
        ({f"l{n}": "x" for n in range(129)}, "labels"),
        ({"ok": "1", "long": "x" * 8193}, "labels.long"),
        ({"n" * 1025: "x"}, f"labels.{'n' * 64}"),
    ],
)
def test_label_limits_name_the_label(labels: dict[str, str], field: str) -> None:
    with pytest.raises(FormatError) as refused:
        made(labels=labels)
    assert refused.value.field == field


def test_labels_at_the_limits_are_taken() -> None:
    made(labels={f"l{n}": "x" for n in range(127)} | {"n" * 1024: "x" * 8192})
    made(IntakeRules(limits=LabelLimits(labels=1)), labels={"a": "1"})


@given(label_sets, st.randoms())
def test_two_replicas_share_one_key(labels: dict[str, str], random) -> None:
    shuffled = list(labels.items())
    random.shuffle(shuffled)
    ours = signal(Posted(labels=labels), "replica-1", NOW, IntakeRules())
    theirs = signal(Posted(labels=dict(shuffled)), "replica-2", NOW + MINUTE, IntakeRules())
    assert ours.key == theirs.key == dedup_key(ours.name, labels)
    assert len(ours.key) == 16


@given(label_sets, texts)
def test_another_label_is_another_alert(labels: dict[str, str], value: str) -> None:
    changed = labels | {"one more": value}
    assert (dedup_key("n", labels) == dedup_key("n", changed)) is (labels == changed)


def test_a_dedup_rule_reduces_the_key_to_its_labels() -> None:
    rule = DedupRule(name="disk", labels=("host",), applies=lambda labels: labels.get("kind") == "disk")
    rules = IntakeRules(dedup=(rule,))

    def key(**labels: str) -> str:
        return made(rules, labels={"alertname": "Full", **labels}).key

    assert key(kind="disk", host="a", mount="/") == key(kind="disk", host="a", mount="/var")
    assert key(kind="disk", host="a") != key(kind="disk", host="b")
    assert key(kind="cpu", host="a", core="1") != key(kind="cpu", host="a", core="2")
    assert key(kind="disk", host="a") != key(kind="disk", host="a", alertname="Slow")


@pytest.mark.parametrize(
    ("starts", "ends", "expected_starts", "expected_ends", "timeout"),
    [
        (None, None, NOW, NOW + 5 * MINUTE, True),
        (None, NOW - MINUTE, NOW - MINUTE, NOW - MINUTE, False),
        (None, NOW + MINUTE, NOW, NOW + MINUTE, False),
        (NOW - MINUTE, None, NOW - MINUTE, NOW + 5 * MINUTE, True),
        (datetime(1, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC), NOW, NOW + 5 * MINUTE, True),
        (datetime(1970, 1, 2, tzinfo=UTC).replace(tzinfo=None), NOW, datetime(1970, 1, 2, tzinfo=UTC), NOW, False),
        (NOW + 4 * MINUTE, None, NOW + 4 * MINUTE, NOW + 9 * MINUTE, True),
    ],
)
def test_alertmanagers_rules_of_times(starts, ends, expected_starts, expected_ends, timeout) -> None:
    taken = made(starts_at=starts, ends_at=ends)
    assert (taken.starts_at, taken.ends_at, taken.timeout) == (expected_starts, expected_ends, timeout)
    assert taken.status is (SignalStatus.RESOLVED if expected_ends <= NOW else SignalStatus.FIRING)
    assert not taken.skewed


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(FormatError, match="start time must be before end time"):
        made(starts_at=NOW, ends_at=NOW - MINUTE)


@pytest.mark.parametrize(("ahead", "skewed"), [(timedelta(minutes=5), False), (timedelta(minutes=5, seconds=1), True)])
def test_a_clock_that_runs_ahead_is_clamped_and_marked(ahead: timedelta, skewed: bool) -> None:
    taken = made(starts_at=NOW + ahead)
    assert taken.skewed is skewed
    assert taken.starts_at == (NOW if skewed else NOW + ahead)


@given(st.datetimes(timezones=st.just(UTC)))
def test_no_start_sorts_above_real_news(starts: datetime) -> None:
    assert made(starts_at=starts).starts_at <= NOW + 5 * MINUTE


def test_what_the_format_knows_wins() -> None:
    known = Given(key="k", status=SignalStatus.ACKNOWLEDGED, severity="low", title="t", by="ann", hold=60 * MINUTE)
    taken = signal(Posted(labels={"severity": "critical"}), "s", NOW, IntakeRules(), known)
    assert (taken.key, taken.status, taken.severity, taken.title, taken.by) == (
        "k",
        SignalStatus.ACKNOWLEDGED,
        Severity.LOW,
        "t",
        "ann",
    )
    assert taken.ends_at == NOW + 60 * MINUTE


JUNE = datetime(2024, 6, 1, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-06-01T10:00:00Z", JUNE),
        ("2024-06-01t10:00:00z", JUNE),
        ("2024-06-01T12:00:00+02:00", JUNE),
        ("2024-06-01T10:00:00", JUNE),
        (" 2024-06-01 10:00:00 ", JUNE),
        ("2024-06-01T10:00:00.123456789Z", JUNE.replace(microsecond=123456)),
        ("2024-06-01T09:59:60Z", JUNE),
        (1717236000, JUNE),
        (1717236000.5, JUNE.replace(microsecond=500000)),
        ("1717236000", JUNE),
        ("1717236000.25", JUNE.replace(microsecond=250000)),
        (1717236000123, JUNE.replace(microsecond=123000)),
        (1717236000123456, JUNE.replace(microsecond=123456)),
        (1717236000123456789, JUNE.replace(microsecond=123456)),
        ("1717236000123456789", JUNE.replace(microsecond=123456)),
        (None, None),
        ("", None),
        (0, None),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00.000Z", None),
    ],
)
def test_one_rule_of_times(value: object, expected: datetime | None) -> None:
    assert parse_time(value, "startsAt") == expected


@pytest.mark.parametrize(
    "value",
    ["yesterday", "2024-13-01T00:00:00Z", "9999-12-31T23:59:59-05:00", -1, 10**40, 1e300, "9" * 400, True, [], {}, "٣"],
)
def test_no_time_is_refused_by_name(value: object) -> None:
    with pytest.raises(FormatError) as refused:
        parse_time(value, "payload.timestamp")
    assert refused.value.field == "payload.timestamp"
    assert refused.value.remedy


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.binary()))
def test_parse_time_gives_utc_or_refuses(value: object) -> None:
    try:
        moment = parse_time(value, "t")
    except FormatError:
        return
    assert moment is None or moment.tzinfo is UTC
