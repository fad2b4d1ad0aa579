"""Runs a query in SQLite: tree → one boolean expression over `data.tables`, every value a bound parameter.

Owns which field is which column. What has no column (labels, text search, lists) is answered on the body of the row by
the very test that runs in memory. Never writes SQL as text; never decides tenant, order or page.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Integer, and_, false, func, not_, or_, true

from data.codec import EPOCH, micros
from data.nouns import NOUNS, Noun
from data.query_answers import ALERT, AUDIT, CLUSTER, EFFECT, INCIDENT, REJECT, SILENCE, TIMELINE, Answers, of_noun
from data.query_ast import And, Compare, Node, Not, Op, Or
from data.query_fields import LABEL, FieldType, field_of
from data.query_leaves import contains_test, enum_words, glob_test, positive, text_test, time_bound
from data.query_memory import Predicate, compare_test
from data.query_values import check
from data.records import RANK, Ack, Audit, Effect, Reject, Severity, Silence, TimelineEntry
from data.regexes import full_match, plain_words
from data.tables import OF_KIND, body_of

_Condition = ColumnElement[bool]
_ORDER: dict[Op, Callable[[Any, Any], Any]] = {Op.GT: gt, Op.GE: ge, Op.LT: lt, Op.LE: le}


class AlertPart(Struct, frozen=True, gc=False):
    """What of an alert's body has no column; decoding only this is several times faster than all of it."""

    title: str
    name: str
    site: str
    entity: str
    entity_type: str
    service: str
    labels: dict[str, str]
    ack: Ack | None = None


class GroupPart(Struct, frozen=True, gc=False):
    """The same of an incident or a cluster."""

    title: str
    site: str
    sites: tuple[str, ...]
    names: tuple[str, ...]
    owner: str = ""
    clusters: tuple[int, ...] = ()
    ack: Ack | None = None


class _Kind(Struct, frozen=True, kw_only=True):
    """How one kind of rows answers: field → column, what memory answers, and what a body is decoded to."""

    answers: Answers
    part: type
    words: tuple[str, ...] = ()
    numbers: dict[str, str] = {}
    times: dict[str, str] = {}
    flags: tuple[str, ...] = ()


def _of_noun(noun: Noun) -> _Kind:
    return _Kind(
        answers=of_noun(noun),
        part=noun.record,
        words=tuple(name for name in ("site", "entity", "state") if getattr(noun, name)),
        # The column of the incident may be null, which no comparison takes: it is asked of the body.
        numbers={"value": "value"} if noun.value else {},
        times={"opened": "at"},
    )


_GROUP_TIMES = {"opened": "opened_at", "last": "last_at"}
_KINDS: dict[str, _Kind] = {
    "alerts": _Kind(
        answers=ALERT,
        part=AlertPart,
        words=("state", "name", "site", "source", "entity", "service", "client", "key"),
        numbers={"count": "count", "id": "id", "incident": "incident", "cluster": "cluster"},
        times={"opened": "starts_at", "last": "last_at"},
    ),
    "incidents": _Kind(
        answers=INCIDENT,
        part=GroupPart,
        words=("state", "title", "owner", "client"),
        numbers={"priority": "priority", "id": "id", "incident": "id", "count": "alerts"},
        times=_GROUP_TIMES,
    ),
    "clusters": _Kind(
        answers=CLUSTER,
        part=GroupPart,
        words=("title",),
        numbers={"id": "id", "cluster": "id", "incident": "incident", "count": "alerts"},
        times=_GROUP_TIMES,
    ),
    "silences": _Kind(answers=SILENCE, part=Silence, times={"opened": "starts_at"}),
    "timeline": _Kind(answers=TIMELINE, part=TimelineEntry, numbers={"incident": "incident"}, times={"opened": "at"}),
    "rejects": _Kind(answers=REJECT, part=Reject, words=("source", "state"), times={"opened": "at"}),
    "audits": _Kind(answers=AUDIT, part=Audit, times={"opened": "at"}),
    "effects": _Kind(answers=EFFECT, part=Effect, words=("key", "state"), times={"opened": "created_at"}),
    **{kind: _of_noun(noun) for kind, noun in NOUNS.items()},
}


def where(node: Node | None, kind: str, now: datetime) -> _Condition:
    """The condition for rows of `OF_KIND[kind]`; never NULL, so that `not` is exact. None = all rows.

    Needs `install_functions` on the connection. Raises QueryError for a bad tree, KeyError for a kind whose rows
    are not single records (events: filter those with `data.query_memory.predicate`).
    """
    compiler = _Compiler(kind, now)
    if node is None:
        return true()
    check(node)
    return compiler.condition(node)


class _Connection(Protocol):
    def create_function(self, name: str, narg: int, func: Any, /, *, deterministic: bool = ...) -> Any: ...


def install_functions(connection: _Connection) -> None:
    """Gives a DBAPI connection (sqlite3, or SQLAlchemy's aiosqlite adapter) the functions `where` uses."""
    connection.create_function("re2_full", 2, _re2_full, deterministic=True)
    connection.create_function("contains_folded", 2, _contains_folded, deterministic=True)
    connection.create_function("glob_full", 2, _glob_full, deterministic=True)
    connection.create_function("body_answers", 3, _body_answers, deterministic=True)


_glob = lru_cache(maxsize=256)(glob_test)
_contains = lru_cache(maxsize=256)(contains_test)


def _re2_full(pattern: str, value: str) -> bool:
    return full_match(pattern)(value)


