"""One language, two evaluators: the same records give the same answers in memory and in SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, event, insert, select

from data.codec import (
    FORMS,
    alert_body_row,
    alert_row,
    audit_row,
    cluster_body_row,
    cluster_row,
    effect_row,
    incident_body_row,
    incident_row,
    noun_row,
    reject_row,
    silence_row,
    timeline_row,
)
from data.matchers import compile_matchers
from data.nouns import NOUNS, Noun
from data.query import And, Compare, Node, Not, Op, Or, QueryError, matchers_node, parse, unparse
from data.query_ast import MAX_DEPTH, MAX_NODES, walk
from data.query_fields import FIELDS, OPERATORS, SEVERITIES, STATES, FieldType
from data.query_memory import predicate
from data.query_sql import install_functions, where
from data.query_values import compared
from data.records import (
    Ack,
    Alert,
    AlertState,
    Audit,
    Cluster,
    Effect,
    Incident,
    IncidentState,
    Matcher,
    Reject,
    Severity,
    Silence,
    TenantId,
    TimelineEntry,
)
from data.tables import BODIES, OF_KIND, metadata
from tests.fakes.nouns import sample

NOW = datetime(2026, 11, 20, 14, 0, 0, 123456, tzinfo=UTC)

# Few and awkward texts, so that they meet: case, casefold that changes length, wildcards, quotes, NUL, SQL, paths.
TEXTS = (
    "", "LIS", "LIT", "LISBON", "lis", "POR", "LIS\nPOR", "straße", "STRASSE", "ﬁre", "K", "k",
    "İ", "a'b", 'a"b', "a\\b",
    "%", "_",
    "L*", "[a]", "?", "\x00", "LIS\x00x", "x\x1fy", "' OR 1=1 --", "$.labels", "é", "e\u0301", "\ud7ff", "\ue000",
    "LIS\U0010ffff",
    "open", "high", "critical", "true", "1", "80",
)  # fmt: skip
NAMES = (
    "alertname",
    "env",
    "site",
    "severity",
    "actor",
    "kind",
    "reason",
    "a b",
    'q"x',
    "a.b",
    "é",
    "text",
    "$",
    "'",
    "x\x00",
)
texts = st.sampled_from(TEXTS) | st.text(max_size=4)
several = st.lists(texts, max_size=3).map(tuple)
times = st.sampled_from([timedelta(0), timedelta(microseconds=1), timedelta(hours=2), timedelta(days=3)]).flatmap(
    lambda step: st.sampled_from([NOW - step, NOW + step])
)
maybe_times = st.none() | times
small = st.integers(0, 3)
tenant = TenantId("t")
labels = st.dictionaries(st.sampled_from(NAMES), texts, max_size=4)
acks = st.none() | st.builds(
    Ack, by=texts, at=times, severity=st.sampled_from(Severity), expires_at=maybe_times, sticky=st.booleans()
)
matchers = st.builds(
    Matcher,
    name=st.sampled_from(NAMES),
    value=st.sampled_from(["", "LIS", "LIS.*", "LIS|POR", ".+", ".*", "(?i)lis.*", "[^a]*", "a.b"]),
    is_regex=st.booleans(),
    is_equal=st.booleans(),
)

alerts = st.builds(
    Alert,
    id=st.integers(1, 5), tenant=st.just(tenant), key=texts, source=texts, name=texts,
    severity=st.sampled_from(Severity), state=st.sampled_from(AlertState), title=texts, site=texts, entity=texts,
    entity_type=texts, service=texts, client=texts, correlation=texts, labels=labels, annotations=labels, url=texts,
    starts_at=times, received_at=times, last_at=times, ends_at=times, timeout=st.booleans(), count=small, cluster=small,
    incident=small, ended_at=maybe_times, suppressed=st.booleans(), silenced_by=st.just(()), silenced_until=maybe_times,
    inhibited_by=st.lists(small, max_size=1).map(tuple), shelved_until=maybe_times, ack=acks, flapping=st.booleans(),
)  # fmt: skip
incidents = st.builds(
    Incident,
    id=st.integers(1, 5), tenant=st.just(tenant), title=texts, severity=st.sampled_from(Severity),
    state=st.sampled_from(IncidentState), priority=st.sampled_from([0.0, 1.5, 79.9, 80.0]), site=texts, sites=several,
    names=several, clusters=st.lists(small, max_size=2).map(tuple), alerts=small, firing=small, muted=small,
    suppressed=small, events=small, opened_at=times, last_at=times, root=small, client=texts, owner=texts, ack=acks,
    shelved_until=maybe_times,
)  # fmt: skip
clusters = st.builds(
    Cluster,
    id=st.integers(1, 5), tenant=st.just(tenant), incident=small, title=texts, severity=st.sampled_from(Severity),
    site=texts, sites=several, names=several, entities=small, alerts=small, suppressed=small, opened_at=times,
    last_at=times, centroid=st.just({}),
)  # fmt: skip
silences = st.builds(
    Silence,
    id=st.uuids().map(str), tenant=st.just(tenant), matchers=st.lists(matchers, max_size=2).map(tuple),
    starts_at=times, ends_at=times, created_by=texts, comment=texts, updated_at=times, ticket=texts,
)  # fmt: skip
entries = st.builds(
    TimelineEntry, tenant=st.just(tenant), incident=small, at=times, kind=texts, actor=texts, text=texts
)
rejects = st.builds(
    Reject,
    tenant=st.just(tenant), source=texts, format=texts, at=times, field=texts, reason=texts, remedy=texts, body=texts,
    id=st.integers(1, 5), state=st.sampled_from(["waiting", "replayed", "discarded"]),
)  # fmt: skip
audits = st.builds(
    Audit,
    tenant=st.just(tenant), at=times, actor=texts, origin=texts, verb=texts, subject=texts, outcome=texts,
    seq=st.integers(1, 5),
)  # fmt: skip
effects = st.builds(
    Effect,
    key=texts, tenant=st.just(tenant), action=texts, params=st.just({}), created_at=times,
    incident=st.none() | small, state=st.sampled_from(["pending", "done", "failed"]), result=texts,
)  # fmt: skip

def nouns(noun: Noun) -> st.SearchStrategy[Any]:
    """Records of a kind, with any state, site and name that it may have."""
    names = set(noun.record.__struct_fields__) & {"name", "title", "type", "site", "assignee", "entity"}
    given: dict[str, st.SearchStrategy[Any]] = {name: texts for name in names - {noun.state}}
    if noun.states:
        given[noun.state] = st.sampled_from(noun.states)
    if noun.sites:
        given[noun.sites] = st.lists(texts, max_size=2).map(tuple)
    return st.fixed_dictionaries(given).map(lambda fields: sample(noun, "a", "default", NOW, **fields))


KINDS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], tuple[Any, ...]]]] = {
    "alerts": (alerts, alert_row),
    "incidents": (incidents, incident_row),
    "clusters": (clusters, cluster_row),
    "silences": (silences, silence_row),
    "timeline": (entries, lambda entry: timeline_row(1, entry)),
    "rejects": (rejects, reject_row),
    "audits": (audits, audit_row),
    "effects": (effects, effect_row),
    **{kind: (nouns(NOUNS[kind]), noun_row) for kind in ("tickets", "people", "devices")},
}

BODY_ROWS: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    "alerts": alert_body_row,
    "incidents": incident_body_row,
    "clusters": cluster_body_row,
}

REGEXES = (
    "", "LIS", "LIS.*", ".*", ".+", "LIS|POR", "(?i)lis.*", "[A-Z]+", "(?s).*", "h.gh|c.*", "(?:open|high)", "a.b",
    "(?i)HIGH", "\\x00", "x|",
)  # fmt: skip
GLOBS = ("*", "LIS*", "*S", "L*S*", "*i*", "**", "L*N", "hi*", "*e*", "o*n", "\ud7ff*", "LIS\U0010ffff*", "é*")


BY_TYPE: dict[FieldType, tuple[str, ...]] = {
    FieldType.TEXT: TEXTS,
    FieldType.SEVERITY: (*SEVERITIES, "C", "h"),
    FieldType.STATE: STATES,
    FieldType.NUMBER: ("0", "1", "1.5", "2", "3", "80", "79.9", "-1", "9007199254740992"),
    FieldType.DURATION: ("0s", "2h", "1h59m", "3d", "72h", "5000w", "1ms"),
    FieldType.TIME: ("2026-11-20T14:00:00.123456Z", "2026-11-20T12:00:00.123456+00:00", "2020-01-01"),
    FieldType.FLAG: ("true", "false"),
}


def values(kind: FieldType, op: Op) -> tuple[str, ...]:
    """Values as typed, for a field of this type."""
    if op in (Op.RE, Op.NRE):
        return REGEXES
    if op in (Op.GLOB, Op.NGLOB):
        return GLOBS
    return TEXTS if op is Op.HAS else BY_TYPE[kind]


@st.composite
def compares(draw: st.DrawFn) -> Compare:
    field = draw(st.sampled_from([*FIELDS, None]))
    name = "label." + draw(st.sampled_from(NAMES)) if field is None else field.name
    kind = FieldType.TEXT if field is None else field.type
    op = draw(st.sampled_from(sorted(OPERATORS[kind])))
    one = st.sampled_from(values(kind, op))
    if op in (Op.EQ, Op.NE, Op.HAS) and kind is FieldType.TEXT:
        one |= texts
    typed = draw(st.lists(one, min_size=1, max_size=3 if op is Op.IN else 1))
    return compared(0, name, op, tuple(typed))


def flat(kind: type[And] | type[Or]) -> Callable[[list[Node]], Node]:
    """A group as the parser makes it: no group of the same kind directly inside."""
    return lambda parts: kind(
        parts=tuple(i for part in parts for i in (part.parts if isinstance(part, kind) else (part,)))
    )


nodes: st.SearchStrategy[Node] = st.recursive(
    compares(),
    lambda inner: (
        st.builds(lambda part: Not(part=part), inner)
        | st.lists(inner, min_size=2, max_size=3).map(flat(And))
        | st.lists(inner, min_size=2, max_size=3).map(flat(Or))
    ),
    max_leaves=6,
).filter(lambda node: max(depth for _, depth in walk(node)) <= MAX_DEPTH)


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    event.listen(engine, "connect", lambda raw, _: install_functions(raw))
    metadata.create_all(engine)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


@contextmanager
def stored(connection: Connection, kind: str, record: Any) -> Iterator[None]:
    """The record alone in its table, for as long as the block lasts."""
    with connection.begin() as transaction:
        put(connection, kind, KINDS[kind][1](record))
        if kind in BODY_ROWS:
            put(connection, BODIES[kind].name, BODY_ROWS[kind](record))
        yield
        transaction.rollback()


def put(connection: Connection, kind: str, row: tuple[Any, ...]) -> None:
    table = OF_KIND[kind].name if kind in OF_KIND else kind
    connection.execute(insert(metadata.tables[table]).values(dict(zip(FORMS[table].columns, row, strict=True))))


def matches_in_sql(connection: Connection, kind: str, record: Any, asked: list[Node]) -> list[bool]:
    """Asks each query for the record."""
    tenants = select(OF_KIND[kind].c.tenant)
    with stored(connection, kind, record):
        return [connection.execute(tenants.where(where(node, kind, NOW))).first() is not None for node in asked]


EVERY = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def every_comparison() -> list[Compare]:
    """Every field with every operator and every listed value; two labels stand for all."""
    fields = [(field.name, field.type) for field in FIELDS]
    fields += [("label.alertname", FieldType.TEXT), ('label.q"x', FieldType.TEXT), ("label.actor", FieldType.TEXT)]
    return [
        compared(0, name, op, (value,))
        for name, kind in fields
        for op in sorted(OPERATORS[kind])
        for value in values(kind, op)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_operator_and_value_gives_the_same_answer(connection: Connection, kind: str) -> None:
    asked = every_comparison()
    tests = [predicate(node, NOW) for node in asked]
    # Many questions per statement: a column each. SQLite takes at most 2,000 columns.
    sweeps = [
        select(*(where(node, kind, NOW).label(f"q{at}") for at, node in enumerate(asked[start : start + 1000])))
        for start in range(0, len(asked), 1000)
    ]

    @settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(record=KINDS[kind][0])
    def holds(record: Any) -> None:
        with stored(connection, kind, record):
            found = [bool(answer) for sweep in sweeps for answer in connection.execute(sweep).one()]
        expected = [test(record) for test in tests]
        assert [unparse(node) for node, a, b in zip(asked, found, expected, strict=True) if a is not b] == []

    holds()


@pytest.mark.parametrize("kind", KINDS)
@EVERY
@given(data=st.data())
def test_memory_and_sqlite_give_the_same_answers(connection: Connection, kind: str, data: st.DataObject) -> None:
    record = data.draw(KINDS[kind][0])
    asked = data.draw(st.lists(nodes, min_size=1, max_size=6))
    expected = [predicate(node, NOW)(record) for node in asked]
    assert matches_in_sql(connection, kind, record, asked) == expected


@pytest.mark.parametrize("kind", KINDS)
@EVERY
@given(data=st.data())
def test_not_is_the_exact_complement(connection: Connection, kind: str, data: st.DataObject) -> None:
    record, node = data.draw(KINDS[kind][0]), data.draw(nodes)
    first, second = matches_in_sql(connection, kind, record, [node, flat_not(node)])
    assert first is not second
    assert predicate(node, NOW)(record) is not predicate(flat_not(node), NOW)(record)


def flat_not(node: Node) -> Node:
    return node.part if isinstance(node, Not) else Not(part=node) if depth(node) < MAX_DEPTH else node_complement(node)


def depth(node: Node) -> int:
    return max(level for _, level in walk(node))


def node_complement(node: Node) -> Node:
    """De Morgan, for a tree that is too deep to be wrapped once more."""
    assert isinstance(node, And | Or)
    parts = tuple(flat_not(part) for part in node.parts)
    return Or(parts=parts) if isinstance(node, And) else And(parts=parts)


@EVERY
@given(node=nodes)
@example(node=Compare(field="text", op=Op.HAS, value="*x*"))
@example(node=Compare(field="label.not", op=Op.EQ, value="in"))
def test_spelling_reads_back(node: Node) -> None:
    assert parse(unparse(node)) == node
    assert msgspec.json.decode(msgspec.json.encode(node), type=Node) == node


PIECES = [*"ab=!~<>|&(){},\"'\\*# .:0\n", "and ", "or ", "not ", "in ", "site", "age", "sev", "label.", "2h", "high"]


@settings(EVERY, max_examples=1000)
@given(text=st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_any_text_is_a_query_or_an_error_with_a_place(text: str) -> None:
    try:
        node = parse(text)
    except QueryError as error:
        assert 0 <= error.position <= len(text)
        assert error.reason
        assert error.remedy
        return
    if node is not None:
        assert len(list(walk(node))) <= MAX_NODES
        assert parse(unparse(node)) == node


@EVERY
@given(alert=alerts, chosen=st.lists(matchers, min_size=1, max_size=3))
def test_matchers_and_their_query_agree(alert: Alert, chosen: list[Matcher]) -> None:
    node = matchers_node(chosen)
    assert predicate(node, NOW)(alert) is compile_matchers(chosen)(alert.labels)