def _contains_folded(needle: str, value: str) -> bool:
    return _contains(needle)(value)


def _glob_full(pattern: str, value: str) -> bool:
    return _glob(pattern)(value)


def _body_answers(kind: str, compare: bytes, body: bytes) -> bool:
    return _leaf(kind, compare)(body)


@lru_cache(maxsize=256)
def _leaf(kind: str, encoded: bytes) -> Predicate:
    """An encoded comparison as a test of a JSON body. Times have columns, so no `now` is needed."""
    rows = _KINDS[kind]
    test = compare_test(msgspec.json.decode(encoded, type=Compare), rows.answers, EPOCH)
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(rows.part).decode
    return lambda body: test(decode(body))


class _Compiler:
    """One query against one table."""

    def __init__(self, kind: str, now: datetime) -> None:
        self.kind, self.rows, self.now = kind, _KINDS[kind], now
        self.columns = OF_KIND[kind].c

    def condition(self, node: Node) -> _Condition:
        if isinstance(node, Not):
            return not_(self.condition(node.part))
        if isinstance(node, And):
            return and_(*(self.condition(part) for part in node.parts))
        if isinstance(node, Or):
            return or_(*(self.condition(part) for part in node.parts))
        op, negative = positive(node)
        condition = self.compare(Compare(field=node.field, op=op, value=node.value))
        return not_(condition) if negative else condition

    def compare(self, node: Compare) -> _Condition:
        match field_of(node.field).type:
            case FieldType.SEVERITY:
                return self.severity(node)
            case FieldType.NUMBER:
                return self.number(node)
            case FieldType.DURATION | FieldType.TIME:
                return self.time(node)
            case FieldType.FLAG:
                return self.flag(node.field) if node.value else not_(self.flag(node.field))
        return self.text(node)

    def severity(self, node: Compare) -> _Condition:
        words = enum_words("severity", node.op, node.value)
        if "severity" not in self.rows.answers.word:
            return _constant("" in words)
        return self.columns.severity.in_(sorted(RANK[Severity(word)] for word in words if word))

    def number(self, node: Compare) -> _Condition:
        column = self.rows.numbers.get(node.field)
        if column is None:
            return self.on_body(node) if node.field in self.rows.answers.numbers else false()
        if node.op in _ORDER:
            return _bool(_ORDER[node.op](self.columns[column], node.value))
        return self.columns[column].in_(node.value if isinstance(node.value, tuple) else (node.value,))

    def time(self, node: Compare) -> _Condition:
        column = self.rows.times.get("last" if node.field == "last" else "opened")
        if column is None:
            return false()
        op, bound = time_bound(node, self.now)
        return _bool(_ORDER[op](self.columns[column], micros(bound)))

    def text(self, node: Compare) -> _Condition:
        answers = self.rows.answers
        if node.field in self.rows.words:
            return _text_condition(self.columns[node.field], node)
        if node.field in answers.word or node.field in answers.words or node.field.startswith(LABEL):
            return self.on_body(node)
        return _constant(text_test(node.field, node.op, node.value)(""))

    def on_body(self, node: Compare) -> _Condition:
        return func.body_answers(self.kind, msgspec.json.encode(node), body_of(self.kind), type_=Integer) == 1

    def coming(self, column: str) -> _Condition:
        """The time of the column is set and has not passed."""
        return and_(self.columns[column].is_not(None), self.columns[column] > micros(self.now))

    def flag(self, field: str) -> _Condition:
        columns = self.columns
        if field not in self.rows.answers.flag:
            return false()
        if field == "acked":
            # No time in the column: either there is no acknowledgement or one that never lapses.
            endless = and_(columns.ack_until.is_(None), self.on_body(Compare(field="acked", op=Op.EQ, value=True)))
            return or_(self.coming("ack_until"), endless)
        if field in ("silenced", "shelved"):
            return self.coming(f"{field}_until")
        if field == "muted":
            return self.muted()
        return columns[field] > 0

    def muted(self) -> _Condition:
        columns, shelved = self.columns, self.coming("shelved_until")
        if self.kind == "alerts":
            return or_(self.coming("silenced_until"), columns.inhibited > 0, shelved)
        return or_(shelved, and_(columns.firing > 0, columns.muted >= columns.firing))


def _text_condition(column: ColumnElement[str], node: Compare) -> _Condition:
    value: Any = node.value
    if node.field == "state":
        return column.in_(sorted(enum_words("state", node.op, value)))
    match node.op:
        case Op.EQ:
            return _bool(column == value)
        case Op.IN:
            return column.in_(value)
        case Op.RE:
            words = plain_words(value)
            return func.re2_full(value, column, type_=Integer) == 1 if words is None else column.in_(sorted(words))
        case Op.GLOB:
            return _glob_condition(column, value)
    return func.contains_folded(value, column, type_=Integer) == 1


def _glob_condition(column: ColumnElement[str], pattern: str) -> _Condition:
    """`LIS*` as a range: exact in SQLite's byte order, and an index can serve it."""
    head = pattern[:-1]
    after = ord(head[-1]) + 1 if head else 0
    if "*" in head or not head or 0xD800 <= after < 0xE000 or after > 0x10FFFF:
        return func.glob_full(pattern, column, type_=Integer) == 1
    return and_(column >= head, column < head[:-1] + chr(after))


def _constant(answer: bool) -> _Condition:
    return true() if answer else false()


def _bool(condition: Any) -> _Condition:
    checked: _Condition = condition
    return checked
